"""
The end of an authority before its time: a signed word that is taken once and never back.

Untrusted bytes enter; what was verified is kept as a file, and counts from then on, whatever becomes of the key. It is
kept once for the box: what was revoked in training is revoked in operation.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field

from edge_lfr.config.section import Identifier
from edge_lfr.durable_files import write_durably
from edge_lfr.errors import AuthorityStorageError, RevocationError
from edge_lfr.governance.authority.content import Authority, DocumentId, Instant, Part
from edge_lfr.governance.documents import (
    MAX_DOCUMENT_BYTES,
    Document,
    DocumentRefusedError,
    Kind,
    new_document,
    read_document,
    signers,
)
from edge_lfr.governance.trust import Role, SigningKey, TrustedKey, TrustStore

FOLDER: Final = "revocations"
MAX_REVOCATIONS: Final = 4_096
"""One a day for eleven years (chosen, not measured)."""

_ROLES: Final = (Role.REVOKE, Role.AUTHORISE)
"""Who may let a deployment happen may also end it."""


class RevocationReason(StrEnum):
    """Why; the text belongs into the force's own record."""

    PURPOSE_ENDED = "purpose-ended"
    NOT_COUNTERSIGNED = "not-countersigned"
    NOT_LAWFUL = "not-lawful"
    MISTAKE = "mistake"
    INCIDENT = "incident"
    EQUIPMENT = "equipment"
    KEY_COMPROMISED = "key-compromised"


class Revocation(Part):
    """Ends one authority, on one appliance or on all."""

    schema_version: Annotated[Literal["lfr.revocation/1"], Field(alias="schema")] = "lfr.revocation/1"
    authority_id: DocumentId
    force: Identifier
    device: Identifier | None = None
    """None: every appliance of the force."""

    revoked_at: Instant
    """When it was signed. It counts from when it arrives: to stop is never too early."""

    reason_code: RevocationReason

    def ends(self, authority: Authority, device: str) -> bool:
        """Whether it ends *authority* on the appliance `<force>/<device>`."""
        return self.authority_id == authority.authority_id and self.is_for(device)

    def is_for(self, device: str) -> bool:
        """Whether it speaks to the appliance `<force>/<device>`."""
        force, _, name = device.partition("/")
        return self.force == force and self.device in {None, name}


@dataclass(frozen=True, slots=True)
class TakenRevocation:
    """A revocation that was verified, and by whose signature."""

    revocation: Revocation
    signer: TrustedKey
    digest: str
    """SHA-256 of what was signed."""

    wire: bytes
    """As it is kept."""

    path: Path
    """Where it is kept."""

    is_new: bool
    """Nobody has taken it before, as far as the disk knows."""

    def keep(self) -> None:
        """
        Have it on the disk; what is there already is not written again.

        Raises:
            AuthorityStorageError: It cannot be written.
        """
        try:
            if _lies_at(self.path, self.wire):
                return
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(self.path, self.wire)
        except OSError as error:
            raise AuthorityStorageError(f"{self.path}: cannot be written: {error.strerror}") from error


def _lies_at(path: Path, wire: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(wire) + 1) == wire
    except FileNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class Revocations:
    """Everything that was revoked on this appliance."""

    items: tuple[Revocation, ...] = ()

    @classmethod
    def load(cls, state_directory: Path) -> Self:
        """
        Read what was taken; without a folder nothing was.

        The signatures were judged when they were taken, and are not again: a key ends, a revocation does not.

        Raises:
            RevocationError: A file is not what `take_revocation` writes: it may have ended what is now to be armed.
        """
        return cls(tuple(_read(path) for path in _files(state_directory / FOLDER)))

    def of(self, authority: Authority, device: str) -> Revocation | None:
        """The revocation that ends *authority* on the appliance `<force>/<device>`, if any does."""
        return next((each for each in self.items if each.ends(authority, device)), None)

    def ended_for(self, device: str) -> frozenset[str]:
        """Ids of the authorities that were revoked for the appliance `<force>/<device>`."""
        return frozenset(each.authority_id for each in self.items if each.is_for(device))

    def and_also(self, more: Iterable[Revocation]) -> Self:
        """Likewise with some that are on no disk yet."""
        return type(self)((*self.items, *more))


def sign_revocation(revocation: Revocation, key: SigningKey) -> bytes:
    """The bytes of a revocation's file."""
    return new_document(Kind.REVOCATION, revocation).with_signature(key).wire(indent=2)


def take_revocation(
    state_directory: Path,
    untrusted: bytes,
    *,
    trust: TrustStore,
    device: str,
    device_fingerprint: str | None,
    now: datetime,
) -> TakenRevocation:
    """
    Believe a revocation and keep it; to take one twice changes nothing.

    Raises:
        DocumentRefusedError, RevocationError: As `believe_revocation`.
        AuthorityStorageError: It cannot be kept.
    """
    taken = believe_revocation(
        state_directory, untrusted, trust=trust, device=device, device_fingerprint=device_fingerprint, now=now
    )
    taken.keep()
    return taken


def believe_revocation(
    state_directory: Path,
    untrusted: bytes,
    *,
    trust: TrustStore,
    device: str,
    device_fingerprint: str | None,
    now: datetime,
) -> TakenRevocation:
    """
    Believe a revocation, so that it counts; nothing is written before `TakenRevocation.keep`.

    (1) a document of the kind, (2) signed by a key that may revoke or authorise, now, (3) for this appliance.

    Args:
        state_directory: The state folder of the box, above those of its modes.

        untrusted: The file's or the message's bytes.

        trust: The keys of this appliance.

        device: `<force>/<device>`.

        device_fingerprint: The appliance's own key, which revokes nothing.

        now: The time.

    Raises:
        DocumentRefusedError: It is none, or its signature does not count.
        RevocationError: It is for another appliance.
    """
    # (1) a document of the kind
    document: Document[Revocation] = read_document(untrusted, Kind.REVOCATION, Revocation)
    # (2) signed by a key that may
    signer = signers(document, trust, _ROLES, now, device_fingerprint=device_fingerprint)[0]
    # (3) for this appliance
    if not document.content.is_for(device):
        message = f"the revocation is not for {device}"
        raise RevocationError(message, remedy="take it to the appliance that it names")
    path = state_directory / FOLDER / f"{document.content.authority_id}.{document.digest[:16]}.json"
    return TakenRevocation(
        document.content, signer, document.digest, document.wire(), path, is_new=not os.path.lexists(path)
    )


_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.[0-9a-f]{16}\.json$")


def _files(folder: Path) -> Iterator[Path]:
    try:
        names = sorted(path.name for path in folder.iterdir() if path.suffix != ".partial")
    except FileNotFoundError:
        return
    except OSError as error:
        raise RevocationError(f"{folder}: cannot be read: {error.strerror}") from error
    if len(names) > MAX_REVOCATIONS:
        raise RevocationError(f"{folder}: at most {MAX_REVOCATIONS} files", remedy="remove those of past years")
    for name in names:
        if _NAME.match(name) is None:
            raise RevocationError(f"{folder}: a file that is no taken revocation", remedy="remove it")
        yield folder / name


def _read(path: Path) -> Revocation:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise RevocationError(f"{path}: not a file", remedy="remove it")
            untrusted = file.read(MAX_DOCUMENT_BYTES + 1)
        return read_document(untrusted, Kind.REVOCATION, Revocation).content
    except OSError as error:
        raise RevocationError(f"{path}: cannot be read: {error.strerror}") from error
    except DocumentRefusedError as error:
        raise RevocationError(f"{path}: {error.message}") from error
