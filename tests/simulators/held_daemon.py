"""
The real daemon as a process whose path can be made to stand: `held_daemon.py FILE run ...` is `edge-lfr run ...`.

As long as FILE exists, the thread that owns inference finishes no turn and holds its lock: a deadlock, as far as
anybody else can see. Where the file says `end`, the thread ends instead.
"""

import sys
import time
from pathlib import Path

from edge_lfr.biometrics.samples import Frame
from edge_lfr.cli import main as command
from edge_lfr.daemon import service
from edge_lfr.daemon.path_loop import PathLoop

LIMIT_S = 2.0
"""For one turn of the path, instead of the daemon's own, so that a test need not wait for it."""

LOOK_S = 0.02
END = "end"


def hold_while(file: Path) -> None:
    """Let every turn of the path wait while *file* is there."""
    take = PathLoop._newest_frames

    def held(loop: PathLoop) -> list[Frame]:
        while file.exists():
            if file.read_text() == END:
                raise SystemExit
            time.sleep(LOOK_S)
        return take(loop)

    PathLoop._newest_frames = held  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    hold_while(Path(sys.argv.pop(1)))
    service.PATH_LIMIT_S = LIMIT_S  # type: ignore[attr-defined]
    command.main()
