"""The outbox's file of an older program: brought up to date in place, without losing an alert."""

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.errors import OutboxError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.events import LedgerEvent, check_facts
from edge_lfr.governance.seal import Seal, new_key
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.holds import HoldReason
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.row_schema import SCHEMA_VERSION
from edge_lfr.pipeline.reporting.rows import Purged, RowState
from simulators.clock import StoppedClock

CONFIG = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})

VERSION_1 = """
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
PRAGMA user_version = 1;
"""
"""As the program wrote it whose files are out there; never to be changed."""

VERSION_3 = """
DROP TABLE deeds;
CREATE TABLE lost (alert_id TEXT PRIMARY KEY);
PRAGMA user_version = 3;
"""
"""What the one before had instead; never to be changed either."""

OPEN = """
import sys
from pathlib import Path
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.pipeline.reporting.rows import RowFile

path = Path(sys.argv[1])
file = RowFile(path, KeyEncryptingKey.load(path.parent), max_rows=100)
print(len(file.pending()))
file.close()
"""


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def path(tmp_path: Path, clock: StoppedClock) -> Path:
    """A file of version 1 with three rows: a stored alert, an accepted sighting of it, an acknowledged alert."""
    path = tmp_path / "outbox.sqlite"
    kek = KeyEncryptingKey.load(tmp_path, create=True)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(VERSION_1)
    expires_at = (clock.utc_now() + timedelta(hours=23)).timestamp()
    rows = (("a", "alert", 1, "stored"), ("a", "sighting", 2, "accepted"), ("b", "alert", 3, "acknowledged"))
    for alert_id, kind, seq, state in rows:
        key, context = new_key(), f"outbox:{alert_id}:{kind}:boot:{seq}"
        db.execute(
            "INSERT INTO rows (alert_id, kind, boot_id, seq, state, expires_at, wrapped_key, sealed)"
            " VALUES (?, ?, 'boot', ?, ?, ?, ?, ?)",
            (
                alert_id,
                kind,
                seq,
                state,
                expires_at,
                kek.wrap(key, context=context),
                Seal(key).seal(f"message {seq}".encode() * 5_000, context=context),
            ),
        )
    db.execute("INSERT INTO seen VALUES ('x', ?)", (expires_at,))
    db.close()
    return path


def version_of(path: Path) -> int:
    db = sqlite3.connect(path)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    db.close()
    return int(version)


def test_an_update_loses_no_alert(path: Path, clock: StoppedClock) -> None:
    """Rows open, wait and have come as far as before; they can be held, and end at their time."""
    outbox = Outbox(path, KeyEncryptingKey.load(path.parent), CONFIG, clock)
    assert SCHEMA_VERSION == version_of(path)
    (pending,) = outbox.pending()
    row = outbox.load(pending.row_id)
    assert row is not None
    assert b"message 1" * 5_000 == row.message
    assert (RowState.STORED, RowState.ACKNOWLEDGED) == (outbox.state_of("a"), outbox.state_of("b"))
    assert (1, 1, 1) == (outbox.counts().stored, outbox.counts().accepted, outbox.counts().acknowledged)
    assert 3600.0 == outbox.oldest_age_s()
    assert outbox.remember("x", datetime.now(UTC)) is not None
    outbox.holds.place("a", HoldReason.EVIDENCE, note="case 7", held_by=0, at=clock.utc_now())
    clock.advance(23 * 3600)
    assert Purged(deleted=1, lost=1, held=2) == outbox.purge(believing(clock))
    outbox.close()


def test_an_update_that_breaks_off_leaves_the_old_file(path: Path, clock: StoppedClock) -> None:
    """The last step fails: nothing of the ones before it is there, and the next program can try again."""
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE holds (in_the_way)")
    db.close()
    with pytest.raises(OutboxError, match="holds"):
        Outbox(path, KeyEncryptingKey.load(path.parent), CONFIG, clock)
    assert 1 == version_of(path)
    db = sqlite3.connect(path)
    assert [] == db.execute("SELECT name FROM sqlite_schema WHERE name = 'times'").fetchall()
    db.execute("DROP TABLE holds")
    db.close()
    outbox = Outbox(path, KeyEncryptingKey.load(path.parent), CONFIG, clock)
    assert 1 == len(outbox.pending())
    outbox.close()


def test_processes_that_update_at_once_agree(path: Path) -> None:
    """The daemon and a command may meet the old file together: one brings it up to date, the others find it so."""
    command = [sys.executable, "-c", OPEN, str(path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ends = [process.communicate(timeout=60) for process in processes]
    assert ["1\n"] * 3 == [out for out, _ in ends], ends


def test_a_new_file_and_an_updated_one_have_the_same_form(path: Path, tmp_path: Path, clock: StoppedClock) -> None:
    """One form to reason about, whichever way it came to be."""
    kek = KeyEncryptingKey.load(path.parent)
    forms = []
    for file in (path, tmp_path / "new.sqlite"):
        Outbox(file, kek, CONFIG, clock).close()
        db = sqlite3.connect(file)
        forms.append(sorted(db.execute("SELECT type, name, sql FROM sqlite_schema")))
        db.close()
    assert forms[0] == forms[1]


def test_losses_of_version_3_are_deeds(tmp_path: Path, clock: StoppedClock) -> None:
    """An alert that was lost before the update, and has no line yet, still gets it; nothing else tells of it."""
    alert_id = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    kek = KeyEncryptingKey.load(tmp_path, create=True)
    forms = []
    for file in (tmp_path / "old.sqlite", tmp_path / "new.sqlite"):
        Outbox(file, kek, CONFIG, clock).close()
    db = sqlite3.connect(tmp_path / "old.sqlite", isolation_level=None)
    for index in ("rows_open", "rows_done", "times_over"):
        db.execute(f"DROP INDEX {index}")
    db.executescript(VERSION_3)
    db.execute("INSERT INTO lost VALUES (?)", (alert_id,))
    db.close()
    before = datetime.now(UTC)
    outbox = Outbox(tmp_path / "old.sqlite", kek, CONFIG, clock)
    (deed,) = outbox.deeds.untold()
    assert (LedgerEvent.ALERT_EXPIRED_UNACKNOWLEDGED, {"alert": alert_id}) == (deed.event, deed.facts)
    assert abs((deed.at - before).total_seconds()) < 60
    check_facts(deed.event, deed.line_facts(deed.at, late_from_s=1.0))
    outbox.close()
    for name in ("old.sqlite", "new.sqlite"):
        db = sqlite3.connect(tmp_path / name)
        forms.append(sorted(db.execute("SELECT type, name, sql FROM sqlite_schema")))
        db.close()
    assert forms[0] == forms[1]
