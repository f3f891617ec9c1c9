"""Ids of signed messages that were taken, so that each counts once; in memory while the disk refuses them."""

import threading
from datetime import datetime
from typing import Final

from edge_lfr.errors import OutboxError
from edge_lfr.governance.signed import Refusal
from edge_lfr.pipeline.reporting.rows import RowFile

MAX_UNWRITTEN_IDS: Final = 1_000
"""Ids that are remembered in memory while the disk refuses."""


class SignedIds:
    """The ids of one outbox; any thread may call."""

    def __init__(self, file: RowFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._unwritten: dict[str, datetime] = {}

    def remember(self, message_id: str, expires_at: datetime) -> Refusal | None:
        """Keep an id until it expires: `governance.signed.SeenIds`."""
        with self._lock:
            if message_id in self._unwritten:
                return Refusal.SEEN
            try:
                return self._file.remember(message_id, expires_at)
            except OutboxError:
                if len(self._unwritten) >= MAX_UNWRITTEN_IDS:
                    return Refusal.MEMORY_FULL
                self._unwritten[message_id] = expires_at
                return None

    def write_oldest(self) -> bool:
        """
        Bring one id to the disk that it refused before; False when none is in memory.

        Raises:
            OutboxError: It refuses still.
        """
        with self._lock:
            if not self._unwritten:
                return False
            message_id, expires_at = next(iter(self._unwritten.items()))
            self._file.remember(message_id, expires_at)
            del self._unwritten[message_id]
            return True
