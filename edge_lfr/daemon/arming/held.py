"""
That the appliance was held stays known when its process ends: whoever restarts it must not end the hold by that.

    <mode folder>/held    there from the hold until a technician says that it shall go on
"""

from pathlib import Path
from typing import Final

import structlog

from edge_lfr.durable_files import sync_folder, write_durably

log = structlog.get_logger()

FILE_NAME: Final = "held"


def is_held(mode_directory: Path) -> bool:
    """Whether a hold was begun and not ended; what cannot be told is a hold."""
    try:
        (mode_directory / FILE_NAME).lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def keep_hold(mode_directory: Path, reason: str) -> None:
    """Have the hold on the disk; where that fails it is told, and the hold lasts as long as the process."""
    try:
        write_durably(mode_directory / FILE_NAME, f"{reason}\n".encode())
    except OSError as error:
        log.error("operation.hold-not-kept", reason=error.strerror)


def end_hold(mode_directory: Path) -> None:
    """Take it from the disk; where that fails it is told, and the next start is held once more."""
    try:
        (mode_directory / FILE_NAME).unlink(missing_ok=True)
        sync_folder(mode_directory)
    except OSError as error:
        log.error("operation.hold-not-ended", reason=error.strerror)
