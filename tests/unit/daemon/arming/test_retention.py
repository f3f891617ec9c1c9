"""How long alerts are kept, from the force's document to the arming: what was signed counts."""

from pathlib import Path

import pytest

from edge_lfr.config.load import load_config
from edge_lfr.config.retention import RetentionProfile
from edge_lfr.daemon.arming.facts import ArmingRefusal
from edge_lfr.daemon.arming.judgement import arm_in_steps
from edge_lfr.daemon.arming.mandate import Mandate
from edge_lfr.errors import ArmingRefusedError
from edge_lfr.governance.clock_note import TrustedTime
from simulators.command import CONFIG
from simulators.deployments import Deployment
from simulators.retention import NAME, document


def configured(van: Deployment, folder: Path, *changes: tuple[str, str]) -> RetentionProfile:
    """What a daemon that starts now tells the arming, with the force's document as it is then."""
    document(folder, *changes)
    file = folder / "edge-lfr.toml"
    file.write_text(CONFIG + f'[retention]\nprofile = "{NAME}"\ndocument = "retention.toml"\n')
    mandate = Mandate(
        config=load_config(file, {}),
        trust=van.force.trust,
        trust_digest="",
        device_fingerprint=None,
        watch=TrustedTime.begin(folder, clock=van.clock, kernel=van.clock),
    )
    return mandate.facts(van.pack).retention


def test_a_document_that_changed_under_its_name_arms_nothing(tmp_path: Path) -> None:
    """Signed were 24 hours; the same path and name with 31 days need another signature."""
    van, folder = Deployment(tmp_path / "van"), tmp_path / "force"
    folder.mkdir()
    authorised = configured(van, folder)
    van.install(retention_profile=NAME, retention_digest=authorised.digest)
    van.load()
    van.begin()
    arm_in_steps(van.facts(retention=configured(van, folder)))
    with pytest.raises(ArmingRefusedError) as caught:
        arm_in_steps(van.facts(retention=configured(van, folder, ("period_s = 86_400", "period_s = 2_678_400"))))
    assert ArmingRefusal.RETENTION == caught.value.reason
    assert "retention_digest" in caught.value.message
    arm_in_steps(van.facts(retention=configured(van, folder)))
