"""
How much room the outbox has: one bound for what waits for delivery, and a wide one for what is done or held.

Both are the disk's, in rows of a known size. What waits is bounded by what the broker can be away for; what is done
stays for its period, up to 31 days, and must not take the place of an alert that nobody has seen yet.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edge_lfr.errors import OutboxError
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.pipeline.reporting.row_deed import DAEMON, note_deed
from edge_lfr.pipeline.reporting.row_schema import DONE, OPEN

KEPT_PER_WAITING: Final = 3
"""Rows that are done or held, for each that may wait: 30,000 by default, 4 GB, forty times what the busiest published
deployment makes in the longest period. Chosen; a multiple, so that whoever sizes the one for a disk sizes both."""

NEARLY: Final = 0.8
"""Share of a bound from which the appliance says so: time enough to act. Chosen, not measured."""

AT_ONCE: Final = 100
"""A hundredth of the bound makes room at a time: one line of the ledger for many rows. Chosen, not measured."""

ROOM: Final = "room"
"""The code of a purge before its time."""


class OutboxFullError(OutboxError):
    """As many alerts wait for delivery as the outbox may keep."""

    code = "reporting.outbox-full"
    remedy = "restore the link to the broker, or raise `reporting.max_stored`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """What is in the outbox, and what may be."""

    waiting: int
    """Rows that somebody still has to take, within their time."""

    kept: int
    """All others: done, or kept by a legal hold alone."""

    max_waiting: int

    @property
    def max_kept(self) -> int:
        return self.max_waiting * KEPT_PER_WAITING

    @property
    def is_full(self) -> bool:
        return self.waiting >= self.max_waiting

    @property
    def complaints(self) -> tuple[str, ...]:
        """Codes: what waits is too much, or nearly; what is done will make room before its time, or does."""
        found: list[str] = []
        if self.waiting >= self.max_waiting * NEARLY:
            found.append("outbox-full" if self.is_full else "outbox-nearly-full")
        if self.kept >= self.max_kept * NEARLY:
            found.append("outbox-keeps-much")
        return tuple(found)


def fill_of(db: sqlite3.Connection, max_waiting: int) -> Fill:
    """Count what is there; from indexes alone, but for what only a hold keeps."""
    (open_rows,) = db.execute(f"SELECT count(*) FROM rows INDEXED BY rows_open WHERE {OPEN}").fetchone()  # noqa: S608 - ours alone
    (done,) = db.execute(f"SELECT count(*) FROM rows INDEXED BY rows_done WHERE {DONE}").fetchone()  # noqa: S608 - ours alone
    (held,) = db.execute(
        f"SELECT count(*) FROM times INDEXED BY times_over CROSS JOIN rows ON id = row_id WHERE is_over = 1 AND {OPEN}"  # noqa: S608
    ).fetchone()
    return Fill(waiting=open_rows - held, kept=done + held, max_waiting=max_waiting)


def make_room(db: sqlite3.Connection, fill: Fill, at: datetime) -> int:
    """
    Delete the oldest rows that are done and not held, where there are as many as there may be; gives how many.

    What is held stays, however much that is: then the disk itself is the bound.
    """
    if fill.kept < fill.max_kept:
        return 0
    wanted = fill.kept - fill.max_kept + max(1, fill.max_kept // AT_ONCE)
    deleted = db.execute(
        f"DELETE FROM rows WHERE id IN (SELECT id FROM rows INDEXED BY rows_done WHERE {DONE}"  # noqa: S608 - ours alone
        " AND alert_id NOT IN (SELECT alert_id FROM holds) ORDER BY id LIMIT ?)",
        (wanted,),
    ).rowcount
    if deleted:
        db.execute("DELETE FROM times WHERE row_id NOT IN (SELECT id FROM rows)")
        facts: dict[str, Fact] = {"alerts": deleted, "what": "outbox", "code": ROOM}
        note_deed(db, LedgerEvent.PURGED, DAEMON, facts, at)
    return deleted
