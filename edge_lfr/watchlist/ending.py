"""
The end of a list, in clear beside it: whether a list must not exist any more is told without any key.

    <list folder>/end.json    the time after which the list must not exist, or that it has none

It is on the disk before the list has a key, so a list that opens has one. The same time stands in the sealed manifest:
who moves the end in the file makes a list that does not open.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from edge_lfr.durable_files import create_durably
from edge_lfr.errors import WatchlistClockError, WatchlistEndedError, WatchlistSealError
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.watchlist.new_list import KEY_NAME

END_NAME: Final = "end.json"

MAX_END_BYTES: Final = 1_024
"""Ten times what an end takes; chosen, not measured."""

SEALED_IN_DOUBT: Final = timedelta(hours=24)
"""How long a list waits, sealed, for a clock that is trusted, while the machine is up; ARCHITECTURE.md, section 9."""


class ListEnd(BaseModel):
    """When a list must not exist any more."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    schema_version: Literal["lfr.list-end/1"] = "lfr.list-end/1"
    list_id: str
    wipe_at: AwareDatetime | None


def write_end(folder: Path, wipe_at: datetime | None) -> None:
    """Have the end of the list in *folder* on the disk; once."""
    end = ListEnd(list_id=folder.name, wipe_at=wipe_at)
    create_durably(folder / END_NAME, end.model_dump_json().encode() + b"\n")


def read_end(folder: Path) -> ListEnd | None:
    """Give the end of the list in *folder*; None where it is missing, torn, or another list's."""
    try:
        with (folder / END_NAME).open("rb") as file:
            untrusted = file.read(MAX_END_BYTES + 1)
        end = ListEnd.model_validate_json(untrusted)
    except (OSError, ValidationError):
        return None
    return end if len(untrusted) <= MAX_END_BYTES and end.list_id == folder.name else None


def is_due(folder: Path, verdict: TimeVerdict) -> bool:
    """Whether the list in *folder* must not exist any more."""
    # (1) what has no key opens for nobody, and is cleared away as a leftover
    if not has_key(folder):
        return False
    # (2) due, if nobody can say when it ends
    end = read_end(folder)
    if end is None:
        return True
    # (3) never, if it was made without an end
    if end.wipe_at is None:
        return False
    # (4) due from its end on, by a clock that is trusted
    if verdict.is_trusted:
        return verdict.now >= end.wipe_at
    # (5) due after a day of uptime, where no clock can tell
    return timedelta(seconds=verdict.doubted_s) >= SEALED_IN_DOUBT


def require_before_end(folder: Path, judge: Callable[[], TimeVerdict]) -> datetime | None:
    """
    See that the list in *folder* may still be opened, and give its end; None for a list without one.

    Args:
        folder: Of the list.

        judge: Gives what is to be thought of the time; asked only where there is an end.

    Raises:
        WatchlistSealError: Nobody can say when it ends.
        WatchlistClockError: It has an end, and the clock is not trusted.
        WatchlistEndedError: It must not exist any more.
    """
    end = read_end(folder)
    if end is None:
        message = "nobody can say when the live list ends"
        raise WatchlistSealError(message)
    if end.wipe_at is None:
        return None
    verdict = judge()
    if not verdict.is_trusted:
        raise WatchlistClockError(f"the list has an end, and the clock is not trusted: {verdict.doubt}")
    if verdict.now >= end.wipe_at:
        raise WatchlistEndedError(f"the list must not exist after {end.wipe_at.isoformat()}, which has come")
    return end.wipe_at


def has_key(folder: Path) -> bool:
    """Whether the list in *folder* has a wrapped key that was not overwritten; one that cannot be read may open."""
    try:
        return any((folder / KEY_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
