"""The command line in both modes: everything works in operation before there is an authority."""

import os
from pathlib import Path

import pytest

from simulators.command import Command


@pytest.fixture
def operational(tmp_path: Path) -> Command:
    command = Command(tmp_path)
    command.config.write_text(command.config.read_text().replace('"training"', '"operational"'))
    return command


def test_an_operational_configuration_is_correct(operational: Command) -> None:
    """It is checked, explained and diagnosed like one of training."""
    done = operational("config", "check")
    assert 0 == done.status
    assert "operational" in done.out + done.err
    doctor = operational("doctor", "--json")
    assert any("operational, anytown/van-1" in check["found"] for check in doctor.json["checks"])


def test_a_control_room_chooses_its_mode(operational: Command) -> None:
    """Another mode than the two does not exist; and heads are kept, or the watch does not begin."""
    assert os.EX_USAGE == operational("alerts", "watch", "--mode", "live").status
    done = operational("alerts", "watch", "--mode", "training", "--heads", "absent/heads.jsonl")
    assert os.EX_IOERR == done.status
    assert "ledger heads cannot be kept" in done.err
