"""What the doctor says of a deployment before the van leaves."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from edge_lfr.cli.doctor.arming import check_arming, steps_of
from edge_lfr.cli.doctor.check import Verdict
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.arming.judgement import judge_arming
from edge_lfr.daemon.control.local_socket import ControlServer
from edge_lfr.daemon.control.protocol import Request
from edge_lfr.terms import Mode
from simulators.deployments import Deployment


def config_of(folder: Path, mode: Mode) -> ApplianceConfig:
    return ApplianceConfig.model_validate(
        {
            "mode": mode,
            "force": "testshire",
            "device": "van-1",
            "state_directory": folder / "state",
            "runtime_directory": folder / "run",
            "models": {"pack": "yunet-0095"},
            "cameras": [{"id": "north", "source": str(folder / "clip.mp4")}],
            "reporting": {"broker": {"host": "127.0.0.1"}},
            "trust": {"directory": folder / "trust.d"},
        }
    )


def test_training_needs_no_authority(tmp_path: Path) -> None:
    """Whoever practises asks nobody."""
    (check,) = check_arming(config_of(tmp_path, Mode.TRAINING))
    assert (Verdict.OK, "training: no authority is needed") == (check.verdict, check.found)


def test_every_step_of_a_deployment_is_told(tmp_path: Path) -> None:
    """Eleven lines; the first that is missing says what to do, and nothing is made."""
    checks = list(check_arming(config_of(tmp_path, Mode.OPERATIONAL)))
    assert [f"arming {number}" for number in range(1, 12)] == [check.name for check in checks]
    assert (Verdict.FAIL, True) == (checks[0].verdict, "edge-lfr authority install" in checks[0].remedy)
    assert (Verdict.OK, "clock: trusted") == (checks[3].verdict, checks[3].found)
    assert Verdict.WARN is checks[9].verdict
    assert [] == list(tmp_path.iterdir())


def answer(facts: Mapping[str, object], _: Request) -> Mapping[str, object]:
    """A daemon's, to whatever is asked."""
    return facts


def test_a_window_that_is_still_to_come_fails_nobody(tmp_path: Path) -> None:
    """A box is made ready beforehand: that it waits for its window is told, and one that has ended is a failure."""
    deployment, config = Deployment(tmp_path), config_of(tmp_path, Mode.OPERATIONAL)
    deployment.install()
    deployment.load()
    found = []
    for wait_s in (0.0, 3_600.0, 5 * 3_600.0):
        deployment.clock.advance(wait_s)
        steps = steps_of(judge_arming(deployment.facts()))
        config.control_socket.parent.mkdir(exist_ok=True)
        with ControlServer(config.control_socket, {"status": partial(answer, {"arming": steps})}):
            found.append({check.name: check.verdict for check in check_arming(config)}["arming 3"])
    assert [Verdict.WARN, Verdict.OK, Verdict.FAIL] == found
