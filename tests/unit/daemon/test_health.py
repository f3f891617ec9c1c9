"""What the appliance says of itself."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_lfr.biometrics.locking import TALLY
from edge_lfr.biometrics.outcomes import Discard, DiscardReason
from edge_lfr.config.reporting import BrokerConfig, ReportingConfig
from edge_lfr.daemon.health import Health
from edge_lfr.daemon.latency import LatencyPart
from edge_lfr.daemon.local_status import local_status
from edge_lfr.daemon.process_use import process_use
from edge_lfr.pipeline.path import FLUSH, STAGES
from edge_lfr.pipeline.reporting.alert import AlertWriter
from edge_lfr.pipeline.reporting.messages import MESSAGE_BYTES, parse
from edge_lfr.pipeline.reporting.states import DeviceState, HealthMessage
from simulators.appliance import IDENTITY, frame_of
from simulators.clock import StoppedClock
from simulators.retention import DAY
from simulators.vitals import health_of

LONGEST_ID = 63
MOST_CAMERAS = 32


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def largest(tmp_path: Path, clock: StoppedClock) -> Iterator[Health]:
    """As many cameras with as long names as the configuration allows, and everything counted that can be."""
    camera_ids = [f"{number:02d}".ljust(LONGEST_ID, "x") for number in range(MOST_CAMERAS)]
    health = health_of(tmp_path, clock, camera_ids)
    for camera_id in camera_ids:
        for reason in DiscardReason:
            health.counters.discard(Discard(reason=reason, camera_id=camera_id))
        health.counters.count(f"faces-seen.{camera_id}")
        health.progress.watch(f"camera-{camera_id}", health.cameras[camera_id], 60.0)
    for stage in STAGES:
        health.times.add(stage.stage, 20_000_000)
    health.times.add(FLUSH, 20_000_000)
    for part in LatencyPart:
        health.latency.add(part, 0, 1_000_000)
    yield health
    health.outbox.close()


def test_the_largest_health_message_fits(largest: Health) -> None:
    """It is sent every few seconds, whatever was configured: half of the limit is never reached."""
    wire = largest.health().to_json()
    assert len(wire) < MESSAGE_BYTES / 2
    message = parse(HealthMessage, wire)
    assert {part.value for part in LatencyPart} == set(message.latency)
    assert {"memory_resident_mb", "descriptors", "threads"} <= set(message.measures)
    detection = message.stages["faces.detection"]
    assert (1, 20.0, 20.0, 20.0) == (detection.count, detection.total_ms, detection.p50_ms, detection.p99_ms)


def test_what_waits_is_told_with_its_age(tmp_path: Path, clock: StoppedClock) -> None:
    """A frame before the path and an alert before the broker, each in seconds; nothing where nothing waits."""
    health = health_of(tmp_path, clock, ["north", "south"])
    assert set() == {"frame_waiting_s.north", "outbox_oldest_s"} & set(health.measures())
    frame = frame_of(clock)
    health.cameras["north"]._handover.offer(frame)
    clock.advance(1.5)
    reporting = ReportingConfig(broker=BrokerConfig(host="localhost"))
    AlertWriter(reporting, IDENTITY, health.outbox, clock, retention=DAY).write_test()
    clock.advance(2.0)
    measures = health.measures()
    frame.destroy()
    health.outbox.close()
    assert (3.5, 2.0) == (measures["frame_waiting_s.north"], measures["outbox_oldest_s"])
    assert "frame_waiting_s.south" not in measures


def test_the_largest_status_fits_its_line(largest: Health) -> None:
    """A technician gets an answer from the largest appliance too, with the times of its stages."""
    status = local_status(largest)
    assert len(json.dumps(status)) < 64 * 1024
    assert {"count": 1, "total_ms": 20.0, "p50_ms": 20.0, "p99_ms": 20.0} == status["stages"][FLUSH]


def test_memory_that_is_not_locked_is_said(tmp_path: Path, clock: StoppedClock) -> None:
    """Buffers that the limit did not allow to lock make a running appliance a degraded one."""
    health = health_of(tmp_path, clock)
    health.enter(DeviceState.RUNNING)
    TALLY.note(4096, is_locked=False)
    try:
        assert "memory-unlocked" in health.reasons()
        assert DeviceState.DEGRADED is health.status().state
        assert health.measures()["memory_unlocked_mb"] >= 0.004
    finally:
        TALLY.forget(4096, was_locked=False)
    health.outbox.close()


def test_a_thread_that_stands_is_a_reason(tmp_path: Path, clock: StoppedClock) -> None:
    """Where no service manager restarts it, somebody can see which one."""
    health = health_of(tmp_path, clock)
    health.stalled = ("path",)
    assert "stalled-path" in health.reasons()
    health.outbox.close()


def test_the_line_for_the_service_manager_says_how_it_is(tmp_path: Path, clock: StoppedClock) -> None:
    """State, cameras that are up, and alerts that wait."""
    health = health_of(tmp_path, clock)
    assert "starting: 0 of 1 cameras up, 0 alerts waiting" == health.in_words()
    health.outbox.close()


def test_the_line_for_the_service_manager_waits_for_no_disk(tmp_path: Path, clock: StoppedClock) -> None:
    """The thread that says it feeds the watchdog: a disk that hangs must not have the daemon killed."""
    health = health_of(tmp_path, clock)
    is_held, may_go_on = threading.Event(), threading.Event()

    def hang() -> None:
        with health.outbox._changed, health.outbox._file._lock:
            is_held.set()
            may_go_on.wait(10)

    disk = threading.Thread(target=hang)
    disk.start()
    is_held.wait(10)
    said: list[str] = []
    speaker = threading.Thread(target=lambda: said.append(health.in_words()))
    speaker.start()
    speaker.join(2)
    assert ["starting: 0 of 1 cameras up, 0 alerts waiting"] == said
    may_go_on.set()
    disk.join()
    speaker.join()
    health.outbox.close()


def test_the_process_knows_what_it_holds() -> None:
    """The kernel's own numbers: memory, descriptors, threads."""
    use = process_use()
    assert 0 < use.resident_bytes <= use.peak_bytes
    assert use.descriptors > 2
    assert use.threads >= 1
