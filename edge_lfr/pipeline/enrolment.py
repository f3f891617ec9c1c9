"""
A watchlist folder enters, a sealed list and a report leave: the stages of the live path, for pictures of references.

    picture -> pixels -> face -> quality -> aligned sample -> template -> sealed row

Pixels, samples and probes are destroyed as soon as the next stage has them, and the matrix of all templates when the
list is sealed. Whatever happens on the way, the list before stays live until the new one is whole.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import BoxXYXY, PointsXY, SizeWH
from edge_lfr.biometrics.samples import AlignedFace, Face
from edge_lfr.config.faces import DetectionConfig, QualityConfig
from edge_lfr.config.identification import DecisionConfig
from edge_lfr.inference.catalogue import PackEntry
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.faces.alignment import Aligner
from edge_lfr.pipeline.faces.detection import FaceDetector
from edge_lfr.pipeline.faces.quality import assess_geometry, assess_sample
from edge_lfr.pipeline.identification.embedding import Embedder
from edge_lfr.watchlist.decoding import PictureDecoder
from edge_lfr.watchlist.lookalikes import far_rows, near_pairs
from edge_lfr.watchlist.new_list import NewList
from edge_lfr.watchlist.pictures import PictureRefusedError, read_picture
from edge_lfr.watchlist.report import EnrolmentReport, Lookalikes, PicturesDiffer, RowOutcome, RowResult
from edge_lfr.watchlist.source import SourceRow, WatchlistSource
from edge_lfr.watchlist.store import SealedStore
from edge_lfr.watchlist.thumbnails import thumbnail

BATCH: Final = 8
"""Samples embedded at once; more gains nothing on a CPU (measured) and little elsewhere (chosen)."""

CANVAS_PX: Final = 640
"""Pictures are fitted into one black square of this side, so that all of them share the detector's one buffer; a face
of a fortieth of the picture's side is still found."""

CANVAS_SHARES: Final = (1.0, 0.5)
"""How much of the canvas a picture covers at most, in the order of trying: a portrait that fills its picture is found
when it is smaller and has a border."""

SECOND_FACE_SHARE: Final = 1 / 3
"""A second face at least this wide, in widths of the widest, makes it unclear who is meant; smaller ones are passers-by
or prints on a wall (chosen, not measured)."""

Progress = Callable[[int, int], None]
"""Told after each row: rows done, rows in all."""


@dataclass(frozen=True, slots=True)
class EnrolmentStages:
    """The stages of one model pack, sized for enrolment."""

    entry: PackEntry
    detector: FaceDetector
    aligner: Aligner
    embedder: Embedder

    @classmethod
    def of(cls, pack: OpenPack, detection: DetectionConfig) -> Self:
        """Stages with arenas of `BATCH` slots."""
        return cls(
            entry=pack.entry,
            detector=FaceDetector(pack.detector, pack.entry.detector, detection),
            aligner=Aligner(pack.entry.embedder, BATCH),
            embedder=Embedder(pack.embedder, pack.entry.embedder, pack.digest, BATCH),
        )


def enrol(
    source: WatchlistSource,
    store: SealedStore,
    stages: EnrolmentStages,
    *,
    quality: QualityConfig,
    decision: DecisionConfig,
    accept_partial: bool = True,
    progress: Progress = lambda _done, _total: None,
) -> EnrolmentReport:
    """
    Enrol every picture of *source* and make the result the live list.

    Args:
        source: Checked rows.

        store: Where the list goes.

        stages: Of the pack that the daemon will use.

        quality: The same demands as on live faces.

        decision: Its threshold and margin decide what is a lookalike.

        accept_partial: Activate although some rows failed; the report says which. When false, one failed row keeps the
            list before live.

        progress: Told after each row.

    Returns:
        The report. Nothing is activated when no row was enrolled, and then the list before stays live.

    Raises:
        ModelContractError: The pack has no calibration for so many templates.
        ConfigError: The configured threshold lies below the floor for so many templates.
        WatchlistStorageError, DaemonBusyError: The store cannot be written.
        WatchlistWipedError: Somebody wiped the store meanwhile; nothing is live.
        InferenceError: The runtime failed.
    """
    started = time.monotonic()
    # A pack without any calibration, and a threshold below the floor of any list, are refused before the work.
    stages.entry.floor(1).threshold_for(decision.threshold)
    with store.create(pack_digest=stages.entry.digest, dimension=stages.entry.embedder.dimension) as new:
        load = _Load(source, new, stages, quality, progress)
        try:
            load.take_all()
            return load.conclude(decision, accept_partial=accept_partial, started=started)
        finally:
            load.destroy()


@dataclass(slots=True, eq=False)
class _Reference:
    """One reference on its way into the list: its rows of the matrix, and its best picture so far."""

    number: int
    waiting: int = 0
    """Samples that are aligned and not yet embedded."""

    is_read: bool = False
    """All its pictures have been looked at."""

    is_sealed: bool = False
    rows: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    best_value: float = -1.0
    picture: bytes = field(default=b"", repr=False)


class _Load:
    """One run of `enrol`; holds at most `BATCH` samples, and the matrix."""

    def __init__(
        self,
        source: WatchlistSource,
        new: NewList,
        stages: EnrolmentStages,
        quality: QualityConfig,
        progress: Progress,
    ) -> None:
        self._source = source
        self._new = new
        self._stages = stages
        self._quality = quality
        self._progress = progress
        self._results: list[RowResult] = []
        self._waiting: list[tuple[AlignedFace, _Reference]] = []
        self._sealed: list[_Reference] = []
        self._canvas: NDArray[np.uint8] = np.zeros((CANVAS_PX, CANVAS_PX, 3), dtype=np.uint8)
        self._matrix: NDArray[np.float32] = np.zeros(
            (len(source.rows), stages.entry.embedder.dimension), dtype=np.float32
        )
        self._filled = 0

    def take_all(self) -> None:
        """Look at every picture, reference by reference, and seal each reference when its templates are there."""
        rows_of: dict[str, list[SourceRow]] = {entry.reference_id: [] for entry in self._source.entries}
        for row in self._source.rows:
            rows_of[row.reference_id].append(row)
        with PictureDecoder() as decoder:
            for number, entry in enumerate(self._source.entries):
                reference = _Reference(number)
                for row in rows_of[entry.reference_id]:
                    self._results.append(self._take(row, reference, decoder))
                    self._progress(len(self._results), len(self._source.rows))
                reference.is_read = True
                self._seal_if_done(reference)
        self._embed()

    def conclude(self, decision: DecisionConfig, *, accept_partial: bool, started: float) -> EnrolmentReport:
        """Compare the templates with one another, activate the list, and report."""
        rejected = any(result.outcome is not RowOutcome.ENROLLED for result in self._results)
        lookalikes: tuple[Lookalikes, ...] = ()
        are_more = False
        differing: tuple[PicturesDiffer, ...] = ()
        threshold = None
        if self._filled:
            # What the daemon would refuse is refused here, while the list before is still live.
            threshold = self._stages.entry.floor(self._filled).threshold_for(decision.threshold)
            lookalikes, are_more = self._lookalikes(threshold - decision.margin)
            differing = self._pictures_differ(threshold)
        list_id = None
        if self._filled and (accept_partial or not rejected):
            list_id = self._new.activate(lookalikes=[frozenset({pair.first, pair.second}) for pair in lookalikes])
        sealed = {reference.number for reference in self._sealed}
        return EnrolmentReport(
            list_id=list_id,
            rows=tuple(sorted(self._results, key=lambda result: result.line)),
            enrolled_templates=self._filled,
            enrolled_references=len(sealed),
            failed_references=tuple(
                entry.reference_id for number, entry in enumerate(self._source.entries) if number not in sealed
            ),
            lookalikes=lookalikes,
            has_more_lookalikes=are_more,
            pictures_differ=differing,
            threshold=threshold,
            seconds=time.monotonic() - started,
        )

    def destroy(self) -> None:
        """Zero everything biometric that this load or its stages still hold."""
        for sample, _ in self._waiting:
            sample.destroy()
        self._waiting.clear()
        self._matrix[...] = 0
        self._canvas[...] = 0
        self._stages.detector.destroy_buffers()
        self._stages.embedder.flush()

    def _take(self, row: SourceRow, reference: _Reference, decoder: PictureDecoder) -> RowResult:
        try:
            pixels = decoder.decode(read_picture(row.picture))
        except PictureRefusedError as error:
            return RowResult(row.line, row.reference_id, RowOutcome(error.reason.value))
        try:
            return self._take_pixels(pixels, row, reference)
        finally:
            pixels[...] = 0

    def _take_pixels(self, pixels: NDArray[np.uint8], row: SourceRow, reference: _Reference) -> RowResult:
        faces = self._detect(pixels)
        if not faces:
            return RowResult(row.line, row.reference_id, RowOutcome.NO_FACE)
        face, *others = sorted(faces, key=lambda face: -face.box_xyxy.width)
        if any(other.box_xyxy.width >= face.box_xyxy.width * SECOND_FACE_SHARE for other in others):
            return RowResult(row.line, row.reference_id, RowOutcome.SEVERAL_FACES)
        size = SizeWH(width=pixels.shape[1], height=pixels.shape[0])
        measured = assess_geometry(face, size, self._quality, None)
        sample: AlignedFace | None = None
        if measured.is_sufficient:
            sample = self._stages.aligner.align(pixels, face, row.line)
            measured = assess_sample(measured, sample.pixels, self._quality)
        if sample is None or not measured.is_sufficient:
            if sample is not None:
                sample.destroy()
            outcome = RowOutcome(f"quality-{measured.reasons[0].value}")
            return RowResult(row.line, row.reference_id, outcome, face.inter_eye_px)
        if measured.value > reference.best_value:
            reference.best_value = measured.value
            reference.picture = thumbnail(pixels, face.box_xyxy)
        reference.waiting += 1
        reference.lines.append(row.line)
        self._waiting.append((sample, reference))
        if len(self._waiting) == BATCH:
            self._embed()
        return RowResult(row.line, row.reference_id, RowOutcome.ENROLLED, face.inter_eye_px)

    def _detect(self, pixels: NDArray[np.uint8]) -> tuple[Face, ...]:
        """Find faces, in pixels of the picture; a second try with a border when there is none at first."""
        for share in CANVAS_SHARES:
            height, width = pixels.shape[:2]
            scale = min(1.0, CANVAS_PX * share / max(height, width))
            fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
            x, y = (CANVAS_PX - fitted[0]) // 2, (CANVAS_PX - fitted[1]) // 2
            self._canvas[...] = 0
            region = self._canvas[y : y + fitted[1], x : x + fitted[0]]
            region[...] = cv2.resize(pixels, fitted, interpolation=cv2.INTER_AREA)
            faces = self._stages.detector.detect(self._canvas)
            if faces:
                factors = width / fitted[0], height / fitted[1]
                return tuple(_moved(face, (x, y), factors) for face in faces)
        return ()

    def _embed(self) -> None:
        """Turn the waiting samples into rows of the matrix, and seal the references that have all theirs."""
        samples = [sample for sample, _ in self._waiting]
        references = [reference for _, reference in self._waiting]
        try:
            probes = self._stages.embedder.extract(samples)
        finally:
            for sample in samples:
                sample.destroy()
            self._waiting.clear()
        for probe, reference in zip(probes, references, strict=True):
            with probe:
                self._matrix[self._filled] = probe.vector
            reference.rows.append(self._filled)
            reference.waiting -= 1
            self._filled += 1
        for reference in references:
            self._seal_if_done(reference)

    def _seal_if_done(self, reference: _Reference) -> None:
        if reference.is_sealed or not reference.is_read or reference.waiting or not reference.rows:
            return
        vectors = self._matrix[reference.rows]
        self._new.add(self._source.entries[reference.number], vectors, reference.picture)
        vectors[...] = 0
        reference.picture = b""
        reference.is_sealed = True
        self._sealed.append(reference)

    def _lookalikes(self, least_score: float) -> tuple[tuple[Lookalikes, ...], bool]:
        owners = [0] * self._filled
        for reference in self._sealed:
            for row in reference.rows:
                owners[row] = reference.number
        entries = self._source.entries
        near = near_pairs(self._matrix[: self._filled], owners, least_score)
        lookalikes = tuple(
            Lookalikes(entries[first].reference_id, entries[second].reference_id, score)
            for first, second, score in near.pairs
        )
        return lookalikes, near.are_more

    def _pictures_differ(self, threshold: float) -> tuple[PicturesDiffer, ...]:
        return tuple(self._differing(threshold, (one for one in self._sealed if len(one.rows) > 1)))

    def _differing(self, threshold: float, references: Iterable[_Reference]) -> Iterable[PicturesDiffer]:
        for reference in references:
            vectors = self._matrix[reference.rows]
            for first, second, score in far_rows(vectors, threshold):
                lines = (reference.lines[first], reference.lines[second])
                yield PicturesDiffer(self._source.entries[reference.number].reference_id, lines, score)
            vectors[...] = 0


def _moved(face: Face, offset_xy: tuple[int, int], factors_xy: tuple[float, float]) -> Face:
    """Take a face from canvas pixels to the picture's own."""
    (x, y), (factor_x, factor_y) = offset_xy, factors_xy
    box = face.box_xyxy
    shifted = BoxXYXY(box.x0 - x, box.y0 - y, box.x1 - x, box.y1 - y)
    offset, factors = np.asarray(offset_xy, dtype=np.float32), np.asarray(factors_xy, dtype=np.float32)
    landmarks: PointsXY = (face.landmarks_xy - offset) * factors
    return Face(shifted.scaled(factor_x, factor_y), landmarks, face.detection_score)
