"""
Boxes, landmarks, sizes and areas: signed float pixels, x right, y down, the format in the name.

Geometry stays float and may lie outside the picture until `clipped_to`; only then may it become whole pixels.
"""

import math
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

PointsXY: TypeAlias = NDArray[np.float32]
"""float32 (n, 2), pixels."""

Affine: TypeAlias = NDArray[np.float32]
"""float32 (2, 3), as `cv2.warpAffine` takes it."""

LANDMARK_COUNT = 5
"""Image-left eye, image-right eye, nose tip, image-left mouth corner, image-right mouth corner; in this order."""


@dataclass(frozen=True, slots=True)
class SizeWH:
    """Width and height in whole pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class PixelBox:
    """A box in whole pixels inside a picture: `pixels[y0:y1, x0:x1]`."""

    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True, slots=True)
class BoxXYXY:
    """Left, top, right, bottom in pixels; may reach outside the picture."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """Zero for a box that is turned inside out."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def centre_xy(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def iou(self, other: "BoxXYXY") -> float:
        """Intersection over union, 0 to 1; 0 when either box is empty."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        if width <= 0 or height <= 0:
            return 0.0
        intersection = width * height
        union = self.area + other.area - intersection
        return intersection / union if union > 0 else 0.0

    def scaled(self, factor_x: float, factor_y: float) -> Self:
        """The same place in a picture that is larger by these factors."""
        return type(self)(self.x0 * factor_x, self.y0 * factor_y, self.x1 * factor_x, self.y1 * factor_y)

    def expanded(self, share: float) -> Self:
        """Grow on each side by *share* of the width and height."""
        dx, dy = self.width * share, self.height * share
        return type(self)(self.x0 - dx, self.y0 - dy, self.x1 + dx, self.y1 + dy)

    def clipped_to(self, size: SizeWH) -> Self:
        """The part inside a picture of *size*; empty (area 0) when there is none."""
        x0, x1 = (min(max(x, 0.0), float(size.width)) for x in (self.x0, self.x1))
        y0, y1 = (min(max(y, 0.0), float(size.height)) for y in (self.y0, self.y1))
        return type(self)(x0, y0, x1, y1)

    def to_pixels(self) -> PixelBox:
        """Round outwards to whole pixels; clip first."""
        return PixelBox(math.floor(self.x0), math.floor(self.y0), math.ceil(self.x1), math.ceil(self.y1))


@dataclass(frozen=True, slots=True)
class PolygonXY:
    """An area of the picture in shares of its width and height (0 to 1), so that it survives another resolution."""

    corners: tuple[tuple[float, float], ...]

    def contains(self, x: float, y: float) -> bool:
        """Whether the point lies inside (even-odd rule; a self-crossing polygon leaves its doubly covered part out)."""
        inside = False
        previous_x, previous_y = self.corners[-1]
        for corner_x, corner_y in self.corners:
            if (corner_y > y) != (previous_y > y):
                crossing_x = corner_x + (y - corner_y) * (previous_x - corner_x) / (previous_y - corner_y)
                if x < crossing_x:
                    inside = not inside
            previous_x, previous_y = corner_x, corner_y
        return inside

    def in_pixels(self, size: SizeWH) -> NDArray[np.int32]:
        """int32 (n, 2) corners in a picture of *size*, as `cv2.fillPoly` takes them."""
        corners = np.asarray(self.corners, dtype=np.float64) * (size.width, size.height)
        return np.rint(corners).astype(np.int32)
