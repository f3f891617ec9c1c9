"""Legal holds: an alert stays past its time for a reason, and for no longer than the reason."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.errors import HoldError, OutboxError
from edge_lfr.governance.keys import KeyEncryptingKey, KeyOrigin
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.governance.seal import Seal, new_key
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.holds import MAX_NOTE_CHARACTERS, HoldReason, Holds
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.rows import Purged, RowFile, RowKind, RowState
from simulators.clock import StoppedClock

CONFIG = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}, "max_stored": 100})
NOTE = "complaint 17/4"
TTL_S = 60.0
ROOT = Actor.of_uid(0)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def outbox(tmp_path: Path, clock: StoppedClock) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox.sqlite", KeyEncryptingKey.load(tmp_path, create=True), CONFIG, clock)
    yield outbox
    outbox.close()


@pytest.fixture
def beside(tmp_path: Path, outbox: Outbox) -> Iterator[Holds]:
    """As a command has it that works beside the daemon."""
    assert outbox.counts().lost == 0
    kek = KeyEncryptingKey.load(tmp_path)
    file = RowFile(tmp_path / "outbox.sqlite", kek, max_rows=CONFIG.max_stored)
    yield Holds(file, kek)
    file.close()


@pytest.fixture
def put(outbox: Outbox, clock: StoppedClock) -> Callable[[str, RowKind], int]:
    def put(alert_id: str, kind: RowKind = RowKind.ALERT) -> int:
        return outbox.store(
            b"message",
            alert_id=alert_id,
            kind=kind,
            seq=outbox.next_seq(),
            expires_at=clock.utc_now() + timedelta(seconds=TTL_S),
            arrived_ns=7,
        )

    return put


Put = Callable[..., int]


def hold(holds: Holds, clock: StoppedClock, alert_id: str, reason: HoldReason = HoldReason.EVIDENCE) -> None:
    holds.place(alert_id, reason, note=NOTE, held_by=1000, at=clock.utc_now())


def test_a_held_alert_stays_with_its_sightings(outbox: Outbox, clock: StoppedClock, put: Put) -> None:
    """Past its time it is still there, sealed and openable; what nobody holds goes."""
    held = [put("a"), put("a", RowKind.SIGHTING)]
    put("b")
    hold(outbox.holds, clock, "a")
    clock.advance(TTL_S)
    assert Purged(deleted=1, lost=3, held=2) == outbox.purge(believing(clock))
    for row_id in held:
        row = outbox.load(row_id)
        assert row is not None
        assert b"message" == row.message
    assert outbox.state_of("b") is None


def test_a_held_alert_is_lost_once(outbox: Outbox, clock: StoppedClock, put: Put) -> None:
    """Nobody had acknowledged it in its time: counted at its end, neither again later nor when it is released."""
    put("a")
    hold(outbox.holds, clock, "a")
    clock.advance(TTL_S)
    outbox.purge(believing(clock))
    assert Purged(deleted=0, lost=0) == outbox.purge(believing(clock))
    outbox.holds.release("a", by=ROOT, at=clock.utc_now())
    assert Purged(deleted=1, lost=0) == outbox.purge(believing(clock))
    assert 1 == outbox.lost


def test_a_held_alert_is_not_sent_for_ever(outbox: Outbox, clock: StoppedClock, put: Put) -> None:
    """Once its time is over it waits for nobody: not pending, in no count, of no age, and nothing is kept in memory."""
    put("a")
    hold(outbox.holds, clock, "a")
    assert ["a"] == [row.alert_id for row in outbox.pending()]
    clock.advance(TTL_S)
    outbox.purge(believing(clock))
    assert () == outbox.pending()
    counts = outbox.counts()
    assert (0, 0, 0) == (counts.stored, counts.accepted, counts.acknowledged)
    assert outbox.oldest_age_s() is None
    assert {} == outbox._arrivals


def test_a_late_acknowledgement_still_counts(outbox: Outbox, clock: StoppedClock, put: Put) -> None:
    """The record of a held alert says how far it came."""
    put("a")
    hold(outbox.holds, clock, "a")
    clock.advance(TTL_S)
    outbox.purge(believing(clock))
    assert outbox.acknowledge("a")
    assert RowState.ACKNOWLEDGED is outbox.state_of("a")


def test_a_hold_that_is_released_in_time_changes_nothing(outbox: Outbox, clock: StoppedClock, put: Put) -> None:
    """The alert has its own time, as if it had not been held."""
    put("a")
    hold(outbox.holds, clock, "a")
    assert HoldReason.EVIDENCE is outbox.holds.release("a", by=ROOT, at=clock.utc_now())
    assert Purged(deleted=0, lost=0) == outbox.purge(believing(clock))
    clock.advance(TTL_S)
    assert Purged(deleted=1, lost=1) == outbox.purge(believing(clock))


def test_a_sighting_that_comes_later_is_held_too(outbox: Outbox, clock: StoppedClock, put: Put) -> None:
    """A hold is of the passage, not of the rows that there were."""
    put("a")
    hold(outbox.holds, clock, "a")
    later = put("a", RowKind.SIGHTING)
    clock.advance(TTL_S)
    outbox.purge(believing(clock))
    assert outbox.load(later) is not None


def test_a_held_sighting_in_memory_waits_for_the_disk(outbox: Outbox, clock: StoppedClock, put: Put) -> None:
    """A disk that is full when the time is over deletes nothing that is held."""
    put("a")
    hold(outbox.holds, clock, "a")
    others = [put(f"b{number}") for number in range(CONFIG.max_stored - 1)]
    spooled = put("a", RowKind.SIGHTING)
    assert spooled < 0 < min(others)
    clock.advance(TTL_S)
    purged = outbox.purge(believing(clock))
    assert (len(others), len(others) + 1) == (purged.deleted, purged.lost)
    assert outbox.flush()
    assert Purged(deleted=0, lost=1, held=1) == outbox.purge(believing(clock))
    assert 2 == len(outbox._file._db.execute("SELECT 1 FROM rows").fetchall())


def test_two_reasons_are_two_holds(outbox: Outbox, clock: StoppedClock, put: Put) -> None:
    """A case that is closed does not end a complaint: the alert stays until the last one is released."""
    put("a")
    hold(outbox.holds, clock, "a")
    clock.advance(1)
    hold(outbox.holds, clock, "a", HoldReason.COMPLAINT)
    assert [HoldReason.EVIDENCE, HoldReason.COMPLAINT] == [found.reason for found in outbox.holds.all()]
    with pytest.raises(HoldError, match="complaint and evidence"):
        outbox.holds.release("a", by=ROOT, at=clock.utc_now())
    outbox.holds.release("a", HoldReason.EVIDENCE, by=ROOT, at=clock.utc_now())
    clock.advance(TTL_S)
    outbox.purge(believing(clock))
    assert RowState.STORED is outbox.state_of("a")
    outbox.holds.release("a", by=ROOT, at=clock.utc_now())
    outbox.purge(believing(clock))
    assert outbox.state_of("a") is None


def test_a_hold_says_who_when_and_why(outbox: Outbox, clock: StoppedClock, put: Put, tmp_path: Path) -> None:
    """The note is sealed: the file shows it to nobody."""
    put("a")
    ends_at = clock.utc_now() + timedelta(seconds=TTL_S)
    hold(outbox.holds, clock, "a", HoldReason.DISCLOSURE)
    (found,) = outbox.holds.all()
    assert ("a", HoldReason.DISCLOSURE, 1000, clock.utc_now(), NOTE, ends_at) == (
        found.alert_id,
        found.reason,
        found.held_by,
        found.held_at,
        found.note,
        found.ends_at,
    )
    assert NOTE not in repr(found)
    assert all(NOTE.encode() not in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize("change", ["held_by = 0", "reason = 'other'", "held_at = held_at - 1"])
def test_a_hold_that_was_changed_does_not_open(outbox: Outbox, clock: StoppedClock, put: Put, change: str) -> None:
    """The note is sealed to who, when and why; without it the hold stands all the same."""
    put("a")
    hold(outbox.holds, clock, "a")
    outbox._file._db.execute(f"UPDATE holds SET {change}")  # noqa: S608 - texts above
    assert [None] == [found.note for found in outbox.holds.all()]
    clock.advance(TTL_S)
    assert Purged(deleted=0, lost=1, held=1) == outbox.purge(believing(clock))


def test_a_hold_that_cannot_be_is_refused(outbox: Outbox, clock: StoppedClock, put: Put) -> None:
    """Of an alert that is not here, twice for one reason, released twice, without a note, or with a story."""
    put("a")
    with pytest.raises(HoldError, match="no such alert"):
        hold(outbox.holds, clock, "b")
    for note in ("", "  ", "x" * (MAX_NOTE_CHARACTERS + 1)):
        with pytest.raises(HoldError, match="note"):
            outbox.holds.place("a", HoldReason.OTHER, note=note, held_by=0, at=clock.utc_now())
    with pytest.raises(HoldError, match="not held"):
        outbox.holds.release("a", by=ROOT, at=clock.utc_now())
    hold(outbox.holds, clock, "a")
    with pytest.raises(HoldError, match="already"):
        hold(outbox.holds, clock, "a")
    with pytest.raises(HoldError, match="not held for complaint"):
        outbox.holds.release("a", HoldReason.COMPLAINT, by=ROOT, at=clock.utc_now())
    assert 1 == len(outbox.holds.all())


def test_what_is_no_text_is_refused(outbox: Outbox, clock: StoppedClock, put: Put) -> None:
    """A terminal in Latin-1 gives half a surrogate pair, which neither a file nor a digest takes."""
    put("a")
    for alert_id, note in (("a", "\udcff case"), ("\ud800", "case")):
        with pytest.raises(HoldError, match="no text"):
            outbox.holds.place(alert_id, HoldReason.OTHER, note=note, held_by=0, at=clock.utc_now())
    with pytest.raises(HoldError, match="no text"):
        outbox.holds.release("\ud800", by=ROOT, at=clock.utc_now())
    assert () == outbox.holds.all()


def test_a_refusing_disk_holds_nothing(outbox: Outbox, clock: StoppedClock, put: Put) -> None:
    """Whoever asks is told: a hold in memory would end with the process."""
    put("a")
    outbox._file._db.execute("PRAGMA query_only = 1")
    with pytest.raises(OutboxError):
        hold(outbox.holds, clock, "a")
    outbox._file._db.execute("PRAGMA query_only = 0")
    assert () == outbox.holds.all()


def test_a_command_works_beside_the_daemon(outbox: Outbox, clock: StoppedClock, put: Put, beside: Holds) -> None:
    """What another opening of the file holds, the daemon's next purge keeps, and deletes when it is released there."""
    put("a")
    hold(beside, clock, "a")
    clock.advance(TTL_S)
    assert 1 == outbox.purge(believing(clock)).held
    assert ["a"] == [found.alert_id for found in outbox.holds.all()]
    beside.release("a", by=ROOT, at=clock.utc_now())
    assert 1 == outbox.purge(believing(clock)).deleted


def test_holds_survive_the_process_and_its_key(tmp_path: Path, clock: StoppedClock, put: Put, outbox: Outbox) -> None:
    """Another run keeps what this one held; with another key it cannot say why, and keeps it still."""
    put("a")
    hold(outbox.holds, clock, "a")
    outbox.close()
    other_key = KeyEncryptingKey(KeyOrigin.FILE, Seal(new_key()))
    file = RowFile(tmp_path / "outbox.sqlite", other_key, max_rows=CONFIG.max_stored)
    clock.advance(TTL_S)
    assert 1 == file.purge(believing(clock)).held
    assert [None] == [found.note for found in Holds(file, other_key).all()]
    file.close()
