"""Room in the outbox: what is done or held never takes the place of an alert that waits to be delivered."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.cli.reasons import UNKNOWN, advice_on
from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.holds import HoldReason
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.row_room import KEPT_PER_WAITING, fill_of
from edge_lfr.pipeline.reporting.rows import RowKind
from simulators.clock import StoppedClock
from simulators.vitals import health_of

CONFIG = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}, "max_stored": 100})
MAX_KEPT = CONFIG.max_stored * KEPT_PER_WAITING


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def outbox(tmp_path: Path, clock: StoppedClock) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / FILE_NAME, KeyEncryptingKey.load(tmp_path, create=True), CONFIG, clock)
    outbox._file._db.execute("PRAGMA synchronous = OFF")  # a thousand changes whose power nobody cuts
    yield outbox
    outbox.close()


def put(outbox: Outbox, clock: StoppedClock, alert_id: str, ttl_s: float = 3600.0) -> int:
    expires_at = clock.utc_now() + timedelta(seconds=ttl_s)
    return outbox.store(b"{}", alert_id=alert_id, kind=RowKind.ALERT, seq=outbox.next_seq(), expires_at=expires_at)


def finish(outbox: Outbox, clock: StoppedClock, alert_id: str) -> None:
    put(outbox, clock, alert_id)
    outbox.acknowledge(alert_id)


def hold(outbox: Outbox, clock: StoppedClock, alert_id: str) -> None:
    outbox.holds.place(alert_id, HoldReason.EVIDENCE, note="case", held_by=0, at=clock.utc_now())


def is_there(outbox: Outbox, alert_id: str) -> bool:
    return outbox.state_of(alert_id) is not None


def test_what_is_done_takes_no_place_of_what_waits(outbox: Outbox, clock: StoppedClock) -> None:
    """Twice as many acknowledged alerts as may wait, and a full number of new ones finds its place on the disk."""
    for number in range(2 * CONFIG.max_stored):
        finish(outbox, clock, f"done-{number}")
    rows = [put(outbox, clock, f"new-{number}") for number in range(CONFIG.max_stored)]
    assert min(rows) > 0
    assert put(outbox, clock, "over") < 0
    outbox.counts()
    assert ["outbox-full"] == list(outbox.complaints)


def test_what_only_a_hold_keeps_takes_no_place_of_what_waits(outbox: Outbox, clock: StoppedClock) -> None:
    """Nobody acknowledged them, their time is over, and they may stay for ever: new alerts are stored all the same."""
    for number in range(CONFIG.max_stored):
        put(outbox, clock, f"held-{number}", ttl_s=1)
        hold(outbox, clock, f"held-{number}")
    clock.advance(1)
    assert CONFIG.max_stored == outbox.purge(believing(clock)).held
    assert min(put(outbox, clock, f"new-{number}") for number in range(CONFIG.max_stored)) > 0
    assert put(outbox, clock, "over") < 0


def test_the_oldest_that_are_done_make_room_and_it_is_told(outbox: Outbox, clock: StoppedClock) -> None:
    """The wide bound is reached: a few go, the oldest first, none that is held, with a count and a line each time."""
    for number in range(MAX_KEPT):
        finish(outbox, clock, f"done-{number}")
    hold(outbox, clock, "done-0")
    outbox.deeds.told([deed.id for deed in outbox.deeds.untold()])
    assert put(outbox, clock, "new") > 0
    assert is_there(outbox, "done-0")
    gone = [number for number in range(MAX_KEPT) if not is_there(outbox, f"done-{number}")]
    assert list(range(1, 1 + outbox.made_room)) == gone
    assert 0 < len(gone) <= MAX_KEPT // 100
    (deed,) = outbox.deeds.untold()
    assert (LedgerEvent.PURGED, {"alerts": len(gone), "what": "outbox", "code": "room"}) == (deed.event, deed.facts)
    assert (0, 0) == (outbox.spooled, outbox.lost)
    assert outbox._file._is_log_stale  # what was deleted is still in the log, and the next purge cuts that
    assert outbox.purge(believing(clock)).is_clean
    assert not outbox._file._is_log_stale


def test_held_alerts_never_make_room_and_no_new_one_is_lost(outbox: Outbox, clock: StoppedClock) -> None:
    """All that is kept is held: it stays, and so does the new alert; the disk is the bound, and somebody is told."""
    for number in range(MAX_KEPT):
        finish(outbox, clock, f"held-{number}")
        hold(outbox, clock, f"held-{number}")
    assert put(outbox, clock, "new") > 0
    assert all(is_there(outbox, f"held-{number}") for number in range(MAX_KEPT))
    outbox.counts()
    assert (0, ("outbox-keeps-much",)) == (outbox.made_room, outbox.complaints)


def test_who_is_near_a_bound_is_told_before_it_is_reached(outbox: Outbox, clock: StoppedClock) -> None:
    """Each bound has its own reason, from four fifths on, and it is over when there is room again."""
    said = []
    for number in range(CONFIG.max_stored):
        put(outbox, clock, f"a{number}")
        outbox.counts()
        said.append(outbox.complaints)
    assert [()] * 79 + [("outbox-nearly-full",)] * 20 + [("outbox-full",)] == said
    for number in range(CONFIG.max_stored):
        outbox.acknowledge(f"a{number}")
    outbox.counts()
    assert [] == list(outbox.complaints)
    for number in range(CONFIG.max_stored, MAX_KEPT * 8 // 10):
        finish(outbox, clock, f"a{number}")
    outbox.counts()
    assert ["outbox-keeps-much"] == list(outbox.complaints)


def test_a_full_outbox_and_a_refusing_disk_are_two_reasons(outbox: Outbox, clock: StoppedClock) -> None:
    """To restore the link helps the one, to free the disk the other; who is told of the wrong one mends nothing."""
    outbox._file._db.execute("PRAGMA query_only = 1")
    put(outbox, clock, "a")
    outbox.counts()
    assert ["disk-refuses"] == list(outbox.complaints)
    outbox._file._db.execute("PRAGMA query_only = 0")
    assert outbox.flush()
    assert [] == list(outbox.complaints)
    for number in range(CONFIG.max_stored):
        put(outbox, clock, f"b{number}")
    assert not outbox.flush()
    outbox.counts()
    assert (1, ("outbox-full",)) == (outbox.spooled, outbox.complaints)


def test_the_appliance_says_it_with_advice(tmp_path: Path, clock: StoppedClock) -> None:
    """Every one of these reasons is among the appliance's own, and comes with what to do."""
    health = health_of(tmp_path, clock)
    health.outbox._file._max_rows = 5
    for number in range(4):
        put(health.outbox, clock, f"a{number}")
    health.outbox.counts()
    assert "outbox-nearly-full" in health.reasons()
    put(health.outbox, clock, "a5")
    put(health.outbox, clock, "a6")
    health.outbox.counts()
    assert "outbox-full" in health.reasons()
    assert "disk-refuses" not in health.reasons()
    codes = ("outbox-nearly-full", "outbox-full", "outbox-keeps-much", "disk-refuses")
    assert UNKNOWN not in [advice_on(code) for code in codes]
    health.outbox.close()


def test_counting_reads_no_message(outbox: Outbox, clock: StoppedClock) -> None:
    """Whoever stores an alert counts: from indexes, whose size is not that of the pictures."""
    finish(outbox, clock, "a")
    asked: list[str] = []
    db = outbox._file._db
    db.set_trace_callback(asked.append)
    fill_of(db, CONFIG.max_stored)
    db.set_trace_callback(None)
    plans = [str(db.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()) for statement in asked]
    opened, done, over = plans
    assert "SCAN rows USING COVERING INDEX rows_open" in opened
    assert "SCAN rows USING COVERING INDEX rows_done" in done
    assert "SCAN times USING INDEX times_over" in over  # and then the rows that only a hold keeps, one by one
