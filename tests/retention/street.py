"""The clip: people who are on no list walk by, and then the street stays empty for a while."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from edge_lfr.evaluation.bench.ground import BenchError

ROOT: Final = Path(__file__).resolve().parents[2]
FPS: Final = 10
EMPTY_S: Final = 8.0
"""Long enough for a search that begins one second after the last face and is to find frames still coming: it computes
for 1.2 s, and took 2.7 s and more where eight processes wanted two cores."""

BACKGROUND: Final = Path("video") / "one-by-one-person-detection.mp4"


@dataclass(frozen=True, slots=True)
class Street:
    """A clip of planted non-mates and a watchlist of people who do not walk."""

    clip: Path
    watchlist: Path
    empty_from_s: float
    """From here on nobody is there."""

    def empty_frames(self) -> Iterator[NDArray[np.uint8]]:
        """The frames without anybody, as a decoder lays them into a slot."""
        for frame in _frames(self.clip):
            if frame.time >= self.empty_from_s:
                yield _pixels(frame)


def make_street(folder: Path, data: Path, *, people: int, seconds: float, seed: int = 7) -> Street:
    """Make the clip with the project's own script, and lengthen it by a street without people."""
    walk, clip = folder / "walk.mp4", folder / "street.mp4"
    made = subprocess.run(
        [
            *(sys.executable, str(ROOT / "scripts" / "make_walkby"), "--data", str(data), "--out", str(walk)),
            *("--watchlist-out", str(folder / "list"), "--mated", "0", "--filler", "20", "--seed", str(seed)),
            *("--non-mated", str(people), "--seconds", str(seconds)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        message = f"the clip was not made: {made.stderr.strip()}"
        raise BenchError(message)
    with av.open(str(clip), "w") as video:
        stream = video.add_stream("libx264", rate=FPS, options={"crf": "23", "preset": "superfast", "threads": "2"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for pixels in _walk_and_nobody(walk, data / BACKGROUND):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        video.mux(stream.encode())
    walk.unlink()
    return Street(clip, folder / "list", seconds)


def _walk_and_nobody(walk: Path, background: Path) -> Iterator[NDArray[np.uint8]]:
    yield from map(_pixels, _frames(walk))
    left = round(EMPTY_S * FPS)
    while left > 0:
        for frame in _frames(background):
            yield _pixels(frame.reformat(width=1280, height=720))
            left -= 1
            if left == 0:
                return


def _frames(path: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(path)) as video:
        yield from video.decode(video=0)


def _pixels(frame: av.VideoFrame) -> NDArray[np.uint8]:
    return frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
