"""
What a wipe was about to destroy, on the disk before the first key ends: so that a kill leaves no doubt about its work.

    <mode folder>/certificates/pending-<UTC time>.json

A note names every list that the wipe is about to destroy and that has a key; the wipe has begun where one of those keys
is gone. So whoever ends a list for another reason, or makes one the live list, settles the notes first, under the lock
of the store: a wipe that never began has no note any more, and nobody else's work is taken for its own.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, Self

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_lfr.durable_files import sync_folder, write_durably
from edge_lfr.watchlist.sealed.ending import has_key

FOLDER: Final = "certificates"

PATTERN: Final = "pending-*.json"

MAX_NOTE_BYTES: Final = 4_096
"""A note has some 300, and 21 more for each further list; chosen, not measured."""

MAX_IDS: Final = 128
"""Named in one note, the live list first; a store has three at most, and what else lies there is no list. Chosen."""

Noting = Callable[[Sequence[str]], None]
"""Has the note on the disk of a wipe that is about to destroy the lists of these names, the live one first."""

Count = Annotated[int, Field(ge=0)]
ListId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]

log = structlog.get_logger()


def note_nothing(_names: Sequence[str]) -> None:
    """For a wipe of which somebody else tells."""


class NotedWipe(BaseModel):
    """What every note of a wipe says; whoever certifies it reads more."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    list_id: ListId | None
    """Of the list that was live; None where only others were destroyed."""

    lists: Count
    keys: Count
    ids: Annotated[tuple[ListId, ...], Field(max_length=MAX_IDS)] = ()
    """Of the lists that had a key."""

    destroyed_in_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
    """None where it was begun, and not noted as done."""

    def as_found(self, lists: Path) -> Self:
        """The same of those lists alone whose key is gone from the store's folder *lists*."""
        gone = tuple(list_id for list_id in self.ids if not has_key(lists / list_id))
        left = len(self.ids) - len(gone)
        return self.model_copy(
            update={
                "list_id": self.list_id if self.list_id in gone else None,
                "lists": max(len(gone), self.lists - left),
                "keys": len(gone),
                "ids": gone,
            }
        )


def settle_notes(mode_directory: Path, lists: Path) -> None:
    """
    Take the notes of wipes away that never began, and what is still there out of the others; under the store's lock.

    Nothing is raised: what the disk refuses keeps no list alive.
    """
    for path in sorted((mode_directory / FOLDER).glob(PATTERN)):
        try:
            _settle(path, lists)
        except (OSError, ValidationError) as error:
            log.error("wipe.note-not-settled", file=path.name, error=type(error).__name__)


def _settle(path: Path, lists: Path) -> None:
    with path.open("rb") as file:
        untrusted = file.read(MAX_NOTE_BYTES + 1)
    if len(untrusted) > MAX_NOTE_BYTES:
        return
    noted = NotedWipe.model_validate_json(untrusted)
    if noted.destroyed_in_s is not None:
        return
    found = noted.as_found(lists)
    if not found.ids:
        log.error("wipe.never-begun", file=path.name)
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    elif found.ids != noted.ids:
        write_durably(path, found.model_dump_json().encode() + b"\n")
