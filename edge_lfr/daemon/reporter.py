"""Where the path's verdicts go: matches to the alert writer, everything else into counters, and nothing more."""

import threading
from collections.abc import Sequence

import structlog

from edge_lfr.biometrics.outcomes import Decision, Discard, TrackEnd
from edge_lfr.biometrics.samples import Face, Frame
from edge_lfr.clock import Clock
from edge_lfr.daemon.latency import LatencyLog
from edge_lfr.errors import ReportingError
from edge_lfr.pipeline.reporting.alert import AlertWriter
from edge_lfr.pipeline.reporting.discard import Counters

log = structlog.get_logger()


class DaemonReporter:
    """The `Reporter` of `pipeline.path`; also keeps how tracks ended when an evaluation asks for it."""

    def __init__(
        self, alerts: AlertWriter, counters: Counters, latency: LatencyLog, clock: Clock, *, keep_track_ends: bool
    ) -> None:
        """With *keep_track_ends* a record of numbers for each track of this run is kept, for a truth file."""
        self._alerts = alerts
        self._counters = counters
        self._latency = latency
        self._clock = clock
        self._keep_track_ends = keep_track_ends
        self._lock = threading.Lock()
        self._track_ends: list[TrackEnd] = []

    def match(
        self,
        decision: Decision,
        frame: Frame | None = None,
        face: Face | None = None,
        others: Sequence[Face] = (),
        *,
        first_good_ns: int | None = None,
    ) -> None:
        """Write the alert; if neither disk nor memory takes it, the loss is loud and the pass goes on for the rest."""
        try:
            alert = self._alerts.write(decision, frame, face, others)
        except ReportingError as error:
            self._counters.count("alerts.refused")
            log.error("alert.refused", camera=decision.camera_id, track=decision.track_id, code=error.code)
            return
        if alert is None:  # a repetition on the same track is told to nobody
            return
        self._counters.count("sightings" if alert.is_sighting else "alerts")
        if frame is not None and not alert.is_sighting:  # of a sighting the link tells no latency
            self._latency.stored(alert.alert_id, frame.arrived_ns, self._clock.monotonic_ns(), first_good_ns)

    def discard(self, discard: Discard) -> None:
        self._counters.discard(discard)

    def track_ended(self, end: TrackEnd) -> None:
        self._counters.count("tracks")
        if end.was_sufficient:
            self._counters.count("faces-seen")
            self._counters.count(f"faces-seen.{end.camera_id}")
        for reason in end.quality_reasons:
            self._counters.count(f"quality.{reason.value}")
        if end.discard is not None:
            self._counters.discard(end.discard)
        if self._keep_track_ends:
            with self._lock:
                self._track_ends.append(end)

    def track_ends(self) -> tuple[TrackEnd, ...]:
        with self._lock:
            return tuple(self._track_ends)
