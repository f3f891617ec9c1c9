"""
The archive inside a bundle: hostile plain bytes enter, one bounded member after another leaves; no file is ever made.

Python's own `tarfile` is not used, because it believes what it reads: it holds extension headers of any size in
memory, takes sizes, names and links from them, follows old and sparse forms that no bundle needs, and takes an archive
for whole that is cut at a header. What is read here is the plain ustar of POSIX.1-1988, and GNU tar's default where
that says the same: regular files, short names, octal sizes. Everything else is refused where it begins.
"""

import re
from typing import Final, Protocol

from edge_lfr.watchlist.bundle.refusals import BundleRefusal, BundleRefusedError

BLOCK_BYTES: Final = 512
"""POSIX.1-2017, pax, "ustar Interchange Format"."""

MAX_PADDING_BYTES: Final = 10_240
"""After the two blocks of zeros that end it. An archive is filled up to a record, of 20 blocks by default."""

PIECE_BYTES: Final = 64 * 1024
"""Read at once: one chunk of the age format. A size that is only claimed takes no memory."""

MAGICS: Final = (b"ustar\x0000", b"ustar  \0")
"""Magic and version: of POSIX, and of GNU tar without `--format`."""

_NAME: Final = re.compile(rb"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
"""Relative, and no part begins with a dot, so that none is `.` or `..`."""

_SIZE: Final = re.compile(rb"([0-7]{11})[\0 ]")
_CHECKSUM: Final = re.compile(rb"([0-7]{6})\0 ")
_NO_BLOCK: Final = bytes(BLOCK_BYTES)


class Readable(Protocol):
    """Gives up to that many bytes, and none at its end."""

    def read(self, most: int, /) -> bytes: ...


class ArchiveReader:
    """The members of an archive, in order, each read to its end before the next."""

    def __init__(self, untrusted_stream: Readable) -> None:
        self._stream = _Blocks(untrusted_stream)
        self._member: ArchiveMember | None = None
        self._count = 0
        self._has_ended = False

    def next_member(self, *, most_bytes: int) -> "ArchiveMember | None":
        """
        Go on to the next member, which may have *most_bytes*; None once the archive and the stream are at their end.

        Raises:
            BundleRefusedError: Neither a plain member nor the end stands here; the message repeats nothing of it.
            RuntimeError: The member before was not read to its end (a caller's mistake).
        """
        if self._member is not None and self._member.left:
            message = "the member before was not read to its end"
            raise RuntimeError(message)
        if self._has_ended:
            return None
        self._count += 1
        place = f"member {self._count}"
        untrusted_block = self._stream.block(place)
        if untrusted_block == _NO_BLOCK:
            self._stream.finish()
            self._has_ended = True
            return None
        _require_plain_head(untrusted_block, place)
        name = _name(untrusted_block, place)
        self._member = ArchiveMember(self._stream, place, name, _size(untrusted_block, place, most_bytes))
        return self._member


class ArchiveMember:
    """One regular file of an archive; its name is well formed, and its size is within what was allowed."""

    def __init__(self, stream: "_Blocks", place: str, name: str, size: int) -> None:
        self.place = place
        """How an error names it: by its number."""

        self.name = name
        self.size = size
        self.left = size
        self._stream = stream

    def read(self, most: int = PIECE_BYTES) -> bytes:
        """
        The next bytes, up to *most*; none at its end. Its last byte is given after the padding was seen to be zeros.

        Raises:
            BundleRefusedError: The archive is cut off here, or the padding holds something.
        """
        untrusted = self._stream.some(min(most, self.left, PIECE_BYTES), self.place)
        self.left -= len(untrusted)
        if untrusted and not self.left and any(self._stream.exactly(-self.size % BLOCK_BYTES, self.place)):
            message = f"{self.place}: expected zeros up to the end of its last block"
            raise BundleRefusedError(BundleRefusal.ARCHIVE_PADDING, message)
        return untrusted

    def read_all(self) -> bytes:
        """All of it; memory is taken as the bytes come."""
        return b"".join(iter(self.read, b""))


class _Blocks:
    """A stream that ends early only with an error."""

    def __init__(self, untrusted_stream: Readable) -> None:
        self._stream = untrusted_stream

    def some(self, most: int, place: str) -> bytes:
        """One piece, up to *most*."""
        untrusted = self._stream.read(most)
        if most and not untrusted:
            raise BundleRefusedError(BundleRefusal.ARCHIVE_CUT, f"{place}: the archive ends within it")
        return untrusted

    def exactly(self, count: int, place: str) -> bytes:
        """That many bytes; no more than a block."""
        untrusted = b""
        while len(untrusted) < count:
            untrusted += self.some(count - len(untrusted), place)
        return untrusted

    def block(self, place: str) -> bytes:
        return self.exactly(BLOCK_BYTES, place)

    def finish(self) -> None:
        """See one more block of zeros, bounded padding, and the end of the stream, which may have its own check."""
        place = "the end of the archive"
        if self.block(place) != _NO_BLOCK:
            message = f"{place}: expected two blocks of zeros, found one"
            raise BundleRefusedError(BundleRefusal.ARCHIVE_TRAILING, message)
        padding_bytes = 0
        while untrusted := self._stream.read(MAX_PADDING_BYTES + 1):
            padding_bytes += len(untrusted)
            if any(untrusted) or padding_bytes > MAX_PADDING_BYTES:
                message = f"{place}: expected nothing but up to {MAX_PADDING_BYTES} zeros after it"
                raise BundleRefusedError(BundleRefusal.ARCHIVE_TRAILING, message)
        if padding_bytes % BLOCK_BYTES:
            message = f"{place}: the padding is no multiple of {BLOCK_BYTES} bytes"
            raise BundleRefusedError(BundleRefusal.ARCHIVE_CUT, message)


def _require_plain_head(untrusted_block: bytes, place: str) -> None:
    """See that a block is the head of a regular file in the plain format, by its own checksum."""
    if untrusted_block[257:265] not in MAGICS:
        raise BundleRefusedError(BundleRefusal.ARCHIVE_HEADER, f"{place}: expected the head of a ustar member")
    untrusted_checksum = _CHECKSUM.fullmatch(untrusted_block[148:156])
    as_spaces = sum(untrusted_block[:148]) + 8 * ord(" ") + sum(untrusted_block[156:])
    if untrusted_checksum is None or int(untrusted_checksum[1], 8) != as_spaces:
        raise BundleRefusedError(BundleRefusal.ARCHIVE_HEADER, f"{place}: the checksum of its head is wrong")
    if untrusted_block[156] not in b"0\0" or any(untrusted_block[157:257]):
        message = f"{place}: expected a regular file, found a folder, link, device or extension of the format"
        raise BundleRefusedError(BundleRefusal.ARCHIVE_KIND, message)
    if any(untrusted_block[345:]):
        message = f"{place}: expected no name prefix and no further fields in its head"
        raise BundleRefusedError(BundleRefusal.ARCHIVE_HEADER, message)


def _name(untrusted_block: bytes, place: str) -> str:
    untrusted, _, rest = untrusted_block[:100].partition(b"\0")
    if any(rest) or _NAME.fullmatch(untrusted) is None:
        message = f"{place}: expected a relative name of A-Z a-z 0-9 . _ - and /, no part beginning with a dot"
        raise BundleRefusedError(BundleRefusal.ARCHIVE_NAME, message)
    return untrusted.decode("ascii")


def _size(untrusted_block: bytes, place: str, most_bytes: int) -> int:
    untrusted = _SIZE.fullmatch(untrusted_block[124:136])
    if untrusted is None:
        raise BundleRefusedError(BundleRefusal.ARCHIVE_SIZE, f"{place}: expected a size of 11 octal digits")
    untrusted_size = int(untrusted[1], 8)
    if untrusted_size > most_bytes:
        raise BundleRefusedError(BundleRefusal.ARCHIVE_SIZE, f"{place}: expected up to {most_bytes} bytes")
    return untrusted_size
