"""The main job with the daemon as a process: real nets, a real broker, real pictures."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_lfr.daemon.latency import LatencyPart
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.documents import Kind, read_document
from edge_lfr.pipeline.path import TIMED_STAGES
from edge_lfr.pipeline.reporting.messages import parse
from edge_lfr.pipeline.reporting.states import HealthMessage
from edge_lfr.pipeline.stage_times import ALL_STAGES
from edge_lfr.watchlist.wiping.certificate import WipeCertificate
from simulators import undestroying_daemon
from simulators.appliance import TOPICS, eventually
from simulators.broker import Broker
from simulators.desk import Desk
from simulators.listener import Listener
from simulators.van import Van, reference_of

pytestmark = pytest.mark.shared

LISTED, ALSO_LISTED, BYSTANDER = "001.jpg", "002.jpg", "003.jpg"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    (tmp_path / "broker").mkdir()
    with Broker(tmp_path / "broker") as started:
        yield started


@pytest.fixture
def van(tmp_path: Path, installed_packs: Path, shared_data: Path, broker: Broker) -> Van:
    return Van(tmp_path, installed_packs, shared_data / "london", broker.port)


def test_a_listed_person_walks_past_and_an_acknowledged_alert_stands(van: Van, broker: Broker) -> None:
    """Who is listed is told once, with both pictures and words for the officer; who is not becomes a number."""
    van.load([LISTED])
    van.show([BYSTANDER, LISTED], 2.5)
    with Desk(broker, van.key) as desk, van.daemon("--once") as daemon:
        summary = daemon.summary()
        assert [reference_of(LISTED)] == desk.references
    message = desk.alerts[0].message
    assert ("Subject", "suspect", "observe") == (message.label, message.category, message.response_code)
    assert message.score >= message.threshold
    assert message.face_jpeg is not None
    assert message.reference_jpeg is not None
    for jpeg in (message.face_jpeg, message.reference_jpeg):
        assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) is not None
    assert 1 == summary["alerts"]
    assert 1 == summary["counters"]["ack.accepted"]
    assert 1 == summary["counters"]["discard.track-non-match"]
    assert summary["latency_ms_p50"] is not None
    parts = summary["latency"]
    assert summary["latency_ms_p50"] == parts["frame_to_puback"]["p50_ms"]
    assert [1, 1, 1, 1] == [parts[part]["count"] for part in parts if part != "handover"]
    assert summary["frames_processed"] == parts["handover"]["count"] == summary["stages"]["pass"]["count"]
    assert parts["first_good_face_to_puback"]["max_ms"] > parts["frame_to_puback"]["max_ms"]


def test_nothing_about_a_subject_is_logged(van: Van, broker: Broker) -> None:
    """Neither the label nor the reference id of somebody who was alerted stands in the daemon's log."""
    van.load([LISTED])
    van.show([LISTED], 2.0)
    with Desk(broker, van.key) as desk, van.daemon("--once") as daemon:
        daemon.summary()
        assert 1 == len(desk.alerts)
    assert "Subject" not in van.log()
    assert reference_of(LISTED) not in van.log()


def test_an_alert_survives_a_killed_daemon(van: Van, broker: Broker) -> None:
    """Without a broker the alert is stored; the next run delivers it although the daemon was killed meanwhile."""
    broker.stop()
    van.load([LISTED])
    van.show([LISTED], 20.0)
    with van.daemon() as daemon:
        assert eventually(lambda: van.status().get("status", {}).get("outbox", {}).get("stored", 0) >= 1, 40.0)
        daemon.kill()
    van.show([BYSTANDER], 2.0)
    broker.start()
    with Desk(broker, van.key) as desk, van.daemon("--once"):
        assert desk.wait_for_alerts(1)
        assert [reference_of(LISTED)] == desk.references


def test_a_running_daemon_takes_a_new_list(van: Van, broker: Broker) -> None:
    """A list that is loaded while the daemon runs is searched from then on, without a restart."""
    van.load([ALSO_LISTED])
    van.show([LISTED], 60.0)
    with Desk(broker, van.key) as desk, van.daemon():
        assert eventually(lambda: van.status().get("counters", {}).get("frames-processed.north", 0) >= 8, 40.0)
        assert [] == desk.references
        van.load([LISTED, ALSO_LISTED], "second")
        assert desk.wait_for_alerts(1)
        assert [reference_of(LISTED)] == desk.references


def test_a_removed_reference_is_not_found_any_more(van: Van, broker: Broker) -> None:
    """Removal rebuilds the list while the daemon runs; the others stay listed."""
    van.load([LISTED, ALSO_LISTED])
    van.show([ALSO_LISTED], 1.0)
    with Desk(broker, van.key) as desk, van.daemon():
        assert desk.wait_for_alerts(1)
        done = van.run("watchlist", "remove", reference_of(LISTED), "--yes")
        assert 0 == done.returncode, done.stderr
        assert 1 == van.status()["watchlist"]["references"]


def test_a_restart_does_not_end_a_hold(van: Van) -> None:
    """A changed trust folder holds the appliance; killed and begun anew it opens nothing until somebody says so."""
    van.load([LISTED])
    van.show([BYSTANDER], 120.0)
    with van.daemon():
        assert eventually(lambda: van.status().get("status", {}).get("state") in {"running", "degraded"}, 40.0)
        (van.folder / "trust.d" / "new.toml").write_text("not a key")
        assert eventually(lambda: van.status()["status"]["state"] == "paused", 20.0), van.log()
        (van.folder / "trust.d" / "new.toml").unlink()
    with van.daemon():
        assert eventually(lambda: van.status().get("status", {}).get("state") == "paused", 40.0), van.log()
        assert "trust-changed" in van.status()["status"]["reasons"]
        assert 0 == van.run("resume").returncode
        assert eventually(lambda: van.status()["status"]["state"] in {"running", "degraded"}, 20.0), van.log()


def test_a_wiped_appliance_is_disarmed_and_holds_nothing(van: Van, broker: Broker) -> None:
    """After a wipe no key and no list is left, the cameras are off, and a test alert still goes through."""
    van.load([LISTED])
    van.show([BYSTANDER], 60.0)
    with Desk(broker, van.key), van.daemon():
        assert eventually(lambda: van.status().get("status", {}).get("state") in {"running", "degraded"}, 40.0)
        assert 0 == van.run("watchlist", "wipe", "--yes").returncode
        status = van.status()
        assert "disarmed" == status["status"]["state"]
        assert [] == [camera for camera in status["cameras"] if camera["state"] == "up"]
        assert [] == list((van.folder / "state" / "training").rglob("key.wrapped"))
        assert 0 == van.run("alerts", "test").returncode


def test_a_wipe_is_proved_by_the_process_that_comes_after_it(van: Van) -> None:
    """The same process number, another address space; nothing is found, and what says so is signed by the box."""
    van.load([LISTED, ALSO_LISTED])
    van.show([BYSTANDER], 60.0)
    with van.daemon() as daemon:
        assert eventually(lambda: van.status().get("status", {}).get("state") in {"running", "degraded"}, 40.0)
        digest, boot_id = van.status()["watchlist"]["digest"], van.status()["status"]["boot_id"]
        done = van.run("watchlist", "wipe", "--yes", "--json", "--certificate", "wiped.json")
        assert 0 == done.returncode, done.stderr
        told = json.loads(done.stdout)
        assert (True, True, 2, digest) == tuple(
            told[name] for name in ("is_clean", "is_process_replaced", "references", "list_digest")
        )
        assert told["proof"]["fragments"] >= 4
        assert told["proof"]["memory_bytes"] > 50e6
        assert boot_id != van.status()["status"]["boot_id"]
        assert daemon.process.poll() is None
    document = read_document((van.folder / "wiped.json").read_bytes(), Kind.WIPE_CERTIFICATE, WipeCertificate)
    document.verify_with(DeviceKeys.load(van.folder / "state" / "device").signing.public)
    assert digest == document.content.list_digest


def test_removing_the_last_reference_is_proved_as_a_wipe_is(van: Van) -> None:
    """The command waits for the certificate of the process that comes afterwards, and says what it found."""
    van.load([LISTED])
    van.show([BYSTANDER], 60.0)
    with van.daemon():
        assert eventually(lambda: van.status().get("status", {}).get("state") in {"running", "degraded"}, 40.0)
        done = van.run("watchlist", "remove", reference_of(LISTED), "--yes", "--json")
        assert 0 == done.returncode, done.stderr
        told = json.loads(done.stdout)
        assert (0, "removed-last", True, True) == (
            told["remaining"],
            *(told["certificate"][name] for name in ("cause", "is_clean", "is_process_replaced")),
        )


def test_the_proof_finds_a_list_that_was_not_destroyed(van: Van) -> None:
    """With destruction switched off, the same search finds it in memory, on the disk, and its key."""
    van.load([LISTED, ALSO_LISTED])
    van.show([BYSTANDER], 60.0)
    with van.daemon(command=(sys.executable, undestroying_daemon.__file__)):
        assert eventually(lambda: van.status().get("status", {}).get("state") in {"running", "degraded"}, 40.0)
        done = van.run("watchlist", "wipe", "--yes", "--json")
        assert os.EX_SOFTWARE == done.returncode, done.stderr
        assert done.stdout, done.stderr
        told = json.loads(done.stdout)
        assert told["is_clean"] is False
        assert told["proof"]["memory_hits"] >= 4
        assert told["proof"]["paths_left"] >= 3
        assert 1 == told["proof"]["keys_that_open"]


def test_a_paused_appliance_looks_at_nobody(van: Van, broker: Broker) -> None:
    """Between pause and resume no frame is processed; afterwards the street is watched again."""
    van.load([ALSO_LISTED])
    van.show([BYSTANDER], 60.0)
    with Desk(broker, van.key), van.daemon() as daemon:
        assert eventually(lambda: van.status().get("counters", {}).get("frames-processed.north", 0) > 0, 40.0)
        assert 0 == van.run("pause").returncode
        before = van.status()["counters"]["frames-processed.north"]
        assert "paused" == van.status()["status"]["state"]
        assert before == van.status()["counters"]["frames-processed.north"]
        assert 0 == van.run("resume").returncode
        assert eventually(lambda: van.status()["counters"]["frames-processed.north"] > before)
        assert 0 == van.run("stop").returncode
        assert 0 == daemon.process.wait(timeout=20)


def test_a_restart_does_not_end_a_pause(van: Van) -> None:
    """Killed and begun anew it looks at nobody and says why, until a technician says go on."""
    van.load([ALSO_LISTED])
    van.show([BYSTANDER], 60.0)
    with van.daemon() as daemon:
        assert eventually(lambda: van.status().get("counters", {}).get("frames-processed.north", 0) > 0, 40.0)
        assert 0 == van.run("pause").returncode
        daemon.kill()
    with van.daemon():
        assert eventually(lambda: van.status().get("status", {}).get("state") == "paused", 40.0), van.log()
        said = van.status()
        assert "paused" in said["status"]["reasons"]
        assert not {"no-watchlist", "watchlist-not-searched"} & set(said["status"]["reasons"])
        assert (0, None) == (said["counters"]["frames-processed.north"], said["watchlist"]["digest"])
        assert 0 == van.run("resume").returncode
        assert eventually(lambda: van.status()["counters"]["frames-processed.north"] > 0, 20.0), van.log()


def test_whoever_watches_the_broker_hears_how_the_appliance_is(van: Van, broker: Broker) -> None:
    """Stages, latency, drops by cause, ages of what waits, memory; one camera is too fast, and nobody takes alerts."""
    van.load([LISTED])
    van.show([BYSTANDER, *[LISTED] * 20], 2.5)
    south = '[[cameras]]\nid = "south"\nsource = "street/"\nplayback = "every-frame"\n'
    van.config.write_text(f"{van.config.read_text()}[reporting]\nhealth_interval_s = 0.1\n{south}")
    waits = {"frame_waiting_s.south", "outbox_oldest_s"}
    stages = {*TIMED_STAGES, ALL_STAGES}
    dropped = "discard.track-non-match.north"

    def has_everything(payload: bytes) -> bool:
        """Somebody was let go, every stage has run, an alert was stored, and a frame waits for the next pass."""
        told = parse(HealthMessage, payload)
        has_alert = told.latency[LatencyPart.FRAME_TO_STORED].count > 0
        return has_alert and dropped in told.counters and waits <= set(told.measures) and stages <= set(told.stages)

    with Listener(broker, TOPICS.health) as listener, van.daemon():
        message = parse(HealthMessage, listener.first(has_everything, 60.0))
    for times in message.stages.values():
        assert times.count >= 1
        assert None not in {times.p50_ms, times.p99_ms, times.total_ms}
    assert set(LatencyPart) == set(message.latency)
    for part in (LatencyPart.HANDOVER, LatencyPart.FRAME_TO_STORED):
        assert message.latency[part].p99_ms is not None
    assert message.counters["discard.track-non-match"] >= message.counters[dropped] >= 1
    assert message.counters["frames-processed.north"] >= 1
    assert min(message.measures[name] for name in waits) >= 0.0
    memory = ("memory_resident_mb", "memory_peak_mb", "memory_children_mb", "memory_locked_mb")
    assert min(message.measures[name] for name in memory) > 0.0


def test_a_second_daemon_is_refused(van: Van, broker: Broker) -> None:
    """One appliance, one daemon: the second says who is there, and the first goes on."""
    assert broker.port
    van.load([ALSO_LISTED])
    van.show([BYSTANDER], 60.0)
    with van.daemon():
        assert eventually(lambda: bool(van.status()), 40.0)
        second = van.run("run", "--once")
        assert 75 == second.returncode
        assert "what to do" in second.stderr
        assert van.status()


def test_a_list_of_another_pack_is_refused(van: Van, broker: Broker) -> None:
    """Templates of one pack mean nothing to another: the daemon does not start, and says what to do."""
    assert broker.port
    van.load([LISTED])
    van.show([BYSTANDER], 1.0)
    catalogue = Path(__file__).parents[2] / "models" / "catalogue.toml"
    (van.folder / "catalogue.toml").write_text(catalogue.read_text().replace("threshold = 0.7", "threshold = 0.75"))
    van.config.write_text(van.config.read_text().replace("[models]", '[models]\ncatalogue = "catalogue.toml"'))
    done = van.run("run", "--once")
    assert 78 == done.returncode
    assert "load the watchlist again" in done.stderr


def test_a_threshold_below_the_floor_is_refused(van: Van, broker: Broker) -> None:
    """The floor comes from the pack's calibration; a configuration may raise it and never lower it."""
    assert broker.port
    van.load([LISTED])
    van.show([BYSTANDER], 1.0)
    van.config.write_text(van.config.read_text() + "[decision]\nthreshold = 0.3\n")
    done = van.run("run", "--once")
    assert 78 == done.returncode
    assert "decision.threshold" in done.stderr
