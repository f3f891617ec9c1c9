"""What was purged is nowhere in the folder: searched for by fragments that were taken before, as after a wipe."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.holds import HoldReason
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.rows import RowKind
from simulators.clock import StoppedClock

CONFIG = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})

FRAGMENT_BYTES = 16
TTL_S = 60.0
KEPT_S = 600.0
PLANTED = 8
MESSAGE_BYTES = 60_000
"""A message with two pictures: many pages of the file, and a rest in a last one."""

DELETE_AND_DIE = """
import os, sys
from pathlib import Path
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.pipeline.reporting.rows import RowFile

path = Path(sys.argv[1])
file = RowFile(path, KeyEncryptingKey.load(path.parent), max_rows=100)
with file.transaction() as db:
    db.execute("DELETE FROM rows WHERE expires_at <= ?", (float(sys.argv[2]),))
os._exit(9)
"""
"""A purge that is killed after its rows have gone and before the log is cut."""


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mode's state folder."""
    folder = tmp_path / "training"
    folder.mkdir()
    return folder


@pytest.fixture
def outbox(folder: Path, clock: StoppedClock) -> Iterator[Outbox]:
    """Alerts and a sighting whose time is over in a minute, in turn with alerts that stay."""
    outbox = Outbox(folder / FILE_NAME, KeyEncryptingKey.load(folder, create=True), CONFIG, clock)
    for number in range(PLANTED):
        store(outbox, clock, f"kept-{number}", KEPT_S)
        store(outbox, clock, f"gone-{number}", TTL_S)
    store(outbox, clock, "gone-0", TTL_S, RowKind.SIGHTING)
    yield outbox
    outbox.close()


def store(outbox: Outbox, clock: StoppedClock, alert_id: str, ttl_s: float, kind: RowKind = RowKind.ALERT) -> None:
    expires_at = clock.utc_now() + timedelta(seconds=ttl_s)
    message = os.urandom(MESSAGE_BYTES)
    assert outbox.store(message, alert_id=alert_id, kind=kind, seq=outbox.next_seq(), expires_at=expires_at) > 0


def pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content) - FRAGMENT_BYTES + 1, FRAGMENT_BYTES):
        yield content[start : start + FRAGMENT_BYTES]


def fragments(outbox: Outbox, alerts: str) -> frozenset[bytes]:
    """Of the sealed messages and wrapped keys of the alerts whose id begins so, as they lie in the file."""
    rows = outbox._file._db.execute("SELECT sealed, wrapped_key FROM rows WHERE alert_id GLOB ?", (alerts,)).fetchall()
    notes = outbox._file._db.execute("SELECT sealed_note, wrapped_key FROM holds WHERE alert_id GLOB ?", (alerts,))
    return frozenset(piece for row in (*rows, *notes.fetchall()) for part in row for piece in pieces(part))


def key_fragments(outbox: Outbox) -> frozenset[bytes]:
    """Of the wrapped keys alone: without them the messages are noise."""
    rows = outbox._file._db.execute("SELECT wrapped_key FROM rows WHERE alert_id GLOB 'gone-*'")
    return frozenset(piece for (key,) in rows for piece in pieces(key))


def search(folder: Path, needles: frozenset[bytes]) -> dict[str, int]:
    """How many of the fragments lie in which file of the folder, at whatever place."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        ends = range(FRAGMENT_BYTES, len(content) + 1)
        hits = {content[end - FRAGMENT_BYTES : end] for end in ends} & needles
        if hits:
            found[path.name] = len(hits)
    return found


def test_no_fragment_of_a_purged_alert_is_left(folder: Path, outbox: Outbox, clock: StoppedClock) -> None:
    """Neither of its sealed message nor of its wrapped key, in file, log, shared memory or folder; the rest stays."""
    gone, kept = fragments(outbox, "gone-*"), fragments(outbox, "kept-*")
    assert len(gone) > PLANTED * MESSAGE_BYTES / FRAGMENT_BYTES
    assert sum(search(folder, gone).values()) > 0.99 * len(gone)  # a page's border cuts some
    assert sum(search(folder, key_fragments(outbox)).values()) >= 3 * (PLANTED + 1)
    clock.advance(TTL_S)
    purged = outbox.purge(believing(clock))
    assert (PLANTED + 1, True) == (purged.deleted, purged.is_clean)
    assert {} == search(folder, gone)
    assert len(kept) > 0.99 * PLANTED * MESSAGE_BYTES / FRAGMENT_BYTES
    assert sum(search(folder, kept).values()) > 0.9 * len(kept)
    assert PLANTED == len(outbox.pending())


def test_without_overwriting_the_search_finds_them(folder: Path, outbox: Outbox, clock: StoppedClock) -> None:
    """The positive control: the same purge with freed pages left as they are."""
    gone, keys = fragments(outbox, "gone-*"), key_fragments(outbox)
    outbox._file._db.execute("PRAGMA secure_delete = OFF")
    clock.advance(TTL_S)
    outbox.purge(believing(clock))
    assert search(folder, gone)[FILE_NAME] > len(gone) / 2
    assert search(folder, keys)[FILE_NAME] > 0


def test_without_cutting_the_log_the_search_finds_them(folder: Path, outbox: Outbox, clock: StoppedClock) -> None:
    """The other control: a reader keeps the log, the purge says so, and the next one, with nothing to do, cuts it."""
    gone, keys = fragments(outbox, "gone-*"), key_fragments(outbox)
    reader = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM rows").fetchone()
    clock.advance(TTL_S)
    assert not outbox.purge(believing(clock)).is_clean
    assert search(folder, gone)[f"{FILE_NAME}-wal"] > len(gone) / 2
    assert search(folder, keys)[f"{FILE_NAME}-wal"] > len(keys) / 2
    reader.execute("COMMIT")
    reader.close()
    purged = outbox.purge(believing(clock))
    assert (0, True) == (purged.deleted, purged.is_clean)
    assert {} == search(folder, gone)


def test_a_purge_that_was_killed_is_finished(folder: Path, outbox: Outbox, clock: StoppedClock) -> None:
    """The rows had gone and the log was still there: the first purge of the next process cuts it."""
    gone = fragments(outbox, "gone-*")
    outbox.close()
    until = str((clock.utc_now() + timedelta(seconds=TTL_S)).timestamp())
    command = [sys.executable, "-c", DELETE_AND_DIE, str(folder / FILE_NAME), until]
    assert 9 == subprocess.run(command, timeout=60, check=False).returncode
    clock.advance(TTL_S)
    again = Outbox(folder / FILE_NAME, KeyEncryptingKey.load(folder), CONFIG, clock)
    assert 0 == again.purge(believing(clock)).deleted
    assert {} == search(folder, gone)
    again.close()


def test_a_released_alert_goes_with_its_note(folder: Path, outbox: Outbox, clock: StoppedClock) -> None:
    """Held past its time it is there; released and purged, neither it nor the note and its key can be found."""
    outbox.holds.place("gone-3", HoldReason.COMPLAINT, note="complaint 17/4 " * 20, held_by=0, at=clock.utc_now())
    held = fragments(outbox, "gone-3")
    clock.advance(TTL_S)
    outbox.purge(believing(clock))
    assert sum(search(folder, held).values()) > len(held) / 2
    outbox.holds.release("gone-3", by=Actor.of_uid(0), at=clock.utc_now())
    outbox.purge(believing(clock))
    assert {} == search(folder, held)
