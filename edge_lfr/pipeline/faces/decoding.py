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

NEARLY: Final = 0.999
"""Slack for rounding where cells are chosen before their exact scores are known; the exact score decides."""

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
        face, objectness = _column(outputs, 0), _column(outputs, 1)
        # Clipping raises no product of positive factors: whoever reaches the score has a product of its square. So the
        # root and the clipping are for few cells, and boxes and landmarks are read at the kept ones alone.
        products = face * objectness
        _check_scores(products)
        near = np.flatnonzero(products >= NEARLY * min_score**2) if min_score > 0.0 else np.arange(len(products))
        # The nets' sigmoids may leave 0 to 1 by a rounding error; OpenCV clips them as well.
        scores = np.sqrt(np.clip(face[near], 0.0, 1.0) * np.clip(objectness[near], 0.0, 1.0))
        chosen = _best(scores, min_score)
        kept = near[chosen]
        offsets, points = _rows(outputs, 2, kept), _rows(outputs, 3, kept)
        cells, strides = self._cells[kept], self._strides[kept]
        centres = (cells + offsets[:, :2]) * strides
        half_sizes = np.exp(offsets[:, 2:]) * strides / 2
        boxes = np.concatenate([centres - half_sizes, centres + half_sizes], axis=1)
        landmarks = (cells[:, None] + points.reshape(-1, LANDMARK_COUNT, 2)) * strides[:, None]
        return _finite(Detections(boxes_xyxy=boxes, landmarks_xy=landmarks, scores=scores[chosen]))


class ScrfdDecoder:
    """Distances to the four sides and offsets of the landmarks from the cell, both in strides; two boxes a cell."""

    def __init__(self, working: SizeWH) -> None:
        self._cells, self._strides = _grid(working, anchors=SCRFD_ANCHORS)

    def decode(self, outputs: Sequence[Floats], min_score: float) -> Detections:
        scores = _column(outputs, 0)
        _check_scores(scores)
        kept = _best(scores, min_score)
        distances, points = _rows(outputs, 1, kept), _rows(outputs, 2, kept)
        cells, strides = self._cells[kept], self._strides[kept]
        top_left = (cells - distances[:, :2]) * strides
        bottom_right = (cells + distances[:, 2:]) * strides
        boxes = np.concatenate([top_left, bottom_right], axis=1)
        landmarks = (cells[:, None] + points.reshape(-1, LANDMARK_COUNT, 2)) * strides[:, None]
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
    x0, y0, x1, y1 = found.boxes_xyxy.T
    areas = np.maximum(x1 - x0, 0.0) * np.maximum(y1 - y0, 0.0)
    kept: list[int] = []
    left = np.arange(len(areas))
    while len(left):
        best = left[0]
        kept.append(int(best))
        widths = np.minimum(x1[best], x1[left]) - np.maximum(x0[best], x0[left])
        heights = np.minimum(y1[best], y1[left]) - np.maximum(y0[best], y0[left])
        intersections = np.maximum(widths, 0.0) * np.maximum(heights, 0.0)
        is_apart = intersections <= max_iou * (areas[best] + areas[left] - intersections)
        is_apart[0] = False  # an empty box does not even overlap itself
        left = left[is_apart]
    return kept


def _grid(working: SizeWH, *, anchors: int) -> tuple[Floats, Floats]:
    cells, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: working.height // stride, : working.width // stride]
        level = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32).repeat(anchors, axis=0)
        cells.append(level)
        strides.append(np.full((len(level), 1), stride, dtype=np.float32))
    return np.concatenate(cells), np.concatenate(strides)


def _levels(outputs: Sequence[Floats], part: int) -> list[Floats]:
    levels = outputs[part * len(STRIDES) : (part + 1) * len(STRIDES)]
    return [level.reshape(-1, level.shape[-1]) for level in levels]


def _column(outputs: Sequence[Floats], part: int) -> Floats:
    """float32 (cells,): a part with one number a cell, of all levels."""
    return np.concatenate([level[:, 0] for level in _levels(outputs, part)])


def _rows(outputs: Sequence[Floats], part: int, kept: NDArray[np.intp]) -> Floats:
    """float32 (kept, columns): a part at some cells, whose numbers go on from level to level."""
    levels = _levels(outputs, part)
    rows = np.empty((len(kept), levels[0].shape[-1]), dtype=np.float32)
    first = 0
    for level in levels:
        here = np.flatnonzero((kept >= first) & (kept < first + len(level)))
        rows[here] = level[kept[here] - first]
        first += len(level)
    return rows


def _check_scores(scores: Floats) -> None:
    if not np.isfinite(scores).all():
        message = "the detector gave scores that are no numbers"
        raise InferenceError(message)


def _best(scores: Floats, min_score: float) -> NDArray[np.intp]:
    kept = np.flatnonzero(scores >= min_score)
    return kept[np.argsort(-scores[kept], kind="stable")][:MAX_CELLS]


def _finite(found: Detections) -> Detections:
    if not (np.isfinite(found.boxes_xyxy).all() and np.isfinite(found.landmarks_xy).all()):
        message = "the detector gave a box that is no number"
        raise InferenceError(message)
    return found
