"""The clock and the end of a list through the commands, with the daemon down and beside one that holds the folder."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.daemon.lock import hold_state
from edge_lfr.governance.clock_note import FILE_NAME, read_note
from edge_lfr.governance.trusted_time import BUILT_ON, Doubt, TimeNote
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.clock import StoppedClock
from simulators.command import Command
from simulators.watchlists import DIMENSION, PACK_DIGEST, entry, new_store, picture, templates


@pytest.fixture
def edge_lfr(tmp_path: Path) -> Command:
    return Command(tmp_path)


def load(edge_lfr: Command, wipe_at: datetime) -> SealedStore:
    """A list that was loaded a day before its end."""
    store = new_store(edge_lfr.folder / "state/training")
    store.clock = StoppedClock(now=wipe_at - timedelta(days=1))
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=wipe_at) as new:
        new.add(entry(0), templates(0), picture(0))
        new.activate()
    return store


def distrust(edge_lfr: Command) -> None:
    """Leave the note of a watch that has known a time to come."""
    folder = edge_lfr.folder / "state/training"
    folder.mkdir(parents=True, exist_ok=True)
    later = datetime.now(tz=UTC) + timedelta(hours=1)
    note = TimeNote(boot_id="before", boottime_ns=0, wall=later, newest=later)
    (folder / FILE_NAME).write_text(note.model_dump_json())


def test_a_list_past_its_end_is_neither_shown_nor_kept(edge_lfr: Command) -> None:
    """Exit status 78 for who wants to see it; the timer's command destroys it, and says so once."""
    load(edge_lfr, datetime.now(tz=UTC) - timedelta(seconds=1))
    shown = edge_lfr("watchlist", "show")
    assert (os.EX_CONFIG, "") == (shown.status, shown.out)
    wiped = edge_lfr("watchlist", "wipe", "--if-due", "--json")
    expected = [{"mode": "training", "keys": 1, "lists": 1, "clock_trusted": True}]
    assert (os.EX_OK, expected) == (wiped.status, wiped.json["modes"])
    again = edge_lfr("watchlist", "wipe", "--if-due")
    assert (os.EX_OK, "nothing is due") == (again.status, again.err.strip().splitlines()[-1])


def test_a_list_before_its_end_stays(edge_lfr: Command) -> None:
    """Nobody is asked, and nothing happens; nor where there is no list at all."""
    assert "nothing is due" in edge_lfr("watchlist", "wipe", "--if-due").err
    store = load(edge_lfr, datetime.now(tz=UTC) + timedelta(hours=1))
    assert "nothing is due" in edge_lfr("watchlist", "wipe", "--if-due").err
    assert not store.is_empty()


def test_it_is_wiped_beside_a_daemon(edge_lfr: Command) -> None:
    """Which is not asked, and may have forgotten it."""
    store = load(edge_lfr, datetime.now(tz=UTC) - timedelta(seconds=1))
    with hold_state(edge_lfr.folder / "state/training"):
        assert os.EX_OK == edge_lfr("watchlist", "wipe", "--if-due").status
    assert store.is_empty()


def test_a_broken_configuration_prolongs_nothing(edge_lfr: Command) -> None:
    """Exit status 78 for the configuration, and the list is gone from where the service manager says."""
    store = load(edge_lfr, datetime.now(tz=UTC) - timedelta(seconds=1))
    edge_lfr.config.write_text("mode = 7")
    assert os.EX_CONFIG == edge_lfr("watchlist", "wipe", "--if-due").status
    assert not store.is_empty()
    environ = {"STATE_DIRECTORY": str(edge_lfr.folder / "state")}
    done = edge_lfr("watchlist", "wipe", "--if-due", environ=environ)
    assert os.EX_CONFIG == done.status
    assert "destroyed, since the end has come (training): 1 lists" in done.err
    assert store.is_empty()


@pytest.mark.parametrize("source", ["x" * 300, "shut/clip.mp4"])
def test_a_camera_that_cannot_be_looked_at_prolongs_nothing(edge_lfr: Command, source: str) -> None:
    """Whether a file's name is too long or its folder shut is for the camera to tell, not for the timer."""
    store = load(edge_lfr, datetime.now(tz=UTC) - timedelta(seconds=1))
    (edge_lfr.folder / "shut").mkdir(mode=0)
    edge_lfr.config.write_text(edge_lfr.config.read_text().replace("clip.mp4", source))
    done = edge_lfr("watchlist", "wipe", "--if-due")
    assert (os.EX_OK, True) == (done.status, store.is_empty())


def test_another_state_folder_prolongs_nothing(edge_lfr: Command) -> None:
    """The configuration is right, and what is due where the service's state lies is destroyed all the same."""
    store = load(edge_lfr, datetime.now(tz=UTC) - timedelta(seconds=1))
    edge_lfr.config.write_text(edge_lfr.config.read_text().replace('"state"', '"elsewhere"'))
    environ = {"STATE_DIRECTORY": str(edge_lfr.folder / "state")}
    done = edge_lfr("watchlist", "wipe", "--if-due", environ=environ)
    assert (os.EX_OK, True) == (done.status, store.is_empty())
    assert "destroyed, since the end has come (training): 1 lists" in done.err


def test_the_timer_copies_no_certificate(edge_lfr: Command) -> None:
    """An option that would do nothing is refused, not passed over."""
    refused = edge_lfr("watchlist", "wipe", "--if-due", "--certificate", "wiped.json")
    assert os.EX_USAGE == refused.status


def test_a_doubted_clock_keeps_a_list_sealed_until_somebody_confirms_it(edge_lfr: Command) -> None:
    """Exit status 75 and what to do; then the list opens."""
    load(edge_lfr, datetime.now(tz=UTC) + timedelta(hours=1))
    distrust(edge_lfr)
    refused = edge_lfr("watchlist", "show")
    assert os.EX_TEMPFAIL == refused.status
    assert "edge-lfr clock confirm" in refused.err
    assert "before-newest" in edge_lfr("watchlist", "wipe", "--if-due").err
    shown = edge_lfr("clock", "show", "--json")
    assert (os.EX_OK, False, "before-newest") == (shown.status, shown.json["trusted"], shown.json["doubt"])
    assert "a time that has been already" in edge_lfr("clock", "show").err
    confirmed = edge_lfr("clock", "confirm", "--yes", "--json")
    assert (os.EX_OK, True) == (confirmed.status, confirmed.json["trusted"])
    assert os.EX_OK == edge_lfr("watchlist", "show").status


def test_nobody_confirms_by_accident(edge_lfr: Command) -> None:
    """Where nobody can answer, --yes is needed; and while a daemon holds the folder it is refused: 75."""
    distrust(edge_lfr)
    assert os.EX_USAGE == edge_lfr("clock", "confirm").status
    with hold_state(edge_lfr.folder / "state/training"):
        assert os.EX_TEMPFAIL == edge_lfr("clock", "confirm", "--yes").status
    note = read_note(edge_lfr.folder / "state/training" / FILE_NAME)
    assert isinstance(note, TimeNote)
    assert Doubt.BEFORE_NEWEST == note.doubt
    assert note.newest > BUILT_ON
