"""
A head of the ledger: the device key's signature over one line, and with it over every line before.

It stands in the ledger as a line of its own, and is published as a signed document: a ledger whose end was cut off is
consistent in itself, and only a head that somebody else has shows it.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field

from edge_lfr.governance.documents import Envelope, Kind, Signature, new_document, read_document
from edge_lfr.governance.ledger.events import MAX_NUMBER, OF_THE_LEDGER, LedgerEvent
from edge_lfr.governance.ledger.lines import ITSELF, LedgerLine, read_time, written_time
from edge_lfr.governance.trust import SigningKey, fingerprint_of

MAX_HEAD_BYTES: Final = 1_024
"""A published head has some 480 (chosen, not measured)."""


class HeadContent(BaseModel):
    """What a head says."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    ledger: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    """The id of the ledger, from its first line."""

    n: Annotated[int, Field(ge=1, le=MAX_NUMBER)]
    """The number of the line that is signed."""

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Its SHA-256, which stands for all lines before."""

    at: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$")]


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """What was signed, and the signature; whose it is, is to be asked."""

    content: HeadContent
    envelope: Envelope

    @classmethod
    def sign(cls, key: SigningKey, *, ledger: str, n: int, digest: str, at: datetime) -> Self:
        """Vouch for line *n* and everything before it."""
        content = HeadContent(ledger=ledger, n=n, digest=digest, at=written_time(at))
        return cls(content, new_document(Kind.LEDGER_HEAD, content).with_signature(key))

    @classmethod
    def rebuilt(
        cls, public: Ed25519PublicKey, untrusted_signature: str, *, ledger: str, n: int, digest: str, at: datetime
    ) -> Self:
        """
        The head that a line of the ledger is.

        Raises:
            ValueError: The signature is not base64 as it is written here.
        """
        content = HeadContent(ledger=ledger, n=n, digest=digest, at=written_time(at))
        try:
            signature = base64.b64decode(untrusted_signature, validate=True)
        except binascii.Error as error:
            raise ValueError from error
        if base64.b64encode(signature).decode("ascii") != untrusted_signature:
            raise ValueError
        unsigned = new_document(Kind.LEDGER_HEAD, content)
        signatures = (Signature(fingerprint_of(public), signature),)
        return cls(content, Envelope(unsigned.kind, unsigned.untrusted_content, signatures))

    @classmethod
    def read(cls, untrusted: bytes) -> Self:
        """
        Take a published head apart.

        Raises:
            DocumentRefusedError: It is none.
        """
        document = read_document(untrusted, Kind.LEDGER_HEAD, HeadContent)
        read_time(document.content.at)
        return cls(document.content, document)

    def is_signed_by(self, public: Ed25519PublicKey) -> bool:
        """Whether the holder of that key, and nobody else, signed it."""
        fingerprint = fingerprint_of(public)
        return len(self.envelope.signatures) == 1 and all(
            each.key == fingerprint and self.envelope.is_signed_by(public, each) for each in self.envelope.signatures
        )

    @property
    def signature(self) -> str:
        """As it stands in the ledger."""
        return base64.b64encode(self.envelope.signatures[0].untrusted_bytes).decode("ascii")

    def document(self) -> bytes:
        """As it is published: compact JSON on one line, without its end."""
        return self.envelope.wire().strip()


def head_in(line: LedgerLine, public: Ed25519PublicKey, ledger: str) -> LedgerHead | None:
    """The head of that ledger that this line is, really signed by that key; None where it is none."""
    if line.event != LedgerEvent.HEAD or line.facts.keys() - OF_THE_LEDGER != {"signature"} or line.who != ITSELF:
        return None
    try:
        head = LedgerHead.rebuilt(
            public, str(line.facts["signature"]), ledger=ledger, n=line.n - 1, digest=line.previous, at=line.at
        )
    except ValueError:
        return None
    return head if head.is_signed_by(public) else None


def public_text(public: Ed25519PublicKey) -> str:
    """The device key as a ledger's first line names it."""
    return base64.b64encode(public.public_bytes_raw()).decode("ascii")


def public_key_of(first: LedgerLine) -> Ed25519PublicKey | None:
    """The device key that a ledger's first line names; None where it names none."""
    text = first.facts.get("public_key")
    if not isinstance(text, str):
        return None
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except ValueError:
        return None
