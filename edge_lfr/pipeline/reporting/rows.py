"""
The outbox's file: sealed messages in SQLite, each under its own data key, from `stored` to the end of their time.

A commit has reached the disk when it returns (WAL, `synchronous=FULL`); whatever instant the process or the power dies,
a row is there or it is not.
"""

import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from edge_lfr.errors import OutboxError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.seal import Seal, new_key
from edge_lfr.governance.signed import Refusal

SCHEMA_VERSION: Final = 1
MAX_SEEN_IDS: Final = 100_000
"""Ids of signed messages that are remembered at most; 24 h of more than one a second."""

_SCHEMA: Final = """
CREATE TABLE rows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    state TEXT NOT NULL,
    expires_at REAL NOT NULL,
    wrapped_key BLOB NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (boot_id, seq)
);
CREATE INDEX rows_by_state ON rows (state);
CREATE INDEX rows_by_alert ON rows (alert_id);
CREATE TABLE seen (id TEXT PRIMARY KEY, expires_at REAL NOT NULL);
"""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRow:
    """A message to be stored."""

    alert_id: str
    kind: RowKind
    boot_id: str
    seq: int
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
    """Of these: nobody had acknowledged, or for a sighting, no broker had accepted."""


class RowFile:
    """The durable part of the outbox; any thread may call, one at a time gets through."""

    def __init__(self, path: Path, kek: KeyEncryptingKey, *, max_rows: int) -> None:
        """
        Open or create the file.

        Raises:
            OutboxError: It is damaged, of another version, or cannot be written.
        """
        self._path = path
        self._kek = kek
        self._max_rows = max_rows
        self._lock = threading.RLock()
        try:
            self._db = _open(path)
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
            OutboxError: The disk refuses, or the outbox is full.
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
        with self._transaction() as db:
            found = db.execute("SELECT id FROM rows WHERE boot_id = ? AND seq = ?", (row.boot_id, row.seq)).fetchone()
            if found is not None:
                return int(found[0])
            (count,) = db.execute("SELECT count(*) FROM rows").fetchone()
            if count >= self._max_rows:
                raise OutboxError(
                    f"the outbox is full: {count} rows",
                    remedy="restore the link to the broker, or raise `reporting.max_stored`",
                )
            cursor = db.execute(
                "INSERT INTO rows (alert_id, kind, boot_id, seq, state, expires_at, wrapped_key, sealed)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            return int(cursor.lastrowid or 0)

    def pending(self) -> tuple[PendingRow, ...]:
        """All rows that may still have to be sent, oldest first."""
        with self._reading() as db:
            found = db.execute(
                "SELECT id, alert_id, kind, state FROM rows"
                " WHERE state = 'stored' OR (state = 'accepted' AND kind != 'sighting') ORDER BY id"
            ).fetchall()
        return tuple(
            PendingRow(row_id, alert_id, RowKind(kind), RowState(state)) for row_id, alert_id, kind, state in found
        )

    def load(self, row_id: int) -> LoadedRow | None:
        """
        Open one row; None when it has been deleted.

        Raises:
            SealBrokenError: It does not open with this appliance's key.
        """
        with self._reading() as db:
            found = db.execute(
                "SELECT alert_id, kind, boot_id, seq, expires_at, wrapped_key, sealed FROM rows WHERE id = ?", (row_id,)
            ).fetchone()
        if found is None:
            return None
        alert_id, kind, boot_id, seq, expires_at, wrapped, sealed = found
        context = _context(alert_id, kind, boot_id, seq)
        message = Seal(self._kek.unwrap(wrapped, context=context)).open(sealed, context=context)
        return LoadedRow(row_id, alert_id, RowKind(kind), datetime.fromtimestamp(expires_at, UTC), message)

    def accept(self, row_id: int) -> None:
        """Mark as accepted by the broker; a row that has come further stays as it is."""
        with self._transaction() as db:
            db.execute("UPDATE rows SET state = 'accepted' WHERE id = ? AND state = 'stored'", (row_id,))

    def acknowledge(self, row_id: int) -> None:
        """Mark as acknowledged by the control room."""
        with self._transaction() as db:
            db.execute("UPDATE rows SET state = 'acknowledged' WHERE id = ?", (row_id,))

    def find(self, alert_id: str) -> PendingRow | None:
        """The alert's row (not its sightings'), at whatever state; None when there is none."""
        with self._reading() as db:
            found = db.execute(
                "SELECT id, kind, state FROM rows WHERE alert_id = ? AND kind != 'sighting'", (alert_id,)
            ).fetchone()
        return None if found is None else PendingRow(found[0], alert_id, RowKind(found[1]), RowState(found[2]))

    def purge(self, now: datetime) -> Purged:
        """Delete the rows whose time to live is over, and forget the ids of signed messages that have expired."""
        until = now.timestamp()
        with self._transaction() as db:
            (lost,) = db.execute(
                "SELECT count(*) FROM rows WHERE expires_at <= ? AND"
                " (state = 'stored' OR (state = 'accepted' AND kind != 'sighting'))",
                (until,),
            ).fetchone()
            deleted = db.execute("DELETE FROM rows WHERE expires_at <= ?", (until,)).rowcount
            db.execute("DELETE FROM seen WHERE expires_at <= ?", (until,))
        if deleted:
            with self._reading() as db:  # what was deleted must not stay behind in the log either
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Purged(deleted=deleted, lost=int(lost))

    def count_by_state(self, instead: Mapping[int, RowState]) -> dict[RowState, int]:
        """Rows by state; those in *instead* count there, because the disk did not take their new state."""
        with self._reading() as db:
            counts = dict.fromkeys(RowState, 0) | {
                RowState(state): count for state, count in db.execute("SELECT state, count(*) FROM rows GROUP BY state")
            }
            for row_id, state in instead.items():
                found = db.execute("SELECT state FROM rows WHERE id = ?", (row_id,)).fetchone()
                if found is not None:
                    counts[RowState(found[0])] -= 1
                    counts[state] += 1
        return counts

    def first_expiry(self, without: Collection[int]) -> datetime | None:
        """End of the time of the oldest row that no broker took; *without* those whose new state is not written."""
        with self._reading() as db:
            found = db.execute(
                "SELECT id, expires_at FROM rows WHERE state = 'stored' ORDER BY expires_at LIMIT ?",
                (len(without) + 1,),
            ).fetchall()
        ends = [expires_at for row_id, expires_at in found if row_id not in without]
        return datetime.fromtimestamp(ends[0], UTC) if ends else None

    def remember(self, message_id: str, expires_at: datetime) -> Refusal | None:
        """Keep the id of a signed message until it expires: `governance.signed.SeenIds`."""
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM seen WHERE id = ?", (message_id,)).fetchone() is not None:
                return Refusal.SEEN
            (count,) = db.execute("SELECT count(*) FROM seen").fetchone()
            if count >= MAX_SEEN_IDS:
                return Refusal.MEMORY_FULL
            db.execute("INSERT INTO seen (id, expires_at) VALUES (?, ?)", (message_id, expires_at.timestamp()))
            return None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # a full disk has rolled back already
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise OutboxError(f"{self._path}: {error}") from error


def _context(alert_id: str, kind: str, boot_id: str, seq: int) -> str:
    return f"outbox:{alert_id}:{kind}:{boot_id}:{seq}"


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # the -wal and -shm files take its mode
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA trusted_schema = OFF")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
        elif version != SCHEMA_VERSION:
            message = f"version {version}, expected {SCHEMA_VERSION}"
            raise sqlite3.DatabaseError(message)
        (health,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if health != "ok":
            raise sqlite3.DatabaseError(health)
    except sqlite3.Error:
        db.close()
        raise
    return db
