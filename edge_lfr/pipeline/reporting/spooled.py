"""A message that only memory holds, because the disk refused it."""

from dataclasses import dataclass

from edge_lfr.pipeline.reporting.rows import NewRow, PendingRow, RowState


@dataclass(slots=True)
class Spooled:
    """Its id is negative."""

    row: NewRow
    state: RowState = RowState.STORED

    def as_pending(self, row_id: int) -> PendingRow:
        return PendingRow(row_id, self.row.alert_id, self.row.kind, self.state)
