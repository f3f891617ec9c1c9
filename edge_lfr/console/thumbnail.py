"""A small picture in a terminal: one character shows two pixels, the upper one as ink and the lower one as paper."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style
from rich.text import Text

from edge_lfr.watchlist.enrolling.pictures import PictureRefusedError, PictureType, check_picture

UPPER_HALF: Final = "▀"
MAX_SIDE_PX: Final = 1_024
"""Of a picture from the broker, before it is decoded; ours have 240."""


def decode(untrusted_jpeg: bytes) -> NDArray[np.uint8] | None:
    """uint8 (height, width, 3) RGB; None for what is no JPEG or announces more than `MAX_SIDE_PX`."""
    try:
        size = check_picture(untrusted_jpeg, PictureType.JPEG).size
    except PictureRefusedError:
        return None
    if max(size.width, size.height) > MAX_SIDE_PX:
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
