"""
The outbox's file: sealed messages in SQLite, each under its own data key, from `stored` to the end of their time.

A commit has reached the disk when it returns (WAL, `synchronous=FULL`); whatever instant the process or the power dies,
a row is there or it is not.
"""

import json
import math
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from edge_lfr.config.retention import RetentionProfile
from edge_lfr.errors import OutboxError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.governance.seal import Seal, new_key
from edge_lfr.governance.signed import Refusal
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.pipeline.reporting.expiry import is_over
from edge_lfr.pipeline.reporting.row_deed import DAEMON, note_deed
from edge_lfr.pipeline.reporting.row_ends import RowEnds
from edge_lfr.pipeline.reporting.row_room import Fill, OutboxFullError, fill_of, make_room
from edge_lfr.pipeline.reporting.row_schema import OPEN, WAIT_S, open_file

MAX_SEEN_IDS: Final = 100_000
"""Ids of signed messages that are remembered at most; 24 h of more than one a second."""

_IN_TIME: Final = "JOIN times ON row_id = id WHERE is_over = 0"
"""All rows but those that only a legal hold keeps: nobody waits for them any more."""

_AMONG: Final = "IN (SELECT value FROM json_each(?))"
"""However many they are: a statement takes a bounded number of values."""

CHECKPOINT_WAIT_MS: Final = 100
"""For readers, when the log is to be cut; whoever stores an alert waits as long. Chosen, not measured."""


class RowKind(StrEnum):
    """What a row says; only an alert and a test ask for an acknowledgement."""

    ALERT = "alert"
    SIGHTING = "sighting"
    TEST = "test"

    @property
    def wants_acknowledgement(self) -> bool:
        return self is not RowKind.SIGHTING


class RowState(StrEnum):
    """How far a row has come; it never goes back."""

    STORED = "stored"
    ACCEPTED = "accepted"
    """The broker took it and had a subscriber for it."""

    ACKNOWLEDGED = "acknowledged"
    """The control room has it."""


def is_open(kind: RowKind, state: RowState) -> bool:
    """Whether somebody still has to take the row: the control room an alert, the broker a sighting."""
    return state is RowState.STORED or (state is RowState.ACCEPTED and kind.wants_acknowledgement)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRow:
    """A message to be stored."""

    alert_id: str
    kind: RowKind
    boot_id: str
    seq: int
    stored_at: datetime
    expires_at: datetime
    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A row that is not at its end: `stored`, or `accepted` and still unacknowledged."""

    row_id: int
    alert_id: str
    kind: RowKind
    state: RowState


@dataclass(frozen=True, slots=True)
class LoadedRow:
    """An opened row, ready to be sent."""

    row_id: int
    alert_id: str
    kind: RowKind
    expires_at: datetime
    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Purged:
    """What the end of its time did to rows."""

    deleted: int
    lost: int
    """Nobody had acknowledged, or for a sighting, no broker had accepted; each row once, also one that is held."""

    held: int = 0
    """Their time is over, and a legal hold keeps them: counted when it happens, and not again."""

    is_clean: bool = True
    """No byte of what was deleted is left in the log; otherwise the next purge tries again."""

    def plus(self, deleted: int, lost: int) -> Self:
        """With what was gone from memory, too."""
        return replace(self, deleted=self.deleted + deleted, lost=self.lost + lost)


class RowFile:
    """The durable part of the outbox; any thread may call, one at a time gets through."""

    def __init__(
        self, path: Path, kek: KeyEncryptingKey, *, max_rows: int, retention: RetentionProfile | None = None
    ) -> None:
        """
        Open or create the file.

        Args:
            path: Of the file.

            kek: Opens the data keys.

            max_rows: How many rows may wait for delivery.

            retention: Today's profile, which ends a row that came under a longer one; without it each has its own end.

        Raises:
            OutboxError: It is damaged, of another version, or cannot be written.
        """
        self._path = path
        self._kek = kek
        self._max_rows = max_rows
        self._lock = threading.RLock()
        self._is_log_stale = True
        self.made_room: int = 0
        """Rows that were deleted before their time, since this was opened."""
        try:
            self._db = open_file(path)
            self._ends = RowEnds(self._db, retention)
        except (sqlite3.Error, OSError) as error:
            raise OutboxError(
                f"{path}: the outbox cannot be opened: {error}",
                remedy=f"check the disk; to go on without the alerts in it, move {path} and its -wal file away",
            ) from error

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def insert(self, row: NewRow, state: RowState = RowState.STORED) -> int:
        """
        Seal and store; a row of the same run and number that is there already stays as it is.

        Returns:
            The row's id.

        Raises:
            OutboxFullError: As many wait for delivery as may.
            OutboxError: The disk refuses.
        """
        key = new_key()
        context = _context(row.alert_id, row.kind, row.boot_id, row.seq)
        values = (
            row.alert_id,
            row.kind,
            row.boot_id,
            row.seq,
            state,
            row.expires_at.timestamp(),
            self._kek.wrap(key, context=context),
            Seal(key).seal(row.message, context=context),
        )
        with self.transaction() as db:
            found = db.execute("SELECT id FROM rows WHERE boot_id = ? AND seq = ?", (row.boot_id, row.seq)).fetchone()
            if found is not None:
                return int(found[0])
            fill = fill_of(db, self._max_rows)
            if fill.is_full and is_open(row.kind, state):
                raise OutboxFullError(f"the outbox is full: {fill.waiting} rows wait for delivery")
            made_room = make_room(db, fill, row.stored_at)
            cursor = db.execute(
                "INSERT INTO rows (alert_id, kind, boot_id, seq, state, expires_at, wrapped_key, sealed)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            row_id = int(cursor.lastrowid or 0)
            db.execute("INSERT INTO times (row_id, stored_at) VALUES (?, ?)", (row_id, row.stored_at.timestamp()))
        if made_room:
            self.made_room += made_room
            self._is_log_stale = True  # the next purge cuts it: whoever stores waits for nobody
        return row_id

    def fill(self) -> Fill:
        """How much there is, and how much there may be."""
        with self.reading() as db:
            return fill_of(db, self._max_rows)

    def pending(self) -> tuple[PendingRow, ...]:
        """All rows that may still have to be sent, oldest first."""
        with self.reading() as db:
            found = db.execute(
                f"SELECT id, alert_id, kind, state FROM rows {_IN_TIME} AND {OPEN} ORDER BY id"  # noqa: S608 - ours alone
            ).fetchall()
        return tuple(
            PendingRow(row_id, alert_id, RowKind(kind), RowState(state)) for row_id, alert_id, kind, state in found
        )

    def in_time(self) -> tuple[int, ...]:
        """Ids of all alerts and sightings whose time is not over, whatever their state, newest first."""
        with self.reading() as db:
            found = db.execute(f"SELECT id FROM rows {_IN_TIME} AND kind != 'test' ORDER BY id DESC")  # noqa: S608 - ours
            return tuple(row_id for (row_id,) in found)

    def load(self, row_id: int) -> LoadedRow | None:
        """
        Open one row; None when it has been deleted.

        Raises:
            SealBrokenError: It does not open with this appliance's key.
        """
        with self.reading() as db:
            found = db.execute(
                "SELECT alert_id, kind, boot_id, seq, expires_at, wrapped_key, sealed FROM rows WHERE id = ?", (row_id,)
            ).fetchone()
        if found is None:
            return None
        alert_id, kind, boot_id, seq, expires_s, wrapped, sealed = found
        context = _context(alert_id, kind, boot_id, seq)
        message = Seal(self._kek.unwrap(wrapped, context=context)).open(sealed, context=context)
        return LoadedRow(row_id, alert_id, RowKind(kind), self.end_of(row_id, expires_s), message)

    def end_of(self, row_id: int, expires_s: float) -> datetime:
        """When a row's time is over, given its own end."""
        return datetime.fromtimestamp(self._ends.of(row_id, expires_s), UTC)

    def accept(self, row_id: int) -> None:
        """Mark as accepted by the broker; a row that has come further stays as it is."""
        with self.transaction() as db:
            db.execute("UPDATE rows SET state = 'accepted' WHERE id = ? AND state = 'stored'", (row_id,))

    def acknowledge(self, row_id: int) -> None:
        """Mark as acknowledged by the control room."""
        with self.transaction() as db:
            db.execute("UPDATE rows SET state = 'acknowledged' WHERE id = ?", (row_id,))

    def find(self, alert_id: str) -> PendingRow | None:
        """The alert's row (not its sightings'), at whatever state; None when there is none."""
        with self.reading() as db:
            found = db.execute(
                "SELECT id, kind, state FROM rows WHERE alert_id = ? AND kind != 'sighting'", (alert_id,)
            ).fetchone()
        return None if found is None else PendingRow(found[0], alert_id, RowKind(found[1]), RowState(found[2]))

    def purge(
        self, verdict: TimeVerdict, lost_in_memory: Sequence[NewRow] = (), *, in_memory: int = 0, by: Actor = DAEMON
    ) -> Purged:
        """
        Delete the rows whose time is over and that no legal hold keeps, and forget expired ids of signed messages.

        A row's data key is destroyed with it: both are overwritten in the file, and the log is cut. How many rows were
        deleted, and which alerts nobody had acknowledged, is noted in the same change, for `Deeds`; also those
        *lost_in_memory*, and the number of rows that end there with them (*in_memory*), which are not counted.
        """
        until = verdict.now.timestamp() if verdict.is_trusted else math.inf
        with self.transaction() as db:
            found = db.execute(
                "SELECT id, stored_at, expires_at FROM rows INDEXED BY rows_by_end JOIN times ON row_id = id"
                " WHERE expires_at <= ?",
                (until,),
            )
            ended = {row_id for row_id, stored_s, expires_s in found if is_over(stored_s, expires_s, verdict)}
            over = (json.dumps(sorted(ended.union(self._ends.over(verdict)))),)
            lost = db.execute(
                f"SELECT alert_id, kind FROM rows {_IN_TIME} AND {OPEN} AND id {_AMONG}",  # noqa: S608 - ours alone
                over,
            ).fetchall()
            alerts = [alert_id for alert_id, kind in lost if kind == RowKind.ALERT]
            alerts += [row.alert_id for row in lost_in_memory if row.kind is RowKind.ALERT]
            for alert_id in alerts:
                note_deed(db, LedgerEvent.ALERT_EXPIRED_UNACKNOWLEDGED, by, {"alert": alert_id}, verdict.now)
            deleted = db.execute(
                f"DELETE FROM rows WHERE id {_AMONG} AND alert_id NOT IN (SELECT alert_id FROM holds)",  # noqa: S608
                over,
            ).rowcount
            if deleted:
                db.execute("DELETE FROM times WHERE row_id NOT IN (SELECT id FROM rows)")
            if deleted + in_memory:
                note_deed(db, LedgerEvent.PURGED, by, {"alerts": deleted + in_memory, "what": "outbox"}, verdict.now)
            held = db.execute(f"UPDATE times SET is_over = 1 WHERE is_over = 0 AND row_id {_AMONG}", over).rowcount  # noqa: S608
            if verdict.is_trusted:  # else a message that was taken could be taken again
                db.execute("DELETE FROM seen WHERE expires_at <= ?", (until,))
            if deleted:
                self._ends.forget_deleted(db)
        is_clean = self.cut_log() if deleted or self._is_log_stale else True
        return Purged(deleted=deleted, lost=len(lost), held=held, is_clean=is_clean)

    def cut_log(self) -> bool:
        """
        Write the log back and empty it: what was deleted must not stay behind there either.

        Returns:
            False when somebody reads at this instant, or the disk fails: then the next purge does it. So does the
            first one of a new process, since the one before may have been killed in between.
        """
        with self._lock:
            self._is_log_stale = True
            try:
                self._db.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
                (is_busy, _, _) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._is_log_stale = bool(is_busy)
            except sqlite3.Error:
                return False
            finally:
                self._db.execute(f"PRAGMA busy_timeout = {round(WAIT_S * 1000)}")
            return not self._is_log_stale

    def count_by_state(self, instead: Mapping[int, RowState]) -> dict[RowState, int]:
        """
        Rows by state, without those that only a legal hold keeps.

        Those in *instead* count there, because the disk did not take their new state.
        """
        with self.reading() as db:
            found = db.execute(f"SELECT state, count(*) FROM rows {_IN_TIME} GROUP BY state")  # noqa: S608 - ours alone
            counts = dict.fromkeys(RowState, 0) | {RowState(state): count for state, count in found}
            for row_id, state in instead.items():
                row = db.execute(f"SELECT state FROM rows {_IN_TIME} AND id = ?", (row_id,)).fetchone()  # noqa: S608 - ours
                if row is not None:
                    counts[RowState(row[0])] -= 1
                    counts[state] += 1
        return counts

    def first_stored(self, without: Collection[int]) -> datetime | None:
        """When the oldest row came that no broker took; *without* those whose new state is not written."""
        with self.reading() as db:
            found = db.execute(
                f"SELECT id, stored_at FROM rows {_IN_TIME} AND state = 'stored'"  # noqa: S608 - ours alone
                " ORDER BY stored_at LIMIT ?",
                (len(without) + 1,),
            ).fetchall()
        starts = [stored_at for row_id, stored_at in found if row_id not in without]
        return datetime.fromtimestamp(starts[0], UTC) if starts else None

    def remember(self, message_id: str, expires_at: datetime) -> Refusal | None:
        """Keep the id of a signed message until it expires: `governance.signed.SeenIds`."""
        with self.transaction() as db:
            if db.execute("SELECT 1 FROM seen WHERE id = ?", (message_id,)).fetchone() is not None:
                return Refusal.SEEN
            (count,) = db.execute("SELECT count(*) FROM seen").fetchone()
            if count >= MAX_SEEN_IDS:
                return Refusal.MEMORY_FULL
            db.execute("INSERT INTO seen (id, expires_at) VALUES (?, ?)", (message_id, expires_at.timestamp()))
            return None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Change something, alone, whole or not at all: also beside another process."""
        with self.reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # a full disk has rolled back already
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Ask something; this process's other threads wait meanwhile."""
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise OutboxError(f"{self._path}: {error}") from error


def _context(alert_id: str, kind: str, boot_id: str, seq: int) -> str:
    return f"outbox:{alert_id}:{kind}:{boot_id}:{seq}"
