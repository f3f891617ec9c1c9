"""A shorter retention profile shortens what is stored already, and a longer one lengthens nothing."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.config.retention import RetentionProfile, load_profile
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.trusted_time import Doubt, TimeVerdict
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.holds import HoldReason
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.rows import Purged, RowKind
from simulators.clock import StoppedClock

CONFIG = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})
MONTH, DAY = load_profile("alerts-31d"), load_profile("alerts-24h")
DAY_S = 86_400.0


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


def opened(folder: Path, clock: StoppedClock, retention: RetentionProfile) -> Outbox:
    kek = KeyEncryptingKey.load(folder, create=True)
    return Outbox(folder / FILE_NAME, kek, CONFIG, clock, retention=retention)


def put(outbox: Outbox, clock: StoppedClock, alert_id: str, lifetime: timedelta, kind: RowKind = RowKind.ALERT) -> int:
    expires_at = clock.utc_now() + lifetime
    return outbox.store(b"{}", alert_id=alert_id, kind=kind, seq=outbox.next_seq(), expires_at=expires_at)


@pytest.mark.parametrize("kind", RowKind)
def test_a_shorter_profile_ends_what_was_stored_under_a_longer_one(
    tmp_path: Path, clock: StoppedClock, kind: RowKind
) -> None:
    """After 24 hours by the profile of today, not after the 31 days of its own; the time that it is sent for, too."""
    first = opened(tmp_path, clock, MONTH)
    row_id = put(first, clock, "a", MONTH.alert_lifetime, kind)
    stored_at = clock.utc_now()
    first.close()
    again = opened(tmp_path, clock, DAY)
    loaded = again.load(row_id)
    assert loaded is not None
    assert stored_at + timedelta(days=1) == loaded.expires_at
    clock.advance(DAY_S - 1)
    assert Purged(deleted=0, lost=0) == again.purge(believing(clock))
    clock.advance(1)
    assert Purged(deleted=1, lost=1) == again.purge(believing(clock))
    assert again.load(row_id) is None
    assert {} == again._file._ends._earlier
    again.close()


def test_a_longer_profile_lengthens_nothing(tmp_path: Path, clock: StoppedClock) -> None:
    """What was to end after a day ends after a day; and a shorter one that is taken back in time has cost nothing."""
    first = opened(tmp_path, clock, DAY)
    put(first, clock, "a", DAY.alert_lifetime)
    put(first, clock, "b", MONTH.alert_lifetime)
    first.close()
    again = opened(tmp_path, clock, MONTH)
    clock.advance(DAY_S)
    assert 1 == again.purge(believing(clock)).deleted
    assert ["b"] == [row.alert_id for row in again.pending()]
    again.close()


def test_a_hold_keeps_what_a_shorter_profile_ends(tmp_path: Path, clock: StoppedClock) -> None:
    """Its time is over by the shorter one, as the list of holds says, and it goes when it is released, not later."""
    first = opened(tmp_path, clock, MONTH)
    put(first, clock, "a", MONTH.alert_lifetime)
    first.holds.place("a", HoldReason.EVIDENCE, note="case", held_by=0, at=clock.utc_now())
    stored_at = clock.utc_now()
    first.close()
    again = opened(tmp_path, clock, DAY)
    (held,) = again.holds.all()
    assert stored_at + timedelta(days=1) == held.ends_at
    clock.advance(DAY_S)
    for expected in (1, 0):
        assert expected == again.purge(believing(clock)).held
    again._file._db.execute("DELETE FROM holds")
    assert Purged(deleted=1, lost=0) == again.purge(believing(clock))
    again.close()


def doubting(now: datetime, doubted_s: float) -> TimeVerdict:
    return TimeVerdict(now=now, doubt=next(iter(Doubt)), doubted_s=doubted_s, steps=1, step_s=0.0)


def test_a_clock_in_doubt_shortens_nothing_before_its_period_of_uptime(tmp_path: Path, clock: StoppedClock) -> None:
    """One jump ahead ends no alert under the shorter profile either; a day of uptime in doubt does."""
    first = opened(tmp_path, clock, MONTH)
    put(first, clock, "a", MONTH.alert_lifetime)
    first.close()
    again = opened(tmp_path, clock, DAY)
    ahead = clock.utc_now() + timedelta(days=2)
    assert Purged(deleted=0, lost=0) == again.purge(doubting(ahead, DAY_S - 1))
    assert Purged(deleted=1, lost=1) == again.purge(doubting(ahead, DAY_S))
    again.close()
