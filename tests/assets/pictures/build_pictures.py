"""
Makes the picture files that enrolment must survive, each named by its defect; no face and no person in any of them.

    python tests/assets/pictures/build_pictures.py FOLDER
"""

import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 96, 64


def gradient() -> NDArray[np.uint8]:
    """uint8 (64, 96, 3): blue to the right, green downwards, and a red corner that shows which way up it is."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    picture = np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, np.zeros_like(x)], axis=-1).astype(np.uint8)
    picture[:16, :16] = (0, 0, 255)
    return picture


def noise() -> NDArray[np.uint8]:
    """uint8 (200, 300, 3): detail that makes a long scan."""
    random = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(random, (0, 0), 3), dtype=np.uint8)


def encoded(suffix: str, picture: NDArray[np.uint8], *options: int) -> bytes:
    """A file of that type."""
    return bytes(cv2.imencode(suffix, picture, options)[1].data)


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces these sides and has almost no data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def jpeg_resized(width: int, height: int) -> bytes:
    """A JPEG whose frame header announces other sides than its scan has."""
    content = bytearray(encoded(".jpg", gradient()))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def webp_extended(width: int, height: int) -> bytes:
    """A WebP of the extended kind that announces these sides."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + sides
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def bmp_resized(width: int, height: int) -> bytes:
    """A BMP whose header announces other sides than it has rows for."""
    content = bytearray(encoded(".bmp", gradient()))
    content[18:26] = struct.pack("<ii", width, height)
    return bytes(content)


def jpeg_turned() -> bytes:
    """A JPEG whose EXIF data says: turn me clockwise (orientation 6)."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    tiff = b"MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)
    segment = b"Exif\0\0" + tiff
    content = encoded(".jpg", gradient())
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + content[2:]


def overwritten(content: bytes, middle: bytes) -> bytes:
    """The same, but for some bytes in the middle."""
    start = len(content) // 2
    return content[:start] + middle + content[start + len(middle) :]


def pictures() -> dict[str, bytes]:
    """File name to content."""
    good = {suffix: encoded(suffix, gradient()) for suffix in (".jpg", ".png", ".bmp")}
    good[".webp"] = encoded(".webp", gradient(), cv2.IMWRITE_WEBP_QUALITY, 90)
    lossless = encoded(".webp", gradient(), cv2.IMWRITE_WEBP_QUALITY, 101)
    progressive = encoded(".jpg", gradient(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    files = {f"good{suffix}": content for suffix, content in good.items()}
    files |= {
        "good-lossless.webp": lossless,
        "good-progressive.jpeg": progressive,
        "good-named-in-capitals.JPG": good[".jpg"],
    }
    files |= {f"cut-in-half{suffix}": content[: len(content) // 2] for suffix, content in good.items()}
    files |= {f"cut-at-the-end{suffix}": content[:-8] for suffix, content in good.items()}
    files |= {f"only-magic{suffix}": content[:16] for suffix, content in good.items()}
    files |= {f"png-named{suffix}": good[".png"] for suffix in (".jpg", ".webp", ".bmp")}
    files |= {
        "empty.jpg": b"",
        "text-named.jpg": b"<!doctype html><title>Not found</title>",
        "pdf-named.jpg": b"%PDF-1.7\n",
        "gif-named.jpg": b"GIF89a\1\0\1\0\0\0\0;",
        "ends-in-the-middle.jpg": overwritten(encoded(".jpg", noise()), b"\xff\xd9"),
        "damaged-in-the-middle.png": overwritten(encoded(".png", noise()), bytes(40)),
        "scan-before-frame.jpg": b"\xff\xd8\xff\xda\0\4\0\0",
        "segments-without-end.jpg": b"\xff\xd8" + b"\xff\xe0\0\2" * 50,
        "no-pixels.png": png_header(0, 0),
        "no-pixels.jpg": jpeg_resized(0, 0),
        "huge-20000x20000.png": png_header(20_000, 20_000),
        "huge-4000000000x4000000000.png": png_header(4_000_000_000, 4_000_000_000),
        "huge-20000x20000.jpg": jpeg_resized(20_000, 20_000),
        "huge-20000x20000.webp": webp_extended(20_000, 20_000),
        "huge-20000x20000.bmp": bmp_resized(20_000, 20_000),
        "huge-topdown-20000x20000.bmp": bmp_resized(20_000, -20_000),
        "long-12001x1.png": png_header(12_001, 1),
        "larger-than-its-rows.bmp": bmp_resized(2_000, 2_000),
        "turned-by-exif.jpg": jpeg_turned(),
    }
    return files


def build(folder: Path) -> None:
    """Write them all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in pictures().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
