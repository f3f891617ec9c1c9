"""
What a demo run came to: truth, alerts and the daemon's own numbers enter; counts, misses and a verdict leave.

A passage counts as found when an alert or a sighting names its reference at its place and time.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.evaluation.bench.report import Report, Row
from edge_lfr.evaluation.truth import Event, Passage, Truth, assign

PASSAGES_PER_MISS: Final = 24
"""At most one mated passage in so many may be missed."""

MAX_LATENCY_P50_MS: Final = 250.0
MAX_LATENCY_P99_MS: Final = 1000.0

P50: Final = "frame to broker's receipt, p50"
P99: Final = "frame to broker's receipt, p99"
DROPPED: Final = "dropped"

MissStage = Literal["faces", "quality", "looks", "matching", "decision", "reporting", "unknown"]
"""The stage at which a missed passage ended: no track at all, never good enough, never compared, compared below the
threshold, compared without agreement, matched but no alert arrived."""

STAGE_OF_DISCARD: Final[dict[str, MissStage]] = {
    "track-low-quality": "quality",
    "track-not-looked-at": "looks",
    "track-non-match": "matching",
    "track-undetermined": "decision",
}

STAGES_IN_ORDER: Final[tuple[MissStage, ...]] = ("faces", "quality", "looks", "matching", "decision", "reporting")


class Numbers(BaseModel):
    """Read from another process; what is not known here is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class DiscardReport(Numbers):
    """Why a track ended without an alert."""

    reason: str


class TrackReport(Numbers):
    """How one track ended, as the daemon reports it after `run --once`."""

    track_id: int
    last_media_s: float | None
    last_box_xyxy: BoxXYXY
    looks: int
    discard: DiscardReport | None
    """None after a match."""


class LatencyPart(Numbers):
    """Percentiles of one part of an alert's way; None before the first."""

    count: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None


class StageReport(Numbers):
    """How often a stage of the path ran, and how long it took."""

    count: int
    total_ms: float
    p50_ms: float
    p99_ms: float


class RunReport(Numbers):
    """The last line of `edge-lfr run --once`."""

    frames_decoded: int
    frames_processed: int
    frames_dropped: int
    counters: dict[str, int] = {}
    latency_ms_p50: float | None = None
    latency_ms_p99: float | None = None
    latency: dict[str, LatencyPart] = {}
    stages: dict[str, StageReport] = {}
    alerts: int = 0
    sightings: int = 0
    track_ends: tuple[TrackReport, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Everything but the tracks, for a program; nobody knows who walked by, so that no row has a target."""
        shown = Report.of(
            (
                Row.shown(P50, self.latency_ms_p50, "ms"),
                Row.shown(P99, self.latency_ms_p99, "ms"),
                Row.shown(DROPPED, self.frames_dropped, "frames"),
            )
        )
        return self.model_dump(mode="json", exclude={"track_ends"}) | shown.as_json()


class Miss(Numbers):
    """A mated passage without an alert."""

    passage_id: str
    reference_id: str
    stage: MissStage


class DemoSummary(Numbers):
    """The last line of `edge-lfr demo --json`."""

    passages: int
    mated: int
    true_alerts: int
    """Mated passages that an alert or a sighting reported."""

    false_alerts: int
    missed: int
    doubled: int
    """Mated passages with more than one alert id."""

    sightings: int
    misses: tuple[Miss, ...]
    latency_ms_p50: float | None
    latency_ms_p99: float | None
    frames: int
    """Decoded."""

    processed: int
    dropped: int
    counters: dict[str, int]

    @property
    def report(self) -> Report:
        """What is held to a target, and dropped frames: in the form of every measurement."""
        return Report.of(self._rows())

    @property
    def failed_targets(self) -> tuple[str, ...]:
        """What the run should have reached and did not, in words."""
        return tuple(_in_words(row) for row in self.report.rows if not row.ok)

    def as_json(self) -> dict[str, object]:
        """Everything, for a program: rows as any measurement gives them, and what they were counted from."""
        return self.model_dump(mode="json") | {"failed_targets": list(self.failed_targets)} | self.report.as_json()

    def _rows(self) -> Iterator[Row]:
        yield Row.at_most("missed", self.missed, self.mated // PASSAGES_PER_MISS, "passages")
        yield Row.exactly("false alerts", self.false_alerts, 0, "alerts")
        yield Row.exactly("alerted twice", self.doubled, 0, "passages")
        yield Row.at_most(P50, self.latency_ms_p50, MAX_LATENCY_P50_MS, "ms")
        yield Row.at_most(P99, self.latency_ms_p99, MAX_LATENCY_P99_MS, "ms")
        yield Row.shown(DROPPED, self.dropped, "frames")


def summarise(truth: Truth, events: Sequence[Event], run: RunReport) -> DemoSummary:
    """Hold what came out against what was put in."""
    assignment = assign(truth, events)
    mated = sum(passage.is_mated for passage in truth.passages)
    misses = tuple(
        Miss(
            passage_id=passage.passage_id, reference_id=passage.reference_id or "", stage=stage_of(passage, truth, run)
        )
        for passage in assignment.missed
    )
    return DemoSummary(
        passages=len(truth.passages),
        mated=mated,
        true_alerts=assignment.true_alerts,
        false_alerts=assignment.false_alerts,
        missed=len(misses),
        doubled=len(assignment.doubled),
        sightings=sum(event.is_sighting for event in events),
        misses=misses,
        latency_ms_p50=run.latency_ms_p50,
        latency_ms_p99=run.latency_ms_p99,
        frames=run.frames_decoded,
        processed=run.frames_processed,
        dropped=run.frames_dropped,
        counters=run.counters,
    )


def stage_of(passage: Passage, truth: Truth, run: RunReport) -> MissStage:
    """The furthest stage that any track of a missed passage reached; `unknown` when the daemon reports no tracks."""
    if not run.track_ends:
        return "unknown"
    reached: list[MissStage] = ["faces"]
    for track in run.track_ends:
        if track.last_media_s is None:
            continue
        owner = truth.passage_at(track.last_media_s, track.last_box_xyxy)
        if owner is not None and owner.passage_id == passage.passage_id:
            ended = "reporting" if track.discard is None else STAGE_OF_DISCARD.get(track.discard.reason, "unknown")
            reached.append(ended)
    known = [stage for stage in STAGES_IN_ORDER if stage in reached]
    return known[-1]


def _in_words(row: Row) -> str:
    found = "not measured" if row.value is None else f"{row.value} {row.unit}"
    return f"{row.name}: {found}; target: {row.target}"
