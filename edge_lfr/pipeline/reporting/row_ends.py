"""
When the time of a stored row is over, where a shorter retention profile came after it.

Each row has its own end, by the profile that was in force when it came. The profile of today shortens that and never
lengthens it: no row is kept for longer than today's document says, nor than the document of its own day said.
"""

import json
import sqlite3
from dataclasses import dataclass
from datetime import timedelta

from edge_lfr.config.retention import RetentionProfile
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.pipeline.reporting.expiry import is_over


@dataclass(frozen=True, slots=True)
class _Earlier:
    """A row that ends before its own end."""

    stored_s: float
    ends_s: float


class RowEnds:
    """
    The rows of one file that a shorter profile ends earlier.

    Looked for once: what is stored later is stored by the same profile, which a process keeps to.
    """

    def __init__(self, db: sqlite3.Connection, retention: RetentionProfile | None) -> None:
        """
        Look for them; there are none without a profile.

        Raises:
            sqlite3.Error: The disk cannot be read.
        """
        self._earlier: dict[int, _Earlier] = {}
        for kind, lifetime in _lifetimes(retention).items():
            period_s = lifetime.total_seconds()
            found = db.execute(
                "SELECT id, stored_at FROM rows JOIN times ON row_id = id"
                " WHERE kind = ? AND expires_at > stored_at + ?",
                (kind, period_s),
            )
            self._earlier.update((row_id, _Earlier(stored_s, stored_s + period_s)) for row_id, stored_s in found)

    def of(self, row_id: int, expires_s: float) -> float:
        """The end of a row, given its own."""
        earlier = self._earlier.get(row_id)
        return expires_s if earlier is None else min(expires_s, earlier.ends_s)

    def over(self, verdict: TimeVerdict) -> list[int]:
        """Those whose time is over already."""
        return [row_id for row_id, row in self._earlier.items() if is_over(row.stored_s, row.ends_s, verdict)]

    def forget_deleted(self, db: sqlite3.Connection) -> None:
        """Keep those alone that are still there."""
        if self._earlier:
            ids = (json.dumps(list(self._earlier)),)
            found = db.execute("SELECT id FROM rows WHERE id IN (SELECT value FROM json_each(?))", ids)
            self._earlier = {row_id: self._earlier[row_id] for (row_id,) in found}


def _lifetimes(retention: RetentionProfile | None) -> dict[str, timedelta]:
    """By `rows.RowKind`."""
    if retention is None:
        return {}
    return {
        "alert": retention.alert_lifetime,
        "sighting": retention.sighting_lifetime,
        "test": retention.test_lifetime,
    }
