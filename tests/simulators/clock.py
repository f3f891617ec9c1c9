"""A clock that stands still until a test moves it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(slots=True)
class StoppedClock:
    """Both of its times move together."""

    now: datetime = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    elapsed_ns: int = 1_000_000_000_000

    def monotonic_ns(self) -> int:
        return self.elapsed_ns

    def utc_now(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.elapsed_ns += round(seconds * 1e9)
