"""A message that only memory holds, because the disk refused it."""

from dataclasses import dataclass

from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.pipeline.reporting.expiry import is_over
from edge_lfr.pipeline.reporting.rows import NewRow, PendingRow, RowState


@dataclass(slots=True)
class Spooled:
    """Its id is negative."""

    row: NewRow
    state: RowState = RowState.STORED

    def is_over(self, verdict: TimeVerdict) -> bool:
        return is_over(self.row.stored_at.timestamp(), self.row.expires_at.timestamp(), verdict)

    def as_pending(self, row_id: int) -> PendingRow:
        return PendingRow(row_id, self.row.alert_id, self.row.kind, self.state)
