"""
Raw outputs of a detector enter, candidate boxes leave, one a kept cell; pure arithmetic on arrays, no picture.

Both families answer by cell: a grid for each stride, row by row, boxes and landmarks relative to the cell. The grids
are laid out once for each working size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import LANDMARK_COUNT, SizeWH
from edge_lfr.errors import InferenceError
from edge_lfr.inference.catalogue import DetectorKind
from edge_lfr.inference.contract import SCRFD_ANCHORS, STRIDES

MAX_CELLS: Final = 1000
"""Cells that enter the comparison of boxes, best first (chosen, not measured): 50 faces light up a few hundred."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Parallel arrays in pixels of the net's input, best score first."""

    boxes_xyxy: Floats
    """float32 (n, 4)."""

    landmarks_xy: Floats
    """float32 (n, 5, 2)."""

    scores: Floats
    """float32 (n,)."""


class CellDecoder(Protocol):
    """Reads the outputs of one family at one working size."""

    def decode(self, outputs: Sequence[Floats], min_score: float) -> Detections:
        """
        Read all cells whose score reaches *min_score*.

        Args:
            outputs: In the order of the catalogue's contract: each part by stride 8, 16, 32.

            min_score: 0 to 1.

        Raises:
            InferenceError: A score or a kept box is no number.
        """
        ...


class YunetDecoder:
    """score = sqrt(cls x obj); centre = (cell + offset) x stride; size = exp(offset) x stride."""

    def __init__(self, working: SizeWH) -> None:
        self._cells, self._strides = _grid(working, anchors=1)

    def decode(self, outputs: Sequence[Floats], min_score: float) -> Detections:
        face, objectness, offsets, points = (_stacked(outputs, part) for part in range(4))
        # The nets' sigmoids may leave 0 to 1 by a rounding error; OpenCV clips them as well.
        scores = np.sqrt(np.clip(face[:, 0], 0.0, 1.0) * np.clip(objectness[:, 0], 0.0, 1.0))
        kept = _best(scores, min_score)
        cells, strides = self._cells[kept], self._strides[kept]
        centres = (cells + offsets[kept, :2]) * strides
        half_sizes = np.exp(offsets[kept, 2:]) * strides / 2
        boxes = np.concatenate([centres - half_sizes, centres + half_sizes], axis=1)
        landmarks = (cells[:, None] + points[kept].reshape(-1, LANDMARK_COUNT, 2)) * strides[:, None]
        return _finite(Detections(boxes_xyxy=boxes, landmarks_xy=landmarks, scores=scores[kept]))


class ScrfdDecoder:
    """Distances to the four sides and offsets of the landmarks from the cell, both in strides; two boxes a cell."""

    def __init__(self, working: SizeWH) -> None:
        self._cells, self._strides = _grid(working, anchors=SCRFD_ANCHORS)

    def decode(self, outputs: Sequence[Floats], min_score: float) -> Detections:
        face, distances, points = (_stacked(outputs, part) for part in range(3))
        scores = face[:, 0]
        kept = _best(scores, min_score)
        cells, strides = self._cells[kept], self._strides[kept]
        top_left = (cells - distances[kept, :2]) * strides
        bottom_right = (cells + distances[kept, 2:]) * strides
        boxes = np.concatenate([top_left, bottom_right], axis=1)
        landmarks = (cells[:, None] + points[kept].reshape(-1, LANDMARK_COUNT, 2)) * strides[:, None]
        return _finite(Detections(boxes_xyxy=boxes, landmarks_xy=landmarks, scores=scores[kept]))


def decoder_for(kind: DetectorKind, working: SizeWH) -> CellDecoder:
    """Lay out the grids of *kind* for an input of size *working*."""
    return YunetDecoder(working) if kind is DetectorKind.YUNET else ScrfdDecoder(working)


def suppress_overlaps(found: Detections, max_iou: float) -> list[int]:
    """
    Keep the best box of every heap: greedy, and a box goes when it overlaps a kept one by more than *max_iou*.

    Returns:
        Rows of *found*, best score first.
    """
    boxes = found.boxes_xyxy
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0), axis=1)
    kept: list[int] = []
    alive = np.ones(len(boxes), dtype=bool)
    for row in range(len(boxes)):
        if not alive[row]:
            continue
        kept.append(row)
        corners = np.minimum(boxes[row, 2:], boxes[row:, 2:]) - np.maximum(boxes[row, :2], boxes[row:, :2])
        intersections = np.prod(np.maximum(corners, 0.0), axis=1)
        alive[row:] &= intersections <= max_iou * (areas[row] + areas[row:] - intersections)
    return kept


def _grid(working: SizeWH, *, anchors: int) -> tuple[Floats, Floats]:
    cells, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: working.height // stride, : working.width // stride]
        level = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32).repeat(anchors, axis=0)
        cells.append(level)
        strides.append(np.full((len(level), 1), stride, dtype=np.float32))
    return np.concatenate(cells), np.concatenate(strides)


def _stacked(outputs: Sequence[Floats], part: int) -> Floats:
    levels = outputs[part * len(STRIDES) : (part + 1) * len(STRIDES)]
    return np.concatenate([level.reshape(-1, level.shape[-1]) for level in levels])


def _best(scores: Floats, min_score: float) -> NDArray[np.intp]:
    if not np.isfinite(scores).all():
        message = "the detector gave scores that are no numbers"
        raise InferenceError(message)
    kept = np.flatnonzero(scores >= min_score)
    return kept[np.argsort(-scores[kept], kind="stable")][:MAX_CELLS]


def _finite(found: Detections) -> Detections:
    if not (np.isfinite(found.boxes_xyxy).all() and np.isfinite(found.landmarks_xy).all()):
        message = "the detector gave a box that is no number"
        raise InferenceError(message)
    return found
