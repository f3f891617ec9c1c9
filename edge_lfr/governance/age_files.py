"""
Files that only the holder of a key may read, in the age format (age-encryption.org/v1): the only file that knows it.

Plain bytes enter and an age file leaves, or the other way; both pass in pieces, and no plain byte is ever on a disk.
"""

import io
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Final, Self

import pyrage

from edge_lfr.errors import AgeFileError

MAX_HEADER_BYTES: Final = 16 * 1024
"""Before the first encrypted byte. A recipient takes some 110 bytes, and a bundle has at most 32. The library's
time grows with the square of what stands there: a header of 9 MB kept it busy for more than ten minutes."""

_HEADER_END: Final = b"\n--- "
"""Stands before the header's own digest, and nowhere before that."""

_PATIENCE_S: Final = 5.0
"""How long a decryption that nobody reads any more may take to notice it; chosen, not measured."""


@dataclass(frozen=True, slots=True)
class AgeRecipient:
    """Who may read a file: an X25519 public key."""

    text: str
    """As the age tools write it: `age1...`."""

    _recipient: "pyrage.x25519.Recipient" = field(repr=False, compare=False)

    @classmethod
    def parse(cls, untrusted: str) -> Self:
        """
        Read what `age-keygen` or `edge-lfr keys show` prints.

        Raises:
            AgeFileError: It is no X25519 recipient.
        """
        try:
            return cls(untrusted, pyrage.x25519.Recipient.from_str(untrusted))
        except pyrage.RecipientError:
            message = "expected an age recipient: age1 and 58 more characters"
            raise AgeFileError(message, remedy="copy it from `edge-lfr keys show` or `age-keygen -y`") from None


@dataclass(frozen=True, slots=True)
class AgeIdentity:
    """Who reads: an X25519 private key."""

    recipient: AgeRecipient
    _identity: "pyrage.x25519.Identity" = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> Self:
        """A new one."""
        return cls._of(pyrage.x25519.Identity.generate())

    @classmethod
    def parse(cls, secret: str) -> Self:
        """
        Read an identity; lines that begin with # are passed over, as in the files of `age-keygen`.

        Raises:
            AgeFileError: It is no X25519 identity; the message does not repeat it.
        """
        lines = [line for line in secret.splitlines() if line.strip() and not line.startswith("#")]
        try:
            (line,) = lines
            return cls._of(pyrage.x25519.Identity.from_str(line.strip()))
        except (ValueError, pyrage.IdentityError):
            message = "expected one age identity"
            raise AgeFileError(message, remedy="name a file that `age-keygen` or `edge-lfr keys init` made") from None

    @classmethod
    def _of(cls, identity: "pyrage.x25519.Identity") -> Self:
        return cls(AgeRecipient.parse(str(identity.to_public())), identity)

    def secret(self) -> str:
        """The private half as age writes it, to be sealed or kept in a file for its owner alone."""
        return str(self._identity)


def encrypt(plain: BinaryIO, out: BinaryIO, recipients: Sequence[AgeRecipient]) -> None:
    """
    Write an age file that each of *recipients* can read.

    Raises:
        ValueError: There is no recipient (a caller's mistake).
        Exception: Whatever *plain* or *out* raised; what was written is then no whole age file.
    """
    if not recipients:
        message = "an age file needs a recipient"
        raise ValueError(message)
    reading, writing = _Noted(plain), _Noted(out)
    try:
        pyrage.encrypt_io(reading, writing, [recipient._recipient for recipient in recipients])  # noqa: SLF001 - this file's own
    except pyrage.EncryptError:
        if reading.error is None and writing.error is None:
            raise
    # The library turns what happened into words, and what happens to its last bytes into nothing at all.
    for error in (reading.error, writing.error):
        if error is not None:
            raise error


class AgeReader:
    """
    The plain bytes of an age file, in order and a piece at a time.

    A cut or changed file gives most of its bytes before that is noticed. So nothing that was read may be relied on
    before `read` has returned no byte: that is the proof that the last chunk was reached and was genuine.
    """

    def __init__(self, untrusted_file: BinaryIO, identity: AgeIdentity) -> None:
        """
        Check the header's size, and begin to decrypt in a thread that waits until somebody reads.

        Raises:
            AgeFileError: It is no age file, or its header is too large.
        """
        header = untrusted_file.read(MAX_HEADER_BYTES)
        if _HEADER_END not in header:
            message = "not an age file, or its header is larger than the bounds"
            raise AgeFileError(message)
        source = _Rejoined(header, untrusted_file)
        reading, writing = os.pipe()
        self._plain = os.fdopen(reading, "rb", buffering=0)
        # Until the library says that it has verified the last byte: however its thread ends, that is no genuine end.
        self._error: AgeFileError | None = AgeFileError("the age file was not read to its end")
        self._thread = threading.Thread(
            target=self._decrypt, args=(source, writing, identity), name="age-reader", daemon=True
        )
        self._thread.start()

    def read(self, most: int) -> bytes:
        """
        The next bytes, up to *most*; none at the end of a file that was genuine to its last byte.

        Raises:
            AgeFileError: It is not for this identity, or it was changed or cut off.
        """
        piece = self._plain.read(most)
        if piece or most == 0:
            return piece
        self._thread.join()
        if self._error is not None:
            raise self._error
        return b""

    def close(self) -> None:
        """Let go, also in the middle: the decryption ends at its next byte."""
        self._plain.close()
        self._thread.join(_PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _decrypt(self, source: "_Rejoined", writing: int, identity: AgeIdentity) -> None:
        with os.fdopen(writing, "wb", buffering=0) as out:
            try:
                pyrage.decrypt_io(source, _Noted(out), [identity._identity])  # noqa: SLF001 - this file's own
                self._error = None
            except BrokenPipeError:
                pass  # nobody reads any more
            except pyrage.DecryptError:
                message = "the age file does not open: it is not for this key, or its header was changed"
                self._error = AgeFileError(message)
            except OSError as error:
                if source.error is None:
                    message = "the age file was changed or is cut off"
                    self._error = AgeFileError(message)
                else:
                    self._error = AgeFileError(f"the age file cannot be read: {source.error.strerror or error}")


class _Rejoined(io.RawIOBase):
    """A file of which the beginning was read already."""

    def __init__(self, begun: bytes, rest: BinaryIO) -> None:
        self._begun = memoryview(begun)
        self._rest = rest
        self.error: OSError | None = None
        """What the medium said when it could not be read: a stick that was pulled is no forgery."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the base names a wider type
        if self._begun:
            count = min(len(buffer), len(self._begun))
            buffer[:count] = self._begun[:count]
            self._begun = self._begun[count:]
            return count
        try:
            piece = self._rest.read(len(buffer))
        except OSError as error:
            self.error = error
            raise
        buffer[: len(piece)] = piece
        return len(piece)


class _Noted(io.RawIOBase):
    """A file beside the library: it remembers what went wrong there, and takes whole what a pipe takes in parts."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the base names a wider type
        with self._noting():
            piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def write(self, piece: bytes) -> int:  # type: ignore[override]  # the base names a wider type
        left = memoryview(piece)
        with self._noting():
            while left:
                left = left[self._file.write(left) or 0 :]
        return len(piece)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.error = error
            raise
