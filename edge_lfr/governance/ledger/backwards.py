"""A ledger read from its end: what happened last comes first, and how long the file is costs nothing."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge_lfr.clock import Clock
from edge_lfr.errors import LedgerError
from edge_lfr.governance.ledger.file import opened
from edge_lfr.governance.ledger.lines import MAX_LINE_BYTES

BLOCK_BYTES: Final = 1 << 16
"""Read at a time; chosen, not measured."""


def lines_backwards(path: Path, clock: Clock) -> Iterator[bytes]:
    """
    The bytes of each line as the file is now, the last one first, without its end; too long ones are left out.

    Raises:
        LedgerMissingError: It is not there.
        LedgerError: It cannot be read.
    """
    with opened(path, clock, to_write=False) as descriptor:
        left = os.fstat(descriptor).st_size
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        untrusted_rest = b""
        is_too_long = False
        while left > 0:
            begin = max(0, left - BLOCK_BYTES)
            try:
                untrusted = os.pread(descriptor, left - begin, begin)
            except OSError as error:
                raise LedgerError(f"{path}: the ledger cannot be read: {error.strerror}") from error
            first, *others = (untrusted + untrusted_rest).split(b"\n")
            if others and is_too_long:
                others.pop()
                is_too_long = False
            yield from reversed([line for line in others if line and len(line) <= MAX_LINE_BYTES])
            is_too_long = is_too_long or len(first) > MAX_LINE_BYTES
            untrusted_rest = b"" if is_too_long else first
            left = begin
        if untrusted_rest:
            yield untrusted_rest
