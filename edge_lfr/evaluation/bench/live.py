"""
Alerts on their whole way: cameras, daemon and broker as processes; a clip and a watchlist enter, times and drops leave.

Each camera plays its own copy of the clip at the clip's own pace, as a street would, and a control room acknowledges.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_lfr.biometrics.outcomes import DiscardReason
from edge_lfr.config.load import load_config
from edge_lfr.evaluation.bench.gallery_start import ListSize, seal_made_list
from edge_lfr.evaluation.bench.ground import PACK, Ground
from edge_lfr.evaluation.bench.report import Row, Witness
from edge_lfr.evaluation.bench.speed_looks import drop_rows
from edge_lfr.evaluation.bench.speed_stages import TEMPLATES
from edge_lfr.evaluation.demo_summary import LatencyPart, RunReport
from edge_lfr.evaluation.rehearsal import Rehearsal, Scenario, rehearsal
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.inference.catalogue import load_catalogue
from edge_lfr.inference.installed import with_recorded_golden
from edge_lfr.pipeline.path import FLUSH, TIMED_STAGES
from edge_lfr.pipeline.stage_times import ALL_STAGES
from edge_lfr.watchlist.sealed.store import SealedStore

GRACE_S: Final = 120.0
"""Time beyond the clip's own length in which the daemon has to start, finish and deliver."""

LIMITS_MS: Final[dict[str, tuple[float, float | None]]] = {
    "frame_to_puback": (150.0, 500.0),
    "first_good_face_to_puback": (1000.0, None),
}
"""Of p50 and p99; on two cores without a GPU, one camera of 1280 x 720 at 10 frames a second, 5 people in view."""

LEAST_OF_P99: Final = 20
"""Of fewer values the largest is told under its own name; of up to 100 a p99 is the largest one or nearly so."""

NOBODY: Final = ListSize(people=TEMPLATES // 3, pictures=3)
"""A list as long as that of the other parts; no face is near to a made template."""

PARTS: Final = {
    "handover": "frame arrived to pass begun",
    "frame_to_stored": "frame arrived to alert stored",
    "stored_to_puback": "alert stored to PUBACK",
    "frame_to_puback": "frame arrived to PUBACK",
    "first_good_face_to_puback": "first good face to PUBACK",
}
"""Parts of the way as the daemon reports them, in their order in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveScene:
    """What the cameras see, and who is looked for."""

    clip: Path
    seconds: float
    watchlist: Path | None = None
    """A folder that `watchlist build` takes; None: made templates alone, with which everybody is compared in vain."""

    people_in_view: float | None = None
    """Median over the frames, by the truth; None: nobody knows."""

    cameras: int = 1
    has_targets: bool = True
    """Whether the clip is the one that the limits are meant for."""


def measure_live(ground: Ground, scene: LiveScene, witness: Witness) -> tuple[Row, ...]:
    """
    Run the appliance on the clip, and time what it did and told.

    Raises:
        BrokerUnavailableError: There is no Mosquitto, or it does not listen.
        RehearsalError: A process did not do its work.
    """
    folder = ground.folder / "live"
    folder.mkdir()
    with rehearsal(folder) as staged:
        staged.configure(
            Scenario(
                pack=PACK,
                models_directory=ground.models_directory,
                cameras=(str(scene.clip),) * scene.cameras,
                index="auto",
            )
        )
        if scene.watchlist is None:
            witness.stage("sealing a watchlist of nobody")
            _load_nobody(staged, witness)
        else:
            witness.stage("enrolling the watchlist")
            staged.load_watchlist(scene.watchlist)
        staged.start_control_room(lambda _: None)
        witness.stage(f"running the daemon on {scene.cameras} x {scene.seconds:.0f} s")
        report = staged.finish(staged.start_daemon(), scene.seconds + GRACE_S)
    return tuple(live_rows(report, scene))


def live_rows(report: RunReport, scene: LiveScene) -> Iterator[Row]:
    """Turn the daemon's own report into rows; a part that nothing went through has no value, and misses its target."""
    timed = report.latency.get("frame_to_puback", LatencyPart())
    yield Row.shown("live: cameras", scene.cameras, "cameras")
    yield Row.shown("live: people in view, median", scene.people_in_view, "people")
    yield Row.shown("live: frames decoded", report.frames_decoded, "frames")
    yield Row.shown("live: frames processed", report.frames_processed, "frames")
    yield Row.shown("live: frames dropped", report.frames_dropped, "frames")
    discards = {reason: report.counters.get(f"discard.{reason}", 0) for reason in DiscardReason}
    yield from drop_rows("live: drops", discards)
    yield Row.shown("live: alerts and sightings", report.alerts + report.sightings, "messages")
    yield Row.shown("live: alerts timed", timed.count, "messages")
    for name, words in PARTS.items():
        part = report.latency.get(name, LatencyPart())
        median_limit_ms, tail_limit_ms = LIMITS_MS.get(name, (None, None)) if scene.has_targets else (None, None)
        yield _held(f"live: {words}, p50", part.p50_ms, median_limit_ms)
        if part.count < LEAST_OF_P99:
            yield _held(f"live: {words}, maximum of fewer than {LEAST_OF_P99}", part.max_ms, tail_limit_ms)
        else:
            yield _held(f"live: {words}, p99", part.p99_ms, tail_limit_ms)
    for stage in (*TIMED_STAGES, ALL_STAGES, FLUSH):
        times = report.stages.get(stage)
        is_tail_known = times is not None and times.count >= LEAST_OF_P99
        yield Row.shown(f"live: {stage}, p50", None if times is None else round(times.p50_ms, 3), "ms")
        yield Row.shown(f"live: {stage}, p99", round(times.p99_ms, 3) if times and is_tail_known else None, "ms")


def _load_nobody(staged: Rehearsal, witness: Witness) -> None:
    """Load people who do not exist: without a list the daemon opens no camera."""
    config = load_config(staged.config_path, {})
    pack = with_recorded_golden(load_catalogue().pack(PACK), config.models_directory)
    store = SealedStore(config.watchlist_directory, KeyEncryptingKey.load(config.mode_directory, create=True))
    staged.has_watchlist = True
    seal_made_list(store, pack.digest, NOBODY, pack.embedder.dimension, witness)


def _held(name: str, value_ms: float | None, limit_ms: float | None) -> Row:
    return Row.shown(name, value_ms, "ms") if limit_ms is None else Row.at_most(name, value_ms, limit_ms, "ms")
