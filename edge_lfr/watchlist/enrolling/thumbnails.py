"""The picture of a reference that an officer sees on an alert: a picture enters, a small JPEG of its face leaves."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import BoxXYXY, SizeWH

SURROUND_SHARE: Final = 0.4
"""Of the face's width and height, on each side: hair, ears and chin help an officer (chosen, not measured)."""

LONGEST_SIDE_PX: Final = 240
"""As large as an alert shows it."""

MAX_BYTES: Final = 20_000
"""Half of what a message may give to one picture, and 400 MB for the largest list."""

QUALITIES: Final = (90, 80, 70, 60, 50, 40, 30, 20, 10)
"""JPEG qualities in the order in which they are tried; a face of this size needs 90."""


def thumbnail(pixels_bgr: NDArray[np.uint8], box_xyxy: BoxXYXY) -> bytes:
    """
    Cut the face with its surroundings and make it a JPEG of at most `MAX_BYTES`.

    Args:
        pixels_bgr: uint8 (height, width, 3).

        box_xyxy: Of the face; overlaps with the picture.

    Returns:
        JPEG, its longest side at most `LONGEST_SIDE_PX`; never enlarged.
    """
    size = SizeWH(width=pixels_bgr.shape[1], height=pixels_bgr.shape[0])
    place = box_xyxy.expanded(SURROUND_SHARE).clipped_to(size).to_pixels()
    crop = pixels_bgr[place.y0 : place.y1, place.x0 : place.x1]
    factor = min(1.0, LONGEST_SIDE_PX / max(crop.shape[:2]))
    fitted = (max(1, round(crop.shape[1] * factor)), max(1, round(crop.shape[0] * factor)))
    small = cv2.resize(crop, fitted, interpolation=cv2.INTER_AREA)
    encoded = b""
    for quality in QUALITIES:
        _, buffer = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
        encoded = bytes(buffer.data)
        if len(encoded) <= MAX_BYTES:
            break
    small[...] = 0
    return encoded
