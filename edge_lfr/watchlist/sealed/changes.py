"""
What made a list the live one, until that has its line in the ledger: no load and no removal is without one.

    <mode folder>/changes/<list id>.pending    written before the list becomes the live one
    <mode folder>/changes/<list id>            it did; whoever has written the line takes it away

As with the notes of wipes, a kill between the line and this file tells the same change twice, and never not at all.
Counts, digests and a random id stand there, nothing of a person.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge_lfr.durable_files import create_durably, sync_folder

CHANGES: Final = "changes"

PENDING: Final = ".pending"

MAX_CHANGE_BYTES: Final = 1_024
"""A change has some 300; chosen, not measured."""

Count = Annotated[int, Field(ge=0)]


class What(StrEnum):
    """Why another list is the live one."""

    LOADED = "loaded"
    REMOVED = "removed"
    """Somebody was taken out by request."""

    EXPIRED = "expired"
    """Somebody's time was over."""


class ListChange(BaseModel):
    """That a list became the live one, by whom and why."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    schema_version: Literal["lfr.list-change/1"] = "lfr.list-change/1"
    what: What
    list_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    references: Count
    """How many were loaded, or taken out."""

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the list, as the ledger names it."""

    at: AwareDatetime
    writer: Annotated[int, Field(ge=1)]
    """The process that did it, and means to have the line written itself."""


def begin_change(mode_directory: Path, what: What, list_id: str, *, references: int, digest: str, at: datetime) -> None:
    """
    Have on the disk that the list is about to become the live one.

    Raises:
        OSError: The disk does not take it.
    """
    folder = mode_directory / CHANGES
    folder.mkdir(mode=0o700, exist_ok=True)
    change = ListChange(what=what, list_id=list_id, references=references, digest=digest, at=at, writer=os.getpid())
    create_durably(folder / f"{list_id}{PENDING}", change.model_dump_json().encode() + b"\n")


def settle_changes(mode_directory: Path, live: str | None) -> None:
    """
    Decide about changes that were about to be made; only under the store's lock.

    Args:
        mode_directory: The mode's state folder, which holds the store.

        live: The list that is live; the others of which that was about to be said never were.

    Raises:
        OSError: The disk fails.
    """
    pending = sorted((mode_directory / CHANGES).glob(f"*{PENDING}"))
    for path in pending:
        if path.stem == live:
            path.replace(path.with_suffix(""))
        else:
            path.unlink(missing_ok=True)
    if pending:
        sync_folder(mode_directory / CHANGES)


def made_changes(mode_directory: Path, live: str | None) -> Iterator[tuple[Path, ListChange]]:
    """
    Where every change that was made lies, and what it was, oldest first; what cannot be read is left out.

    Args:
        mode_directory: The mode's state folder, which holds the store.

        live: The list that is live: the change to it was made, also where a kill came before that was said.
    """
    found = []
    for path in (mode_directory / CHANGES).glob("*"):
        change = None if path.name.endswith(PENDING) and path.stem != live else _read(path)
        if change is not None:
            found.append((path, change))
    yield from sorted(found, key=lambda each: each[1].at)


def forget_change(path: Path) -> None:
    """
    The change has its line.

    Raises:
        OSError: The disk fails; it is told again.
    """
    path.unlink(missing_ok=True)
    path.with_suffix("").unlink(missing_ok=True)  # settled meanwhile
    sync_folder(path.parent)


def _read(path: Path) -> ListChange | None:
    try:
        with path.open("rb") as file:
            untrusted = file.read(MAX_CHANGE_BYTES + 1)
        change = ListChange.model_validate_json(untrusted)
    except (OSError, ValidationError):
        return None
    return change if len(untrusted) <= MAX_CHANGE_BYTES and change.list_id == path.stem else None
