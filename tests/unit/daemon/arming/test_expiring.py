"""Whose time has come is found no more and leaves the list, searched or sealed."""

from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.daemon.arming.listed import Listed
from edge_lfr.errors import WatchlistSealError
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.pipeline.reporting.states import DeviceState
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause
from simulators.overseen import TECHNICIAN, Overseen, authorised, seal
from simulators.watchlists import templates

HOUR_S = 3600.0
HOUR = timedelta(hours=1)


@pytest.fixture
def van(tmp_path: Path) -> Overseen:
    """In operation; its list is yet to be made."""
    van = Overseen(tmp_path)
    van.deployment.install()
    return van


def found(van: Overseen, person: int) -> str | None:
    """Who is found by the picture of that suspect; None: nobody."""
    armament = van.health.armament
    assert armament is not None
    (candidates,) = armament.gallery.search(templates(person, dimension=128)[:1], 1)
    return candidates[0].reference_id if candidates and candidates[0].score >= armament.threshold else None


def expired(van: Overseen) -> list[int]:
    return [facts["references"] for facts in van.events(LedgerEvent.WATCHLIST_EXPIRED)]


def sealed(van: Overseen) -> tuple[str, ...]:
    with van.box.store.open(van.mandate.time) as stored:
        return stored.reference_ids


def test_whoever_expired_before_is_not_in_the_first_gallery(van: Overseen) -> None:
    """A list that is taken into use late is searched without them from the first moment, and then made without them."""
    seal(van, [van.clock.now + timedelta(minutes=10), van.clock.now + 9 * HOUR])
    van.clock.advance(HOUR_S)
    van.mandate.look_at_clock()
    van.operation.take_watchlist()
    assert (None, "REF-00001") == (found(van, 0), found(van, 1))
    van.overseer.look()
    assert (("REF-00001",), [1], True) == (sealed(van), expired(van), van.is_searching)
    assert "REF-00001" == found(van, 1)


def test_where_everybody_expired_before_nobody_is_searched(van: Overseen) -> None:
    """And the list ends at the next look, with its cause."""
    seal(van, [van.clock.now + timedelta(minutes=10)] * 2)
    van.clock.advance(HOUR_S)
    van.mandate.look_at_clock()
    van.operation.take_watchlist()
    assert (None, None) == (found(van, 0), found(van, 1))
    van.overseer.look()
    assert ([WipeCause.EXPIRED], True, [2]) == (van.wipes, van.holds_nothing, expired(van))


def test_nobody_is_found_while_the_list_is_made_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That takes seconds where a list is long; whoever stays on it is found all the time."""
    van = authorised(tmp_path)
    seal(van, [van.deployment.begins_at + HOUR, van.deployment.wipe_at + HOUR])
    van.pass_time(HOUR_S)
    before = found(van, 0), found(van, 1)
    during: list[object] = []
    remove = SealedStore.remove

    def looked_at(store: SealedStore, *args: object, **named: object) -> int:
        during.extend((found(van, 0), found(van, 1), van.operation.loop.is_searching))
        return remove(store, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(SealedStore, "remove", looked_at)
    van.pass_time(HOUR_S)
    assert (("REF-00000", "REF-00001"), [None, "REF-00001", True]) == (before, during)
    assert ("REF-00001",) == sealed(van)
    van.close()


@pytest.mark.parametrize("why", ["pause", "hold", "not yet"])
def test_a_sealed_list_keeps_nobody_who_expired(van: Overseen, why: str) -> None:
    """Nobody is compared for hours; the entry is gone from the disk in its second, and the ledger has its line."""
    first = van.clock.now + (HOUR / 2 if why == "not yet" else 2 * HOUR)
    seal(van, [first, van.deployment.wipe_at + HOUR])
    van.overseer.look()
    if why != "not yet":
        van.pass_time(HOUR_S)
        assert van.is_searching
        van.operation.hold("trust-changed") if why == "hold" else van.operation.pause()
        van.operation.fall_silent()
    van.pass_time((first - van.clock.now).total_seconds() - 1)
    assert (2, []) == (len(sealed(van)), expired(van))
    van.pass_time(1)
    assert (("REF-00001",), [1], True) == (sealed(van), expired(van), van.holds_nothing)
    van.pass_time(60)
    assert [1] == expired(van)


def test_a_sealed_list_ends_with_the_last_one_on_it(van: Overseen) -> None:
    """Like one that is searched: with its proof."""
    seal(van, [van.clock.now + HOUR / 2] * 2)
    van.pass_time(HOUR_S / 2)
    assert ([WipeCause.EXPIRED], [2], True) == (van.wipes, expired(van), van.box.store.is_empty())


def test_a_sealed_list_is_opened_once_for_all_looks(van: Overseen, monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 entries take seconds: until the next one ends, and while a doubted clock says nothing, none is opened."""
    opened: list[str] = []
    on = Listed.on

    def counted(watchlist: StoredWatchlist) -> Listed:
        opened.append(watchlist.list_id)
        return on(watchlist)

    monkeypatch.setattr(Listed, "on", counted)
    seal(van, [van.clock.now + HOUR / 2, van.deployment.wipe_at + HOUR])
    for _ in range(20):
        van.pass_time(1)
    assert 1 == len(opened)
    seal(van, [van.clock.now + HOUR / 2, van.deployment.wipe_at + HOUR])
    for _ in range(20):
        van.pass_time(1)
    assert 2 == len(opened)
    van.pass_time(1, step_s=20.0)
    van.pass_time(2 * HOUR_S)
    assert (2, []) == (len(opened), expired(van))
    van.clock.step(-20.0)
    van.overseer.confirm_clock(TECHNICIAN)
    assert [1] == expired(van)


def test_a_sealed_list_that_does_not_open_is_told_and_tried_each_minute(
    van: Overseen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps no other duty from being done, and costs no more than that."""
    seal(van, [van.clock.now + HOUR / 2, van.deployment.wipe_at + HOUR])
    tries: list[int] = []
    open_store = SealedStore.open

    def refuse(*_: object, **__: object) -> StoredWatchlist:
        tries.append(1)
        message = "changed bytes"
        raise WatchlistSealError(message)

    monkeypatch.setattr(SealedStore, "open", refuse)
    for _ in range(59):
        van.pass_time(1)
    assert (1, True) == (len(tries), "oversight-failed" in van.health.notices)
    monkeypatch.setattr(SealedStore, "open", open_store)
    van.pass_time(2)
    assert "oversight-failed" not in van.health.notices
    van.pass_time(HOUR_S)
    assert ([1], DeviceState.RUNNING) == (expired(van), van.health.state)
