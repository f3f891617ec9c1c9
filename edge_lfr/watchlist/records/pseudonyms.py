"""
Who was on a list, under pseudonyms and for one officer: a file of each list that outlives it, and that we cannot read.

    <mode folder>/manifests/<UTC time>-<list id>.age            of the list that is live, and of those before
    <mode folder>/manifests/<UTC time>-<list id>.age.pending    of one that is about to become live

Inside stand a document on one line, which the appliance signed, and then a line for each reference, sorted: a keyed
digest of its id. The document fixes how many lines there are, and their bytes. No label, no picture, no template, no
category. It is encrypted to the data protection officer alone. Digests of short ids can be guessed by whoever has the
salt: it is the encryption that keeps them from everybody else. Anybody can encrypt to the officer: it is the signature
that says who did.

The store writes a manifest, under its lock, before it names the list as the live one, and takes `.pending` away after
that. Whoever holds the lock next settles what an interruption left between the two: the pending manifest of the list
that is live stays, and any other was of a list that never was, and goes.
"""

import hashlib
import hmac
import io
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.durable_files import create_durably, sync_folder
from edge_lfr.errors import ConfigError, WatchlistFormatError
from edge_lfr.governance.age_files import AgeIdentity, AgeReader, AgeRecipient, encrypt
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.device_signer import DeviceSigner
from edge_lfr.governance.documents import Document, DocumentRefusedError, Kind, read_document, sign_document
from edge_lfr.governance.ledger.head import public_text
from edge_lfr.governance.trust import SigningKey
from edge_lfr.terms import Mode
from edge_lfr.watchlist.enrolling.folder import MAX_ROWS
from edge_lfr.watchlist.sealed.sealed_list import Manifest

FOLDER: Final = "manifests"
SUFFIX: Final = ".age"
PENDING: Final = ".pending"

NAME: Final = re.compile(r"(?P<at>\d{8}T\d{6}\.\d{6}Z)-(?P<list_id>[0-9a-f]{16})\.age(?P<pending>\.pending)?")
TIME_FORMAT: Final = "%Y%m%dT%H%M%S.%fZ"

SALT_BYTES: Final = 32
"""As many as the digest has: RFC 2104, section 3."""

MAX_DOCUMENT_BYTES: Final = 4 << 10
"""Of the document alone, so little that no JSON in it can take much memory; it has some 1,000. Chosen, not measured."""

LINE_BYTES: Final = 65
"""A digest and its end."""

MAX_PLAIN_BYTES: Final = MAX_DOCUMENT_BYTES + MAX_ROWS * LINE_BYTES

LINES: Final = re.compile(rb"(?:[0-9a-f]{64}\n)++")

READ_BYTES: Final = 1 << 16
"""At a time; chosen, not measured."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ListedManifestError(WatchlistFormatError):
    """A file is no pseudonymous manifest of a list; says nothing about who is in it."""

    code = "watchlist.manifest"
    remedy = "take the file off the appliance again: `edge-lfr watchlist manifests --copy-to DIR`"


class BundleName(BaseModel):
    """The bundle that a list was loaded from, as its issuer named it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    list_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    manifest_sha256: Digest


class PseudonymousManifest(BaseModel):
    """What the appliance signed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        validate_by_name=True,
        serialize_by_alias=True,
    )

    schema_version: Literal["lfr.pseudonyms/1"] = Field("lfr.pseudonyms/1", alias="schema")
    device: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}/[a-z0-9-]{1,63}/[a-z]{1,16}$")]
    """`<force>/<device>/<mode>`."""

    list_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """Of the sealed store; certificates name it, too."""

    list_digest: Digest
    """The same that alerts and the ledger name."""

    bundle: BundleName | None
    """None for a list from a folder."""

    live_from: AwareDatetime
    must_end_at: AwareDatetime | None
    """After this time nothing opened the list any more, whatever else happened; None for a list without an end."""

    salt: Digest
    references: Annotated[int, Field(ge=1, le=MAX_ROWS)]
    """How many lines follow: HMAC-SHA-256 of each reference id under the salt, sorted by it."""

    references_sha256: Digest
    """Of these lines."""

    public_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]
    """Of the appliance that signed this; the officer knows its fingerprint from elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedManifest:
    """What one file says, and the holder of the key that it names, who signed it."""

    document: Document[PseudonymousManifest]
    lines: bytes = field(repr=False)
    signer: DeviceSigner

    @property
    def content(self) -> PseudonymousManifest:
        return self.document.content

    def has(self, reference_id: str) -> bool:
        """Whether *reference_id* was on the list."""
        return _line(bytes.fromhex(self.content.salt), reference_id) in self.lines

    def is_same(self, other: Self) -> bool:
        """Whether the same appliance said the same."""
        return (self.signer, self.document.digest) == (other.signer, other.document.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionOfficer:
    """Who alone can read, later, who was on a list."""

    recipient: AgeRecipient
    device: str
    """`<force>/<device>/<mode>`, of which the lists are."""

    signing: SigningKey
    """The appliance's own."""

    def note(self, folder: Path, list_id: str, manifest: Manifest, live_from: datetime) -> None:
        """
        Have the manifest of a list that is about to become live on the disk, pending.

        Args:
            folder: Where manifests lie.

            list_id: Of the store.

            manifest: As it is sealed in the list.

            live_from: Now.

        Raises:
            OSError: The disk does not take it.
        """
        salt = secrets.token_bytes(SALT_BYTES)
        origin = manifest.origin
        lines = b"".join(sorted(_line(salt, reference_id) for reference_id in manifest.reference_ids))
        content = PseudonymousManifest(
            device=self.device,
            list_id=list_id,
            list_digest=manifest.digest,
            bundle=None
            if origin is None
            else BundleName(list_id=origin.list_id, manifest_sha256=origin.manifest_sha256),
            live_from=live_from,
            must_end_at=manifest.wipe_at,
            salt=salt.hex(),
            references=len(manifest.reference_ids),
            references_sha256=hashlib.sha256(lines).hexdigest(),
            public_key=public_text(self.signing.public),
        )
        out = io.BytesIO()
        document = sign_document(Kind.LISTED_MANIFEST, content, self.signing)
        encrypt(io.BytesIO(document + lines), out, [self.recipient])
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            sync_folder(folder.parent)
        name = f"{live_from.astimezone(UTC).strftime(TIME_FORMAT)}-{list_id}{SUFFIX}{PENDING}"
        create_durably(folder / name, out.getvalue())


def officer_of(config: ApplianceConfig) -> ProtectionOfficer | None:
    """
    Whom this appliance tells, and the key that it signs with; None where nobody is configured.

    Raises:
        KeyUnavailableError: The keys of this box do not open, and can not be made.
    """
    recipient = config.trust.protection_officer
    if recipient is None:
        return None
    device = config.device_in_mode
    signing = DeviceKeys.load(config.device_directory, create=True).signing
    return ProtectionOfficer(recipient=AgeRecipient.parse(recipient), device=device, signing=signing)


def require_officer(config: ApplianceConfig) -> None:
    """
    See that somebody can answer for the lists of an operation.

    Raises:
        ConfigError: The mode is operational, and no officer is configured.
    """
    if config.mode is Mode.OPERATIONAL and config.trust.protection_officer is None:
        message = "trust.protection_officer: missing: nobody could say later who was on a list"
        remedy = "let the data protection officer make a key with `age-keygen`, and write its public line there"
        raise ConfigError(message, remedy=remedy)


def settle(folder: Path, live: str | None) -> None:
    """
    Decide about pending manifests; only under the store's lock.

    Args:
        folder: Where manifests lie.

        live: The list that is live; the pending manifests of all others go.

    Raises:
        OSError: The disk fails.
    """
    pending = [path for path in _files(folder) if path.name.endswith(PENDING)]
    for path in pending:
        found = NAME.fullmatch(path.name)
        if found is not None and found["list_id"] == live:
            path.replace(path.with_suffix(""))
        else:
            path.unlink(missing_ok=True)
    if pending:
        sync_folder(folder)


def time_in_name(text: str) -> datetime | None:
    """The time that a file's name begins with; None where it is none."""
    try:
        return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def read_manifest(untrusted_file: BinaryIO, identity: AgeIdentity) -> ListedManifest:
    """
    Decrypt and read one manifest, whole under the signature of the key that it names; whose key that is, is not asked.

    Raises:
        AgeFileError: It is no age file for this key, or was changed or cut off.
        ListedManifestError: What is inside is no manifest, or was changed.
    """
    untrusted = bytearray()
    with AgeReader(untrusted_file, identity) as plain:
        while piece := plain.read(READ_BYTES):
            untrusted += piece
            if len(untrusted) > MAX_PLAIN_BYTES:
                raise ListedManifestError(f"larger than {MAX_PLAIN_BYTES} bytes")
    end = untrusted.find(b"\n", 0, MAX_DOCUMENT_BYTES) + 1
    try:
        # (1) a document that is short enough to be looked at   [without an end it is empty]
        document = read_document(bytes(untrusted[:end]), Kind.LISTED_MANIFEST, PseudonymousManifest)
        # (2) signed by the key that it names
        signer = DeviceSigner.of(document.content.public_key)
    except (DocumentRefusedError, ValueError):
        message = "what is encrypted there is no manifest of a list"
        raise ListedManifestError(message) from None
    if not signer.has_signed(document):
        message = "not signed by the appliance that it names: changed, or made up"
        raise ListedManifestError(message)
    # (3) and exactly the lines that it speaks of
    lines = bytes(untrusted[end:])
    if (
        len(lines) != document.content.references * LINE_BYTES
        or hashlib.sha256(lines).hexdigest() != document.content.references_sha256
        or LINES.fullmatch(lines) is None
    ):
        message = "its references are not the ones that were signed"
        raise ListedManifestError(message)
    return ListedManifest(document=document, lines=lines, signer=signer)


def pseudonym(salt: bytes, reference_id: str) -> str:
    """What stands for *reference_id*, hex."""
    return hmac.new(salt, reference_id.encode(), hashlib.sha256).hexdigest()


def _line(salt: bytes, reference_id: str) -> bytes:
    return f"{pseudonym(salt, reference_id)}\n".encode("ascii")


def _files(folder: Path) -> Iterable[Path]:
    try:
        with os.scandir(folder) as found:
            return sorted(Path(entry.path) for entry in found if entry.is_file(follow_symlinks=False))
    except FileNotFoundError:
        return ()
