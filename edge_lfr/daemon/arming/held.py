"""
That the appliance was paused or held stays known when its process ends: no restart, whoever's it is, ends that.

    <mode folder>/held      there from the hold until a technician says that it shall go on
    <mode folder>/paused    likewise from the pause
"""

from enum import StrEnum
from pathlib import Path

import structlog

from edge_lfr.durable_files import sync_folder, write_durably

log = structlog.get_logger()


class Standstill(StrEnum):
    """Why it stands still, and the name of the file that says so."""

    HELD = "held"
    """Whom it trusts was changed."""

    PAUSED = "paused"
    """A technician said so."""


def is_kept(mode_directory: Path, standstill: Standstill) -> bool:
    """Whether it was begun and not ended; what cannot be told was."""
    try:
        (mode_directory / standstill).lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def keep(mode_directory: Path, standstill: Standstill, reason: str) -> None:
    """Have it on the disk; where that fails it is told, and it lasts as long as the process."""
    try:
        write_durably(mode_directory / standstill, f"{reason}\n".encode())
    except OSError as error:
        log.error("operation.standstill-not-kept", standstill=standstill.value, reason=error.strerror)


def end(mode_directory: Path, standstill: Standstill) -> None:
    """Take it from the disk; where that fails it is told, and the next start stands still once more."""
    try:
        (mode_directory / standstill).unlink(missing_ok=True)
        sync_folder(mode_directory)
    except OSError as error:
        log.error("operation.standstill-not-ended", standstill=standstill.value, reason=error.strerror)
