"""How long an alert takes, from the arrival of the frame that completed the decision to the broker's PUBACK."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

KEPT: Final = 10_000
"""Latest alerts that the percentiles are taken of; more than a year of the busiest published deployments."""


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Percentiles over the alerts of this run, milliseconds; None before the first."""

    count: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class LatencyLog:
    """Collects spans from any thread."""

    def __init__(self) -> None:
        self._spans_ms: deque[float] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def add(self, began_ns: int, ended_ns: int) -> None:
        with self._lock:
            self._spans_ms.append((ended_ns - began_ns) / 1e6)

    def summary(self) -> LatencySummary:
        with self._lock:
            spans = sorted(self._spans_ms)
        if not spans:
            return LatencySummary(count=0, p50_ms=None, p99_ms=None, max_ms=None)
        return LatencySummary(
            count=len(spans), p50_ms=_percentile(spans, 50), p99_ms=_percentile(spans, 99), max_ms=round(spans[-1], 1)
        )


def _percentile(ordered: list[float], percent: int) -> float:
    """Nearest rank: the smallest value that at least *percent* of the values do not exceed."""
    rank = -(-len(ordered) * percent // 100)
    return round(ordered[max(rank, 1) - 1], 1)
