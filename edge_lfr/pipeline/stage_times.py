"""How long each stage of the path takes: durations enter, percentiles leave; nothing about anybody is in either."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

KEPT: Final = 2_000
"""Latest durations of a stage that its percentiles are taken of; some three minutes at ten frames a second."""


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One stage: how often it ran, how long in all, and percentiles over its latest runs; milliseconds."""

    count: int
    total_ms: float
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class _Durations:
    count: int = 0
    total_ns: int = 0
    latest_ns: deque[int] = field(default_factory=lambda: deque(maxlen=KEPT))


class StageTimes:
    """Collects durations by the name of a stage; one thread measures, any thread reads."""

    def __init__(self) -> None:
        self._stages: dict[str, _Durations] = {}
        self._lock = threading.Lock()

    @contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to *stage*, also when it fails."""
        began_ns = time.perf_counter_ns()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter_ns() - began_ns)

    def add(self, stage: str, duration_ns: int) -> None:
        with self._lock:
            durations = self._stages.setdefault(stage, _Durations())
            durations.count += 1
            durations.total_ns += duration_ns
            durations.latest_ns.append(duration_ns)

    def summary(self) -> dict[str, StageSummary]:
        """What each stage came to, in the order in which they first ran."""
        with self._lock:
            found = {
                stage: (durations.count, durations.total_ns, sorted(durations.latest_ns))
                for stage, durations in self._stages.items()
            }
        return {
            stage: StageSummary(
                count=count,
                total_ms=total_ns / 1e6,
                p50_ms=nearest_rank(latest_ns, 50) / 1e6,
                p99_ms=nearest_rank(latest_ns, 99) / 1e6,
            )
            for stage, (count, total_ns, latest_ns) in found.items()
        }


def nearest_rank(ordered: list[int], percent: int) -> int:
    """Give the smallest value that at least *percent* of the values do not exceed; *ordered* holds at least one."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]
