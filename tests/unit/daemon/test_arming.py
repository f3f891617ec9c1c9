"""What must hold before anybody is compared in operation."""

import os
from pathlib import Path

import pytest

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.arming import require_authority
from edge_lfr.daemon.service import run_daemon
from edge_lfr.errors import AuthorityMissingError
from edge_lfr.terms import Mode


def config_of(folder: Path, mode: Mode) -> ApplianceConfig:
    return ApplianceConfig.model_validate(
        {
            "mode": mode,
            "force": "testshire",
            "device": "van-1",
            "state_directory": folder / "state",
            "runtime_directory": folder / "run",
            "cameras": [{"id": "north", "source": str(folder / "clip.mp4")}],
            "reporting": {"broker": {"host": "127.0.0.1"}},
        }
    )


def test_training_needs_no_authority(tmp_path: Path) -> None:
    """Whoever practises asks nobody."""
    require_authority(config_of(tmp_path, Mode.TRAINING))


def test_an_operation_does_not_begin_without_an_authority(tmp_path: Path) -> None:
    """It ends before anything is opened or made, names the field and the remedy, and is not tried again."""
    with pytest.raises(AuthorityMissingError, match="mode: operational needs a deployment authority") as caught:
        run_daemon(config_of(tmp_path, Mode.OPERATIONAL))
    assert ("authority.missing", os.EX_CONFIG) == (caught.value.code, caught.value.exit_status)
    assert "edge-lfr authority install" in caught.value.advice
    assert [] == list(tmp_path.iterdir())
