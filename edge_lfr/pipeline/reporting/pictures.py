"""
The pictures of an alert: a crop of the frame, or an enrolled picture, becomes a small JPEG, marked in training.

Faces of other people in the crop are painted over: they did not match, so nothing of them may leave.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import BoxXYXY, SizeWH
from edge_lfr.biometrics.samples import Face, Frame
from edge_lfr.errors import ReportingError
from edge_lfr.terms import Mode

SURROUND_SHARE: Final = 0.4
"""Of the face's width and height, on each side: hair, ears and chin help an officer (chosen, not measured)."""

OTHERS_SHARE: Final = 0.1
"""By how much the boxes of other faces grow before they are painted over (chosen, not measured)."""

LONGEST_SIDE_PX: Final = 240
"""Of a picture in a message; as large as two fit side by side on a telephone (chosen, not measured)."""

NARROWEST_PX: Final = 112
"""A picture is padded to this width, so that its mark can be read."""

BAND_PX: Final = 20
"""Height of the mark's band."""

MAX_SOURCE_PX: Final = 8_000 * 8_000
QUALITIES: Final = (90, 80, 70, 60, 50, 40, 30, 20, 10)
"""JPEG qualities in the order in which they are tried."""

_AMBER_BGR: Final = (0, 176, 255)
_GREY_BGR: Final = (96, 96, 96)
_BLACK_BGR: Final = (0, 0, 0)

PixelsBGR = NDArray[np.uint8]
"""uint8 (height, width, 3)."""


def mark_of(mode: Mode, *, is_test: bool = False) -> str | None:
    """What stands under a picture: nothing where the mode is operational and somebody was really seen."""
    words = (["TRAINING"] if mode is Mode.TRAINING else []) + (["TEST"] if is_test else [])
    return " ".join(words) or None


def face_picture(frame: Frame, face: Face, others: Sequence[Face], *, mark: str | None, max_bytes: int) -> bytes | None:
    """The face with its surroundings as a JPEG; None when no part of it lies inside the frame."""
    place = face.box_xyxy.expanded(SURROUND_SHARE).clipped_to(frame.size)
    if place.area < 1.0:
        return None
    box = place.to_pixels()
    crop = frame.pixels[box.y0 : box.y1, box.x0 : box.x1].copy()
    _paint_over(crop, (box.x0, box.y0), face.box_xyxy, [other.box_xyxy for other in others if other is not face])
    return _encode(_marked(_fitted(crop), mark), max_bytes)


def enrolled_picture(jpeg: bytes, *, mark: str | None, max_bytes: int) -> bytes | None:
    """A picture of the watchlist, made small; None when it is no picture."""
    pixels = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    if pixels is None or not 0 < pixels.shape[0] * pixels.shape[1] <= MAX_SOURCE_PX:
        return None
    return _encode(_marked(_fitted(pixels.astype(np.uint8, copy=False)), mark), max_bytes)


def card_picture(text: str, *, mark: str | None, max_bytes: int) -> bytes:
    """Colour bars with a word; what a test alert shows in place of a face."""
    bars = np.array(
        [(235, 235, 235), (0, 235, 235), (235, 235, 0), (0, 235, 0), (235, 0, 235), (0, 0, 235), (235, 0, 0)], np.uint8
    )
    card = np.repeat(bars[np.newaxis, :, :], 20, axis=1).repeat(160, axis=0)
    _write_centred(card, text, (0, 60, card.shape[1], 100), 0.9)
    return _encode(_marked(card, mark), max_bytes)


def _paint_over(crop: PixelsBGR, origin_xy: tuple[int, int], own: BoxXYXY, others: Sequence[BoxXYXY]) -> None:
    """Cover other faces; where one overlaps with our own, our own stays visible."""
    size = SizeWH(width=crop.shape[1], height=crop.shape[0])

    def in_crop(box: BoxXYXY) -> tuple[slice, slice]:
        x, y = origin_xy
        pixels = BoxXYXY(box.x0 - x, box.y0 - y, box.x1 - x, box.y1 - y).clipped_to(size).to_pixels()
        return slice(pixels.y0, pixels.y1), slice(pixels.x0, pixels.x1)

    own_place = in_crop(own)
    kept = crop[own_place].copy()
    for other in others:
        crop[in_crop(other.expanded(OTHERS_SHARE))] = _GREY_BGR
    crop[own_place] = kept


def _fitted(pixels: PixelsBGR) -> PixelsBGR:
    """Shrink to `LONGEST_SIDE_PX`, mark and padding included; never enlarge."""
    height, width = pixels.shape[:2]
    factor = min(1.0, (LONGEST_SIDE_PX - BAND_PX) / max(height, width))
    if factor == 1.0:
        return pixels
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _marked(pixels: PixelsBGR, mark: str | None) -> PixelsBGR:
    """Burn *mark* into a band under the picture; without one there is no band."""
    left = max(0, NARROWEST_PX - pixels.shape[1]) // 2
    right = max(0, NARROWEST_PX - pixels.shape[1] - left)
    framed = cv2.copyMakeBorder(pixels, 0, 0, left, right, cv2.BORDER_CONSTANT, value=_BLACK_BGR)
    if mark is None:
        return framed.astype(np.uint8, copy=False)
    framed = cv2.copyMakeBorder(framed, 0, BAND_PX, 0, 0, cv2.BORDER_CONSTANT, value=_AMBER_BGR)
    marked = framed.astype(np.uint8, copy=False)
    height, width = marked.shape[:2]
    _write_centred(marked, mark, (0, height - BAND_PX, width, height), 0.5)
    return marked


def _write_centred(pixels: PixelsBGR, text: str, box: tuple[int, int, int, int], scale: float) -> None:
    x0, y0, x1, y1 = box
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)
    scale *= min(1.0, (x1 - x0 - 4) / max(width, 1))
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)
    origin = ((x0 + x1 - width) // 2, (y0 + y1 + height) // 2)
    cv2.putText(pixels, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, _BLACK_BGR, 2, cv2.LINE_AA)


def _encode(pixels: PixelsBGR, max_bytes: int) -> bytes:
    for quality in QUALITIES:
        is_encoded, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if is_encoded and jpeg.size <= max_bytes:
            return jpeg.tobytes()
    height, width = pixels.shape[:2]
    raise ReportingError(f"a picture of {width}x{height} does not fit into {max_bytes} bytes")
