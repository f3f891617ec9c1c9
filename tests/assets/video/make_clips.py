"""
Make the clips and pictures that the tests of capture read: one whole clip, and defects named after what is wrong.

    python make_clips.py FOLDER

No file of this is committed: every picture is a pattern, made in a second, that says its own number in its brightness.
"""

import struct
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE = 25

PERIOD = 25
"""After so many pictures the brightness begins again; more steps would be too fine for a codec."""


def picture_of(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """uint8 (height, width, 3): a ramp, and a left half whose brightness tells *number* modulo `PERIOD`."""
    picture = np.empty((height, width, 3), dtype=np.uint8)
    picture[...] = np.linspace(20, 230, width, dtype=np.uint8)[None, :, None]
    picture[:, : width // 2] = 20 + number % PERIOD * 8
    return picture


def number_in(picture: NDArray[np.uint8]) -> int:
    """Read back what `picture_of` wrote; compression and conversion move its green by less than four."""
    height, width, _ = picture.shape
    return round((float(picture[height // 4 : -height // 4, width // 8 : width * 3 // 8, 1].mean()) - 20) / 8)


def make_clip(path: Path, *, frames: int = 100, width: int = 320, height: int = 180) -> Path:
    """H.264 at 25 pictures a second, a key frame twice a second; the container by the suffix."""
    options = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(
            "libx264", rate=RATE, options={"preset": "ultrafast", "crf": "12", "tune": "zerolatency"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = RATE // 2
        stream.codec_context.thread_count = 1
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture_of(number, width, height), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_png_of_400_megapixels(path: Path) -> Path:
    """A well-formed header of 20,000 x 20,000 pixels, and next to nothing behind it: a bomb is small."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(60_001))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def make_defects(folder: Path) -> None:
    """Files that call themselves videos."""
    whole = make_clip(folder / "whole.mp4").read_bytes()
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "garbage.mp4").write_bytes(np.random.default_rng(1).bytes(50_000))
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "header-only.mp4").write_bytes(whole[:200])
    (folder / "playlist-in-disguise.mp4").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{folder / 'whole.mp4'}\n#EXT-X-ENDLIST\n"
    )


if __name__ == "__main__":
    make_defects(Path(sys.argv[1]))
