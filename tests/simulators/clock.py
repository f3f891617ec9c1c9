"""A clock that stands still until a test moves it, and the kernel that keeps it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(slots=True)
class StoppedClock:
    """Its times move together, unless somebody sets the wall time or the machine sleeps."""

    now: datetime = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    elapsed_ns: int = 1_000_000_000_000
    asleep_ns: int = 0
    """How far the time since boot is ahead of the monotonic one."""

    boots: int = 1
    synchronised: bool = False
    """Whether a time server says that the wall time is right."""

    rtc: bool = True
    """Whether the machine has a clock that goes on while it is off."""

    def monotonic_ns(self) -> int:
        return self.elapsed_ns

    def boottime_ns(self) -> int:
        return self.elapsed_ns + self.asleep_ns

    def utc_now(self) -> datetime:
        return self.now

    def boot_id(self) -> str:
        return f"boot-{self.boots}"

    def is_synchronised(self) -> bool:
        return self.synchronised

    def has_rtc(self) -> bool:
        return self.rtc

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float, *, slew_ppm: float = 0.0) -> None:
        """Let time pass, the wall time faster or slower than the others by *slew_ppm*."""
        self.now += timedelta(seconds=seconds * (1 + slew_ppm * 1e-6))
        self.elapsed_ns += round(seconds * 1e9)

    def suspend(self, seconds: float) -> None:
        """The machine sleeps: the monotonic time stands still."""
        self.now += timedelta(seconds=seconds)
        self.asleep_ns += round(seconds * 1e9)

    def step(self, seconds: float) -> None:
        """Somebody sets the wall time, and the kernel calls it unsynchronised from then on."""
        self.now += timedelta(seconds=seconds)
        self.synchronised = False

    def reboot(self, now: datetime | None = None, *, uptime_s: float = 5.0) -> None:
        """The machine begins anew, with the time that its own small clock has kept, or another one."""
        self.now = self.now if now is None else now
        self.elapsed_ns, self.asleep_ns = round(uptime_s * 1e9), 0
        self.boots += 1
        self.synchronised = False
