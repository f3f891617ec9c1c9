"""Signatures in a file of their own: raw Ed25519 over exact bytes, as `openssl pkeyutl -sign -rawin` makes them."""

from collections.abc import Iterable
from typing import Final

from cryptography.exceptions import InvalidSignature

from edge_lfr.governance.trust import TrustedKey

SIGNATURE_BYTES: Final = 64
"""RFC 8032, 5.1.6."""


def signer_of(untrusted_message: bytes, untrusted_signature: bytes, keys: Iterable[TrustedKey]) -> TrustedKey | None:
    """
    Which of *keys* made the signature, if any; what that key may sign, and when, is the caller's to ask.

    A file names no key, so every one is tried, in this order: a key costs 0.1 s for the longest manifest.
    """
    for key in keys:
        try:
            key.public.verify(untrusted_signature, untrusted_message)
        except InvalidSignature:
            continue
        return key
    return None
