"""
The form of the outbox's file: opened, made where there is none, and brought up to date in place.

An update never costs an alert: whatever instant it is interrupted at, the file has the old form whole or the new one.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

SCHEMA_VERSION: Final = 4

WAIT_S: Final = 5.0
"""For a command that holds a legal hold's lock beside the daemon, or the daemon's own commit; chosen, not measured."""

_ROWS: Final = """
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
)
"""

_ENDS: Final = "CREATE INDEX rows_by_end ON rows (expires_at)"
"""A purge looks every second, and mostly in vain."""

_TIMES: Final = """
CREATE TABLE times (
    row_id INTEGER PRIMARY KEY,
    stored_at REAL NOT NULL,
    is_over INTEGER NOT NULL DEFAULT 0
)
"""
"""Beside the rows: a column behind a message of 100 kB is read, and written, with the whole message."""

_HOLDS: Final = """
CREATE TABLE holds (
    alert_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    held_by INTEGER NOT NULL,
    held_at REAL NOT NULL,
    wrapped_key BLOB NOT NULL,
    sealed_note BLOB NOT NULL,
    PRIMARY KEY (alert_id, reason)
)
"""

_DEEDS: Final = """
CREATE TABLE deeds (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    event TEXT NOT NULL,
    who TEXT NOT NULL,
    facts TEXT NOT NULL,
    at REAL NOT NULL
)
"""
"""What was done to alerts, until the ledger has its line."""

OPEN: Final = "(state = 'stored' OR (state = 'accepted' AND kind != 'sighting'))"
"""Of a row that somebody still has to take; `rows.is_open`, as the file says it."""

DONE: Final = "(state = 'acknowledged' OR (state = 'accepted' AND kind = 'sighting'))"
"""Every other row."""

_ROOM: Final = (
    f"CREATE INDEX rows_open ON rows (id, kind, state) WHERE {OPEN}",
    f"CREATE INDEX rows_done ON rows (id, kind, state, alert_id) WHERE {DONE}",
    "CREATE INDEX times_over ON times (row_id) WHERE is_over = 1",
)
"""Whoever stores an alert counts what is there, and must not read messages for it."""

_STEPS: Final[dict[int, tuple[str, ...]]] = {
    0: (
        _ROWS,
        "CREATE INDEX rows_by_state ON rows (state)",
        "CREATE INDEX rows_by_alert ON rows (alert_id)",
        _ENDS,
        "CREATE TABLE seen (id TEXT PRIMARY KEY, expires_at REAL NOT NULL)",
        _TIMES,
        _HOLDS,
        _DEEDS,
        *_ROOM,
    ),
    1: (
        _ENDS,
        _TIMES,
        # Version 1 did not keep when a row came. Its default period was a day; only an age in the health rests on it.
        "INSERT INTO times (row_id, stored_at) SELECT id, expires_at - 86400.0 FROM rows",
        _HOLDS,
        _DEEDS,
        *_ROOM,
    ),
    2: (_DEEDS, *_ROOM),
    3: (
        _DEEDS,
        # Version 3 kept the lost alone, and not since when: so late a line comes at least.
        (
            "INSERT INTO deeds (id, event, who, facts, at)"
            " SELECT lower(hex(randomblob(16))), 'alert-expired-unacknowledged', '{\"part\": \"daemon\"}',"
            " json_object('alert', alert_id), (julianday('now') - 2440587.5) * 86400.0 FROM lost ORDER BY rowid"
        ),
        "DROP TABLE lost",
        *_ROOM,
    ),
}
"""What leads to the present version, by the version that is found; 0 is an empty file."""


def open_file(path: Path) -> sqlite3.Connection:
    """
    Open the file, or create it, in the present form.

    Raises:
        sqlite3.Error: It is damaged, of a version that is not known, or cannot be written; nothing has changed then.
        OSError: It cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # the -wal and -shm files take its mode
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=WAIT_S)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA trusted_schema = OFF")
        if _version(db) != SCHEMA_VERSION:
            _bring_up_to_date(db)
        (health,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if health != "ok":
            raise sqlite3.DatabaseError(health)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _steps_from(version: int) -> tuple[str, ...]:
    if version not in _STEPS:
        message = f"version {version}, expected {SCHEMA_VERSION}"
        raise sqlite3.DatabaseError(message)
    return _STEPS[version]


def _bring_up_to_date(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        version = _version(db)  # again: another process may have done it while this one waited
        if version != SCHEMA_VERSION:
            for statement in _steps_from(version):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk has rolled back already
            db.execute("ROLLBACK")
        raise
