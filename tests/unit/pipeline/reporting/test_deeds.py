"""What was done to alerts: remembered on the disk, in the change that does it, until the ledger has its line."""

from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.errors import OutboxError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.events import LedgerEvent, check_facts
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.holds import HoldReason
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.row_deed import Deed
from edge_lfr.pipeline.reporting.rows import RowKind
from edge_lfr.pipeline.reporting.witness import Witness
from simulators.clock import StoppedClock

CONFIG = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})
ALERT = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
OTHER = "01ARZ3NDEKTSV4RRFFQ69G5FAW"
HOLDER, RELEASER = Actor.of_uid(1000), Actor.of_caller(1001, through=0)


class Ledger(Witness):
    """Keeps lines in memory while its disk refuses, and has room for so many."""

    def __init__(self, room: int = 100) -> None:
        self.lines: list[Deed] = []
        self.room = room
        self.disk_refuses = False

    def done(self, deed: Deed) -> None:
        check_facts(deed.event, deed.line_facts(deed.at, late_from_s=1.0))
        self.lines.append(deed)

    def has_room(self) -> bool:
        return len(self.lines) < self.room

    def has_kept_all(self) -> bool:
        return not self.disk_refuses

    @property
    def told(self) -> list[tuple[str, object]]:
        return [(deed.event.value, deed.facts.get("alert")) for deed in self.lines]


def opened(folder: Path, clock: StoppedClock) -> Outbox:
    return Outbox(folder / FILE_NAME, KeyEncryptingKey.load(folder, create=True), CONFIG, clock)


def put(outbox: Outbox, clock: StoppedClock, alert_id: str, ttl_s: float = 60.0) -> int:
    expires_at = clock.utc_now() + timedelta(seconds=ttl_s)
    return outbox.store(b"{}", alert_id=alert_id, kind=RowKind.ALERT, seq=outbox.next_seq(), expires_at=expires_at)


def lose(outbox: Outbox, clock: StoppedClock, alert_id: str) -> None:
    """An alert whose time is over, and the purge that deletes it."""
    put(outbox, clock, alert_id, ttl_s=0)
    assert 1 == outbox.purge(believing(clock)).lost


def hold(outbox: Outbox, clock: StoppedClock, alert_id: str) -> None:
    outbox.holds.place(alert_id, HoldReason.EVIDENCE, note="case 7", held_by=1000, at=clock.utc_now(), by=HOLDER)


def test_a_kill_between_a_deed_and_its_line_costs_no_line(tmp_path: Path) -> None:
    """Held, released, lost and deleted, and the process is gone: the next one tells it, who did it, and when."""
    clock, ledger = StoppedClock(), Ledger()
    outbox = opened(tmp_path, clock)
    put(outbox, clock, ALERT)
    hold(outbox, clock, ALERT)
    held_at = clock.utc_now()
    clock.advance(60)
    outbox.purge(believing(clock))
    outbox.holds.release(ALERT, by=RELEASER, at=clock.utc_now())
    outbox.purge(believing(clock))
    outbox.close()
    again = opened(tmp_path, clock)
    again.deeds.tell(ledger)
    assert [
        ("legal-hold", ALERT),
        ("alert-expired-unacknowledged", ALERT),
        ("legal-hold-released", ALERT),
        ("purged", None),
    ] == ledger.told
    held, _, released, purged = ledger.lines
    assert (HOLDER, held_at) == (held.who, held.at)
    assert (RELEASER, clock.utc_now()) == (released.who, released.at)
    assert {"alerts": 1, "what": "outbox"} == purged.facts
    assert () == again.deeds.untold()
    again.close()


def test_a_deed_that_the_disk_does_not_take_is_not_done(tmp_path: Path) -> None:
    """Nothing is held, released or deleted without a trace of it: the two are one change."""
    clock = StoppedClock()
    outbox = opened(tmp_path, clock)
    put(outbox, clock, ALERT)
    put(outbox, clock, OTHER, ttl_s=0)
    hold(outbox, clock, ALERT)
    outbox.deeds.tell(Ledger())
    outbox._file._db.execute("CREATE TRIGGER full BEFORE INSERT ON deeds BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(OutboxError, match="full"):
        outbox.holds.release(ALERT, by=RELEASER, at=clock.utc_now())
    with pytest.raises(OutboxError, match="full"):
        hold(outbox, clock, OTHER)
    with pytest.raises(OutboxError, match="full"):
        outbox.purge(believing(clock))
    assert {ALERT} == outbox.holds.alert_ids()
    assert [ALERT, OTHER] == [row.alert_id for row in outbox.pending()]
    outbox.close()


def test_what_the_ledger_has_in_memory_only_is_told_by_the_next_process(tmp_path: Path) -> None:
    """Once in this one, however often it is asked; and never again once the ledger's disk took everything."""
    clock, ledger = StoppedClock(), Ledger()
    outbox = opened(tmp_path, clock)
    lose(outbox, clock, ALERT)
    ledger.disk_refuses = True
    for _ in range(3):
        outbox.deeds.tell(ledger)
    lost, purged = ("alert-expired-unacknowledged", ALERT), ("purged", None)
    assert [lost, purged] == ledger.told
    assert 2 == len(opened(tmp_path, clock).deeds.untold())
    ledger.disk_refuses = False
    lose(outbox, clock, OTHER)
    outbox.deeds.tell(ledger)
    assert [lost, purged, (lost[0], OTHER), purged] == ledger.told
    assert () == opened(tmp_path, clock).deeds.untold()
    outbox.close()


def test_what_a_ledger_has_no_room_for_waits(tmp_path: Path) -> None:
    """A witness whose memory is full while its disk refuses counts the rest as lost: it is told later instead."""
    clock, ledger = StoppedClock(), Ledger(room=1)
    ledger.disk_refuses = True
    outbox = opened(tmp_path, clock)
    lose(outbox, clock, ALERT)
    outbox.deeds.tell(ledger)
    assert [LedgerEvent.ALERT_EXPIRED_UNACKNOWLEDGED] == [deed.event for deed in ledger.lines]
    ledger.disk_refuses = False
    outbox.deeds.tell(ledger)
    assert [LedgerEvent.PURGED] == [deed.event for deed in outbox.deeds.untold()]
    ledger.room = 2
    outbox.deeds.tell(ledger)
    assert ([LedgerEvent.PURGED], ()) == ([deed.event for deed in ledger.lines[1:]], outbox.deeds.untold())
    outbox.close()


def test_what_memory_alone_held_is_remembered_too(tmp_path: Path) -> None:
    """The disk refused the alert, and takes its loss; a retried purge loses it once."""
    clock = StoppedClock(now=StoppedClock().now + timedelta(days=1))
    outbox = opened(tmp_path, clock)
    outbox._file._db.execute("PRAGMA query_only = 1")
    assert 0 > put(outbox, clock, ALERT, ttl_s=0)
    outbox._file._db.execute("PRAGMA query_only = 0")
    assert (1, 0) == (outbox.purge(believing(clock)).lost, outbox.purge(believing(clock)).lost)
    outbox.close()
    lost, purged = opened(tmp_path, clock).deeds.untold()
    assert ({"alert": ALERT}, {"alerts": 1, "what": "outbox"}) == (lost.facts, purged.facts)


def test_a_deed_says_nothing_about_a_person(tmp_path: Path) -> None:
    """What somebody wrote stands there as its digest; the facts are those of the ledger's own list."""
    clock = StoppedClock()
    outbox = opened(tmp_path, clock)
    put(outbox, clock, ALERT)
    outbox.holds.place(ALERT, HoldReason.OTHER, note="Jane Doe", held_by=1000, at=clock.utc_now())
    (deed,) = outbox.deeds.untold()
    assert {"alert", "code", "reason_sha256"} == deed.facts.keys()
    assert (Actor.of_uid(1000), 64) == (deed.who, len(str(deed.facts["reason_sha256"])))
    outbox.close()
    assert all(b"Jane" not in path.read_bytes() for path in tmp_path.iterdir())
