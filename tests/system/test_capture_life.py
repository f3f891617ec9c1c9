"""The life of a camera: its verbs from many threads, its thread when something in it fails, and what wakes it."""

import os
import select
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import structlog

from assets.video.make_clips import make_clip
from edge_lfr.biometrics.outcomes import Discard
from edge_lfr.clock import SystemClock
from edge_lfr.config.capture import CameraConfig
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.capture.protocol import Fault
from edge_lfr.pipeline.capture.source import CameraState
from simulators.appliance import eventually
from simulators.onlooker import Onlooker, decoder_pids

NOWHERE = "rtsp://127.0.0.1:1/camera"
"""Nobody listens there; also the address of a camera whose decoder is `TIRELESS`."""

TIRELESS = """#!{python} -I
import socket, sys, time
from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.pipeline.capture.protocol import Message, MessageKind
control = socket.socket(fileno=int(sys.argv[-2]))
control.recv(65536)
control.send(Message(kind=MessageKind.OPENED).pack())
while True:
    control.send(Message(kind=MessageKind.FRAME, number=0, size=SizeWH(64, 64), arrived_ns=time.monotonic_ns()).pack())
    control.recv(1)
    time.sleep(0.02)
"""
"""A live camera's decoder without a camera: one frame at a time, in one slot, until it is killed."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "long.mp4", frames=400)


@pytest.fixture
def live_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A live camera that always gives frames."""
    decoder = tmp_path / "decoder"
    decoder.write_text(TIRELESS.format(python=sys.executable))
    decoder.chmod(stat.S_IRWXU)
    monkeypatch.setattr(sys, "executable", str(decoder))
    return NOWHERE


@pytest.fixture
def unwritable_log() -> None:
    """Every line of the log fails as on a full disk."""

    def fail(*_: object) -> str:
        message = "no space left"
        raise OSError(message)

    structlog.configure(processors=[fail])


class Watched(Onlooker):
    """Destroys each frame as it comes, after the listed failures, one per frame."""

    def __init__(self, source: str, failures: list[BaseException], **settings: object) -> None:
        super().__init__(source, **settings)
        self._failures = failures
        self.camera = Camera(
            CameraConfig.model_validate({"id": "camera-1", "source": source, **settings}),
            on_frame=self._look,
            on_discard=self.discards.append,
            clock=SystemClock(),
        )

    def _look(self) -> None:
        if self._failures:
            raise self._failures.pop()
        frame = self.camera.take_newest()
        if frame is not None:
            frame.destroy()


def in_time(act: Callable[[], None]) -> bool:
    """Whether *act* returns; one that does not is left to its thread."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(5.0)
    return not thread.is_alive()


def is_awake(camera: Camera) -> bool:
    """A wake-up waits that nobody has read."""
    return bool(select.select([camera._wake], [], [], 0)[0])


def test_a_stray_wake_up_is_read_once(clip: Path) -> None:
    """A wake-up that asks for nothing is read while the decoder goes on: left there, it would keep a core busy."""
    with Onlooker(str(clip)) as onlooker:
        onlooker.wait_for_state(CameraState.UP)
        os.eventfd_write(onlooker.camera._wake, 1)
        onlooker.wait_until(lambda _: not is_awake(onlooker.camera), timeout_s=5.0)
        status = onlooker.wait_for_state(CameraState.UP)
    assert 0 == status.restarts


def test_resuming_what_is_not_paused_does_nothing() -> None:
    """A camera that is down keeps to its wait, whoever resumes it meanwhile."""
    with Onlooker(NOWHERE, open_timeout_s=3.0, backoff_s=(30.0, 30.0)) as onlooker:
        onlooker.wait_for_state(CameraState.DOWN)
        onlooker.camera.resume()
        time.sleep(0.5)  # the law is about real time: the thread gets every chance to wake
        assert (CameraState.DOWN, 0) == (onlooker.status.state, onlooker.status.restarts)


def test_a_pause_that_outlived_a_stop_can_be_ended(live_source: str) -> None:
    """Who resumes a stopped camera finds it decoding when it is started again."""
    with Watched(live_source, []) as watched:
        watched.wait_for_state(CameraState.UP)
        watched.camera.pause()
        watched.camera.stop()
        watched.camera.resume()
        watched.camera.start()
        watched.wait_for_state(CameraState.UP, timeout_s=5.0)


def test_a_live_camera_survives_what_fails_in_its_thread(live_source: str) -> None:
    """It is down with a word, holds nothing back, and is tried again; the log has the failure's type, not its text."""
    failures: list[BaseException] = [ValueError("a secret")]
    with structlog.testing.capture_logs() as lines, Watched(live_source, failures, backoff_s=(1.0, 1.0)) as watched:
        status = watched.wait_for_state(CameraState.DOWN)
        assert Fault.CAMERA_FAILED.value == status.error_code
        assert set() == decoder_pids()
        waiting = watched.camera.take_newest()
        assert waiting is not None
        waiting.destroy()
        slots = watched.camera._slots
        assert slots is not None
        assert 0 == slots.held
        length = os.fstat(slots.descriptor).st_size
        assert not np.frombuffer(os.pread(slots.descriptor, length, 0), dtype=np.uint8).any()
        status = watched.wait_until(lambda status: status.state is CameraState.UP and status.frames_handed_over > 3)
        assert (None, 1) == (status.error_code, status.restarts)
    assert ["camera.available", "camera.failed", "camera.unavailable", "camera.available"] == [
        line["event"] for line in lines
    ]
    assert "ValueError" == lines[1]["error"]
    assert "secret" not in repr(lines)


def test_a_pause_is_not_held_up_by_what_fails_in_it(live_source: str) -> None:
    """The frame that waited is destroyed, and the wait before another try is not the wait of who pauses."""
    has_frame = threading.Event()

    def refuse(_: Discard) -> None:
        raise ValueError

    config = CameraConfig.model_validate({"id": "camera-1", "source": live_source, "backoff_s": (30.0, 30.0)})
    camera = Camera(config, on_frame=has_frame.set, on_discard=refuse, clock=SystemClock())
    camera.start()
    assert has_frame.wait(10.0)
    assert in_time(camera.pause)
    assert (CameraState.STOPPED, None) == (camera.status.state, camera.take_newest())
    slots = camera._slots
    assert slots is not None
    assert 0 == slots.held
    camera.stop()


def test_a_file_ends_where_its_thread_failed(clip: Path) -> None:
    """A file is not tried again, and says that it did not end well."""
    with Watched(str(clip), [ValueError()], playback="every-frame") as watched:
        watched.wait_until(lambda status: status.error_code is not None)
        frame = watched.camera.take_newest()
        if frame is not None:
            frame.destroy()
        status = watched.wait_for_state(CameraState.ENDED)
        assert watched.camera.is_alive
    assert (Fault.CAMERA_FAILED.value, 0) == (status.error_code, status.restarts)


@pytest.mark.usefixtures("unwritable_log")
def test_a_log_that_cannot_be_written_stops_no_camera(live_source: str) -> None:
    """The lines are lost; the frames are not."""
    with Watched(live_source, []) as watched:
        status = watched.wait_until(lambda status: status.frames_handed_over > 3)
    assert (None, 0) == (status.error_code, status.restarts)


def test_nobody_waits_for_a_dead_thread(live_source: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A thread that was ended past saving is seen to be dead and down; it can be paused, stopped and started again."""
    watched = Watched(live_source, [SystemExit("a secret")])
    with structlog.testing.capture_logs() as lines, watched:
        status = watched.wait_until(lambda _: not watched.camera.is_alive)
        assert (CameraState.DOWN, Fault.CAMERA_FAILED.value) == (status.state, watched.status.error_code)
        assert watched.camera.take_newest() is None
        assert in_time(watched.camera.pause)
        watched.camera.resume()
        watched.camera.stop()
        watched.camera.start()
        watched.wait_for_state(CameraState.UP)
        assert watched.camera.is_alive
    assert "SystemExit" == next(line["error"] for line in lines if line["event"] == "camera.thread-ended")
    assert "secret" not in "".join([repr(lines), *capfd.readouterr()])


def test_verbs_from_many_threads_do_not_meet(live_source: str) -> None:
    """Whoever comes second finds the work done; nobody touches a descriptor that is closed, or another's by now."""
    watched = Watched(live_source, [])
    camera = watched.camera

    def act(*verbs: Callable[[], None]) -> None:
        together.wait()
        for verb in verbs:
            verb()  # a failure of any is the test's, as every warning is

    turns: list[tuple[Callable[[], None], ...]] = [
        (camera.stop,),
        (camera.stop,),
        (camera.pause, camera.resume),
        (camera.resume, camera.stop, camera.start),
    ]
    for _ in range(5):
        camera.start()
        watched.wait_for_state(CameraState.UP)
        together = threading.Barrier(len(turns))
        threads = [threading.Thread(target=act, args=verbs, daemon=True) for verbs in turns]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10.0)
        assert not any(thread.is_alive() for thread in threads)
        camera.stop()
    assert not camera.is_alive
    assert set() == decoder_pids()


def test_a_status_is_read_while_the_camera_stops(live_source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there at the first look and gone at the second is asked for once."""
    with Watched(live_source, []) as watched:
        looks = iter([watched.camera._slots])
        with monkeypatch.context() as stopping:
            stopping.setattr(Camera, "_slots", property(lambda _: next(looks, None)), raising=False)
            status = watched.status
    assert status.is_memory_locked is not None


def test_a_camera_says_whether_its_thread_goes_on(live_source: str) -> None:
    """Turns are counted while it waits for frames; a camera that is paused or stopped has none to make."""
    camera = Watched(live_source, []).camera
    assert camera.turns is None
    camera.start()
    assert eventually(lambda: (camera.turns or 0) > 10)
    camera.pause()
    assert eventually(lambda: camera.turns is None)
    camera.resume()
    assert eventually(lambda: camera.turns is not None)
    camera.stop()
    assert camera.turns is None


def test_a_camera_whose_thread_ended_makes_no_turns(live_source: str) -> None:
    """What ended the thread could not be caught: whoever watches sees a count that stands still."""
    camera = Watched(live_source, [SystemExit()]).camera
    camera.start()
    assert eventually(lambda: not camera.is_alive)
    assert camera.turns is not None
    camera.stop()
    assert camera.turns is None
