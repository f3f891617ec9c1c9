"""A small picture in a terminal: one character shows two pixels, the upper one as ink and the lower one as paper."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style
from rich.text import Text

from edge_lfr.biometrics.geometry import SizeWH

UPPER_HALF: Final = "▀"
MAX_SIDE_PX: Final = 1_024
"""Of a picture from the broker, before it is decoded; ours have 240."""

_SOI: Final = b"\xff\xd8"
_MARKER: Final = 0xFF
_SEGMENT_LENGTH_BYTES: Final = 2
"""A segment's length counts its own two bytes."""

_FRAME_MARKERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15: ITU-T T.81, table B.1."""


def jpeg_size(untrusted_jpeg: bytes) -> SizeWH | None:
    """Width and height as the file announces them, without decoding; None when it announces none."""
    if not untrusted_jpeg.startswith(_SOI):
        return None
    place = 2
    while place + 9 <= len(untrusted_jpeg) and untrusted_jpeg[place] == _MARKER:
        marker = untrusted_jpeg[place + 1]
        if marker in _FRAME_MARKERS:
            height = int.from_bytes(untrusted_jpeg[place + 5 : place + 7], "big")
            width = int.from_bytes(untrusted_jpeg[place + 7 : place + 9], "big")
            return SizeWH(width=width, height=height)
        length = int.from_bytes(untrusted_jpeg[place + 2 : place + 4], "big")
        if length < _SEGMENT_LENGTH_BYTES:
            return None
        place += 2 + length
    return None


def decode(untrusted_jpeg: bytes) -> NDArray[np.uint8] | None:
    """uint8 (height, width, 3) RGB; None for what is no JPEG or announces more than `MAX_SIDE_PX`."""
    size = jpeg_size(untrusted_jpeg)
    if size is None or not (0 < size.width <= MAX_SIDE_PX and 0 < size.height <= MAX_SIDE_PX):
        return None
    bgr = cv2.imdecode(np.frombuffer(untrusted_jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    return None if bgr is None else bgr[:, :, ::-1].astype(np.uint8)


def thumbnail(untrusted_jpeg: bytes | None, *, columns: int, lines: int) -> Text:
    """The picture, fitted into *columns* x *lines* characters; words where there is no picture."""
    rgb = None if untrusted_jpeg is None else decode(untrusted_jpeg)
    if rgb is None:
        return Text("(no picture)" if untrusted_jpeg is None else "(unreadable picture)", style="dim")
    height, width = rgb.shape[:2]
    factor = min(columns / width, 2 * lines / height)
    size = (max(1, round(width * factor)), max(2, round(height * factor) // 2 * 2))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    text = Text(no_wrap=True)
    for row in range(0, size[1], 2):
        if row:
            text.append("\n")
        for upper, lower in zip(small[row], small[row + 1], strict=True):
            text.append(UPPER_HALF, Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower)))
    return text
