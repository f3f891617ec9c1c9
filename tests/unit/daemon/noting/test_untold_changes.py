"""No load and no removal is without its line, whoever is killed before it is written."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.daemon.ending.housekeeping import keep_house, keep_house_by_timer
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.daemon.noting.recorder import DAEMON, open_recorder
from edge_lfr.governance.clock_note import glance
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.lines import LedgerLine, read_line
from edge_lfr.watchlist.sealed import store as store_module
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.clock import StoppedClock
from simulators.command import CONFIG
from simulators.watchlists import DIMENSION, PACK_DIGEST, entry, load, new_store, picture, templates

EVENTS = {LedgerEvent.WATCHLIST_LOADED, LedgerEvent.WATCHLIST_REMOVED, LedgerEvent.WATCHLIST_EXPIRED}


@pytest.fixture
def config(tmp_path: Path) -> ApplianceConfig:
    (tmp_path / "van.toml").write_text(CONFIG)
    config = load_config(tmp_path / "van.toml", {})
    config.mode_directory.mkdir(parents=True)
    DeviceKeys.load(config.device_directory, create=True)
    return config


def killed_after(work: Callable[[], object]) -> None:
    """Another process does it, and is killed before it says so."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def lines(config: ApplianceConfig) -> list[LedgerLine]:
    """Of lists that became live."""
    path = config.mode_directory / FILE_NAME
    found = [read_line(line) for line in path.read_bytes().splitlines()] if path.exists() else []
    return [line for line in found if line is not None and line.event in EVENTS]


def changes(config: ApplianceConfig) -> list[str]:
    return sorted(path.name for path in config.mode_directory.glob("changes/*"))


def digest_of(store: SealedStore) -> str:
    with store.open() as stored:
        return stored.digest


def start(config: ApplianceConfig) -> None:
    """The daemon begins."""
    clock = StoppedClock()
    recorder = open_recorder(config, DeviceKeys.load(config.device_directory).signing, clock)
    keep_house(config, recorder, clock)
    recorder.stop()


def timer(config: ApplianceConfig) -> None:
    keep_house_by_timer(config, glance(config.mode_directory))


def command(config: ApplianceConfig) -> None:
    note_from_command(config, LedgerEvent.REFUSED, {"code": "config"})


def of_all(store: SealedStore) -> None:
    load(store, range(3))


def of_one(store: SealedStore) -> None:
    store.remove([entry(0).reference_id])


def of_expired(store: SealedStore) -> None:
    store.remove([entry(0).reference_id, entry(1).reference_id], have_expired=True)


@pytest.mark.parametrize("tell", [start, timer, command])
@pytest.mark.parametrize(
    ("work", "event", "references"),
    [
        (of_all, LedgerEvent.WATCHLIST_LOADED, 3),
        (of_one, LedgerEvent.WATCHLIST_REMOVED, 1),
        (of_expired, LedgerEvent.WATCHLIST_EXPIRED, 2),
    ],
)
def test_what_a_kill_left_untold_has_its_line(
    config: ApplianceConfig,
    tell: Callable[[ApplianceConfig], None],
    work: Callable[[SealedStore], None],
    event: LedgerEvent,
    references: int,
) -> None:
    """Once, by whoever comes first, with the digest of the list, and in nobody's name but the appliance's."""
    store = new_store(config.mode_directory)
    if work is not of_all:
        load(store, range(4))
        note_from_command(config, LedgerEvent.WATCHLIST_LOADED, {"references": 4})
    told = len(lines(config))
    killed_after(lambda: work(store))
    tell(config)
    tell(config)
    (line,) = lines(config)[told:]
    assert (event, references, "after-kill") == (line.event, line.facts["references"], line.facts["code"])
    assert (DAEMON, digest_of(store)) == (line.who, line.facts["watchlist_sha256"])
    assert [] == changes(config)


def test_two_changes_have_two_lines(config: ApplianceConfig) -> None:
    """A load, and a removal that replaced its list before anybody told of it; and the list is gone by now."""
    store = new_store(config.mode_directory)
    killed_after(lambda: of_all(store))
    killed_after(lambda: of_one(store))
    store.wipe()
    start(config)
    assert [LedgerEvent.WATCHLIST_LOADED, LedgerEvent.WATCHLIST_REMOVED] == [line.event for line in lines(config)]


def test_a_list_that_never_was_live_has_no_line(config: ApplianceConfig) -> None:
    """Killed before it became the live one: nothing is told, and nothing left."""
    store = new_store(config.mode_directory)
    load(store, range(2))
    note_from_command(config, LedgerEvent.WATCHLIST_LOADED, {"references": 2})

    def die(*_: Any) -> Path:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "write_partial", die)
        killed_after(lambda: of_one(store))
    assert 1 == len(changes(config))
    start(config)
    assert 1 == len(lines(config))
    store.open().close()
    assert [] == changes(config)


def test_a_list_that_is_live_and_not_said_to_be_has_its_line(config: ApplianceConfig) -> None:
    """Killed between the two names: the store says which list is live."""
    store = new_store(config.mode_directory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SealedStore, "_leftovers_logged", lambda _: os.kill(os.getpid(), signal.SIGKILL))
        killed_after(lambda: of_all(store))
    assert [f"{store.live_list_id()}.pending"] == changes(config)
    start(config)
    assert [LedgerEvent.WATCHLIST_LOADED] == [line.event for line in lines(config)]
    assert [] == changes(config)


@pytest.mark.parametrize("by_daemon", [True, False])
def test_who_tells_it_himself_is_not_told_twice(config: ApplianceConfig, *, by_daemon: bool) -> None:
    """A process that is still there writes its own line, and then there is nothing to tell."""
    store = new_store(config.mode_directory)
    load(store, range(2))
    timer(config)
    assert [] == lines(config)
    if by_daemon:
        clock = StoppedClock()
        recorder = open_recorder(config, DeviceKeys.load(config.device_directory).signing, clock)
        recorder.note(LedgerEvent.WATCHLIST_LOADED, DAEMON, references=2)
        recorder.stop()
    else:
        note_from_command(config, LedgerEvent.WATCHLIST_LOADED, {"references": 2})
    start(config)
    (line,) = lines(config)
    assert "code" not in line.facts
    assert [] == changes(config)


def test_a_line_of_something_else_tells_no_load(config: ApplianceConfig) -> None:
    """Only a line about a load stands for a load."""
    load(new_store(config.mode_directory), range(2))
    note_from_command(config, LedgerEvent.WATCHLIST_REMOVED, {"references": 1})
    assert 1 == len(changes(config))


def test_without_keys_it_waits(config: ApplianceConfig) -> None:
    """The timer's unit has no credential; whoever has the key tells it."""
    store = new_store(config.mode_directory)
    killed_after(lambda: of_all(store))
    hidden = config.device_directory.with_name("hidden")
    config.device_directory.rename(hidden)
    timer(config)
    assert 1 == len(changes(config))
    hidden.rename(config.device_directory)
    start(config)
    assert 1 == len(lines(config))


def test_half_a_change_is_none(config: ApplianceConfig) -> None:
    """Torn by a power cut before its list was live: it tells nothing, and the next one who writes clears it away."""
    store = new_store(config.mode_directory)
    load(store, range(2))
    note_from_command(config, LedgerEvent.WATCHLIST_LOADED, {"references": 2})
    (config.mode_directory / "changes" / f"{'0' * 16}.pending").write_bytes(b'{"schema')
    start(config)
    assert 1 == len(lines(config))
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        new.add(entry(0), templates(0), picture(0))
    assert [] == changes(config)
