"""
The control room's copy of an appliance's signed ledger heads: a ledger that was cut short is consistent in itself.

One JSON document a line, as the ledger signed it; nothing else is kept.
"""

import errno
import json
import os
from pathlib import Path
from typing import Final

from edge_lfr.durable_files import PRIVATE, sync_folder
from edge_lfr.errors import TrustError
from edge_lfr.governance.ledger.head import MAX_HEAD_BYTES, LedgerHead
from edge_lfr.pipeline.reporting.states import LedgerHeadMessage

_BEGINNING: Final = b'{"schema":"lfr.document/1","kind":"ledger-head",'
"""Of every line, and so of a torn one; what begins otherwise is somebody else's file."""


class HeadsFile:
    """Appends; one thread's own."""

    def __init__(self, path: Path) -> None:
        """
        Make the file where there is none; a line that a power cut tore, which was not shown to anybody, goes.

        Raises:
            OSError: It cannot be written, or its first or its last line is no head: it is another file, and stays as
                it is.
        """
        self._path = path
        is_new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE)
        try:
            size = os.fstat(descriptor).st_size
            begin = max(0, size - 2 * MAX_HEAD_BYTES)
            tail = os.pread(descriptor, size - begin, begin)
            *lines, torn = tail.split(b"\n")
            first = os.pread(descriptor, MAX_HEAD_BYTES, 0).split(b"\n")[0]
            is_torn_head = len(torn) <= MAX_HEAD_BYTES and torn.startswith(_BEGINNING[: len(torn)])
            if not is_torn_head or not all(map(_is_head, {first, lines[-1]} if lines else ())):
                raise OSError(errno.EINVAL, "not a file of ledger heads")
            if torn:
                os.ftruncate(descriptor, size - len(torn))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(path.absolute().parent)
        self._last = lines[-1] + b"\n" if lines else b""

    def append(self, message: LedgerHeadMessage) -> None:
        """
        Keep the head; it is on the disk when this returns. One that was the last already is not kept again.

        Raises:
            OSError: It is not.
        """
        document = message.head.model_dump(mode="json", by_alias=True)
        line = json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"
        if line == self._last:
            return
        with self._path.open("ab", buffering=0) as file:
            file.write(line)
            os.fsync(file.fileno())
        self._last = line


def _is_head(untrusted_line: bytes) -> bool:
    """Whether that is one, whoever signed it."""
    try:
        LedgerHead.read(untrusted_line)
    except (TrustError, ValueError):
        return False
    return True
