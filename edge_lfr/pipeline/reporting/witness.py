"""Who is told what becomes of alerts, beside counters and the control room: the ledger's side of reporting."""

from edge_lfr.pipeline.reporting.messages import AlertMessage, SightingMessage
from edge_lfr.pipeline.reporting.row_deed import Deed


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

    def done(self, deed: Deed) -> None:
        """Stored alerts were held, released, deleted or lost."""

    def has_room(self) -> bool:
        """Whether it can keep more deeds, be it in memory; otherwise they are told later."""
        return True

    def has_kept_all(self) -> bool:
        """Whether everything that was told until now outlives this process."""
        return True
