"""What the doctor finds in a ledger."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_lfr.cli.doctor.check import Check
from edge_lfr.cli.doctor.ledger import check_ledger
from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.trust import SigningKey, shown_fingerprint
from simulators.command import CONFIG
from simulators.ledgers import TECHNICIAN


@pytest.fixture
def config(tmp_path: Path) -> ApplianceConfig:
    file = tmp_path / "edge-lfr.toml"
    file.write_text(CONFIG.replace('"state"', f'"{tmp_path / "state"}"'))
    return load_config(file, {})


def ledger_of(config: ApplianceConfig, signing: SigningKey | None = None) -> Path:
    """Begun, with some lines of weight and one without."""
    own = DeviceKeys.load(config.device_directory, create=True).signing
    device = f"{config.force}/{config.device}/{config.mode}"
    path = config.mode_directory / FILE_NAME
    ledger = Ledger.open(path, own if signing is None else signing, SystemClock(), device=device)
    ledger.append(LedgerEvent.PAUSED, TECHNICIAN, {})
    ledger.append(LedgerEvent.LOGIN, TECHNICIAN, {"role": "technician"})
    return path


def found(config: ApplianceConfig) -> Check:
    (check,) = check_ledger(config)
    return check


def test_none_yet_is_no_fault(config: ApplianceConfig) -> None:
    """It begins with the first run."""
    assert "ok" == found(config).verdict


def test_a_ledger_is_told_with_its_key_and_its_last_signature(config: ApplianceConfig) -> None:
    """Whose it is, how long, and up to where it is signed; a torn end is a warning."""
    path = ledger_of(config)
    key = shown_fingerprint(DeviceKeys.load(config.device_directory).fingerprint)
    assert "ok" == found(config).verdict
    assert key in found(config).found
    assert "5 lines" in found(config).found
    assert "up to line 3" in found(config).found
    with path.open("ab") as file:
        file.write(b'{"at":"20')
    assert "warn" == found(config).verdict


@pytest.mark.parametrize("torn", [b"", b'{"at":"20'])
def test_a_line_of_weight_without_its_signature_is_a_warning(config: ApplianceConfig, torn: bytes) -> None:
    """The last write was cut off, or somebody without the key added a line: the file is to be kept, and looked at."""
    path = ledger_of(config)
    DeviceKeys.load(config.device_directory)
    device = f"{config.force}/{config.device}/{config.mode}"
    ledger = Ledger.open(path, DeviceKeys.load(config.device_directory).signing, SystemClock(), device=device)
    ledger.append(LedgerEvent.PAUSED, TECHNICIAN, {})
    data = path.read_bytes()
    path.write_bytes(data[: data.rstrip(b"\n").rindex(b"\n") + 1] + torn)
    assert "warn" == found(config).verdict
    assert "line 6 (paused) has no signature" in found(config).found


def test_a_ledger_of_another_key_is_a_failure(config: ApplianceConfig) -> None:
    """Who changed the box's keys is to be found out."""
    ledger_of(config, SigningKey.generate())
    assert "fail" == found(config).verdict


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [*lines[:-2], lines[-1].replace(b"technician", b"somebodyxx")],
        lambda lines: [*lines[:-2], lines[-2][:-80] + b"A" * 4 + lines[-2][-76:], lines[-1]],
        lambda lines: [*lines[:-2], lines[-1]],
    ],
    ids=["head-removed-and-line-edited", "head-edited", "head-removed"],
)
def test_an_end_that_is_not_chained_is_a_failure(
    config: ApplianceConfig, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    """An edited or removed line between the last signature and the end."""
    path = ledger_of(config)
    path.write_bytes(b"".join(line + b"\n" for line in change(path.read_bytes().splitlines())))
    assert "fail" == found(config).verdict
