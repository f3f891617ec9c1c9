"""Alerts that expired unacknowledged: remembered on the disk until the ledger has their line."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.rows import RowKind
from edge_lfr.pipeline.reporting.witness import Witness
from simulators.clock import StoppedClock

CONFIG = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})


class Ledger(Witness):
    """Keeps lines in memory while its disk refuses."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.disk_refuses = False

    def purged(self, deleted: int, lost_alerts: Sequence[str]) -> None:
        assert deleted >= 0
        self.lines += lost_alerts

    def has_kept_all(self) -> bool:
        return not self.disk_refuses


def opened(folder: Path, clock: StoppedClock) -> Outbox:
    return Outbox(folder / FILE_NAME, KeyEncryptingKey.load(folder, create=True), CONFIG, clock)


def lose(outbox: Outbox, clock: StoppedClock, alert_id: str) -> None:
    """An alert whose time is over, and the purge that deletes it."""
    now = clock.utc_now()
    outbox.store(b"{}", alert_id=alert_id, kind=RowKind.ALERT, seq=outbox.next_seq(), expires_at=now)
    assert 1 == outbox.purge(believing(clock)).lost


def test_a_kill_between_the_purge_and_the_line_costs_no_line(tmp_path: Path) -> None:
    """The row is gone; the next process tells of it."""
    clock, ledger = StoppedClock(), Ledger()
    outbox = opened(tmp_path, clock)
    lose(outbox, clock, "a")
    outbox.close()
    again = opened(tmp_path, clock)
    again.losses.tell(ledger, again.purge(believing(clock)).deleted)
    again.close()
    assert ["a"] == ledger.lines
    assert () == opened(tmp_path, clock).losses.untold()


def test_what_the_ledger_has_in_memory_only_is_told_by_the_next_process(tmp_path: Path) -> None:
    """Once in this one, however often it is asked; and never again once the ledger's disk took everything."""
    clock, ledger = StoppedClock(), Ledger()
    outbox = opened(tmp_path, clock)
    lose(outbox, clock, "a")
    ledger.disk_refuses = True
    for _ in range(3):
        outbox.losses.tell(ledger, 0)
    assert ["a"] == ledger.lines
    assert ("a",) == opened(tmp_path, clock).losses.untold()
    ledger.disk_refuses = False
    lose(outbox, clock, "b")
    outbox.losses.tell(ledger, 1)
    assert ["a", "b"] == ledger.lines
    assert () == opened(tmp_path, clock).losses.untold()
    outbox.close()


def test_what_memory_alone_held_is_remembered_too(tmp_path: Path) -> None:
    """The disk refused the alert, and takes its loss; a retried purge loses it once."""
    clock = StoppedClock(now=StoppedClock().now + timedelta(days=1))
    outbox = opened(tmp_path, clock)
    outbox._file._db.execute("PRAGMA query_only = 1")
    now = clock.utc_now()
    assert 0 > outbox.store(b"{}", alert_id="a", kind=RowKind.ALERT, seq=1, expires_at=now)
    outbox._file._db.execute("PRAGMA query_only = 0")
    assert (1, 0) == (outbox.purge(believing(clock)).lost, outbox.purge(believing(clock)).lost)
    outbox.close()
    assert ("a",) == opened(tmp_path, clock).losses.untold()
