"""
The end of a list, in clear beside it: whether a list must not exist any more is told without any key.

    <list folder>/end.json    the time after which the list must not exist, or that it has none; the id of the
                              authority under which it was loaded, with whose revocation it ends, too; and which list
                              it is the rest of

It is on the disk before the list has a key, so a list that opens has one. Time and authority stand in the sealed
manifest, too: who changes them makes a list that does not open.
"""

import errno
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge_lfr.durable_files import create_durably
from edge_lfr.errors import WatchlistClockError, WatchlistEndedError, WatchlistSealError
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.watchlist.sealed.new_list import KEY_NAME

END_NAME: Final = "end.json"

MAX_END_BYTES: Final = 1_024
"""Ten times what an end takes; chosen, not measured."""

READ_ATTEMPTS: Final = 3
READ_AGAIN_S: Final = 0.05
"""A disk that fails once is asked again before a list is destroyed for that; chosen, not measured."""

_OF_THIS_PROCESS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})

SEALED_IN_DOUBT: Final = timedelta(hours=24)
"""How long a list waits, sealed, for a clock that is trusted, while the machine is up; chosen."""


@dataclass(frozen=True, slots=True)
class Wiped:
    """What a wipe destroyed; all zero when there was nothing."""

    keys: int
    lists: int
    live: str | None = field(default=None, compare=False)
    """The id of the list that was live, where it was among them."""


class ListEnd(BaseModel):
    """When a list must not exist any more."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    schema_version: Literal["lfr.list-end/1"] = "lfr.list-end/1"
    list_id: str
    wipe_at: AwareDatetime | None
    authority_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] | None = None
    """None for a list that no authority allowed, as in training."""

    root_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    """Of the list that this one is the rest of, where everybody who is missing has expired; None for another list."""


def write_end(
    folder: Path, wipe_at: datetime | None, authority_id: str | None = None, root_id: str | None = None
) -> None:
    """Have the end of the list in *folder* on the disk; once."""
    end = ListEnd(list_id=folder.name, wipe_at=wipe_at, authority_id=authority_id, root_id=root_id)
    create_durably(folder / END_NAME, end.model_dump_json().encode() + b"\n")


def read_end(folder: Path) -> ListEnd | None:
    """Give the end of the list in *folder*; None where it is missing, torn, another list's, or cannot be read."""
    try:
        return _read_end(folder)
    except OSError:
        return None


def root_of(folder: Path) -> str:
    """The id of the list that the one in *folder* is the rest of, without anybody but who has expired; or its own."""
    end = read_end(folder)
    return folder.name if end is None or end.root_id is None else end.root_id


def _read_end(folder: Path) -> ListEnd | None:
    """Likewise; what only this process lacks, such as descriptors, says nothing about the list and is raised."""
    untrusted = b""
    for attempt in range(READ_ATTEMPTS):
        try:
            with (folder / END_NAME).open("rb") as file:
                untrusted = file.read(MAX_END_BYTES + 1)
            break
        except OSError as error:
            if error.errno in _OF_THIS_PROCESS:
                raise
            if error.errno != errno.EIO or attempt == READ_ATTEMPTS - 1:
                return None
            time.sleep(READ_AGAIN_S)
    try:
        end = ListEnd.model_validate_json(untrusted)
    except ValidationError:
        return None
    return end if len(untrusted) <= MAX_END_BYTES and end.list_id == folder.name else None


def is_due(folder: Path, verdict: TimeVerdict) -> bool:
    """Whether the list in *folder* must not exist any more."""
    # (1) what has no key opens for nobody, and is cleared away as a leftover
    if not has_key(folder):
        return False
    # (2) due, if nobody can say when it ends; the next look decides, if it is this process that cannot look
    try:
        end = _read_end(folder)
    except OSError:
        return False
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


def is_revoked(folder: Path, authority_ids: Collection[str]) -> bool:
    """Whether the list in *folder* was loaded under one of these authorities, and could still be opened."""
    if not authority_ids or not has_key(folder):
        return False
    end = read_end(folder)
    return end is not None and end.authority_id in authority_ids


def require_before_end(folder: Path, judge: Callable[[], TimeVerdict]) -> ListEnd:
    """
    See that the list in *folder* may still be opened, and give its end.

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
        return end
    verdict = judge()
    if not verdict.is_trusted:
        raise WatchlistClockError(f"the list has an end, and the clock is not trusted: {verdict.doubt}")
    if verdict.now >= end.wipe_at:
        raise WatchlistEndedError(f"the list must not exist after {end.wipe_at.isoformat()}, which has come")
    return end


def has_key(folder: Path) -> bool:
    """Whether the list in *folder* has a wrapped key that was not overwritten; one that cannot be read may open."""
    try:
        return any((folder / KEY_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
