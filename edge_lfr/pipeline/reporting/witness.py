"""Who is told what becomes of alerts, beside counters and the control room: the ledger's side of reporting."""

from collections.abc import Sequence

from edge_lfr.pipeline.reporting.messages import AlertMessage, SightingMessage


class Witness:
    """
    Is told after the fact, and never raises; this one remembers nothing, for programs that keep no ledger.

    `stored` is called by the path's thread, which waits for nothing.
    """

    def stored(self, message: AlertMessage | SightingMessage) -> None:
        """The outbox has it."""

    def acknowledged(self, alert_id: str, key: str) -> None:
        """The holder of *key* (64 hex digits) said that the control room has the alert."""

    def refused(self, what: str, code: str) -> None:
        """A message from control was not believed: its kind, and why not."""

    def purged(self, deleted: int, lost_alerts: Sequence[str]) -> None:
        """So many rows are gone; those alerts expired before anybody acknowledged them."""

    def has_kept_all(self) -> bool:
        """Whether everything that was told until now outlives this process."""
        return True
