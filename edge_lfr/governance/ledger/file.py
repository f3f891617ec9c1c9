"""
The ledger as bytes on a disk: locked, appended to, its end found and judged.

Daemon and commands write the same file. Each opens it anew, holds its lock, and reads its end: nothing is remembered
between two lines, and how long the file is costs nothing.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from edge_lfr.clock import Clock
from edge_lfr.errors import LedgerError
from edge_lfr.governance.ledger.errors import LedgerDamagedError, LedgerMissingError
from edge_lfr.governance.ledger.lines import MAX_LINE_BYTES, LedgerLine, digest_of, read_line

FILE_NAME: Final = "ledger.jsonl"

MAX_TORN_BYTES: Final = 64 * 1024
"""A write has at most five lines, 20 KiB; a longer end that is no line was not torn (chosen, not measured)."""

PATIENCE_NS: Final = 10 * 10**9
"""Whoever writes holds the lock for a write and a sync; who holds it for longer has been stopped (chosen)."""

POLL_S: Final = 0.001
"""Between two tries to get the lock; chosen, not measured."""


@dataclass(frozen=True, slots=True)
class Torn:
    """Bytes at the end that are no whole line."""

    size: int
    """0 where only the end of the last line is missing."""

    sha256: str
    chained: str
    """SHA-256 from the beginning of the last whole line to here: what the line that seals them off names."""

    is_ended: bool
    """Whether a line's end stands behind them already."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The last whole line, and what stands behind it."""

    line: LedgerLine
    digest: str
    torn: Torn | None
    size: int
    """Of the whole file."""


@contextmanager
def opened(path: Path, clock: Clock, *, to_write: bool) -> Iterator[int]:
    """
    Open the file and hold its lock: alone to write, with others to read.

    Raises:
        LedgerMissingError: It is not there.
        LedgerError: It cannot be used, or another process holds it for too long.
    """
    flags = (os.O_RDWR | os.O_APPEND) if to_write else os.O_RDONLY
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise LedgerMissingError(f"{path}: there is no ledger") from None
    except OSError as error:
        raise LedgerError(f"{path}: the ledger cannot be opened: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise LedgerDamagedError(f"{path}: the ledger is not a file")
        _lock(descriptor, path, clock, fcntl.LOCK_EX if to_write else fcntl.LOCK_SH)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, clock: Clock, kind: int) -> None:
    give_up_ns = clock.monotonic_ns() + PATIENCE_NS
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic_ns() >= give_up_ns:
                message = f"{path}: another process has held the ledger for {PATIENCE_NS // 10**9} s"
                raise LedgerError(message, remedy="find it with `fuser`, and end it") from None
            clock.sleep(POLL_S)
        except OSError as error:
            raise LedgerError(f"{path}: the ledger cannot be locked: {error.strerror}") from error
        else:
            return


def read_tail(descriptor: int, path: Path) -> Tail:
    """
    Find the last whole line.

    Raises:
        LedgerDamagedError: There is none near the end.
        LedgerError: The disk refuses.
    """
    try:
        size = os.fstat(descriptor).st_size
        begin = max(0, size - MAX_TORN_BYTES - MAX_LINE_BYTES - 3)  # two line ends, and the one before the line
        untrusted = os.pread(descriptor, size - begin, begin)
    except OSError as error:
        raise LedgerError(f"{path}: the ledger cannot be read: {error.strerror}") from error
    ends_at = len(untrusted)
    while ends_at > 0:
        begins_at = untrusted.rfind(b"\n", 0, ends_at) + 1
        line = read_line(untrusted[begins_at:ends_at])
        torn = None if line is None else _torn(untrusted, begins_at, ends_at)
        if line is not None and (torn is None or torn.size <= MAX_TORN_BYTES):
            return Tail(line, digest_of(untrusted[begins_at:ends_at]), torn, size)
        if line is not None or begins_at == 0:
            break
        ends_at = begins_at - 1
    raise LedgerDamagedError(f"{path}: its last {len(untrusted)} bytes hold no line of a ledger")


def _torn(untrusted: bytes, begins_at: int, ends_at: int) -> Torn | None:
    """What stands behind the last whole line."""
    behind = untrusted[ends_at:]
    if behind == b"\n":
        return None
    is_ended = len(behind) > 1 and behind.endswith(b"\n")
    torn = behind[1:-1] if is_ended else behind[1:]
    chained = untrusted[begins_at:-1] if is_ended else untrusted[begins_at:]
    return Torn(len(torn), sha256(torn).hexdigest(), digest_of(chained), is_ended)


def write_lines(descriptor: int, path: Path, data: bytes, size: int) -> None:
    """
    Append *data* in one write and wait until it is on the disk; whatever fails, nothing of it stays.

    Raises:
        LedgerError: The disk refuses; the ledger is as it was.
    """
    try:
        written = os.write(descriptor, data)
        if written == len(data):
            os.fsync(descriptor)
            return
        reason = "the disk is full"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    with suppress(OSError):  # then it is sealed off as torn by whoever writes next
        os.ftruncate(descriptor, size)
    raise LedgerError(f"{path}: the ledger cannot be written: {reason}")


def first_line(descriptor: int, path: Path) -> LedgerLine:
    """
    The line that says whose ledger it is.

    Raises:
        LedgerDamagedError: The file does not begin with a line.
        LedgerError: The disk refuses.
    """
    try:
        untrusted = os.pread(descriptor, MAX_LINE_BYTES + 1, 0)
    except OSError as error:
        raise LedgerError(f"{path}: the ledger cannot be read: {error.strerror}") from error
    line = read_line(untrusted.partition(b"\n")[0])
    if line is None:
        raise LedgerDamagedError(f"{path}: its first line is none of a ledger")
    return line


def newest_time(path: Path, clock: Clock) -> datetime | None:
    """
    When the last whole line was written; None where there is no ledger. The time may not be earlier than that.

    Raises:
        LedgerError: It cannot be read, or its end is no ledger.
    """
    try:
        with opened(path, clock, to_write=False) as descriptor:
            return read_tail(descriptor, path).line.at
    except LedgerMissingError:
        return None


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of the file: a whole line, or a part of one that is longer than a line may be."""

    untrusted: bytes
    """Without the line's end."""

    begins: bool
    """Whether it is the first of its line."""

    ends: bool
    """Whether the line's end follows."""


@contextmanager
def pieces_of(path: Path, clock: Clock) -> Iterator[Iterator[Piece]]:
    """
    Read a ledger as it is now: what others append meanwhile is left out.

    Raises:
        LedgerMissingError: It is not there.
        LedgerError: It cannot be read.
    """
    with opened(path, clock, to_write=False) as descriptor:
        size = os.fstat(descriptor).st_size
        file = os.fdopen(os.dup(descriptor), "rb")
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    with file:
        yield split(file, size)


def split(file: BinaryIO, size: int) -> Iterator[Piece]:
    """
    Cut the first *size* bytes into lines, and longer lines into pieces; no more than one is held at a time.

    Raises:
        LedgerError: The disk refuses.
    """
    left = size
    begins = True
    while left > 0:
        try:
            untrusted = file.readline(min(left, MAX_LINE_BYTES + 1))
        except OSError as error:
            raise LedgerError(f"the ledger cannot be read: {error.strerror}") from error
        if not untrusted:
            return
        left -= len(untrusted)
        ends = untrusted.endswith(b"\n")
        yield Piece(untrusted.removesuffix(b"\n"), begins, ends)
        begins = ends
