"""What a case does besides what it returns: takes too long, leaves files, fails in a thread; seen from outside."""

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from edge_lfr.evaluation.fuzzing.case import INCOMING

HANG_S: Final = 30.0
"""A case that lasts for longer is broken off; fifteen times what any may take. Chosen, not measured."""

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
"""Where a sync costs nothing: what a disk keeps is not asked here, and half of all cases write."""

LOOK_S: Final = 0.5
"""How often the watch looks for a case that hangs; chosen."""


class HungError(BaseException):
    """A case was broken off; no error of the program, so that nothing in it can take it for one."""


@dataclass(slots=True)
class Watch:
    """Of the case that runs now."""

    folder: Path
    """Of the case; empty when it begins."""

    temporary: Path
    """Where the process makes its temporary files meanwhile."""

    elsewhere: list[str] = field(default_factory=list)
    """Exceptions that ended a thread, or came where nobody could take them, since the case began."""

    _began_s: float | None = None

    @contextmanager
    def case(self) -> Iterator[None]:
        """One attempt, which is broken off when it hangs."""
        self.elsewhere.clear()
        self._began_s = time.monotonic()
        try:
            yield
        finally:
            self._began_s = None

    def hangs(self) -> bool:
        began_s = self._began_s
        return began_s is not None and time.monotonic() - began_s > HANG_S

    def left_behind(self) -> list[str]:
        """Files that the case made and did not take away, by their place in its folder."""
        found = [path.relative_to(self.folder) for path in _files(self.folder)]
        made = [str(path) for path in found if path.parts[0] != INCOMING]
        return made + [f"(temporary) {path.name}" for path in _files(self.temporary)]

    def clear(self) -> None:
        """Make the folders empty again."""
        for folder in (self.folder, self.temporary):
            for entry in os.scandir(folder):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    Path(entry.path).unlink()


def _files(folder: Path) -> Iterator[Path]:
    for above, _, names in os.walk(folder):
        for name in names:
            yield Path(above) / name


@contextmanager
def watched() -> Iterator[Watch]:
    """Give a folder for cases, and see what goes on in the whole process until the block ends; main thread only."""
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="edge-lfr-fuzz-", dir=where) as name:
        folder, temporary = Path(name) / "case", Path(name) / "tmp"
        folder.mkdir()
        temporary.mkdir()
        watch = Watch(folder, temporary)
        ended = threading.Event()
        thread = threading.Thread(target=_look, args=(watch, ended), name="fuzz-watch", daemon=True)
        before = threading.excepthook, sys.unraisablehook, tempfile.tempdir, signal.getsignal(signal.SIGUSR1)
        threading.excepthook = lambda failed: watch.elsewhere.append(f"in a thread: {failed.exc_type.__name__}")
        sys.unraisablehook = lambda failed: watch.elsewhere.append(f"unraisable: {failed.exc_type.__name__}")
        tempfile.tempdir = str(temporary)
        signal.signal(signal.SIGUSR1, _break_off)
        thread.start()
        try:
            yield watch
        finally:
            ended.set()
            thread.join()
            threading.excepthook, sys.unraisablehook, tempfile.tempdir, _ = before
            signal.signal(signal.SIGUSR1, before[3])


def _look(watch: Watch, ended: threading.Event) -> None:
    while not ended.wait(LOOK_S):
        if watch.hangs():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)


def _break_off(_signal: int, _frame: FrameType | None) -> None:
    raise HungError


def open_files() -> int:
    """Descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
