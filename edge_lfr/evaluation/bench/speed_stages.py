"""
What speed is measured with: the pack's nets, noted, and a path over a gallery of some hundred templates.

Everything is as the daemon puts it together but the reporter, which counts, and the detector, which can be listened to.
"""

import csv
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.outcomes import Decision, Discard, DiscardReason, TrackEnd
from edge_lfr.biometrics.samples import Face, Frame
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.daemon.assembly import open_nets, stages_of
from edge_lfr.evaluation.bench.ground import BenchError
from edge_lfr.evaluation.bench.noted_nets import Call, noted
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.faces.detection import FaceDetector
from edge_lfr.pipeline.path import Stages
from edge_lfr.watchlist.gallery.gallery import Gallery

TEMPLATES: Final = 300
"""Of the gallery: those who walk by, and made vectors that nobody is near to; a local list (chosen)."""

PORTRAIT_PX: Final = 640
"""Longest side to which an enrolment picture is shrunk."""


@dataclass(slots=True)
class CountingReporter:
    """Satisfies `path.Reporter`: counts, and remembers which references were alerted for."""

    alerted: set[str] = field(default_factory=set)
    discards: Counter[DiscardReason] = field(default_factory=Counter)
    faces_seen: int = 0

    def match(
        self,
        decision: Decision,
        frame: Frame | None = None,  # noqa: ARG002 - nothing is told here
        face: Face | None = None,  # noqa: ARG002
        others: Sequence[Face] = (),  # noqa: ARG002
        *,
        first_good_ns: int | None = None,  # noqa: ARG002
    ) -> None:
        self.alerted.add(decision.candidates[0].reference_id)

    def discard(self, discard: Discard) -> None:
        self.discards[discard.reason] += 1

    def track_ended(self, end: TrackEnd) -> None:
        self.faces_seen += end.was_sufficient


class ShowingDetector(FaceDetector):
    """Finds what its parent finds, and shows it to a listener while the picture is still there."""

    listener: Callable[[NDArray[np.uint8], tuple[Face, ...]], None] | None = None

    def detect(self, pixels_bgr: NDArray[np.uint8]) -> tuple[Face, ...]:
        faces = super().detect(pixels_bgr)
        if self.listener is not None:
            self.listener(pixels_bgr, faces)
        return faces


class Bench:
    """The noted nets and a gallery, for as many paths as are to be compared; `close` ends the gallery's vectors."""

    def __init__(self, pack: OpenPack, config: ApplianceConfig, watchlist: Path | None) -> None:
        """
        Enrol *watchlist*, and fill up with made vectors.

        Raises:
            BenchError: A picture of it shows no face.
        """
        self.config = config
        self.calls: list[Call] = []
        self.pack = noted(pack, self.calls.append)
        nets = open_nets(self.pack, config)
        nets.embedder.warm_up()
        self.detector = ShowingDetector(
            self.pack.detector,
            pack.entry.detector,
            config.detection,
            min_score=min(config.tracking.min_continuing_score, config.detection.min_detection_score),
        )
        self.nets = replace(nets, detector=self.detector)
        self.threshold = pack.entry.floor(TEMPLATES).threshold_for(config.decision.threshold)
        self.gallery = self._filled(watchlist)
        self._track_ids = itertools.count(1)
        self.calls.clear()

    def stages(self, cameras: Sequence[str]) -> Stages:
        """Stages that remember nothing yet."""
        first = self.config.cameras[0]
        named = tuple(first.model_copy(update={"id": camera}) for camera in cameras)
        return stages_of(
            self.nets,
            self.config.model_copy(update={"cameras": named}),
            lambda: next(self._track_ids),
            gallery=self.gallery,
            threshold=self.threshold,
        )

    def close(self) -> None:
        self.gallery.destroy()

    def _filled(self, watchlist: Path | None) -> Gallery:
        dimension = self.pack.entry.embedder.dimension
        vectors = np.random.default_rng(1).standard_normal((TEMPLATES, dimension)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        reference_ids = [f"made-{number:04d}" for number in range(TEMPLATES)]
        if watchlist is not None:
            for row, (reference_id, picture) in enumerate(_listed(watchlist)[:TEMPLATES]):
                reference_ids[row] = reference_id
                vectors[row] = self._template(picture)
        return Gallery(
            vectors,
            reference_ids,
            pack_digest=self.pack.digest,
            config=GalleryConfig(index=IndexChoice.EXACT),
            threshold=self.threshold,
        )

    def _template(self, picture: Path) -> NDArray[np.float32]:
        loaded = cv2.imread(str(picture), cv2.IMREAD_COLOR)
        if loaded is None:
            message = "an enrolment picture is not readable"
            raise BenchError(message)
        scale = min(PORTRAIT_PX / max(loaded.shape[:2]), 1.0)
        pixels = np.asarray(cv2.resize(loaded, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        faces = self.detector.detect(pixels)
        if not faces:
            message = "an enrolment picture shows no face"
            raise BenchError(message)
        nets = self.nets
        with nets.aligner.align(pixels, faces[0], 0) as sample, nets.embedder.extract([sample])[0] as probe:
            return probe.vector.copy()


def _listed(watchlist: Path) -> list[tuple[str, Path]]:
    with (watchlist / "watchlist.csv").open(encoding="utf-8", newline="") as file:
        return [(row["reference_id"], watchlist / row["picture"]) for row in csv.DictReader(file)]
