"""
Messages that control sends down, signed with Ed25519 over the canonical JSON of everything but the signature.

Untrusted bytes enter; a typed body of a known key's holder, meant for this appliance, now, and for the first time,
leaves.
"""

import base64
import binascii
import json
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from edge_lfr.errors import TrustError
from edge_lfr.governance.trust import Role, SigningKey, TrustedKey, TrustStore

SIGNED_BYTES: Final = 4_096
"""Largest signed message; an acknowledgement has about 500 (chosen, not measured)."""

MAX_LIFETIME: Final = timedelta(hours=24)
"""A signed message that claims to be valid for longer is refused: its id would have to be remembered as long."""

CLOCK_TOLERANCE: Final = timedelta(seconds=30)
"""How far the signer's clock may be ahead of ours (chosen, not measured)."""

_CONTEXT: Final = b"lfr.signed/1\n"
"""Stands in front of what is signed, so that a signature for another purpose never fits."""


class Refusal(StrEnum):
    """Why a signed message was not believed; one counter each."""

    TOO_LARGE = "too-large"
    MALFORMED = "malformed"
    DEVICE_KEY = "device-key"
    UNKNOWN_KEY = "unknown-key"
    BAD_SIGNATURE = "bad-signature"
    WRONG_ROLE = "wrong-role"
    KEY_NOT_VALID = "key-not-valid"
    WRONG_DEVICE = "wrong-device"
    WRONG_KIND = "wrong-kind"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    LIFETIME_TOO_LONG = "lifetime-too-long"
    SEEN = "seen"
    MEMORY_FULL = "memory-full"


class MessageRefusedError(TrustError):
    """A signed message is not to be believed."""

    code = "trust.message"
    remedy = "check keys, addressee and clock of the sender"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"signed message refused: {refusal}")
        self.refusal = refusal


class SeenIds(Protocol):
    """Remembers message ids until they expire, also across restarts."""

    def remember(self, message_id: str, expires_at: datetime) -> Refusal | None:
        """Keep the id; `SEEN` when it was there, `MEMORY_FULL` when nothing more can be remembered."""
        ...


class SignedMessage(BaseModel):
    """The envelope of everything that control sends down."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_by_name=True, serialize_by_alias=True
    )

    schema_version: Literal["lfr.signed/1"] = Field("lfr.signed/1", alias="schema")
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    device: Annotated[str, Field(max_length=256)]
    """`<force>/<device>/<mode>` of the addressee."""

    issued_at: AwareDatetime
    expires_at: AwareDatetime
    kind: Annotated[str, Field(max_length=32)]
    body: dict[str, JsonValue]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the signer's raw public key."""

    signature: Annotated[str, Field(max_length=88)]
    """base64 Ed25519 over the canonical bytes."""

    def canonical(self) -> bytes:
        """What is signed: keys sorted, no spaces, ASCII; everything but the signature."""
        content = self.model_dump(mode="json", exclude={"signature"}, by_alias=True)
        return _CONTEXT + json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


Body = TypeVar("Body", bound=BaseModel)


def sign(
    key: SigningKey, *, kind: str, device: str, body: BaseModel, issued_at: datetime, lifetime: timedelta
) -> bytes:
    """The wire bytes of a message for one appliance."""
    unsigned = SignedMessage(
        id=secrets.token_hex(16),
        device=device,
        issued_at=issued_at,
        expires_at=issued_at + lifetime,
        kind=kind,
        body=body.model_dump(mode="json", by_alias=True),
        key=key.fingerprint,
        signature="",
    )
    signature = base64.b64encode(key.sign(unsigned.canonical())).decode("ascii")
    return unsigned.model_copy(update={"signature": signature}).model_dump_json(by_alias=True).encode()


def verify(
    untrusted_wire: bytes,
    *,
    trust: TrustStore,
    role: Role,
    kind: str,
    device: str,
    device_fingerprint: str | None,
    body: type[Body],
    now: datetime,
    seen: SeenIds,
) -> Body:
    """
    Believe a signed message, or say why not.

    (1) small enough, (2) an envelope, (3) of a key that we know and that is not the appliance's own, (4) which really
    signed it, (5) which has the role and (6) is valid now; (7) for this appliance, (8) of this kind, (9) valid now,
    (10) with the body that it should have, (11) for the first time.

    Raises:
        MessageRefusedError: With the reason.
    """
    # (1) small enough
    if len(untrusted_wire) > SIGNED_BYTES:
        raise MessageRefusedError(Refusal.TOO_LARGE)
    # (2) an envelope
    try:
        untrusted = SignedMessage.model_validate_json(untrusted_wire)
        untrusted_content = untrusted.canonical()
        untrusted_signature = base64.b64decode(untrusted.signature, validate=True)
    except (ValidationError, ValueError, binascii.Error):
        raise MessageRefusedError(Refusal.MALFORMED) from None
    # (3) a key we know, and not our own, whatever the trust folder says
    if untrusted.key == device_fingerprint:
        raise MessageRefusedError(Refusal.DEVICE_KEY)
    key = trust.keys.get(untrusted.key)
    if key is None:
        raise MessageRefusedError(Refusal.UNKNOWN_KEY)
    # (4) which really signed it
    try:
        key.public.verify(untrusted_signature, untrusted_content)
    except InvalidSignature:
        raise MessageRefusedError(Refusal.BAD_SIGNATURE) from None
    # (5) to (9): the envelope is its key holder's word from here on
    refusal = _refusal_of(untrusted, key, role=role, kind=kind, device=device, now=now)
    if refusal is not None:
        raise MessageRefusedError(refusal)
    # (10) the body that it should have
    try:
        content = body.model_validate(untrusted.body)
    except ValidationError:
        raise MessageRefusedError(Refusal.MALFORMED) from None
    # (11) for the first time: remembered last, so that only what would be believed takes memory
    refusal = seen.remember(untrusted.id, untrusted.expires_at)
    if refusal is not None:
        raise MessageRefusedError(refusal)
    return content


def signer_of(wire: bytes) -> str:
    """Whose word a message is, 64 hex digits; asked of what `verify` believed, and of nothing else."""
    return SignedMessage.model_validate_json(wire).key


def _refusal_of(
    message: SignedMessage, key: TrustedKey, *, role: Role, kind: str, device: str, now: datetime
) -> Refusal | None:
    reasons = (
        (key.role is not role, Refusal.WRONG_ROLE),
        (not key.not_before <= now < key.not_after, Refusal.KEY_NOT_VALID),
        (message.device != device, Refusal.WRONG_DEVICE),
        (message.kind != kind, Refusal.WRONG_KIND),
        (message.issued_at > now + CLOCK_TOLERANCE, Refusal.NOT_YET_VALID),
        (message.expires_at <= now, Refusal.EXPIRED),
        (message.expires_at - message.issued_at > MAX_LIFETIME, Refusal.LIFETIME_TOO_LONG),
    )
    return next((refusal for is_so, refusal in reasons if is_so), None)
