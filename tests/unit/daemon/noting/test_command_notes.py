"""Lines that a command writes: root's commands leave a ledger that the daemon can open."""

import os
from pathlib import Path

import pytest

from edge_lfr.config.load import load_config
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from simulators.command import CONFIG

DAEMON = 4242
"""A user that nobody is."""


@pytest.mark.root
@pytest.mark.parametrize("is_there", [False, True])
def test_the_ledger_belongs_to_whom_its_folder_belongs(tmp_path: Path, *, is_there: bool) -> None:
    """Also where a command was killed between making the file and giving it away: the next one does it."""
    (tmp_path / "van.toml").write_text(CONFIG)
    config = load_config(tmp_path / "van.toml", {})
    DeviceKeys.load(config.device_directory, create=True)
    config.mode_directory.mkdir()
    path = config.mode_directory / FILE_NAME
    if is_there:
        assert note_from_command(config, LedgerEvent.PURGED, {"alerts": 1, "what": "outbox"})
        os.chown(path, 0, 0)
    os.chown(config.mode_directory, DAEMON, DAEMON)
    assert note_from_command(config, LedgerEvent.PURGED, {"alerts": 2, "what": "outbox"})
    assert (DAEMON, DAEMON) == (path.stat().st_uid, path.stat().st_gid)
