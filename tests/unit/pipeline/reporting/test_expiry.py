"""The end of an alert: by a clock that is believed, and in doubt by uptime."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.config.reporting import BrokerConfig, ReportingConfig
from edge_lfr.governance.clock_note import TrustedTime
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.signed import Refusal
from edge_lfr.governance.trusted_time import BUILT_ON
from edge_lfr.pipeline.reporting.holds import HoldReason
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.rows import Purged, RowKind
from simulators.appliance import Appliance
from simulators.clock import StoppedClock

DAY_S = 86_400.0
BROKER = BrokerConfig.model_validate({"host": "127.0.0.1", "port": 1})
NOTHING = Purged(deleted=0, lost=0)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock(now=BUILT_ON + timedelta(days=30))


@pytest.fixture
def outbox(tmp_path: Path, clock: StoppedClock) -> Iterator[Outbox]:
    config = ReportingConfig(broker=BROKER)
    outbox = Outbox(tmp_path / FILE_NAME, KeyEncryptingKey.load(tmp_path, create=True), config, clock)
    yield outbox
    outbox.close()


@pytest.fixture
def time(tmp_path: Path, clock: StoppedClock) -> TrustedTime:
    """A watch that has seen the time before anything happens to it."""
    time = TrustedTime.begin(tmp_path, clock=clock, kernel=clock)
    assert time.look().is_trusted
    return time


def put(outbox: Outbox, clock: StoppedClock, alert_id: str, period_s: float = DAY_S) -> int:
    expires_at = clock.utc_now() + timedelta(seconds=period_s)
    return outbox.store(b"{}", alert_id=alert_id, kind=RowKind.ALERT, seq=outbox.next_seq(), expires_at=expires_at)


def test_a_jump_of_the_clock_costs_no_alert(outbox: Outbox, clock: StoppedClock, time: TrustedTime) -> None:
    """On the disk and in memory, held or not: nothing is deleted, lost or over, and what was taken stays taken."""
    put(outbox, clock, "a")
    put(outbox, clock, "held")
    outbox.holds.place("held", HoldReason.EVIDENCE, note="case 7", held_by=0, at=clock.utc_now())
    outbox.remember("message", clock.utc_now() + timedelta(hours=1))
    outbox._file._db.execute("PRAGMA query_only = 1")
    assert put(outbox, clock, "spooled") < 0
    outbox._file._db.execute("PRAGMA query_only = 0")
    clock.step(DAY_S + 1)
    assert NOTHING == outbox.purge(time.look())
    clock.advance(60)
    assert NOTHING == outbox.purge(time.look())
    assert {"a", "held", "spooled"} == {row.alert_id for row in outbox.pending()}
    assert Refusal.SEEN is outbox.remember("message", clock.utc_now())
    clock.step(-DAY_S - 1)
    clock.synchronised = True
    clock.advance(DAY_S)
    assert Purged(deleted=2, lost=3, held=1) == outbox.purge(time.look())
    lost = [deed for deed in outbox.deeds.untold() if deed.event is LedgerEvent.ALERT_EXPIRED_UNACKNOWLEDGED]
    assert ["a", "held", "spooled"] == sorted(str(deed.facts["alert"]) for deed in lost)


@pytest.mark.parametrize("step_s", [10 * DAY_S, -10 * DAY_S])
def test_a_clock_that_never_comes_right_keeps_nothing_for_ever(
    outbox: Outbox, clock: StoppedClock, time: TrustedTime, step_s: float
) -> None:
    """Up in doubt for as long as an alert was to be kept, it ends; what was to be kept longer stays longer."""
    put(outbox, clock, "day")
    put(outbox, clock, "week", 7 * DAY_S)
    clock.step(step_s)
    assert NOTHING == outbox.purge(time.look())
    clock.advance(DAY_S - 1)
    assert NOTHING == outbox.purge(time.look())
    clock.advance(1)
    assert 1 == outbox.purge(time.look()).deleted
    clock.advance(6 * DAY_S - 1)
    assert NOTHING == outbox.purge(time.look())
    clock.advance(1)
    assert 1 == outbox.purge(time.look()).deleted


def test_what_comes_in_doubt_is_not_gone_at_once(outbox: Outbox, clock: StoppedClock, time: TrustedTime) -> None:
    """A test alert after days of doubt has its own time."""
    clock.step(10 * DAY_S)
    time.look()
    clock.advance(3 * DAY_S)
    put(outbox, clock, "test")
    assert NOTHING == outbox.purge(time.look())
    clock.advance(DAY_S)
    assert 1 == outbox.purge(time.look()).deleted


def test_the_link_asks_the_watch(tmp_path: Path, clock: StoppedClock, time: TrustedTime) -> None:
    """Its housekeeping ends an alert by what is thought of the time, not by what the time says."""
    appliance = Appliance(tmp_path, BROKER, clock=clock, look_at_clock=time.look)
    put(appliance.outbox, clock, "a")
    clock.step(DAY_S + 1)
    appliance.link._tend_outbox()
    assert ["a"] == [row.alert_id for row in appliance.outbox.pending()]
    clock.advance(DAY_S)
    appliance.link._tend_outbox()
    assert () == appliance.outbox.pending()
    appliance.end()
