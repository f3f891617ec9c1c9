"""
Wipes without a certificate: what is destroyed is noted, and certified by whoever has the device key.

    <mode folder>/certificates/pending-<UTC time>.json    what was destroyed, unsigned

Every wipe is noted before the first key is overwritten, by the names of what it is about to destroy, so that a kill
leaves no wipe of which nobody knows, and none that nobody did; whoever has proved it takes the note away. The dead
man's handle opens nothing before it destroys, also not in order to prove it: a list past its end is opened by nobody.
So its certificate has counts and a cause, and no proof, like that of any wipe whose proof a kill took away. A kill
between the steps of a certification repeats them: there is one certificate, and at worst two lines of the ledger of
the same wipe.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import structlog
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, ValidationError

from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import WATCHLIST_FOLDER
from edge_lfr.durable_files import sync_folder, write_durably
from edge_lfr.errors import EdgeLfrError, WatchlistStorageError
from edge_lfr.governance.documents import MAX_DOCUMENT_BYTES, Kind, read_document
from edge_lfr.governance.ledger.events import Fact
from edge_lfr.governance.ledger.lines import Actor, ActorKind, Part
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.sealed.ending import has_key
from edge_lfr.watchlist.sealed.noted_wipes import FOLDER, MAX_IDS, MAX_NOTE_BYTES, PATTERN, NotedWipe, Noting
from edge_lfr.watchlist.sealed.storage import LIST_ID, read_list_id
from edge_lfr.watchlist.sealed.store import CURRENT, LISTS, SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause, WipeCertificate, certificate_path, keep_certificate
from edge_lfr.watchlist.wiping.ended_list import EndedList

log = structlog.get_logger()

__all__ = [
    "MAX_NOTE_BYTES",
    "PATTERN",
    "Note",
    "UnsignedWipe",
    "certify_unsigned",
    "clear_half_written",
    "forget",
    "is_at_work",
    "try_to_leave",
]

PROOF_SPAN: Final = timedelta(minutes=10)
"""A proof takes some seven seconds; after so long nobody is at it any more. Chosen with room."""

HALF_WRITTEN_S: Final = 60.0
"""So long a file may be on its way to its name, which takes parts of a second; chosen with room."""

Note = Callable[[Actor, Mapping[str, Fact]], None]
"""Writes one `watchlist-wiped` into the ledger."""


def _checked_actor(untrusted: Mapping[str, int | str]) -> Mapping[str, int | str]:
    Actor.read(dict(untrusted))
    return untrusted


class UnsignedWipe(NotedWipe):
    """What a wipe did, or was about to do, that nobody has certified yet."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    schema_version: Literal["lfr.unsigned-wipe/1"] = "lfr.unsigned-wipe/1"
    cause: WipeCause
    part: Part
    """Who did it."""

    asked_by: Annotated[Mapping[str, int | str], AfterValidator(_checked_actor)] | None = None
    """Who asked for it, where somebody did; as a line of the ledger names them."""

    begun_at: AwareDatetime
    prover: Annotated[int, Field(ge=1)] | None = None
    """The process that goes on to prove it, under the same number also where it takes its own place."""

    @classmethod
    def about_to(cls, store: SealedStore, cause: WipeCause, by: Actor, begun_at: datetime) -> Self:
        """What is about to be destroyed, by this process: every list that lies in *store*."""
        return cls(
            cause=cause,
            part=Part(str(by.value)) if by.kind is ActorKind.PART else Part.DAEMON,
            asked_by=None if by.kind is ActorKind.PART else {by.kind.value: by.value},
            begun_at=begun_at,
            destroyed_in_s=None,
            prover=os.getpid(),
            **_figures_of(store, None),
        )

    def of(self, store: SealedStore, names: Collection[str]) -> Self:
        """The same of the lists of these names, as they are now."""
        return self.model_copy(update=_figures_of(store, names))

    def noting(self, store: SealedStore) -> Noting:
        """What *store* calls before the first key ends: it names what is destroyed then, which nobody else changes."""
        return lambda names: try_to_leave(self.of(store, names), store.directory.parent)

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
        return self.prover is not None and is_at_work(self.prover, self.begun_at, now)

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


def clear_half_written(mode_directory: Path) -> None:
    """Take away what a kill left of a note or a certificate that was being written; the disk's refusal is told."""
    now_s = SystemClock().utc_now().timestamp()
    for path in (mode_directory / FOLDER).glob("*.json.partial"):
        try:
            if abs(now_s - path.stat().st_mtime) >= HALF_WRITTEN_S:  # a younger one may be somebody's at work
                path.unlink(missing_ok=True)
        except OSError as error:
            log.error("wipe.half-written-kept", file=path.name, reason=error.strerror)


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
        found = _found(wipe, mode_directory)
        if _read(path) != wipe:  # settled meanwhile: it was not the wipe that took what is gone
            continue
        if found is None:
            log.error("wipe.never-begun", file=path.name)
            path.unlink(missing_ok=True)
            continue
        wipe = found
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


def _figures_of(store: SealedStore, names: Collection[str] | None) -> dict[str, Any]:
    """Of the lists of these names, or of all: how many, how many have a key, which, and whether the live one has."""
    live = None
    with suppress(EdgeLfrError):
        live = read_list_id(store.directory / CURRENT)
    lists = store.directory / LISTS
    found = [folder for folder in lists.iterdir() if folder.is_dir()] if lists.is_dir() else []
    doomed = [folder for folder in found if names is None or folder.name in names]
    with_key = [folder.name for folder in doomed if has_key(folder)]
    ids = sorted((name for name in with_key if LIST_ID.fullmatch(name)), key=lambda name: name != live)
    return {
        "list_id": live if names is None or live in names else None,
        "lists": len(doomed),
        "keys": len(with_key),
        "ids": tuple(ids[:MAX_IDS]),
    }


def _found(wipe: UnsignedWipe, mode_directory: Path) -> UnsignedWipe | None:
    """What it did: one that was not noted as done destroyed those lists whose key is gone; None: it never began."""
    if wipe.destroyed_in_s is not None:
        return wipe
    found = wipe.as_found(mode_directory / WATCHLIST_FOLDER / LISTS)
    return found if found.ids else None


def is_at_work(process: int, since: datetime, now: datetime) -> bool:
    """Whether whoever noted a moment ago that they would go on still exists."""
    if abs(now - since) >= PROOF_SPAN:
        return False
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


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
