"""
The control room's copy of an appliance's signed ledger heads: a ledger that was cut short is consistent in itself.

One JSON document a line, as the ledger signed it; nothing else is kept.
"""

import json
import os
from pathlib import Path
from typing import Final

from edge_lfr.durable_files import PRIVATE, sync_folder
from edge_lfr.pipeline.reporting.states import LedgerHeadMessage

_TAIL_BYTES: Final = 256 * 1024
"""Where the last line is looked for; a message, and so a head in it, is smaller."""


class HeadsFile:
    """Appends; one thread's own."""

    def __init__(self, path: Path) -> None:
        """
        Make the file where there is none.

        Raises:
            OSError: It cannot be written.
        """
        self._path = path
        is_new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE)
        try:
            size = os.fstat(descriptor).st_size
            tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
            if tail and not tail.endswith(b"\n"):
                # A power cut came into the last line: it gets an end, and whoever reads the file is told of it.
                os.write(descriptor, b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(path.absolute().parent)
        self._last = tail.rstrip(b"\n").rsplit(b"\n", 1)[-1] + b"\n"

    def append(self, message: LedgerHeadMessage) -> None:
        """
        Keep the head; it is on the disk when this returns. One that was the last already is not kept again.

        Raises:
            OSError: It is not.
        """
        document = message.head.model_dump(mode="json", by_alias=True)
        line = json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii") + b"\n"
        if line == self._last:
            return
        with self._path.open("ab", buffering=0) as file:
            file.write(line)
            os.fsync(file.fileno())
        self._last = line
