"""Walkers enter, clips and their truth leave, drawn and encoded by a process beside this one, one clip ahead."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_lfr.evaluation.bench.ground import BenchError
from edge_lfr.evaluation.truth import Truth
from edge_lfr.evaluation.walkby.script import walkby_command
from edge_lfr.evaluation.walkby.walkers import Walker, save_walkers

FPS: Final = 10.0
SIZE: Final = "1280x720"
FAR_PX: Final = 24
"""Width of a face when it appears; below what is compared."""

SECONDS_PER_PASSAGE: Final = 1.4
"""From one start to the next: four to five people are in view at once."""

LAST_WALK_S: Final = 8.0
"""After the last start, until everybody has left."""


@dataclass(frozen=True, slots=True)
class Order:
    """One clip that is wanted."""

    walkers: tuple[Walker, ...]
    near_px: int
    """Width of a face where the picture ends."""

    seed: int

    @property
    def seconds(self) -> float:
        return SECONDS_PER_PASSAGE * len(self.walkers) + LAST_WALK_S

    @property
    def frames(self) -> int:
        return round(self.seconds * FPS)


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip that was made."""

    path: Path
    truth: Truth


class Studio:
    """Makes the clips of some orders in their order; each is drawn while its predecessor is looked at."""

    def __init__(self, folder: Path, data: Path, orders: Sequence[Order]) -> None:
        self._folder = folder
        self._data = data
        self._orders = orders
        self._drawing: subprocess.Popen[bytes] | None = None
        self._folder.mkdir()

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, data: Path, orders: Sequence[Order]) -> Iterator["Studio"]:
        """
        Begin with the first clip; whatever happens, no process stays.

        Raises:
            WalkbyScriptError: Nothing can draw a clip here.
        """
        studio = cls(folder, data, orders)
        try:
            studio._begin(0)
            yield studio
        finally:
            studio._end()

    def clips(self) -> Iterator[Clip]:
        """
        Give the clips; each is removed when the next one is asked for.

        Raises:
            BenchError: One could not be made.
        """
        for number in range(len(self._orders)):
            self._finish()
            if number + 1 < len(self._orders):
                self._begin(number + 1)
            path = self._path(number)
            yield Clip(path, Truth.load(path.with_suffix(".json")))
            path.unlink()

    def _path(self, number: int) -> Path:
        return self._folder / f"clip-{number:02d}.mp4"

    def _begin(self, number: int) -> None:
        order, path = self._orders[number], self._path(number)
        walkers = path.with_suffix(".walkers")
        save_walkers(order.walkers, walkers)
        options = {
            "--walkers": walkers,
            "--out": path,
            "--data": self._data,
            "--size": SIZE,
            "--fps": FPS,
            "--faces": f"{FAR_PX}x{order.near_px}",
            "--seconds": order.seconds,
            "--preset": "ultrafast",
            "--seed": order.seed,
        }
        self._drawing = subprocess.Popen(  # noqa: S603 - our own interpreter, script and options
            walkby_command(options), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def _finish(self) -> None:
        if self._drawing is None:
            raise AssertionError
        _, words = self._drawing.communicate()
        status, self._drawing = self._drawing.returncode, None
        if status != 0:
            raise BenchError(f"a clip could not be made (status {status}): {words.decode(errors='replace')[-500:]}")

    def _end(self) -> None:
        if self._drawing is not None:
            self._drawing.kill()
            self._drawing.communicate()
            self._drawing = None
