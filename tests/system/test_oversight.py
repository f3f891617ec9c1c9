"""An operational daemon as a process: what it does without a permission, and what commands tell it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from simulators.appliance import eventually
from simulators.authorities import Force
from simulators.broker import Broker
from simulators.clock import StoppedClock
from simulators.van import Van

pytestmark = [pytest.mark.shared, pytest.mark.root]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    (tmp_path / "broker").mkdir()
    with Broker(tmp_path / "broker") as started:
        yield started


@pytest.fixture
def van(tmp_path: Path, installed_packs: Path, shared_data: Path, broker: Broker) -> Van:
    van = Van(tmp_path, installed_packs, shared_data / "london", broker.port)
    van.config.write_text(van.config.read_text().replace('"training"', '"operational"'))
    return van


def test_a_daemon_without_a_permission_stays_up_disarmed_and_is_told_what_changes(van: Van) -> None:
    """Authority missing, not yet begun, revoked, trust changed: each is known at once, and nobody is compared."""
    force = Force(van.folder, clock=StoppedClock(now=datetime.now(UTC).replace(microsecond=0)))
    authority, revocation = van.folder / "authority.json", van.folder / "stop.json"
    authority.write_bytes(force.signed(force.content()))
    revocation.write_bytes(force.revocation())

    def reasons() -> list[str]:
        return list(van.status()["status"]["reasons"])

    with van.daemon():
        assert eventually(lambda: bool(van.status()), 60)
        status = van.status()["status"]
        assert ("disarmed", "trusted", True) == (status["state"], status["clock"], "authority-missing" in reasons())
        refused = van.run("resume")
        assert (78, True) == (refused.returncode, "(1) installed" in refused.stderr)
        installed = van.run("authority", "install", str(authority))
        assert 0 == installed.returncode, installed.stderr
        assert "the daemon knows: it is disarmed (authority-not-yet" in installed.stderr
        assert "TS-2026-014" == van.status()["status"]["authority_id"]
        assert 0 == van.run("clock", "confirm", "--yes").returncode
        assert 0 == van.run("authority", "take-revocation", str(revocation)).returncode
        assert "authority-revoked" in reasons()
        (van.folder / "trust.d" / "second.toml").unlink()
        assert eventually(lambda: "trust-changed" in reasons(), 20)
        assert "paused" == van.status()["status"]["state"]
    assert "Traceback" not in van.log()
