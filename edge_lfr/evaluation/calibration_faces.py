"""
A folder of labelled portraits enters, the unit vectors of its people with their groups leave; nothing is written down.

One picture a person, and every person in one group. Pictures pass the stages of enrolment and the demands of quality
that live faces meet: a face that quality refuses is never compared, so it can cause no false alert, and it would only
dilute the rate of those that are. Whoever is left out is counted, by group and reason.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.biometrics.samples import AlignedFace
from edge_lfr.config.faces import DetectionConfig, QualityConfig
from edge_lfr.evaluation.bench.ground import BenchError
from edge_lfr.evaluation.bench.report import Witness
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.faces.alignment import Aligner
from edge_lfr.pipeline.faces.detection import FaceDetector
from edge_lfr.pipeline.faces.quality import assess_geometry, assess_sample
from edge_lfr.pipeline.identification.embedding import Embedder

LABELS_NAME: Final = "labels.csv"

LARGEST_CANVAS_PX: Final = 640
"""As in enrolment; larger pictures are shrunk."""

CANVAS_FACTOR: Final = 1.4
"""Pictures lie in the middle of a black square longer than they are by this factor: a face that fills its picture is
found when it has a border. Chosen."""

CANVAS_MULTIPLE: Final = 32
"""Sides that a detector takes without padding of its own."""

SECOND_FACE_SHARE: Final = 1 / 3
"""As in enrolment: with a second face this wide, in widths of the widest, it is unclear whom the label describes."""

BATCH: Final = 8
"""Samples embedded at once, as in enrolment."""


class CalibrationError(BenchError):
    """A table cannot be made from these pictures."""

    code = "calibration"
    remedy = "take the whole of data/calibration"


@dataclass(frozen=True, slots=True)
class Portrait:
    """One labelled picture, still on the disk."""

    path: Path
    group: str


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """People that can be compared, and how many could not."""

    vectors: NDArray[np.float32]
    """(n, d), unit length; zeroed by whoever embedded them."""

    groups: NDArray[np.intp]
    """(n,), each the row of `names`."""

    names: tuple[str, ...]
    """Labelled groups in order of name."""

    left_out: Mapping[str, Mapping[str, int]]
    """Group -> reason -> people."""


def labelled_portraits(folder: Path) -> tuple[Portrait, ...]:
    """
    Read who is in *folder*, in order of file name.

    Args:
        folder: With `labels.csv` (columns file, gender, race) and the pictures.

    Raises:
        CalibrationError: There is no such file, or a row lacks a label or names a file elsewhere.
    """
    labels = folder / LABELS_NAME
    try:
        with labels.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise CalibrationError(f"{labels}: {error.strerror}") from error
    found = []
    for row in rows:
        name, race, gender = (row.get(column) or "" for column in ("file", "race", "gender"))
        if not (name and race and gender) or Path(name).name != name:
            raise CalibrationError(f"{labels}: a row without a file name, race or gender")
        found.append(Portrait(folder / name, f"{race}, {gender}"))
    if not found:
        raise CalibrationError(f"{labels}: no rows")
    return tuple(sorted(found, key=lambda portrait: portrait.path.name))


def first_of_each_group(portraits: Sequence[Portrait], count: int) -> tuple[Portrait, ...]:
    """The first *count* portraits of every group, for a quick answer."""
    taken: Counter[str] = Counter()
    chosen = []
    for portrait in portraits:
        taken[portrait.group] += 1
        if taken[portrait.group] <= count:
            chosen.append(portrait)
    return tuple(chosen)


@contextmanager
def embedded(
    portraits: Sequence[Portrait], pack: OpenPack, quality: QualityConfig, witness: Witness
) -> Iterator[Population]:
    """
    Embed *portraits*, and zero every vector on leaving.

    Args:
        portraits: One a person.

        pack: Whose scores are wanted.

        quality: The demands on live faces.

        witness: Told after each picture.

    Raises:
        CalibrationError: A picture is missing or broken, or nobody is left.
        InferenceError: The runtime failed.
    """
    embedding = _Embedding(pack, quality, len(portraits))
    try:
        for done, portrait in enumerate(portraits, start=1):
            embedding.take(portrait)
            witness.count(done, len(portraits))
        yield embedding.population(tuple(sorted({portrait.group for portrait in portraits})))
    finally:
        embedding.destroy()


class _Embedding:
    """One run over all portraits; holds at most `BATCH` samples, and the vectors."""

    def __init__(self, pack: OpenPack, quality: QualityConfig, count: int) -> None:
        spec = pack.entry.embedder
        self._detector = FaceDetector(pack.detector, pack.entry.detector, DetectionConfig())
        self._aligner = Aligner(spec, BATCH)
        self._embedder = Embedder(pack.embedder, spec, pack.digest, BATCH)
        self._quality = quality
        self._vectors: NDArray[np.float32] = np.zeros((count, spec.dimension), dtype=np.float32)
        self._groups: list[str] = []
        self._waiting: list[tuple[AlignedFace, str]] = []
        self._left_out: dict[str, Counter[str]] = {}

    def take(self, portrait: Portrait) -> None:
        pixels = cv2.imread(str(portrait.path), cv2.IMREAD_COLOR)
        if pixels is None:
            raise CalibrationError(f"a picture that {LABELS_NAME} names is missing or broken")
        sample = self._sample(np.asarray(pixels, dtype=np.uint8), portrait.group)
        if sample is not None:
            self._waiting.append((sample, portrait.group))
        if len(self._waiting) == BATCH:
            self._embed()

    def population(self, names: tuple[str, ...]) -> Population:
        self._embed()
        if not self._groups:
            message = "not one face of all pictures can be compared"
            raise CalibrationError(message)
        rows = {name: row for row, name in enumerate(names)}
        return Population(
            vectors=self._vectors[: len(self._groups)],
            groups=np.asarray([rows[group] for group in self._groups], dtype=np.intp),
            names=names,
            left_out={name: dict(self._left_out.get(name, {})) for name in names},
        )

    def destroy(self) -> None:
        for sample, _ in self._waiting:
            sample.destroy()
        self._waiting.clear()
        self._vectors[...] = 0
        self._detector.destroy_buffers()
        self._embedder.flush()

    def _sample(self, pixels: NDArray[np.uint8], group: str) -> AlignedFace | None:
        """The aligned sample of the picture's one good face; None, counted, where there is none."""
        canvas = _on_canvas(pixels)
        faces = sorted(self._detector.detect(canvas), key=lambda face: -face.box_xyxy.width)
        if not faces:
            self._leave_out(group, "no-face")
            return None
        face, *others = faces
        if any(other.box_xyxy.width >= face.box_xyxy.width * SECOND_FACE_SHARE for other in others):
            self._leave_out(group, "several-faces")
            return None
        measured = assess_geometry(face, SizeWH(len(canvas), len(canvas)), self._quality, None)
        if not measured.is_sufficient:
            self._leave_out(group, f"quality-{measured.reasons[0].value}")
            return None
        sample = self._aligner.align(canvas, face, 0)
        measured = assess_sample(measured, sample.pixels, self._quality)
        if not measured.is_sufficient:
            sample.destroy()
            self._leave_out(group, f"quality-{measured.reasons[0].value}")
            return None
        return sample

    def _leave_out(self, group: str, reason: str) -> None:
        self._left_out.setdefault(group, Counter())[reason] += 1

    def _embed(self) -> None:
        try:
            probes = self._embedder.extract([sample for sample, _ in self._waiting])
            for probe, (_, group) in zip(probes, self._waiting, strict=True):
                with probe:
                    self._vectors[len(self._groups)] = probe.vector
                self._groups.append(group)
        finally:
            for sample, _ in self._waiting:
                sample.destroy()
            self._waiting.clear()


def _on_canvas(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture in the middle of a black square, shrunk where it is larger than the largest one."""
    height, width = pixels.shape[:2]
    wanted = -(-round(max(height, width) * CANVAS_FACTOR) // CANVAS_MULTIPLE) * CANVAS_MULTIPLE
    side = min(wanted, LARGEST_CANVAS_PX)
    scale = min(1.0, side / max(height, width))
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    x, y = (side - fitted[0]) // 2, (side - fitted[1]) // 2
    canvas = np.zeros((side, side, 3), dtype=np.uint8)
    canvas[y : y + fitted[1], x : x + fitted[0]] = cv2.resize(pixels, fitted, interpolation=cv2.INTER_AREA)
    return canvas
