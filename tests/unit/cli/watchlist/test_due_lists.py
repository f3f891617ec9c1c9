"""What the timer runs: a mode whose folder is damaged keeps no other one from its certificates."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_lfr.cli.watchlist.due_lists import wipe_due_lists
from edge_lfr.config.load import load_config
from edge_lfr.daemon.ending.unsigned_wipes import PATTERN, UnsignedWipe
from edge_lfr.errors import LedgerError
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.lines import Part
from edge_lfr.terms import Mode
from edge_lfr.watchlist.wiping.certificate import FOLDER, WipeCause
from simulators.command import CONFIG

WIPE = UnsignedWipe(
    cause=WipeCause.DEAD_MAN,
    part=Part.TIMER,
    begun_at=datetime(2026, 6, 1, tzinfo=UTC),
    list_id=None,
    lists=1,
    keys=1,
    destroyed_in_s=0.1,
)


@pytest.mark.parametrize("damaged", Mode)
def test_a_damaged_mode_keeps_no_other_wipe_uncertified(tmp_path: Path, damaged: Mode) -> None:
    """Its ledger is no file; the failure is told when everything else is done."""
    path = tmp_path / "edge-lfr.toml"
    path.write_text(CONFIG)
    config = load_config(path, {})
    DeviceKeys.load(config.device_directory, create=True)
    for mode in Mode:
        folder = config.state_directory / mode.value
        folder.mkdir()
        WIPE.leave(folder)
    (config.state_directory / damaged.value / FILE_NAME).mkdir()
    with pytest.raises(LedgerError):
        wipe_due_lists(path, json=False)
    left = {mode for mode in Mode if list((config.state_directory / mode.value / FOLDER).glob(PATTERN))}
    assert {damaged} == left
