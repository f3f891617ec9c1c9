"""The outbox: kept until acknowledged or expired, sealed, bounded."""

import errno
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from edge_lfr.clock import SystemClock
from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.errors import OutboxError, SealBrokenError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.signed import Refusal
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.outbox import MAX_SPOOLED, Outbox
from edge_lfr.pipeline.reporting.rows import NewRow, Purged, RowKind, RowState
from simulators.clock import StoppedClock

CONFIG = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}, "max_stored": 100})
SECRET = b"nobody may read this in the file"

Open = Callable[[], Outbox]


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def open_outbox(path: Path, clock: StoppedClock) -> Iterator[Open]:
    opened: list[Outbox] = []

    def open_one() -> Outbox:
        opened.append(Outbox(path, KeyEncryptingKey.load(path.parent, create=True), CONFIG, clock))
        return opened[-1]

    yield open_one
    for outbox in opened:
        outbox.close()


def put(outbox: Outbox, clock: StoppedClock, alert_id: str, kind: RowKind = RowKind.ALERT, ttl_s: float = 60.0) -> int:
    return outbox.store(
        SECRET,
        alert_id=alert_id,
        kind=kind,
        seq=outbox.next_seq(),
        expires_at=clock.utc_now() + timedelta(seconds=ttl_s),
        arrived_ns=7,
    )


def refuse_writes(outbox: Outbox, *, is_refusing: bool) -> None:
    """A real refusal of the real file, as a full disk gives it."""
    outbox._file._db.execute(f"PRAGMA query_only = {int(is_refusing)}")


def test_a_row_goes_its_way_and_is_deleted_at_its_time(open_outbox: Open, clock: StoppedClock) -> None:
    """Stored, accepted, acknowledged, and kept until its time is over, not before."""
    outbox = open_outbox()
    row_id = put(outbox, clock, "a")
    assert RowState.STORED is outbox.state_of("a")
    assert 7 == outbox.mark_accepted(row_id)
    assert outbox.mark_accepted(row_id) is None
    assert RowState.ACCEPTED is outbox.state_of("a")
    assert outbox.acknowledge("a")
    assert () == outbox.pending()
    clock.advance(59)
    assert Purged(deleted=0, lost=0) == outbox.purge(believing(clock))
    assert RowState.ACKNOWLEDGED is outbox.state_of("a")
    clock.advance(1)
    assert Purged(deleted=1, lost=0) == outbox.purge(believing(clock))
    assert outbox.state_of("a") is None


@pytest.mark.parametrize(
    ("kind", "is_accepted", "lost"),
    [
        (RowKind.ALERT, False, 1),
        (RowKind.ALERT, True, 1),
        (RowKind.SIGHTING, False, 1),
        (RowKind.SIGHTING, True, 0),
    ],
)
def test_what_expires_unacknowledged_is_a_counted_loss(
    open_outbox: Open, clock: StoppedClock, kind: RowKind, lost: int, *, is_accepted: bool
) -> None:
    """An alert needs the control room's word; a sighting the broker's."""
    outbox = open_outbox()
    row_id = put(outbox, clock, "a", kind)
    if is_accepted:
        outbox.mark_accepted(row_id)
    clock.advance(60)
    assert Purged(deleted=1, lost=lost) == outbox.purge(believing(clock))
    assert lost == outbox.counts().lost


def test_an_acknowledgement_is_of_the_alert_and_not_of_its_sightings(open_outbox: Open, clock: StoppedClock) -> None:
    """A sighting that was not sent yet still goes."""
    outbox = open_outbox()
    put(outbox, clock, "a")
    sighting = put(outbox, clock, "a", RowKind.SIGHTING)
    assert outbox.acknowledge("a")
    assert [sighting] == [row.row_id for row in outbox.pending()]


def test_an_unknown_alert_cannot_be_acknowledged(open_outbox: Open) -> None:
    """Nothing is invented."""
    assert not open_outbox().acknowledge("a")


def test_rows_survive_the_process(open_outbox: Open, clock: StoppedClock) -> None:
    """Another run finds them under their old numbers and counts its own anew."""
    first = open_outbox()
    put(first, clock, "a")
    first.close()
    second = open_outbox()
    assert first.boot_id != second.boot_id
    (pending,) = second.pending()
    row = second.load(pending.row_id)
    assert row is not None
    assert SECRET == row.message
    assert 0 == second.last_seq


def test_nothing_can_be_read_from_the_files(open_outbox: Open, clock: StoppedClock, path: Path) -> None:
    """Sealed under a wrapped key of its own, in files of mode 0600, also in the write-ahead log."""
    outbox = open_outbox()
    put(outbox, clock, "a")
    for file in path.parent.glob("outbox.sqlite*"):
        assert SECRET not in file.read_bytes()
        assert 0o600 == stat.S_IMODE(file.stat().st_mode)


def test_deleted_rows_leave_no_bytes(open_outbox: Open, clock: StoppedClock, path: Path) -> None:
    """The sealed bytes and the wrapped key are overwritten, in the log too."""
    outbox = open_outbox()
    put(outbox, clock, "a")
    wrapped, sealed = outbox._file._db.execute("SELECT wrapped_key, sealed FROM rows").fetchone()
    files = list(path.parent.glob("outbox.sqlite*"))
    assert any(sealed in file.read_bytes() for file in files)
    clock.advance(60)
    outbox.purge(believing(clock))
    assert not any(part in file.read_bytes() for file in files for part in (wrapped, sealed))


def test_a_row_moved_to_another_alert_does_not_open(open_outbox: Open, clock: StoppedClock) -> None:
    """The seal holds the alert id, kind and number to the message."""
    outbox = open_outbox()
    row_id = put(outbox, clock, "a")
    outbox._file._db.execute("UPDATE rows SET alert_id = 'b'")
    with pytest.raises(SealBrokenError):
        outbox.load(row_id)


def test_a_damaged_file_is_an_error_at_start(open_outbox: Open, clock: StoppedClock, path: Path) -> None:
    """Alerts are never dropped in silence: the operator decides about a broken file."""
    outbox = open_outbox()
    for number in range(20):
        put(outbox, clock, f"a{number}")
    outbox.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096))
    with pytest.raises(OutboxError, match="cannot be opened") as caught:
        open_outbox()
    assert "move" in caught.value.advice


@pytest.mark.parametrize("content", [b"not a database" * 100, b""])
def test_a_file_that_is_no_outbox(open_outbox: Open, path: Path, content: bytes) -> None:
    """An empty file becomes an outbox; anything else is an error."""
    path.write_bytes(content)
    if not content:
        assert () == open_outbox().pending()
        return
    with pytest.raises(OutboxError):
        open_outbox()


def test_a_file_of_another_version_is_an_error(open_outbox: Open, path: Path) -> None:
    """A newer program's rows are not guessed at."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(OutboxError, match="version 99"):
        open_outbox()


def test_a_refusing_disk_loses_nothing_while_the_process_lives(open_outbox: Open, clock: StoppedClock) -> None:
    """Rows wait in memory, can be sent from there, and go to the disk with their states when it takes them."""
    outbox = open_outbox()
    on_disk = put(outbox, clock, "disk")
    refuse_writes(outbox, is_refusing=True)
    spooled = [put(outbox, clock, alert_id) for alert_id in ("a", "b", "c")]
    assert all(row_id < 0 for row_id in spooled)
    assert 3 == outbox.counts().spooled
    assert [on_disk, *spooled] == [row.row_id for row in outbox.pending()]
    row = outbox.load(spooled[0])
    assert row is not None
    assert SECRET == row.message
    assert 7 == outbox.mark_accepted(spooled[0])
    assert outbox.acknowledge("b")
    assert 7 == outbox.mark_accepted(on_disk)
    assert not outbox.flush()
    assert RowState.ACCEPTED is outbox.pending()[0].state
    refuse_writes(outbox, is_refusing=False)
    assert outbox.flush()
    outbox.close()
    again = open_outbox()
    states = {alert_id: again.state_of(alert_id) for alert_id in ("disk", "a", "b", "c")}
    assert {
        "disk": RowState.ACCEPTED,
        "a": RowState.ACCEPTED,
        "b": RowState.ACKNOWLEDGED,
        "c": RowState.STORED,
    } == states


def test_an_answer_to_a_row_that_has_moved_finds_it(open_outbox: Open, clock: StoppedClock) -> None:
    """A row sent from memory and written meanwhile is accepted under its old number."""
    outbox = open_outbox()
    refuse_writes(outbox, is_refusing=True)
    spooled = put(outbox, clock, "a")
    refuse_writes(outbox, is_refusing=False)
    outbox.flush()
    assert 7 == outbox.mark_accepted(spooled)
    assert RowState.ACCEPTED is outbox.state_of("a")


def test_memory_is_bounded_too(open_outbox: Open, clock: StoppedClock) -> None:
    """The last resort ends loudly."""
    outbox = open_outbox()
    refuse_writes(outbox, is_refusing=True)
    for number in range(MAX_SPOOLED):
        put(outbox, clock, f"a{number}")
    with pytest.raises(OutboxError):
        put(outbox, clock, "one too many")
    assert (MAX_SPOOLED, 1, 1) == (outbox.counts().spooled, outbox.counts().lost, outbox.lost)
    refuse_writes(outbox, is_refusing=False)


def test_the_bound_on_rows_is_loud(open_outbox: Open, clock: StoppedClock) -> None:
    """Over `max_stored` rows wait in memory, and the next expiry makes room."""
    outbox = open_outbox()
    for number in range(CONFIG.max_stored):
        put(outbox, clock, f"a{number}", ttl_s=10)
    assert put(outbox, clock, "over") < 0
    assert not outbox.flush()
    clock.advance(10)
    outbox.purge(believing(clock))
    assert outbox.flush()
    assert RowState.STORED is outbox.state_of("over")


def test_a_signed_id_is_remembered_until_it_expires(open_outbox: Open, clock: StoppedClock) -> None:
    """Also by the next run, and also while the disk refuses."""
    expires_at = clock.utc_now() + timedelta(seconds=60)
    first = open_outbox()
    assert first.remember("x", expires_at) is None
    first.close()
    outbox = open_outbox()
    assert Refusal.SEEN is outbox.remember("x", expires_at)
    refuse_writes(outbox, is_refusing=True)
    assert outbox.remember("y", expires_at) is None
    assert Refusal.SEEN is outbox.remember("y", expires_at)
    refuse_writes(outbox, is_refusing=False)
    outbox.flush()
    assert Refusal.SEEN is outbox.remember("y", expires_at)
    clock.advance(60)
    outbox.purge(believing(clock))
    assert outbox.remember("x", expires_at) is None


def test_the_listener_hears_of_every_row(open_outbox: Open, clock: StoppedClock) -> None:
    """Sending is an event, not a poll."""
    outbox = open_outbox()
    heard: list[int] = []
    outbox.on_stored(lambda: heard.append(len(outbox.pending())))
    put(outbox, clock, "a")
    put(outbox, clock, "b")
    assert [1, 2] == heard


def test_an_alert_is_kept_before_anything_is_said_about_it(open_outbox: Open, clock: StoppedClock) -> None:
    """A logger that fails comes too late to lose it."""
    outbox = open_outbox()
    refuse_writes(outbox, is_refusing=True)

    def fail(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    structlog.configure(processors=[fail])
    try:
        with pytest.raises(OSError, match="No space"):
            put(outbox, clock, "a")
    finally:
        structlog.reset_defaults()
        refuse_writes(outbox, is_refusing=False)
    assert RowState.STORED is outbox.state_of("a")


def test_what_the_disk_took_is_what_counts(open_outbox: Open, clock: StoppedClock) -> None:
    """An acceptance that the disk refused hides no acknowledgement that it took."""
    outbox = open_outbox()
    row_id = put(outbox, clock, "a")
    refuse_writes(outbox, is_refusing=True)
    outbox.mark_accepted(row_id)
    refuse_writes(outbox, is_refusing=False)
    assert RowState.ACCEPTED is outbox.state_of("a")
    assert outbox.acknowledge("a")
    assert RowState.ACKNOWLEDGED is outbox.state_of("a")
    assert () == outbox.pending()
    assert 1 == outbox.counts().acknowledged


def test_nothing_is_remembered_of_what_has_expired(open_outbox: Open, clock: StoppedClock) -> None:
    """Arrivals are for rows that may still be accepted: a year without a broker costs no memory."""
    outbox = open_outbox()
    put(outbox, clock, "a", ttl_s=10)
    refuse_writes(outbox, is_refusing=True)
    put(outbox, clock, "b", ttl_s=10)
    refuse_writes(outbox, is_refusing=False)
    outbox.flush()
    kept = put(outbox, clock, "c")
    clock.advance(10)
    assert Purged(deleted=2, lost=2) == outbox.purge(believing(clock))
    assert ({kept: 7}, {}) == (outbox._arrivals, outbox._moved)


def test_the_oldest_message_that_waits_has_an_age(open_outbox: Open, clock: StoppedClock) -> None:
    """The age is that of the oldest row that no broker took, on disk or in memory; without one there is none."""
    outbox = open_outbox()
    assert outbox.oldest_age_s() is None
    first = put(outbox, clock, "first", ttl_s=600.0)
    clock.advance(5.0)
    refuse_writes(outbox, is_refusing=True)
    put(outbox, clock, "second", ttl_s=60.0)  # another period: an age is of what passed, not of what is left
    clock.advance(2.0)
    assert 7.0 == outbox.oldest_age_s()
    outbox.mark_accepted(first)  # which the disk does not take
    assert 2.0 == outbox.oldest_age_s()
    refuse_writes(outbox, is_refusing=False)


def test_a_slow_disk_keeps_nobody_waiting_for_all_of_its_rows(path: Path) -> None:
    """Others get at the outbox between two rows that are brought to the disk."""
    clock = SystemClock()
    outbox = Outbox(path, KeyEncryptingKey.load(path.parent, create=True), CONFIG, clock)
    refuse_writes(outbox, is_refusing=True)
    for number in range(20):
        outbox.store(
            SECRET,
            alert_id=f"a{number}",
            kind=RowKind.ALERT,
            seq=outbox.next_seq(),
            expires_at=clock.utc_now() + timedelta(hours=1),
        )
    refuse_writes(outbox, is_refusing=False)
    insert, inserted, has_begun, was_let_in = outbox._file.insert, [], threading.Event(), threading.Event()

    def slow_insert(row: NewRow, state: RowState = RowState.STORED) -> int:
        has_begun.set()
        inserted.append(row.alert_id)
        if len(inserted) == 20:
            assert was_let_in.wait(10), "nobody was let in before the last row"
        else:
            was_let_in.wait(0.005)
        return insert(row, state)

    def ask() -> None:
        has_begun.wait(10)
        outbox.next_seq()
        was_let_in.set()

    outbox._file.insert = slow_insert  # type: ignore[method-assign]
    other = threading.Thread(target=ask)
    other.start()
    assert outbox.flush()
    other.join()
    assert (0, 20) == (outbox.spooled, outbox.counts().stored)
    outbox.close()


def test_the_latest_counts_are_had_without_waiting(open_outbox: Open, clock: StoppedClock) -> None:
    """Whoever feeds the watchdog knows how many wait while another thread is at the disk, and that it is unreadable."""
    outbox = open_outbox()
    put(outbox, clock, "a")
    counts = outbox.counts()
    is_held, may_go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with outbox._changed, outbox._file._lock:
            is_held.set()
            may_go_on.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait(10)
    assert (counts, 0) == (outbox.latest_counts, outbox.spooled)
    may_go_on.set()
    holder.join()
    outbox._file.close()
    with pytest.raises(OutboxError):
        outbox.counts()
    assert outbox.latest_counts is None


def test_a_log_that_cannot_be_cut_costs_no_patience(open_outbox: Open) -> None:
    """Whoever stores next waits for a command's change as long as ever, and not a tenth of a second."""
    outbox = open_outbox()
    db = outbox._file._db
    (patience_ms,) = db.execute("PRAGMA busy_timeout").fetchone()
    db.execute("BEGIN IMMEDIATE")
    assert not outbox._file.cut_log()
    db.execute("ROLLBACK")
    assert (patience_ms,) == db.execute("PRAGMA busy_timeout").fetchone()
    assert outbox._file.cut_log()
