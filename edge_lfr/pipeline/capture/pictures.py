"""A folder of pictures, played as a film in the order of their names. Runs in the child."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import SizeWH

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".pgm", ".ppm"})

MAX_FILE_BYTES = 64 << 20
"""A JPEG of 100 megapixels has about half of that."""


@dataclass(frozen=True, slots=True, eq=False)
class StillPicture:
    """One decoded picture file."""

    pixels: NDArray[np.uint8]
    media_time_s: float

    @property
    def size(self) -> SizeWH:
        return SizeWH(width=self.pixels.shape[1], height=self.pixels.shape[0])

    def draw_into(self, target: NDArray[np.uint8]) -> None:
        if target.shape == self.pixels.shape:
            target[...] = self.pixels
        else:
            cv2.resize(self.pixels, (target.shape[1], target.shape[0]), dst=target, interpolation=cv2.INTER_AREA)
        self.pixels[...] = 0


def names_in(folder: str) -> list[str]:
    """
    The pictures of a folder, in the order of their names.

    Raises:
        OSError: The folder cannot be listed.
    """
    return sorted(path.name for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)


def read_pictures(
    folder: str, names: Sequence[str], pictures_per_second: float, after_s: float | None
) -> Iterator[StillPicture | None]:
    """
    Decode one picture after another; None stands for a file that is no readable picture.

    A picture's media time is its place in the folder, and unreadable files keep theirs. The number of pixels is bounded
    by `OPENCV_IO_MAX_IMAGE_PIXELS` in the child's environment, which the library checks before it decodes.
    """
    for place, name in enumerate(names):
        media_time_s = place / pictures_per_second
        if after_s is not None and media_time_s <= after_s:
            continue
        pixels = _read_picture(Path(folder) / name)
        yield None if pixels is None else StillPicture(pixels, media_time_s)


def _read_picture(path: Path) -> NDArray[np.uint8] | None:
    try:
        # Not blocking: a pipe with a picture's name would wait for a writer for ever.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            untrusted = np.frombuffer(file.read(MAX_FILE_BYTES + 1), dtype=np.uint8)
        if not 0 < untrusted.size <= MAX_FILE_BYTES:
            return None
        pixels = cv2.imdecode(untrusted, cv2.IMREAD_COLOR)
    except (OSError, cv2.error, MemoryError):
        return None
    return None if pixels is None else np.asarray(pixels, dtype=np.uint8)
