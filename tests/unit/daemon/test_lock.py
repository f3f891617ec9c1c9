"""One process holds the state folder."""

from pathlib import Path

import pytest

from edge_lfr.daemon.lock import hold_state
from edge_lfr.errors import DaemonBusyError


def test_a_second_holder_is_refused(tmp_path: Path) -> None:
    """Two daemons on one state folder would both own the watchlist."""
    with hold_state(tmp_path / "training"), pytest.raises(DaemonBusyError), hold_state(tmp_path / "training"):
        pass


def test_the_folder_is_private(tmp_path: Path) -> None:
    """Nobody but the daemon's user may look into the state folder."""
    with hold_state(tmp_path / "training"):
        assert 0o700 == (tmp_path / "training").stat().st_mode & 0o777
