"""
Who signed what an appliance wrote, for those who read it far away: the key stands in the content, and is a claim.

Whoever wants more than the claim compares the fingerprint with one that the appliance itself has shown
(`edge-lfr keys show`).
"""

import base64
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge_lfr.errors import TrustError
from edge_lfr.governance.documents import DocumentRefusedError, Envelope
from edge_lfr.governance.trust import fingerprint_of

FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}|[0-9a-f]{4}(-[0-9a-f]{4}){7}")
"""As files have it, or as it is shown to people."""


class FingerprintError(TrustError):
    """A text is no fingerprint of a key."""

    code = "trust.fingerprint"
    remedy = "copy it from `edge-lfr keys show`: eight groups of four, or 64 hex digits"


@dataclass(frozen=True, slots=True)
class DeviceSigner:
    """An appliance, as its signatures know it."""

    fingerprint: str
    _public: Ed25519PublicKey = field(repr=False, compare=False)

    @classmethod
    def of(cls, public_key: str) -> Self:
        """
        The holder of a public key in base64.

        Raises:
            ValueError: It is none.
        """
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        return cls(fingerprint_of(public), public)

    def has_signed(self, document: Envelope) -> bool:
        """Whether exactly this key signed exactly this."""
        try:
            document.verify_with(self._public)
        except DocumentRefusedError:
            return False
        return True

    def is_among(self, expected: Collection[str]) -> bool:
        """Whether one of these fingerprints, as `read_fingerprint` gives them, is this one's."""
        return any(self.fingerprint.startswith(one) for one in expected)


def read_fingerprint(untrusted: str) -> str:
    """
    The hex digits of a fingerprint in either form: all 64, or the first 32.

    Raises:
        FingerprintError: It has neither form.
    """
    if FINGERPRINT.fullmatch(untrusted) is None:
        message = "not a fingerprint"
        raise FingerprintError(message)
    return untrusted.replace("-", "")
