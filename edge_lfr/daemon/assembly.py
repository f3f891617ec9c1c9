"""What the appliance is made of: the stages that live as long as the process, and a path for each watchlist."""

from collections.abc import Callable
from dataclasses import dataclass

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.arming.armament import Armament
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.faces.alignment import Aligner
from edge_lfr.pipeline.faces.detection import FaceDetector
from edge_lfr.pipeline.faces.looks import LookPlanner
from edge_lfr.pipeline.faces.tracking import Tracker
from edge_lfr.pipeline.identification.agreement import Lookalikes
from edge_lfr.pipeline.identification.decision import Decider
from edge_lfr.pipeline.identification.embedding import Embedder
from edge_lfr.pipeline.identification.matching import Matcher
from edge_lfr.pipeline.path import Path, Reporter, Stages
from edge_lfr.pipeline.stage_times import StageTimes
from edge_lfr.watchlist.gallery.gallery import Gallery


@dataclass(frozen=True, slots=True, eq=False)
class Nets:
    """The stages that hold sessions and arenas; built once."""

    detector: FaceDetector
    aligner: Aligner
    embedder: Embedder
    pack_digest: str


def open_nets(pack: OpenPack, config: ApplianceConfig) -> Nets:
    """Build the stages around the pack's sessions, with arenas for the largest pass."""
    slots = config.looks.max_batch
    return Nets(
        detector=FaceDetector(
            pack.detector,
            pack.entry.detector,
            config.detection,
            min_score=min(config.tracking.min_continuing_score, config.detection.min_detection_score),
        ),
        aligner=Aligner(pack.entry.embedder, slots),
        embedder=Embedder(pack.embedder, pack.entry.embedder, pack.digest, slots),
        pack_digest=pack.digest,
    )


def assemble(
    nets: Nets,
    armament: Armament,
    config: ApplianceConfig,
    reporter: Reporter,
    new_track_id: Callable[[], int],
    *,
    times: StageTimes,
) -> Path:
    """A path that searches this watchlist; everything that a path remembers starts empty."""
    stages = stages_of(
        nets,
        config,
        new_track_id,
        gallery=armament.gallery,
        threshold=armament.threshold,
        lookalikes=armament.watchlist.lookalikes,
    )
    return Path(stages, reporter, times)


def stages_of(
    nets: Nets,
    config: ApplianceConfig,
    new_track_id: Callable[[], int],
    *,
    gallery: Gallery,
    threshold: float,
    lookalikes: Lookalikes = frozenset(),
) -> Stages:
    """The stages of such a path; they remember nothing yet."""
    return Stages(
        detector=nets.detector,
        trackers={
            camera.id: Tracker(camera.id, config.tracking, config.detection.min_detection_score, new_track_id)
            for camera in config.cameras
        },
        zones={camera.id: camera.zone_polygon for camera in config.cameras},
        quality=config.quality,
        planner=LookPlanner(config.looks),
        aligner=nets.aligner,
        embedder=nets.embedder,
        matcher=Matcher(gallery, pack_digest=nets.pack_digest),
        decider=Decider(config.decision, threshold, lookalikes),
        max_gap_s=config.tracking.max_gap_s,
    )
