"""A portrait enters; its head leaves, cut out with a soft edge and in sizes that can be drawn fast."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.evaluation.walkby.people import Portrait

LARGEST_FACE_PX: Final = 160
"""Width of the face in the largest level; a little more than any face is drawn with."""

LEVELS: Final = 4
"""Each level halves the one before: 160, 80, 40, 20 px."""

LEFT, ABOVE, RIGHT, BELOW = 1.15, 1.45, 1.15, 1.35
"""How much of the portrait around the middle of the face is head, in face widths: hair above, neck below."""

CUT_WIDTH_PX: Final = 96
"""Width at which head and background are told apart; the soft edge hides the coarseness."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One head, premultiplied with its opacity."""

    levels: tuple[NDArray[np.float32], ...]
    """float32 (height, width, 4): BGR times opacity (0 to 255), opacity (0 to 1); large to small."""

    face_px: tuple[float, ...]
    """Width of the face in each level."""

    face_ratio: float
    """Height of the face's box per width."""

    skin_bgr: tuple[float, float, float]
    """For the neck."""

    @property
    def centre_shares(self) -> tuple[float, float]:
        """Where the middle of the face lies in every level, in shares of its width and height."""
        return LEFT / (LEFT + RIGHT), ABOVE / (ABOVE + BELOW)


def cut_head(portrait: Portrait) -> Head:
    """
    Cut the head out of its background.

    The face itself always belongs to the head; what lies far outside never does; between them GrabCut decides (Rother,
    Kolmogorov and Blake, "GrabCut", ACM TOG 23(3), 2004). A tight portrait is continued beyond its border.
    """
    face = portrait.box_xyxy
    scale = LARGEST_FACE_PX / face.width
    centre_x, centre_y = face.centre_xy
    size = (round((LEFT + RIGHT) * LARGEST_FACE_PX), round((ABOVE + BELOW) * LARGEST_FACE_PX))
    if scale < 1.0:
        shrunk = cv2.resize(portrait.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        centre_x, centre_y, scale = centre_x * scale, centre_y * scale, 1.0
    else:
        shrunk = portrait.pixels
    offset = (LEFT * LARGEST_FACE_PX - centre_x * scale, ABOVE * LARGEST_FACE_PX - centre_y * scale)
    onto = np.asarray([[scale, 0.0, offset[0]], [0.0, scale, offset[1]]], dtype=np.float32)
    pixels = cv2.warpAffine(shrunk, onto, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    opacity = _opacity(np.asarray(pixels, dtype=np.uint8), face.height / face.width)
    premultiplied = np.dstack((pixels.astype(np.float32) * opacity[:, :, None], opacity))
    levels = [premultiplied]
    for _ in range(LEVELS - 1):
        last = levels[-1]
        levels.append(
            np.asarray(
                cv2.resize(last, (last.shape[1] // 2, last.shape[0] // 2), interpolation=cv2.INTER_AREA),
                dtype=np.float32,
            )
        )
    face_px = tuple(level.shape[1] / (LEFT + RIGHT) for level in levels)
    return Head(
        levels=tuple(levels),
        face_px=face_px,
        face_ratio=face.height / face.width,
        skin_bgr=_skin(portrait.pixels, face),
    )


def _opacity(pixels: NDArray[np.uint8], face_ratio: float) -> NDArray[np.float32]:
    """float32 (height, width), 0 to 1."""
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, (CUT_WIDTH_PX, round(CUT_WIDTH_PX * height / width)), interpolation=cv2.INTER_AREA)
    unit = CUT_WIDTH_PX / (LEFT + RIGHT)
    centre = (LEFT * unit, ABOVE * unit)
    mask = np.full(small.shape[:2], cv2.GC_BGD, dtype=np.uint8)
    _ellipse(mask, (centre[0], centre[1] - 0.05 * unit), (1.0 * unit, 1.28 * unit), cv2.GC_PR_BGD)
    _ellipse(mask, (centre[0], centre[1] - 0.15 * unit), (0.62 * unit, 0.9 * unit), cv2.GC_PR_FGD)
    _ellipse(mask, centre, (0.5 * unit, 0.56 * unit * face_ratio), cv2.GC_FGD)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.asarray(small), mask, (0, 0, 1, 1), models[0], models[1], 2, cv2.GC_INIT_WITH_MASK)
    kept = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    inside = cv2.GaussianBlur(cv2.medianBlur(kept, 5), (0, 0), 1.2)
    neck = np.clip((1.22 - (np.arange(height) / height * (ABOVE + BELOW) - ABOVE)) / 0.25, 0.0, 1.0)
    opacity = cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(opacity * neck[:, None], dtype=np.float32)


def _ellipse(mask: NDArray[np.uint8], centre_xy: tuple[float, float], half_wh: tuple[float, float], value: int) -> None:
    cv2.ellipse(mask, (centre_xy, (2 * half_wh[0], 2 * half_wh[1]), 0.0), value, thickness=-1)


def _skin(pixels: NDArray[np.uint8], face: BoxXYXY) -> tuple[float, float, float]:
    """Median colour of the cheeks and nose."""
    x, y = face.centre_xy
    patch = pixels[
        max(int(y - 0.1 * face.height), 0) : int(y + 0.15 * face.height) + 1,
        max(int(x - 0.25 * face.width), 0) : int(x + 0.25 * face.width) + 1,
    ]
    blue, green, red = (float(value) for value in np.median(patch.reshape(-1, 3), axis=0))
    return blue, green, red
