"""How long each stage of the path takes: durations enter, percentiles leave; nothing about anybody is in either."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from edge_lfr.pipeline.durations import DurationLog, nearest_rank

ALL_STAGES: Final = "pass"
"""Stands among the stages for all of one pass."""


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One stage: how often it ran, how long in all, and percentiles over its latest runs; milliseconds."""

    count: int
    total_ms: float
    p50_ms: float
    p99_ms: float


class StageTimes:
    """Collects durations by the name of a stage; one thread measures, any thread reads."""

    def __init__(self) -> None:
        self._stages: defaultdict[str, DurationLog] = defaultdict(DurationLog)
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
        self.add_all(((stage, duration_ns),))

    def add_all(self, found: Iterable[tuple[str, int]]) -> None:
        """Add durations in nanoseconds by stage; a reader sees all of them or none."""
        with self._lock:
            for stage, duration_ns in found:
                self._stages[stage].add(duration_ns)

    def summary(self) -> dict[str, StageSummary]:
        """What each stage came to, in the order in which they first ran."""
        with self._lock:
            found = {stage: (log.count, log.total_ns, log.latest_ns()) for stage, log in self._stages.items()}
        return {stage: _summary(*durations) for stage, durations in found.items()}


class StageClock:
    """Adds up what one stage takes within one pass: `with clock:` around each of its parts; not to be nested."""

    __slots__ = ("_began_ns", "elapsed_ns", "stage")

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.elapsed_ns = 0
        self._began_ns = 0

    def __enter__(self) -> None:
        self._began_ns = time.perf_counter_ns()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.elapsed_ns += time.perf_counter_ns() - self._began_ns


class PassClock:
    """
    Times one pass after the other: `with pass_clock:` around the pass, `with pass_clock[stage]:` around each part.

    A stage with many parts in a pass comes to one duration of it, and one without any to none, so that the percentiles
    of the stages are of passes. The clocks are made once: a pass takes and frees nothing for them.
    """

    def __init__(self, times: StageTimes, stages: Iterable[str]) -> None:
        self._times = times
        self._whole = StageClock(ALL_STAGES)
        self._clocks = {stage: StageClock(stage) for stage in stages}

    def __getitem__(self, stage: str) -> StageClock:
        return self._clocks[stage]

    def __enter__(self) -> Self:
        self._whole.elapsed_ns = 0
        for clock in self._clocks.values():
            clock.elapsed_ns = 0
        self._whole.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._whole.__exit__(kind, error, trace)
        clocks = (*self._clocks.values(), self._whole)
        self._times.add_all((clock.stage, clock.elapsed_ns) for clock in clocks if clock.elapsed_ns)


def _summary(count: int, total_ns: int, latest_ns: Iterable[int]) -> StageSummary:
    ordered_ns = sorted(latest_ns)
    return StageSummary(
        count=count,
        total_ms=total_ns / 1e6,
        p50_ms=nearest_rank(ordered_ns, 50) / 1e6,
        p99_ms=nearest_rank(ordered_ns, 99) / 1e6,
    )
