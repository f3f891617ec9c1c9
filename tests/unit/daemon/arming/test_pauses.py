"""A pause lasts until somebody ends it, whatever happens meanwhile."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_lfr.daemon.arming.held import Standstill
from edge_lfr.errors import ArmingRefusedError
from edge_lfr.pipeline.reporting.states import DeviceState
from simulators.overseen import TECHNICIAN, Overseen, authorised

HOUR_S = 3600.0


@pytest.fixture
def paused(tmp_path: Path) -> Iterator[Overseen]:
    """The window is open, and a technician has paused the appliance."""
    van = authorised(tmp_path)
    van.pass_time(HOUR_S)
    assert van.is_searching
    van.box.ask("pause")
    yield van
    van.close()


def test_it_is_said_with_what_ends_it(paused: Overseen) -> None:
    """As a reason of its own, and not for want of a list."""
    assert (DeviceState.PAUSED, ("paused",)) == (paused.health.state, paused.health.reasons())
    paused.box.ask("resume")
    assert () == paused.health.reasons()


def test_no_bar_makes_another_state_of_it(paused: Overseen) -> None:
    """A clock in doubt ends the list in memory; the pause is said all the time, and `no-watchlist` never is."""
    paused.pass_time(1, step_s=10.0)
    assert (DeviceState.PAUSED, True) == (paused.health.state, paused.holds_nothing)
    assert ("clock-untrusted", "paused") == paused.health.reasons()
    paused.overseer.confirm_clock(TECHNICIAN)
    paused.pass_time(1)
    assert (DeviceState.PAUSED, ("paused",)) == (paused.health.state, paused.health.reasons())
    assert paused.holds_nothing
    paused.box.ask("resume")
    assert (True, DeviceState.RUNNING) == (paused.is_searching, paused.health.state)


def test_without_a_list_both_are_said(paused: Overseen) -> None:
    """Whoever resumes has to load one, too."""
    paused.box.ask("wipe")
    assert (DeviceState.PAUSED, ("paused", "no-watchlist")) == (paused.health.state, paused.health.reasons())


def begin_again(van: Overseen) -> None:
    """As the next process of the same box does."""
    van.operation.fall_silent()
    van.operation.held_for, van.operation.is_paused = None, False
    van.operation.keep_holding("trust-changed")
    van.overseer.begin()


def test_a_restart_does_not_end_it(paused: Overseen) -> None:
    """Whoever killed the process: the list stays sealed until somebody says go on, and then it is over for good."""
    begin_again(paused)
    with pytest.raises(ArmingRefusedError, match="was paused"):
        paused.operation.begin()
    paused.health.enter(paused.operation.state_when_awake())
    paused.pass_time(1)
    assert (True, DeviceState.PAUSED) == (paused.holds_nothing, paused.health.state)
    assert ("paused",) == paused.health.reasons()
    paused.box.ask("resume")
    assert paused.is_searching
    begin_again(paused)
    paused.operation.begin()
    assert paused.health.armament is not None


def test_what_cannot_be_told_is_a_pause(paused: Overseen) -> None:
    """A file that is no file of ours stands for one."""
    paused.box.ask("resume")
    (paused.folder / Standstill.PAUSED).mkdir()
    begin_again(paused)
    assert paused.operation.is_paused


def test_a_resume_that_is_refused_ends_the_pause_all_the_same(paused: Overseen) -> None:
    """The appliance begins by itself once it may; until then it says what is missing, and of a pause nothing."""
    paused.pass_time(1, step_s=10.0)
    with pytest.raises(ArmingRefusedError):
        paused.box.ask("resume")
    assert (DeviceState.DISARMED, ("clock-untrusted",)) == (paused.health.state, paused.health.reasons())
    paused.overseer.confirm_clock(TECHNICIAN)
    assert paused.is_searching


def test_a_list_that_is_not_searched_is_not_said_to_be_missing(tmp_path: Path) -> None:
    """A list that lies there and that nobody has taken into use has a reason of its own."""
    van = authorised(tmp_path)
    van.pass_time(HOUR_S)
    van.operation.fall_silent()
    assert ("watchlist-not-searched",) == van.health.reasons()
    van.close()
