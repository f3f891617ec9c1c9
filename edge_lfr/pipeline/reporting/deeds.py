"""The deeds of an outbox that have no line in the ledger yet."""

import threading
from collections.abc import Collection

from edge_lfr.errors import OutboxError
from edge_lfr.pipeline.reporting.row_deed import Deed
from edge_lfr.pipeline.reporting.rows import RowFile
from edge_lfr.pipeline.reporting.witness import Witness


class Deeds:
    """Any thread may call; of several processes only the one that holds the state folder tells."""

    def __init__(self, file: RowFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._given: set[str] = set()

    def tell(self, witness: Witness) -> None:
        """
        Have *witness* told of every deed, each once, and forget them when it keeps them.

        Raises:
            OutboxError: The disk refuses; they are told again after a restart.
        """
        with self._lock:
            for deed in self.untold():
                if not witness.has_room():
                    break
                if deed.id not in self._given:
                    self._given.add(deed.id)
                    witness.done(deed)
            if witness.has_kept_all():
                self.told(tuple(self._given))
                self._given.clear()

    def untold(self) -> tuple[Deed, ...]:
        """
        What was not told, or is not known to be kept; oldest first.

        Raises:
            OutboxError: The disk cannot be read.
        """
        with self._file.reading() as db:
            found = db.execute("SELECT id, event, who, facts, at FROM deeds ORDER BY n").fetchall()
        try:
            return tuple(Deed.read(row) for row in found)
        except ValueError:
            message = "the outbox: what was done to alerts cannot be read, and has no line in the ledger"
            raise OutboxError(message) from None

    def told(self, deed_ids: Collection[str]) -> None:
        """
        Forget these: their lines are on the disk.

        Raises:
            OutboxError: The disk refuses; they are told again after a restart, or found to be told.
        """
        if deed_ids:
            with self._file.transaction() as db:
                db.executemany("DELETE FROM deeds WHERE id = ?", [(deed_id,) for deed_id in deed_ids])
