"""
The pictures of one reference enter, its templates and its best picture leave: one lane, for one thread at a time.

Lanes share the nets and nothing else. With nets of one thread each, two lanes on two cores ran 1.2 to 1.7 times as many
pictures through the bare nets as one lane with nets of two threads. How many samples a batch holds made no difference
there, so a batch is what one reference has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import BoxXYXY, PointsXY, SizeWH
from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.biometrics.samples import AlignedFace, Face
from edge_lfr.config.faces import DetectionConfig, QualityConfig
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.faces.alignment import Aligner
from edge_lfr.pipeline.faces.detection import FaceDetector
from edge_lfr.pipeline.faces.quality import assess_geometry, assess_sample
from edge_lfr.pipeline.identification.embedding import Embedder
from edge_lfr.watchlist.enrolling.decoding import PictureDecoder
from edge_lfr.watchlist.enrolling.folder import MAX_PICTURES_PER_REFERENCE
from edge_lfr.watchlist.enrolling.pictures import PictureRefusedError
from edge_lfr.watchlist.enrolling.report import RowOutcome, RowResult
from edge_lfr.watchlist.enrolling.sources import SourceRow
from edge_lfr.watchlist.enrolling.thumbnails import thumbnail

CANVAS_PX: Final = 640
"""
Pictures are fitted into one black square of this side; a face of a fortieth of the picture's side is still found.

Small pictures get no smaller square, although that would be faster: at the edge of the net's input the landmarks of a
face that fills its picture shift, and templates with them (cosines down to 0.85 with the ones of this square).
"""

CANVAS_SHARES: Final = (1.0, 0.5)
"""How much of the canvas a picture covers at most, in the order of trying: a portrait that fills its picture is found
when it is smaller and has a border."""

SECOND_FACE_SHARE: Final = 1 / 3
"""A second face at least this wide, in widths of the widest, makes it unclear who is meant; smaller ones are passers-by
or prints on a wall (chosen, not measured)."""


@dataclass(frozen=True, slots=True)
class TakenReference:
    """What became of one reference's pictures; its templates stand where the caller wanted them."""

    results: tuple[RowResult, ...]
    """One for each row, in their order."""

    lines: tuple[int, ...]
    """Of the rows that were enrolled, in the order of their templates."""

    picture: bytes = field(repr=False)
    """JPEG of the best of them; empty when none was enrolled."""


@dataclass(slots=True)
class _Best:
    value: float = -1.0
    picture: bytes = field(default=b"", repr=False)


class EnrolmentLane:
    """The stages of one pack, sized for one reference, and what they work on."""

    def __init__(self, pack: OpenPack, detection: DetectionConfig) -> None:
        self.detector = FaceDetector(pack.detector, pack.entry.detector, detection)
        self.aligner = Aligner(pack.entry.embedder, MAX_PICTURES_PER_REFERENCE)
        self.embedder = Embedder(pack.embedder, pack.entry.embedder, pack.digest, MAX_PICTURES_PER_REFERENCE)
        self._canvas: NDArray[np.uint8] = locked_zeros((CANVAS_PX, CANVAS_PX, 3), np.uint8)

    def take(
        self,
        rows: Sequence[SourceRow],
        decoder: PictureDecoder,
        quality: QualityConfig,
        out: NDArray[np.float32],
        is_stopped: Callable[[], bool],
    ) -> TakenReference:
        """
        Look at every picture of one reference, and embed those that are good enough.

        Args:
            rows: At most `MAX_PICTURES_PER_REFERENCE`.

            decoder: Of this lane alone.

            quality: What is good enough.

            out: float32 (at least as many as rows, d); the templates are written from its first row on.

            is_stopped: Asked before every picture; when it says so, what is left is not looked at.

        Raises:
            InferenceError: The runtime failed; no sample and no template is left.
        """
        results: list[RowResult] = []
        samples: list[AlignedFace] = []
        best = _Best()
        try:
            for row in rows:
                if is_stopped():
                    break
                results.append(self._take_row(row, decoder, quality, samples, best))
            lines = tuple(sample.track_id for sample in samples)
            for position, probe in enumerate(self.embedder.extract(samples)):
                with probe:
                    out[position] = probe.vector
        finally:
            for sample in samples:
                sample.destroy()
        return TakenReference(tuple(results), lines, best.picture)

    def destroy(self) -> None:
        """Zero everything biometric that this lane still holds, and what the runtime keeps."""
        self._canvas[...] = 0
        self.detector.destroy_buffers()
        self.embedder.flush()

    def _take_row(
        self, row: SourceRow, decoder: PictureDecoder, quality: QualityConfig, samples: list[AlignedFace], best: _Best
    ) -> RowResult:
        try:
            pixels = decoder.decode(row.read())
        except PictureRefusedError as error:
            return RowResult(row.line, row.reference_id, RowOutcome(error.reason.value))
        try:
            return self._take_pixels(pixels, row, quality, samples, best)
        finally:
            pixels[...] = 0

    def _take_pixels(
        self,
        pixels: NDArray[np.uint8],
        row: SourceRow,
        quality: QualityConfig,
        samples: list[AlignedFace],
        best: _Best,
    ) -> RowResult:
        faces = self._detect(pixels)
        if not faces:
            return RowResult(row.line, row.reference_id, RowOutcome.NO_FACE)
        face, *others = sorted(faces, key=lambda face: -face.box_xyxy.width)
        if any(other.box_xyxy.width >= face.box_xyxy.width * SECOND_FACE_SHARE for other in others):
            return RowResult(row.line, row.reference_id, RowOutcome.SEVERAL_FACES)
        size = SizeWH(width=pixels.shape[1], height=pixels.shape[0])
        measured = assess_geometry(face, size, quality, None)
        sample: AlignedFace | None = None
        if measured.is_sufficient:
            sample = self.aligner.align(pixels, face, row.line)
            measured = assess_sample(measured, sample.pixels, quality)
        outcome = RowOutcome.ENROLLED
        if sample is None or not measured.is_sufficient:
            if sample is not None:
                sample.destroy()
            outcome = RowOutcome(f"quality-{measured.reasons[0].value}")
        else:
            samples.append(sample)
            if measured.value > best.value:
                best.value = measured.value
                best.picture = thumbnail(pixels, face.box_xyxy)
        return RowResult(
            line=row.line,
            reference_id=row.reference_id,
            outcome=outcome,
            inter_eye_px=face.inter_eye_px,
            sharpness=measured.sharpness,
            detection_score=measured.detection_score,
        )

    def _detect(self, pixels: NDArray[np.uint8]) -> tuple[Face, ...]:
        """Find faces, in pixels of the picture; a second try with a border when there is none at first."""
        for share in CANVAS_SHARES:
            height, width = pixels.shape[:2]
            scale = min(1.0, CANVAS_PX * share / max(height, width))
            fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
            x, y = (CANVAS_PX - fitted[0]) // 2, (CANVAS_PX - fitted[1]) // 2
            self._canvas[...] = 0
            region = self._canvas[y : y + fitted[1], x : x + fitted[0]]
            # Straight into the canvas: a result of its own would be a copy of the picture that nobody zeroes.
            cv2.resize(pixels, fitted, dst=region, interpolation=cv2.INTER_AREA)
            faces = self.detector.detect(self._canvas)
            if faces:
                factors = width / fitted[0], height / fitted[1]
                return tuple(_moved(face, (x, y), factors) for face in faces)
        return ()


def _moved(face: Face, offset_xy: tuple[int, int], factors_xy: tuple[float, float]) -> Face:
    """Take a face from canvas pixels to the picture's own."""
    (x, y), (factor_x, factor_y) = offset_xy, factors_xy
    box = face.box_xyxy
    shifted = BoxXYXY(box.x0 - x, box.y0 - y, box.x1 - x, box.y1 - y)
    offset, factors = np.asarray(offset_xy, dtype=np.float32), np.asarray(factors_xy, dtype=np.float32)
    landmarks: PointsXY = (face.landmarks_xy - offset) * factors
    return Face(shifted.scaled(factor_x, factor_y), landmarks, face.detection_score)
