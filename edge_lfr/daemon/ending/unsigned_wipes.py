"""
Wipes without a certificate: what is destroyed is noted, and certified by whoever has the device key.

    <mode folder>/certificates/pending-<UTC time>.json    what was destroyed, unsigned

Every wipe is noted before the first key is overwritten, so that a kill leaves no wipe of which nobody knows; whoever
has proved it takes the note away. The dead man's handle opens nothing before it destroys, also not in order to prove
it: a list past its end is opened by nobody. So its certificate has counts and a cause, and no proof, like that of any
wipe whose proof a kill took away. A kill between the steps of a certification repeats them: there is one certificate,
and at worst two lines of the ledger of the same wipe.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import structlog
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import WATCHLIST_FOLDER
from edge_lfr.durable_files import sync_folder, write_durably
from edge_lfr.errors import EdgeLfrError, WatchlistStorageError
from edge_lfr.governance.documents import MAX_DOCUMENT_BYTES, Kind, read_document
from edge_lfr.governance.ledger.events import Fact
from edge_lfr.governance.ledger.lines import Actor, ActorKind, Part
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.sealed.ending import has_key
from edge_lfr.watchlist.sealed.storage import read_list_id
from edge_lfr.watchlist.sealed.store import CURRENT, LISTS, SealedStore
from edge_lfr.watchlist.wiping.certificate import (
    FOLDER,
    WipeCause,
    WipeCertificate,
    certificate_path,
    keep_certificate,
)
from edge_lfr.watchlist.wiping.ended_list import EndedList

log = structlog.get_logger()

PATTERN: Final = "pending-*.json"

MAX_NOTE_BYTES: Final = 4_096
"""A note has some 250; chosen, not measured."""

PROOF_SPAN: Final = timedelta(minutes=10)
"""A proof takes some seven seconds; after so long nobody is at it any more. Chosen with room."""

Note = Callable[[Actor, Mapping[str, Fact]], None]
"""Writes one `watchlist-wiped` into the ledger."""

Count = Annotated[int, Field(ge=0)]


def _checked_actor(untrusted: Mapping[str, int | str]) -> Mapping[str, int | str]:
    Actor.read(dict(untrusted))
    return untrusted


class UnsignedWipe(BaseModel):
    """What a wipe did, or was about to do, that nobody has certified yet."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    schema_version: Literal["lfr.unsigned-wipe/1"] = "lfr.unsigned-wipe/1"
    cause: WipeCause
    part: Part
    """Who did it."""

    asked_by: Annotated[Mapping[str, int | str], AfterValidator(_checked_actor)] | None = None
    """Who asked for it, where somebody did; as a line of the ledger names them."""

    begun_at: AwareDatetime
    list_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None
    """Of the list that was live; None where only others were destroyed."""

    lists: Count
    keys: Count
    destroyed_in_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
    """None where it was begun, and not noted as done."""

    prover: Annotated[int, Field(ge=1)] | None = None
    """The process that goes on to prove it, under the same number also where it takes its own place."""

    @classmethod
    def about_to(cls, store: SealedStore, cause: WipeCause, by: Actor, begun_at: datetime) -> Self:
        """What is about to be destroyed, by this process: every list that lies in *store*."""
        list_id = None
        with suppress(EdgeLfrError):
            list_id = read_list_id(store.directory / CURRENT)
        lists = store.directory / LISTS
        folders = [folder for folder in lists.iterdir() if folder.is_dir()] if lists.is_dir() else []
        return cls(
            cause=cause,
            part=Part(str(by.value)) if by.kind is ActorKind.PART else Part.DAEMON,
            asked_by=None if by.kind is ActorKind.PART else {by.kind.value: by.value},
            begun_at=begun_at,
            list_id=list_id,
            lists=len(folders),
            keys=sum(map(has_key, folders)),
            destroyed_in_s=None,
            prover=os.getpid(),
        )

    def done(self, ended: EndedList) -> Self:
        """The same, with what came of it."""
        figures = {"lists": ended.lists, "keys": ended.keys, "list_id": ended.list_id}
        return self.model_copy(update={**figures, "destroyed_in_s": ended.destroyed_in_s})

    @property
    def who(self) -> Actor:
        """Who asked for it, or did it unasked."""
        return Actor.of_part(self.part) if self.asked_by is None else Actor.read(dict(self.asked_by))

    def is_being_proved(self, now: datetime) -> bool:
        """Whether somebody still goes on with it, and will certify it."""
        if self.prover is None or abs(now - self.begun_at) >= PROOF_SPAN:
            return False
        try:
            os.kill(self.prover, 0)
        except PermissionError:
            return True
        except OSError:
            return False
        return True

    def leave(self, mode_directory: Path) -> None:
        """
        Have it on the disk.

        Raises:
            WatchlistStorageError: The disk does not take it; that keeps nobody from destroying.
        """
        folder = mode_directory / FOLDER
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            write_durably(_path_of(self.begun_at, mode_directory), self.model_dump_json().encode() + b"\n")
        except OSError as error:
            message = f"the wipe cannot be noted: {error.strerror}"
            raise WatchlistStorageError(
                message, remedy="free disk space; the service's log says what was done"
            ) from None


def try_to_leave(wipe: UnsignedWipe, mode_directory: Path) -> None:
    """Have it on the disk if the disk takes it: nothing keeps a wipe from being done."""
    try:
        wipe.leave(mode_directory)
    except WatchlistStorageError as error:
        log.error("wipe.not-noted", reason=error.message)


def forget(begun_at: datetime, mode_directory: Path) -> None:
    """Take the note of a wipe away that is certified, and in the ledger; what fails is told: it is certified twice."""
    path = _path_of(begun_at, mode_directory)
    try:
        if path.exists():
            path.unlink(missing_ok=True)
            sync_folder(path.parent)
    except OSError as error:
        log.error("wipe.note-kept", file=path.name, reason=error.strerror)


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
        if wipe.is_being_proved(SystemClock().utc_now()):
            continue
        if not _has_happened(wipe, mode_directory):
            log.error("wipe.never-begun", file=path.name)
            path.unlink(missing_ok=True)
            continue
        document = _document(wipe, mode_directory, device, signing)
        seconds = {} if wipe.destroyed_in_s is None else {"seconds": round(wipe.destroyed_in_s, 3)}
        note(
            wipe.who,
            {
                "keys": wipe.keys,
                "lists": wipe.lists,
                "code": wipe.cause.value,
                **seconds,
                "certificate_sha256": hashlib.sha256(document).hexdigest(),
            },
        )
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
        certified += 1
    return certified


def _path_of(begun_at: datetime, mode_directory: Path) -> Path:
    return mode_directory / FOLDER / f"pending-{begun_at:%Y%m%dT%H%M%S.%fZ}.json"


def _has_happened(wipe: UnsignedWipe, mode_directory: Path) -> bool:
    """The key of the live list ends first: while it is there, whoever was about to wipe was killed before that."""
    if wipe.destroyed_in_s is not None or wipe.list_id is None:
        return True
    return not has_key(mode_directory / WATCHLIST_FOLDER / LISTS / wipe.list_id)


def _document(wipe: UnsignedWipe, mode_directory: Path, device: str, signing: SigningKey) -> bytes:
    kept = _kept_certificate(wipe, mode_directory, signing)
    if kept is not None:  # whoever certified before us was killed behind this step
        return kept
    ended = EndedList(
        cause=wipe.cause,
        by=str(wipe.who),
        begun_at=wipe.begun_at,
        begun_ns=0,
        evidence=None,
        lists=wipe.lists,
        keys=wipe.keys,
        destroyed_in_s=0.0,
        list_id=wipe.list_id,
    )
    certificate = ended.certificate(device=device, proof=None, answering_in_s=None)
    certificate = certificate.model_copy(update={"destroyed_in_s": wipe.destroyed_in_s})
    return keep_certificate(certificate, mode_directory, signing)


def _kept_certificate(wipe: UnsignedWipe, mode_directory: Path, signing: SigningKey) -> bytes | None:
    """The one that lies there already, if it is whole, ours, and of this wipe."""
    try:
        with certificate_path(mode_directory, wipe.begun_at).open("rb") as file:
            untrusted = file.read(MAX_DOCUMENT_BYTES + 1)
        document = read_document(untrusted, Kind.WIPE_CERTIFICATE, WipeCertificate)
        document.verify_with(signing.public)
    except (OSError, EdgeLfrError):
        return None
    return untrusted if document.content.begun_at == wipe.begun_at else None


def _read(path: Path) -> UnsignedWipe | None:
    try:
        with path.open("rb") as file:
            untrusted = file.read(MAX_NOTE_BYTES + 1)
        return UnsignedWipe.model_validate_json(untrusted) if len(untrusted) <= MAX_NOTE_BYTES else None
    except (OSError, ValidationError):
        return None
