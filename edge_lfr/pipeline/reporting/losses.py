"""
Alerts that expired before anybody acknowledged them, until the ledger has a line of each.

The outbox notes them in the very change that deletes their rows, so that neither a kill nor a key that does not open
leaves one without its line; at worst two lines name the same alert.
"""

from collections.abc import Collection

from edge_lfr.pipeline.reporting.rows import RowFile
from edge_lfr.pipeline.reporting.witness import Witness


class Losses:
    """The losses of one outbox; for the one thread that purges it, or a command while no daemon runs."""

    def __init__(self, file: RowFile) -> None:
        self._file = file
        self._given: set[str] = set()

    def tell(self, witness: Witness, deleted: int) -> None:
        """
        Have *witness* told of a purge and of every loss, and forget them once it keeps them.

        Raises:
            OutboxError: The disk refuses; they are told again after a restart.
        """
        witness.purged(deleted, self.untold())
        if witness.has_kept_all():
            self.told()

    def untold(self) -> tuple[str, ...]:
        """
        Ids of the alerts that were lost and have no line, oldest first; each is given once, until `told` or a restart.

        Raises:
            OutboxError: The disk cannot be read.
        """
        with self._file.reading() as db:
            found = [alert_id for (alert_id,) in db.execute("SELECT alert_id FROM lost ORDER BY rowid")]
        untold = tuple(alert_id for alert_id in found if alert_id not in self._given)
        self._given.update(untold)
        return untold

    def told(self, alert_ids: Collection[str] | None = None) -> None:
        """
        Forget these, or all that `untold` gave: their lines are on the disk.

        Raises:
            OutboxError: The disk refuses; they are told again after a restart.
        """
        alert_ids = tuple(self._given if alert_ids is None else alert_ids)
        if not alert_ids:
            return
        with self._file.transaction() as db:
            db.executemany("DELETE FROM lost WHERE alert_id = ?", [(alert_id,) for alert_id in alert_ids])
        self._given.difference_update(alert_ids)
