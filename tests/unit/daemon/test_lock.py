"""One process holds the state folder."""

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
