"""One process holds the state folder."""

import threading
import time
from pathlib import Path

import pytest

from edge_lfr.daemon.lock import hold_state
from edge_lfr.errors import ConfigError, DaemonBusyError


def test_a_second_holder_is_refused(tmp_path: Path) -> None:
    """Two daemons on one state folder would both own the watchlist."""
    with hold_state(tmp_path / "training"), pytest.raises(DaemonBusyError), hold_state(tmp_path / "training"):
        pass


def test_the_folder_is_private(tmp_path: Path) -> None:
    """Nobody but the daemon's user may look into the state folder."""
    with hold_state(tmp_path / "training"):
        assert 0o700 == (tmp_path / "training").stat().st_mode & 0o777


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """With the field that names it, whether it cannot be made or its lock not be opened."""
    (tmp_path / "file").write_text("")
    (tmp_path / "odd" / "daemon.lock").mkdir(parents=True)
    for folder in (tmp_path / "file" / "training", tmp_path / "odd"):
        with pytest.raises(ConfigError, match="cannot be used") as caught, hold_state(folder):
            pass
        assert "state_directory" in caught.value.advice


def test_whoever_has_patience_gets_the_folder_of_one_who_lets_go(tmp_path: Path) -> None:
    """The timer holds it for a moment; who waits in vain learns it after that time, and not before."""
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with hold_state(tmp_path / "training"):
            is_held.set()
            may_end.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(30)
    began_s = time.monotonic()
    with pytest.raises(DaemonBusyError), hold_state(tmp_path / "training", patience_s=0.1):
        pass
    assert time.monotonic() - began_s >= 0.1
    threading.Timer(0.1, may_end.set).start()
    with hold_state(tmp_path / "training", patience_s=30.0):
        pass
    holder.join(30)
