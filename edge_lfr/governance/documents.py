"""
Signed documents: an authority, a revocation, a receipt, a certificate, the head of the ledger; one JSON file each.

Untrusted bytes enter; content of a known form leaves, with the signatures over it, which are judged apart.
"""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Generic, Literal, Self, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from edge_lfr.errors import TrustError
from edge_lfr.governance.strict_json import NotStrictJsonError, read_strict_json
from edge_lfr.governance.trust import Role, SigningKey, TrustedKey, TrustStore, fingerprint_of

MAX_DOCUMENT_BYTES: Final = 256 * 1024
"""An authority with the longest texts, most officers and most devices has some 40 kB (chosen, not measured)."""

MAX_DEPTH: Final = 16
"""An authority nests five deep, its envelope included (chosen, not measured)."""

MAX_ITEMS: Final = 256
"""In one list. The longest of an authority has 128 (chosen, not measured)."""

MAX_FAULTS: Final = 20
"""That are told at once; nobody corrects more before asking again (chosen, not measured)."""

MAX_SIGNATURES: Final = 8
"""An urgent authority has two (chosen, not measured)."""

MAX_SHOWN_NAME: Final = 60
"""Characters of a foreign field's name in a message; chosen, not measured."""

_CONTEXT: Final = "lfr.document/1"
"""Stands in front of what is signed, with the kind, so that a signature for another purpose never fits."""

_SIGNATURE_BYTES: Final = 64


class Kind(StrEnum):
    """What a document is; its signatures are over the kind too."""

    AUTHORITY = "authority"
    REVOCATION = "revocation"
    LOAD_RECEIPT = "load-receipt"
    WIPE_CERTIFICATE = "wipe-certificate"
    LEDGER_HEAD = "ledger-head"
    LISTED_MANIFEST = "listed-manifest"


class DocumentRefusal(StrEnum):
    """Why a document, or a signature on it, does not count."""

    TOO_LARGE = "too-large"
    MALFORMED = "malformed"
    WRONG_KIND = "wrong-kind"
    DOUBLED_KEY = "doubled-key"
    TOO_MANY_SIGNATURES = "too-many-signatures"
    WRONG_CONTENT = "wrong-content"
    UNSIGNED = "unsigned"
    DEVICE_KEY = "device-key"
    UNKNOWN_KEY = "unknown-key"
    BAD_SIGNATURE = "bad-signature"
    WRONG_ROLE = "wrong-role"
    KEY_NOT_VALID = "key-not-valid"


REMEDIES: Final = {
    DocumentRefusal.TOO_LARGE: "name the document itself",
    DocumentRefusal.MALFORMED: "take the file that was signed, unchanged",
    DocumentRefusal.WRONG_KIND: "name a document of the kind that this command takes",
    DocumentRefusal.DOUBLED_KEY: "a second signature needs another person's key",
    DocumentRefusal.TOO_MANY_SIGNATURES: "take the document as its first officer signed it",
    DocumentRefusal.WRONG_CONTENT: "correct the fields and have it signed again",
    DocumentRefusal.UNSIGNED: "have it signed",
    DocumentRefusal.DEVICE_KEY: "an appliance authorises nothing: have an officer sign it with the officer's own key",
    DocumentRefusal.UNKNOWN_KEY: "have it signed with a trusted key, or the signer's key put into the trust folder",
    DocumentRefusal.BAD_SIGNATURE: "take the file that was signed, unchanged, or have it signed again",
    DocumentRefusal.WRONG_ROLE: "have it signed with a key of the role that signs such a document",
    DocumentRefusal.KEY_NOT_VALID: "have it signed with a key that is valid now, and check the clock",
}
"""What to do about each."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with the content of a document, and what to do about it."""

    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class DocumentRefusedError(TrustError):
    """A signed document does not count."""

    code = "trust.document"
    exit_status = os.EX_DATAERR

    def __init__(self, refusal: DocumentRefusal, detail: str = "", *, faults: Sequence[Fault] = ()) -> None:
        lines = [f"document refused: {refusal}{f': {detail}' if detail else ''}", *map(str, faults)]
        super().__init__("\n".join(lines), remedy=REMEDIES[refusal])
        self.refusal = refusal
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Signature:
    """Whose it claims to be, and its 64 bytes."""

    key: str
    untrusted_bytes: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A document of which the content is not looked at yet."""

    kind: Kind
    untrusted_content: bytes
    """Canonical JSON: sorted keys, no spaces, ASCII."""

    signatures: tuple[Signature, ...]

    @property
    def signed_bytes(self) -> bytes:
        """What the signatures are over."""
        return f"{_CONTEXT}\n{self.kind}\n".encode("ascii") + self.untrusted_content

    @property
    def digest(self) -> str:
        """SHA-256 of what is signed, hex; the same before and after a countersignature."""
        return hashlib.sha256(self.signed_bytes).hexdigest()

    def is_signed_by(self, public: Ed25519PublicKey, signature: Signature) -> bool:
        try:
            public.verify(signature.untrusted_bytes, self.signed_bytes)
        except InvalidSignature:
            return False
        return True

    def verify_with(self, public: Ed25519PublicKey) -> None:
        """
        Require the signature of one known key; for documents that an appliance signs itself.

        Raises:
            DocumentRefusedError: This key did not sign it, or something else.
        """
        fingerprint = fingerprint_of(public)
        for signature in self.signatures:
            if signature.key == fingerprint:
                if self.is_signed_by(public, signature):
                    return
                raise DocumentRefusedError(DocumentRefusal.BAD_SIGNATURE)
        raise DocumentRefusedError(DocumentRefusal.UNKNOWN_KEY if self.signatures else DocumentRefusal.UNSIGNED)

    def with_signature(self, key: SigningKey) -> Self:
        """
        Add the signature of one more key.

        Raises:
            DocumentRefusedError: The key has signed it before, or it has as many signatures as fit.
        """
        if any(signature.key == key.fingerprint for signature in self.signatures):
            raise DocumentRefusedError(DocumentRefusal.DOUBLED_KEY)
        if len(self.signatures) >= MAX_SIGNATURES:
            raise DocumentRefusedError(DocumentRefusal.TOO_MANY_SIGNATURES)
        made = Signature(key.fingerprint, key.sign(self.signed_bytes))
        return replace(self, signatures=(*self.signatures, made))

    def wire(self, *, indent: int | None = None) -> bytes:
        """The file's bytes; with *indent* for people to read. The signatures hold for either."""
        envelope = {
            "schema": _CONTEXT,
            "kind": self.kind.value,
            "content": json.loads(self.untrusted_content),
            "signatures": [
                {"key": each.key, "signature": base64.b64encode(each.untrusted_bytes).decode("ascii")}
                for each in self.signatures
            ],
        }
        return json.dumps(envelope, indent=indent, allow_nan=False).encode("ascii") + b"\n"


Content = TypeVar("Content", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Document(Envelope, Generic[Content]):
    """A document whose content has the form that it should have; its signatures are judged apart."""

    content: Content


class _Signature(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, Field(max_length=88)]


class _Envelope(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    schema_version: Annotated[Literal["lfr.document/1"], Field(alias="schema")]
    kind: str
    content: dict[str, JsonValue]
    signatures: list[_Signature]


def new_document(kind: Kind, content: BaseModel) -> Envelope:
    """A document that nobody has signed yet."""
    return Envelope(kind, canonical(content.model_dump(mode="json", by_alias=True)), ())


def sign_document(kind: Kind, content: BaseModel, key: SigningKey) -> bytes:
    """The bytes of a document with one signature, on one line."""
    return new_document(kind, content).with_signature(key).wire()


def canonical(content: dict[str, JsonValue]) -> bytes:
    """The one way to write *content* that is signed."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def read_envelope(untrusted: bytes, kind: Kind) -> Envelope:
    """
    Take a document apart; neither its content nor a signature is judged.

    Raises:
        DocumentRefusedError: It is too large, no strict JSON, no such document, or repeats a key.
    """
    if len(untrusted) > MAX_DOCUMENT_BYTES:
        raise DocumentRefusedError(DocumentRefusal.TOO_LARGE, f"at most {MAX_DOCUMENT_BYTES} bytes")
    try:
        found = _Envelope.model_validate(read_strict_json(untrusted, max_depth=MAX_DEPTH, max_items=MAX_ITEMS))
    except NotStrictJsonError as error:
        raise DocumentRefusedError(DocumentRefusal.MALFORMED, str(error)) from None
    except ValidationError as error:
        fields = ", ".join(fault.field for fault in faults_of(error))
        raise DocumentRefusedError(DocumentRefusal.MALFORMED, f"{fields}: missing or malformed") from None
    if found.kind != kind.value:
        raise DocumentRefusedError(DocumentRefusal.WRONG_KIND, f"expected {kind}")
    if len(found.signatures) > MAX_SIGNATURES:
        raise DocumentRefusedError(DocumentRefusal.TOO_MANY_SIGNATURES, f"at most {MAX_SIGNATURES}")
    if len({each.key for each in found.signatures}) != len(found.signatures):
        raise DocumentRefusedError(DocumentRefusal.DOUBLED_KEY)
    signatures = tuple(Signature(each.key, _signature_bytes(each.signature)) for each in found.signatures)
    return Envelope(kind, canonical(found.content), signatures)


def read_document(untrusted: bytes, kind: Kind, content: type[Content]) -> Document[Content]:
    """
    Read a document whose content is a *content*; its signatures are not judged.

    Raises:
        DocumentRefusedError: As `read_envelope`, or its content has another form; names the fields.
    """
    return with_content(read_envelope(untrusted, kind), content)


def with_content(envelope: Envelope, content: type[Content]) -> Document[Content]:
    """
    Look at the content of a document.

    Raises:
        DocumentRefusedError: It has another form; names the fields.
    """
    try:
        found = content.model_validate_json(envelope.untrusted_content)
    except ValidationError as error:
        raise DocumentRefusedError(DocumentRefusal.WRONG_CONTENT, faults=faults_of(error)) from None
    return Document(envelope.kind, envelope.untrusted_content, envelope.signatures, found)


def verified_by(
    document: Envelope, trust: TrustStore, role: Role, at: datetime, *, device_fingerprint: str | None
) -> TrustedKey:
    """
    Find the first signature that counts.

    Args:
        document: As it was read.

        trust: The keys of this appliance.

        role: What the key must be trusted for.

        at: When it must be valid.

        device_fingerprint: The appliance's own key, which counts for no role; None where there is none.

    Raises:
        DocumentRefusedError: None counts; with the reason of the signature that came furthest.
    """
    return signers(document, trust, (role,), at, device_fingerprint=device_fingerprint)[0]


def signers(
    document: Envelope, trust: TrustStore, roles: Collection[Role], at: datetime, *, device_fingerprint: str | None
) -> tuple[TrustedKey, ...]:
    """
    Find every key whose signature counts, in the document's order; at least one.

    Raises:
        DocumentRefusedError: As in `verified_by`.
    """
    judged = [
        DocumentRefusal.DEVICE_KEY if each.key == device_fingerprint else _judge(document, each, trust, roles, at)
        for each in document.signatures
    ]
    counting = tuple(each for each in judged if isinstance(each, TrustedKey))
    if counting:
        return counting
    order = list(DocumentRefusal)
    refusals = [each for each in judged if isinstance(each, DocumentRefusal)]
    raise DocumentRefusedError(max(refusals, key=order.index, default=DocumentRefusal.UNSIGNED))


def _judge(
    document: Envelope, signature: Signature, trust: TrustStore, roles: Collection[Role], at: datetime
) -> TrustedKey | DocumentRefusal:
    # (1) not the appliance's own key, whatever the trust folder says                   [done by the caller]
    # (2) a key we know
    key = trust.keys.get(signature.key)
    if key is None:
        return DocumentRefusal.UNKNOWN_KEY
    # (3) which really signed it
    if not document.is_signed_by(key.public, signature):
        return DocumentRefusal.BAD_SIGNATURE
    # (4) which has the role
    if key.role not in roles:
        return DocumentRefusal.WRONG_ROLE
    # (5) and is valid then
    if not key.is_valid(at):
        return DocumentRefusal.KEY_NOT_VALID
    return key


def faults_of(error: ValidationError) -> tuple[Fault, ...]:
    """The first of what a form refused, field by field; never what stood there."""
    return tuple(
        Fault(
            ".".join(_shown(part) for part in fault["loc"]) or "content",
            fault["msg"].removeprefix("Value error, "),
            "correct the field and have it signed again",
        )
        for fault in error.errors(include_url=False, include_input=False)[:MAX_FAULTS]
    )


def _shown(part: int | str) -> str:
    """A field's name may be a foreign word: short, and without what moves a cursor."""
    text = str(part)
    return (text if text.isprintable() else ascii(text))[:MAX_SHOWN_NAME]


def _signature_bytes(untrusted: str) -> bytes:
    try:
        found = base64.b64decode(untrusted, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != _SIGNATURE_BYTES or base64.b64encode(found).decode("ascii") != untrusted:
        raise DocumentRefusedError(DocumentRefusal.MALFORMED, "signatures: not the base64 of 64 bytes")
    return found
