"""
Authenticated encryption of what is stored: plain bytes and their place enter, sealed bytes leave.

AES-256-GCM with a random 96-bit nonce in front. NIST SP 800-38D allows 2**32 messages a key with random nonces; a data
key seals one watchlist (at most some 200,000 rows) or one alert.
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edge_lfr.errors import SealBrokenError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16

OVERHEAD_BYTES: Final = NONCE_BYTES + TAG_BYTES
"""By how much sealed bytes are longer than plain ones."""


def new_key() -> bytes:
    """A fresh random key."""
    return os.urandom(KEY_BYTES)


class Seal:
    """Seals and opens with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes | memoryview, *, context: str) -> bytes:
        """Encrypt *plain* for one place: only an `open` with the same *context* gives it back."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, context.encode())

    def open(self, untrusted_sealed: bytes, *, context: str) -> bytes:
        """
        Give back what was sealed for *context*.

        Raises:
            SealBrokenError: Another key, another place, or changed bytes.
        """
        if len(untrusted_sealed) < OVERHEAD_BYTES:
            message = f"sealed bytes are too short: {len(untrusted_sealed)}"
            raise SealBrokenError(message)
        nonce, sealed = untrusted_sealed[:NONCE_BYTES], untrusted_sealed[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, sealed, context.encode())
        except InvalidTag:
            raise _broken() from None

    def open_into(self, untrusted_sealed: bytes, out: memoryview, *, context: str) -> None:
        """
        Open what was sealed for *context* in the caller's memory: no object comes into being that cannot be zeroed.

        Args:
            untrusted_sealed: From `seal`.

            out: As many bytes as were sealed; the caller's to zero, after an error too.

            context: The place that it was sealed for.

        Raises:
            SealBrokenError: Another key, another place, changed bytes, or another number of them.
        """
        if len(untrusted_sealed) != OVERHEAD_BYTES + len(out):
            raise SealBrokenError(f"expected {OVERHEAD_BYTES + len(out)} sealed bytes, found {len(untrusted_sealed)}")
        sealed = memoryview(untrusted_sealed)
        try:
            self._cipher.decrypt_into(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode(), out)
        except InvalidTag:
            raise _broken() from None


def _broken() -> SealBrokenError:
    message = "sealed bytes do not open with this key"
    return SealBrokenError(message)
