"""JPEG files that seem small to whoever walks their segments in another way than libjpeg does."""

import struct
from typing import Final

JPEG_DISGUISES: Final = (
    b"\xff\xff\x01",  # a fill byte, taken for a marker with a length
    b"\xff\x00\x01\x00",  # a byte of data, taken likewise
    b"\xff\x01\x01\x00",  # a marker that has no length
    b"\xff\xd0\x01\x00",  # another one
)
"""What stands right behind the first marker."""

_COMMENT_BYTES: Final = 1_000


def disguised(jpeg: bytes, disguise: bytes) -> bytes:
    """The same picture; in a comment before it stands a frame of 10 x 10 pixels, where a mistaken length leads."""
    frame = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 10, 10) + b"\x03"
    made = bytearray(jpeg[:2] + disguise + b"\xff\xfe" + struct.pack(">H", _COMMENT_BYTES) + bytes(_COMMENT_BYTES - 2))
    for place in (2 + 2 + 0x0100, 2 + 2 + 0x01FF):
        made[place : place + len(frame)] = frame
    return bytes(made) + jpeg[2:]
