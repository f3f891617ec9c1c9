"""
Wipes without a key: what the dead man's handle destroyed is noted, and certified by whoever has the device key.

    <mode folder>/certificates/pending-<UTC time>.json    what was destroyed, unsigned

Such a wipe opens nothing before it destroys, also not in order to prove it: a list past its end is opened by nobody. So
its certificate has counts and a cause, and no proof. A kill between the steps of a certification repeats them: there is
one certificate, and at worst two lines of the ledger that name the same one.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge_lfr.durable_files import create_durably, sync_folder
from edge_lfr.errors import WatchlistStorageError
from edge_lfr.governance.ledger_events import Fact
from edge_lfr.governance.ledger_lines import Actor, Part
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.ended_list import EndedList
from edge_lfr.watchlist.wipe_certificate import FOLDER, WipeCause, certificate_path, keep_certificate

log = structlog.get_logger()

PATTERN: Final = "pending-*.json"

MAX_NOTE_BYTES: Final = 4_096
"""A note has some 250; chosen, not measured."""

Note = Callable[[Actor, Mapping[str, Fact]], None]
"""Writes one `watchlist-wiped` into the ledger."""

Count = Annotated[int, Field(ge=0)]


class UnsignedWipe(BaseModel):
    """What a wipe without a key did."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    schema_version: Literal["lfr.unsigned-wipe/1"] = "lfr.unsigned-wipe/1"
    cause: WipeCause
    part: Part
    """Who did it."""

    begun_at: AwareDatetime
    list_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None
    """Of the list that was live; None where only others were destroyed."""

    lists: Count
    keys: Count
    destroyed_in_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]

    def leave(self, mode_directory: Path) -> None:
        """
        Have it on the disk.

        Raises:
            WatchlistStorageError: The disk does not take it; the wipe stands all the same.
        """
        folder = mode_directory / FOLDER
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            path = folder / f"pending-{self.begun_at:%Y%m%dT%H%M%S.%fZ}.json"
            create_durably(path, self.model_dump_json().encode() + b"\n")
        except OSError as error:
            message = f"the wipe is done, but cannot be noted: {error.strerror}"
            raise WatchlistStorageError(
                message, remedy="free disk space; the service's log says what was done"
            ) from None


def certify_unsigned(mode_directory: Path, *, device: str, signing: SigningKey, note: Note) -> int:
    """
    Sign what wipes without a key left here, and have it in the ledger; gives how many.

    Args:
        mode_directory: The mode's state folder.

        device: `<force>/<device>/<mode>`.

        signing: The device key.

        note: Writes the ledger's line; what it raises leaves the note for the next time.

    Raises:
        WatchlistStorageError: The disk does not take a certificate; its note stays.
        LedgerError: As *note*.
    """
    certified = 0
    for path in sorted((mode_directory / FOLDER).glob(PATTERN)):
        wipe = _read(path)
        if wipe is None:
            log.error("wipe.note-unreadable", file=path.name)
            continue
        who = Actor.of_part(wipe.part)
        document = _document(wipe, str(who), mode_directory, device, signing)
        note(
            who,
            {
                "keys": wipe.keys,
                "lists": wipe.lists,
                "code": wipe.cause.value,
                "seconds": round(wipe.destroyed_in_s, 3),
                "certificate_sha256": hashlib.sha256(document).hexdigest(),
            },
        )
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
        certified += 1
    return certified


def _document(wipe: UnsignedWipe, by: str, mode_directory: Path, device: str, signing: SigningKey) -> bytes:
    path = certificate_path(mode_directory, wipe.begun_at)
    if path.is_file():  # whoever certified before us was killed behind this step
        return path.read_bytes()
    ended = EndedList(
        cause=wipe.cause,
        by=by,
        begun_at=wipe.begun_at,
        begun_ns=0,
        evidence=None,
        lists=wipe.lists,
        keys=wipe.keys,
        destroyed_in_s=wipe.destroyed_in_s,
        list_id=wipe.list_id,
    )
    certificate = ended.certificate(device=device, proof=None, answering_in_s=None)
    return keep_certificate(certificate, mode_directory, signing)


def _read(path: Path) -> UnsignedWipe | None:
    try:
        with path.open("rb") as file:
            untrusted = file.read(MAX_NOTE_BYTES + 1)
        return UnsignedWipe.model_validate_json(untrusted) if len(untrusted) <= MAX_NOTE_BYTES else None
    except (OSError, ValidationError):
        return None
