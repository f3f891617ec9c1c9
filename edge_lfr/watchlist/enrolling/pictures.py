"""
Watchlist pictures before they are decoded: a path or bytes enter, bounded bytes of a known type and size leave.

Bytes, type and dimensions are checked with a few lines of our own before any image library sees the file, so that a
picture of 20,000 x 20,000 pixels is refused by its header and not by the memory it would take.
"""

import os
import stat
import struct
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.errors import PictureError

MAX_FILE_BYTES: Final = 20 * 1024 * 1024
"""A 50-megapixel photograph in good JPEG quality; chosen, not measured."""

MAX_PIXELS: Final = 50_000_000
"""150 MB when decoded; larger than custody cameras give. Chosen, not measured."""

MAX_SIDE_PX: Final = 12_000
"""No camera's picture is longer that also keeps `MAX_PIXELS`; chosen, not measured."""


class PictureReason(StrEnum):
    """Why a picture file is refused."""

    MISSING = "picture-missing"
    """There is no such file, it is not a plain file, or it cannot be read."""

    TYPE = "picture-type"
    """It is none of JPEG, PNG, WebP and BMP, whatever its name says."""

    MISNAMED = "picture-misnamed"
    """It is a picture, and its name or its manifest says that it is of another type."""

    TOO_LARGE = "picture-too-large"
    """More bytes, more pixels or longer sides than the bounds."""

    BROKEN = "picture-broken"
    """It is cut off or damaged."""


class PictureRefusedError(PictureError):
    """A picture file that is not enrolled; the reason is the row's result."""

    def __init__(self, reason: PictureReason, message: str) -> None:
        super().__init__(message, remedy="replace the picture, or take its row out of the watchlist")
        self.reason = reason


class PictureType(StrEnum):
    """What the first bytes say."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    BMP = "bmp"


SUFFIXES: Final = {
    ".jpg": PictureType.JPEG,
    ".jpeg": PictureType.JPEG,
    ".jpe": PictureType.JPEG,
    ".png": PictureType.PNG,
    ".webp": PictureType.WEBP,
    ".bmp": PictureType.BMP,
}
"""Names that promise a type; any other name promises none."""


@dataclass(frozen=True, slots=True, repr=False)
class EncodedPicture:
    """A file within the bounds: still encoded, and still not to be believed beyond its header."""

    untrusted: bytes
    type: PictureType
    size: SizeWH
    """As the header says, before any turning that its EXIF data asks for."""


def read_picture(path: Path) -> EncodedPicture:
    """
    Read one picture file and check type and dimensions without decoding it.

    Raises:
        PictureRefusedError: With the reason; the message names neither file nor folder.
    """
    return check_picture(_read_bounded(path), SUFFIXES.get(path.suffix.lower()))


def check_picture(untrusted: bytes, promised: PictureType | None) -> EncodedPicture:
    """
    Check size, type and dimensions of a picture in memory without decoding it.

    Args:
        untrusted: The whole file; one byte more than the bound is enough to be refused.

        promised: The type that its name or its manifest says; None where nobody says any.

    Raises:
        PictureRefusedError: With the reason.
    """
    if len(untrusted) > MAX_FILE_BYTES:
        raise PictureRefusedError(PictureReason.TOO_LARGE, f"expected up to {MAX_FILE_BYTES} bytes, found more")
    found = picture_type(untrusted)
    if promised is not None and promised is not found:
        message = f"it is said to be {promised}, the content is {found}"
        raise PictureRefusedError(PictureReason.MISNAMED, message)
    size = header_size(untrusted, found)
    if max(size.width, size.height) > MAX_SIDE_PX or size.width * size.height > MAX_PIXELS:
        message = f"expected sides up to {MAX_SIDE_PX} and {MAX_PIXELS} pixels in all, found {size}"
        raise PictureRefusedError(PictureReason.TOO_LARGE, message)
    return EncodedPicture(untrusted, found, size)


def _read_bounded(path: Path) -> bytes:
    """Read a plain file up to one byte too many; wait on no pipe, and follow no link put there after the check."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PictureRefusedError(PictureReason.MISSING, f"cannot be opened: {error.strerror}") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise PictureRefusedError(PictureReason.MISSING, "is not a plain file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            # As much memory as the file needs: what is asked for is allocated, and overwritten when it is freed, which
            # took 15 ms a picture for the 20 MB that a file may have.
            return file.read(min(found.st_size, MAX_FILE_BYTES) + 1)
    except OSError as error:
        raise PictureRefusedError(PictureReason.MISSING, f"cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def picture_type(untrusted: bytes) -> PictureType:
    """
    Tell the type by the first bytes.

    Raises:
        PictureRefusedError: It is none of the four.
    """
    if untrusted.startswith(b"\xff\xd8\xff"):
        return PictureType.JPEG
    if untrusted.startswith(b"\x89PNG\r\n\x1a\n"):
        return PictureType.PNG
    if untrusted.startswith(b"RIFF") and untrusted[8:12] == b"WEBP":
        return PictureType.WEBP
    if untrusted.startswith(b"BM"):
        return PictureType.BMP
    raise PictureRefusedError(PictureReason.TYPE, f"expected one of {', '.join(PictureType)}")


def header_size(untrusted: bytes, kind: PictureType) -> SizeWH:
    """
    Read width and height off the header.

    Raises:
        PictureRefusedError: The header is cut off, makes no sense, or says that there are no pixels.
    """
    read = {
        PictureType.JPEG: _jpeg_size,
        PictureType.PNG: _png_size,
        PictureType.WEBP: _webp_size,
        PictureType.BMP: _bmp_size,
    }[kind]
    try:
        untrusted_size = read(untrusted)
    except (struct.error, IndexError):
        untrusted_size = None
    if untrusted_size is None or min(untrusted_size) < 1:
        raise PictureRefusedError(PictureReason.BROKEN, f"the {kind} header is cut off or makes no sense")
    return SizeWH(*untrusted_size)


_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15 without DHT, JPG and DAC (ITU-T T.81, table B.1): the segments that carry the dimensions."""

_JPEG_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
"""TEM and RST0 to RST7 have no length."""

_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9

_JPEG_NO_MARKER: Final = 0x00
"""Behind 0xFF it makes a byte of data (T.81, B.1.1.5), and libjpeg looks for the next marker right behind it."""


def _jpeg_size(untrusted: bytes) -> tuple[int, int] | None:
    """Walk the segments up to the frame header; a scan or the end before it means that there is none."""
    position = 2
    while untrusted[position] == 0xFF:  # noqa: PLR2004 - every marker begins with this byte
        marker = untrusted[position + 1]
        if marker == 0xFF:  # noqa: PLR2004 - fill bytes may stand before a marker
            position += 1
            continue
        if marker in {_JPEG_SCAN, _JPEG_END, _JPEG_NO_MARKER}:
            return None
        if marker in _JPEG_ALONE:
            position += 2
            continue
        (length,) = struct.unpack_from(">H", untrusted, position + 2)
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", untrusted, position + 5)
            return width, height
        position += 2 + max(length, 2)
    return None


def _png_size(untrusted: bytes) -> tuple[int, int] | None:
    """The first chunk is IHDR and begins with both (PNG, 11.2.1)."""
    if untrusted[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", untrusted, 16)
    return width, height


def _webp_size(untrusted: bytes) -> tuple[int, int] | None:
    """Lossy, lossless and extended files each say it in another way (RFC 9649; RFC 6386, 9.1)."""
    chunk = untrusted[12:16]
    if chunk == b"VP8 ":
        if untrusted[23:26] != b"\x9d\x01\x2a":
            return None
        width, height = struct.unpack_from("<HH", untrusted, 26)
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", untrusted, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8X":
        width = int.from_bytes(untrusted[24:27], "little") + 1
        height = int.from_bytes(untrusted[27:30], "little") + 1
        return (width, height) if len(untrusted) >= 30 else None  # noqa: PLR2004 - where the chunk ends
    return None


_BMP_CORE_HEADER: Final = 12


def _bmp_size(untrusted: bytes) -> tuple[int, int] | None:
    """The old header has 16-bit sides; the newer ones 32-bit, with a negative height for top-down rows."""
    (header_bytes,) = struct.unpack_from("<I", untrusted, 14)
    if header_bytes == _BMP_CORE_HEADER:
        width, height = struct.unpack_from("<HH", untrusted, 18)
        return width, height
    width, height = struct.unpack_from("<ii", untrusted, 18)
    return width, abs(height)
