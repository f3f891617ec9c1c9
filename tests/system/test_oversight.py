"""An operational daemon as a process: what it does without a permission, and what commands tell it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.inference.catalogue import catalogue_path, load_catalogue
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.building import plan_bundle
from edge_lfr.watchlist.bundle.manifest import SCHEMA, BundleHead
from edge_lfr.watchlist.bundle.writing import SUFFIX, write_bundle
from edge_lfr.watchlist.enrolling.folder import read_source
from simulators.appliance import LIVE_TOPICS, eventually
from simulators.authorities import Force
from simulators.broker import Broker
from simulators.clock import StoppedClock
from simulators.desk import Desk
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
    pack = load_catalogue().pack("yunet-0095")
    content = force.content(pack_digest=pack.digest, threshold=pack.floor(1000).threshold)
    authority.write_bytes(force.signed(content))
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


def operational_bundle(van: Van, force: Force, people: list[str]) -> Path:
    """What the force's issuer makes for this appliance: the list that the authority names."""
    source = van.watchlist(people)
    plan = plan_bundle(read_source(source), force.now)
    head = BundleHead(
        schema=SCHEMA,
        mode=Mode.OPERATIONAL,
        issuer="issuing desk",
        devices=("testshire/van-1",),
        list_id="june-01",
        extracted_at=force.now - timedelta(hours=1),
    )
    recipient = DeviceKeys.load(van.folder / "state" / "device", create=True).receiving.recipient
    out = source.with_suffix(SUFFIX)
    write_bundle(out, head.with_entries(plan.entries), plan.pictures, issuer=force.issuer, recipients=[recipient])
    return out


def test_a_deployment_arms_by_itself_alerts_stops_at_its_end_and_wipes(van: Van, broker: Broker) -> None:
    """From before its window to after its grace, with a pack that counts as measured; no alert is of training."""
    catalogue = van.folder / "catalogue.toml"
    catalogue.write_text(catalogue_path().read_text().replace('evidence = "extrapolated"', 'evidence = "measured"'))
    protection_officer = AgeIdentity.generate().recipient.text
    lines = van.config.read_text().replace("[models]", '[models]\ncatalogue = "catalogue.toml"')
    van.config.write_text(lines.replace("[trust]", f'[trust]\nprotection_officer = "{protection_officer}"'))
    force = Force(van.folder, clock=StoppedClock(now=datetime.now(UTC).replace(microsecond=0)))
    begins_at, ends_at = force.now + timedelta(seconds=30), force.now + timedelta(seconds=75)
    pack = load_catalogue(catalogue).pack("yunet-0095")
    content = force.content(
        pack_digest=pack.digest,
        threshold=pack.floor(1000).threshold,
        begins_at=begins_at.isoformat(),
        ends_at=ends_at.isoformat(),
        wipe_grace_min=0,
        watchlist__issuer_key=force.issuer.fingerprint,
    )
    (van.folder / "authority.json").write_bytes(force.signed(content))
    installed = van.run("authority", "install", str(van.folder / "authority.json"))
    assert 0 == installed.returncode, installed.stderr
    loaded = van.run("watchlist", "load", str(operational_bundle(van, force, ["001.jpg"])))
    assert 0 == loaded.returncode, loaded.stderr
    van.show(["001.jpg"], 60.0)
    with Desk(broker, van.key, LIVE_TOPICS) as desk, van.daemon():
        assert eventually(lambda: bool(van.status()), 60)
        assert eventually(lambda: van.status()["status"]["state"] != "disarmed", 60), van.log()
        assert eventually(lambda: bool(desk.alerts), 40), van.log()
        assert Mode.OPERATIONAL is desk.alerts[0].message.mode
        assert eventually(lambda: "authority-ended" in van.status().get("status", {}).get("reasons", ()), 90)
        assert eventually(lambda: not (van.folder / "state/operational/watchlist/current").exists(), 20)
