"""What a running appliance says about its threshold."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from edge_lfr.config.identification import DecisionConfig, GalleryConfig
from edge_lfr.daemon.arming.armament import arm
from edge_lfr.daemon.health import MAX_REASONS, Health
from edge_lfr.daemon.local_status import local_status
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.catalogue import CalibrationRow
from edge_lfr.pipeline.capture.source import CameraState
from simulators.clock import StoppedClock
from simulators.nets import embedder_like, entry_of, yunet_like
from simulators.vitals import health_of
from simulators.watchlists import DIMENSION, entry, new_store, picture, templates

Evidence = Literal["measured", "extrapolated"]


@pytest.fixture(params=["measured", "extrapolated"])
def evidence(request: pytest.FixtureRequest) -> Evidence:
    found: Evidence = request.param
    return found


@pytest.fixture
def armed(tmp_path: Path, evidence: Evidence) -> Iterator[Health]:
    """An appliance with a watchlist, whose floor has that evidence."""
    with appliance(tmp_path, evidence, Conditions()) as health:
        yield health


@contextmanager
def appliance(
    tmp_path: Path, evidence: Evidence, conditions: Conditions, camera_ids: Sequence[str] = ("north",)
) -> Iterator[Health]:
    row = CalibrationRow(
        templates=1000,
        threshold=0.6,
        false_alerts_per_1000=0.2,
        upper_per_1000=0.9,
        worst_group="east",
        evidence=evidence,
    )
    pack = entry_of(yunet_like(), embedder_like(), calibration=(row,))
    with new_store(tmp_path).create(pack_digest=pack.digest, dimension=DIMENSION) as new:
        new.add(entry(0), templates(0), picture(0))
        new.activate()
    health = health_of(tmp_path, StoppedClock(), camera_ids)
    health.armament = arm(new_store(tmp_path), pack, GalleryConfig(), conditions)
    yield health
    health.armament.destroy()
    health.outbox.close()


def test_an_extrapolated_floor_is_a_reason(armed: Health, evidence: Evidence) -> None:
    """Whoever reads the status over the broker sees it among the reasons, and a measured one not."""
    assert (evidence == "extrapolated") == ("threshold-extrapolated" in armed.reasons())
    assert evidence == armed.watchlist().threshold_evidence


def test_the_status_gives_the_floor_with_its_bound(armed: Health, evidence: Evidence) -> None:
    """Threshold, expected rate, its bound and the group that decided, for a technician at the box."""
    floor = local_status(armed)["floor"]
    assert (0.6, 0.2, 0.9, "east", evidence) == tuple(
        floor[name] for name in ("threshold", "false_alerts_per_1000", "upper_per_1000", "worst_group", "evidence")
    )


def test_laxer_conditions_take_bound_and_evidence_away(tmp_path: Path) -> None:
    """One hit alone is outside the calibration: status and alerts say so, although the row was measured."""
    conditions = Conditions(decision=DecisionConfig(required_hits=1))
    with appliance(tmp_path, "measured", conditions) as health:
        floor = local_status(health)["floor"]
        assert (0.6, None, "extrapolated") == tuple(floor[name] for name in ("threshold", "upper_per_1000", "evidence"))
        assert "threshold-extrapolated" in health.reasons()
        assert "extrapolated" == health.watchlist().threshold_evidence


def test_no_crowd_of_reasons_cuts_the_floor_off(tmp_path: Path) -> None:
    """Every camera down and every thread at a stand: more reasons than a status holds, and the floor is among them."""
    camera_ids = [f"camera-{number}" for number in range(32)]
    with appliance(tmp_path, "extrapolated", Conditions(), camera_ids) as health:
        for camera in health.cameras.values():
            camera._state = CameraState.DOWN
        health.has_metrics = False
        health.stalled = ("path", "link", "control", *camera_ids)
        reasons = health.status().reasons
    assert MAX_REASONS == len(reasons)
    assert {"threshold-extrapolated", "metrics-unavailable", "stalled-path"} <= set(reasons)
    assert {f"camera-{camera_id}-down" for camera_id in camera_ids} <= set(reasons)
