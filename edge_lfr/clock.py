"""Time as a parameter: monotonic nanoseconds for spans, aware UTC for records, time since boot to judge UTC by."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the appliance asks of a clock; tests bring one that they can turn."""

    def monotonic_ns(self) -> int:
        """Nanoseconds of CLOCK_MONOTONIC, comparable between the daemon and its children."""
        ...

    def boottime_ns(self) -> int:
        """Nanoseconds of CLOCK_BOOTTIME: nobody can set it, and it goes on while the machine sleeps."""
        ...

    def utc_now(self) -> datetime:
        """The wall time, aware, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; a simulated clock returns at once and moves on."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def boottime_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def utc_now(self) -> datetime:
        return datetime.now(tz=UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
