"""What one run of the daemon came to, as `edge-lfr run --once` prints it: counts and times, nothing about anybody."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge_lfr.biometrics.outcomes import TrackEnd
from edge_lfr.daemon.health import Health
from edge_lfr.daemon.latency import LatencyPart, LatencySummary
from edge_lfr.pipeline.stage_times import StageSummary


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run."""

    exit_status: int
    frames_decoded: int
    frames_processed: int
    frames_dropped: int
    alerts: int
    sightings: int
    latency_ms_p50: float | None
    """Of the part `frame_to_puback`, as below."""

    latency_ms_p99: float | None
    latency: Mapping[str, LatencySummary]
    """By `LatencyPart`."""

    stages: Mapping[str, StageSummary]
    """By the names of `pipeline.path.STAGES`, `pass` for a whole pass, and `flush` for what lies between two."""

    counters: Mapping[str, int]
    track_ends: tuple[TrackEnd, ...]


def summarise(health: Health, *, exit_status: int, track_ends: tuple[TrackEnd, ...]) -> RunSummary:
    """Read what the parts have counted."""
    counters = health.all_counters()
    latency = health.latency.summary()
    whole = latency[LatencyPart.FRAME_TO_PUBACK]
    statuses = [camera.status for camera in health.cameras.values()]
    return RunSummary(
        exit_status=exit_status,
        frames_decoded=sum(status.frames_decoded for status in statuses),
        frames_processed=sum(health.loop.frames_processed.values()),
        frames_dropped=sum(status.frames_superseded + status.frames_no_slot for status in statuses),
        alerts=counters.get("alerts", 0),
        sightings=counters.get("sightings", 0),
        latency_ms_p50=whole.p50_ms,
        latency_ms_p99=whole.p99_ms,
        latency=latency,
        stages=health.times.summary(),
        counters=counters,
        track_ends=track_ends,
    )
