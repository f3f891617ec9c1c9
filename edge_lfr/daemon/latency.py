"""How long an alert takes, in parts: from the arrival of a frame to the broker's PUBACK; numbers only."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge_lfr.pipeline.durations import DurationLog, nearest_rank

MAX_OPEN: Final = 1_000
"""Alerts whose PUBACK is awaited at most; the oldest is forgotten first, and has then no latency. Chosen."""


class LatencyPart(StrEnum):
    """From what to what."""

    HANDOVER = "handover"
    """A frame arrived, and the pass that takes it begins."""

    FRAME_TO_STORED = "frame_to_stored"
    """The frame that completed the decision arrived, and the alert is on the disk."""

    STORED_TO_PUBACK = "stored_to_puback"
    FRAME_TO_PUBACK = "frame_to_puback"
    FIRST_GOOD_FACE_TO_PUBACK = "first_good_face_to_puback"
    """The first frame arrived in which this track's face was good enough, and the broker has the alert."""


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Percentiles over the latest spans of one part, milliseconds; None before the first."""

    count: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None


@dataclass(slots=True)
class _Sending:
    """One alert between the disk and the broker."""

    stored_ns: int | None = None
    first_good_ns: int | None = None
    accepted_ns: int | None = None


class LatencyLog:
    """Collects spans from any thread; all times are of CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans = {part: DurationLog() for part in LatencyPart}
        self._sending: dict[tuple[str, int], _Sending] = {}

    def add(self, part: LatencyPart, began_ns: int, ended_ns: int) -> None:
        with self._lock:
            self._add(part, began_ns, ended_ns)

    def stored(self, alert_id: str, arrived_ns: int, stored_ns: int, first_good_ns: int | None) -> None:
        """An alert is stored; *arrived_ns* is that of the frame that completed the decision."""
        with self._lock:
            self._add(LatencyPart.FRAME_TO_STORED, arrived_ns, stored_ns)
            sending = self._opened(alert_id, arrived_ns)
            sending.stored_ns, sending.first_good_ns = stored_ns, first_good_ns
            self._conclude(alert_id, arrived_ns, sending)

    def accepted(self, alert_id: str, arrived_ns: int, accepted_ns: int) -> None:
        """The broker took it, and had somebody to give it to; may be said before `stored`, by another thread."""
        with self._lock:
            self._add(LatencyPart.FRAME_TO_PUBACK, arrived_ns, accepted_ns)
            sending = self._opened(alert_id, arrived_ns)
            sending.accepted_ns = accepted_ns
            self._conclude(alert_id, arrived_ns, sending)

    def summary(self) -> dict[str, LatencySummary]:
        """Every part, in the order of `LatencyPart`."""
        with self._lock:
            found = {part: (spans.count, spans.latest_ns()) for part, spans in self._spans.items()}
        return {part.value: _summary(*spans) for part, spans in found.items()}

    def _add(self, part: LatencyPart, began_ns: int, ended_ns: int) -> None:
        self._spans[part].add(ended_ns - began_ns)

    def _opened(self, alert_id: str, arrived_ns: int) -> _Sending:
        sending = self._sending.setdefault((alert_id, arrived_ns), _Sending())
        if len(self._sending) > MAX_OPEN:
            del self._sending[next(iter(self._sending))]
        return sending

    def _conclude(self, alert_id: str, arrived_ns: int, sending: _Sending) -> None:
        if sending.stored_ns is None or sending.accepted_ns is None:
            return
        # the link may have the answer before the path has noted that the disk took the alert
        self._add(LatencyPart.STORED_TO_PUBACK, min(sending.stored_ns, sending.accepted_ns), sending.accepted_ns)
        if sending.first_good_ns is not None:
            self._add(LatencyPart.FIRST_GOOD_FACE_TO_PUBACK, sending.first_good_ns, sending.accepted_ns)
        self._sending.pop((alert_id, arrived_ns), None)


def _summary(count: int, latest_ns: Iterable[int]) -> LatencySummary:
    if not count:
        return LatencySummary()
    ordered_ms = [duration_ns / 1e6 for duration_ns in sorted(latest_ns)]
    return LatencySummary(
        count=count,
        p50_ms=round(nearest_rank(ordered_ms, 50), 1),
        p99_ms=round(nearest_rank(ordered_ms, 99), 1),
        max_ms=round(ordered_ms[-1], 1),
    )
