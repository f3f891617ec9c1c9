"""Live cameras through the real decoder: they die, freeze, refuse and lie, and the appliance goes on."""

import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog

from assets.video.make_clips import make_clip
from edge_lfr.biometrics.outcomes import DiscardReason
from edge_lfr.pipeline.capture.protocol import Fault
from edge_lfr.pipeline.capture.source import CameraState
from simulators.onlooker import Onlooker, decoder_pids
from simulators.rtsp import RtspCamera, free_port

QUICK = {"open_timeout_s": 3.0, "read_timeout_s": 1.0, "stale_after_s": 1.0, "backoff_s": (0.1, 0.2)}
"""Limits for a camera on loopback."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "long.mp4", frames=400)


@pytest.fixture
def network_camera(clip: Path) -> Iterator[RtspCamera]:
    with RtspCamera(clip) as camera:
        yield camera


def drain(onlooker: Onlooker) -> None:
    while (frame := onlooker.camera.take_newest()) is not None:
        frame.destroy()


def test_a_network_camera_is_read_at_its_own_rate(network_camera: RtspCamera) -> None:
    """RTSP over TCP: 25 pictures a second arrive, the newest is handed over, the decoder is confined."""
    with Onlooker(network_camera.url, **QUICK) as onlooker:
        onlooker.wait_for_state(CameraState.UP)
        drain(onlooker)
        status = onlooker.wait_until(lambda status: status.frames_decoded >= 75)
        frame = onlooker.camera.take_newest()
        assert frame is not None
        with frame:
            assert frame.pixels.any()
            assert time.monotonic_ns() - frame.arrived_ns < 1e9
    assert status.pictures_per_second is not None
    assert 20 < status.pictures_per_second < 30
    assert status.landlock_version is not None


def test_a_camera_that_loses_power_is_found_again(network_camera: RtspCamera) -> None:
    """One line going down and one coming up, however often it was tried in between."""
    with structlog.testing.capture_logs() as lines, Onlooker(network_camera.url, **QUICK) as onlooker:
        onlooker.wait_for_state(CameraState.UP)
        network_camera.kill_server()
        onlooker.wait_for_state(CameraState.DOWN)
        onlooker.wait_until(lambda status: status.restarts >= 2)
        network_camera.start()
        status = onlooker.wait_for_state(CameraState.UP)
    assert ["camera.available", "camera.unavailable", "camera.available"] == [line["event"] for line in lines]
    assert status.error_code is None


def test_a_frozen_camera_is_noticed(network_camera: RtspCamera) -> None:
    """Connected and silent is down, within the limit and not the library's idea of it."""
    with Onlooker(network_camera.url, **QUICK) as onlooker:
        onlooker.wait_for_state(CameraState.UP)
        frozen_at = time.monotonic()
        network_camera.freeze()
        status = onlooker.wait_for_state(CameraState.DOWN)
        assert time.monotonic() - frozen_at < 3.0
    assert status.error_code in {Fault.STALE.value, Fault.READ_TIMEOUT.value}


def test_a_camera_that_accepts_and_never_answers_holds_up_nobody(clip: Path) -> None:
    """It is given up in time, and another camera plays meanwhile."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/camera"
        limits = {**QUICK, "open_timeout_s": 0.5}
        with Onlooker(url, **limits) as mute, Onlooker(str(clip), frame_limit=(160, 90)) as other:
            other.wait_for_state(CameraState.UP)
            status = mute.wait_for_state(CameraState.DOWN, timeout_s=6.0)
            before = other.status.frames_decoded
            other.wait_until(lambda status: status.frames_decoded > before + 5)
    assert Fault.OPEN_TIMEOUT.value == status.error_code


def test_a_camera_that_is_not_there_is_refused() -> None:
    """Nobody listens at the port."""
    with Onlooker(f"rtsp://127.0.0.1:{free_port()}/camera", **QUICK) as onlooker:
        assert Fault.REFUSED.value == onlooker.wait_for_state(CameraState.DOWN).error_code


def test_no_credential_is_logged_or_shown(clip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Right or wrong, up or down: the password is in no log line, status, output, argument or environment."""
    password = "s3cr3t-pw"  # noqa: S105 - invented, and searched for below
    with structlog.testing.capture_logs() as lines, RtspCamera(clip, user="operator", password=password) as server:
        with Onlooker(server.url, **QUICK) as onlooker:
            onlooker.wait_for_state(CameraState.UP)
            shown = [repr(onlooker.status), repr(onlooker.camera)]
            for pid in decoder_pids():
                shown += [Path(f"/proc/{pid}/{name}").read_text() for name in ("cmdline", "comm")]
            server.kill_server()
            shown.append(repr(onlooker.wait_for_state(CameraState.DOWN)))
            server.start()
        with Onlooker(server.url.replace(password, "s3cr3t-but-wrong"), **QUICK) as onlooker:
            status = onlooker.wait_for_state(CameraState.DOWN)
            assert Fault.UNAUTHORISED.value == status.error_code
    written = "".join([*map(repr, lines), *shown, *capfd.readouterr()])
    assert lines
    assert "s3cr3t" not in written
    assert server.address not in written


def test_a_killed_decoder_is_replaced_and_leaves_nothing(network_camera: RtspCamera) -> None:
    """The slots that it was lent are zero before another decoder gets them."""
    slow = {**QUICK, "backoff_s": (1.0, 1.0)}
    with Onlooker(network_camera.url, **slow) as onlooker:
        onlooker.wait_until(lambda status: status.frames_decoded > 10)
        (pid,) = decoder_pids()
        os.kill(pid, signal.SIGKILL)
        status = onlooker.wait_for_state(CameraState.DOWN)
        drain(onlooker)
        slots = onlooker.camera._slots
        assert slots is not None
        length = os.fstat(slots.descriptor).st_size
        assert not np.frombuffer(os.pread(slots.descriptor, length, 0), dtype=np.uint8).any()
        assert Fault.DECODER_DIED.value == status.error_code
        assert 1 == onlooker.wait_for_state(CameraState.UP).restarts


def test_a_hanging_decoder_is_killed_and_replaced(network_camera: RtspCamera) -> None:
    """A decoder that does not answer is not asked twice."""
    with Onlooker(network_camera.url, **QUICK) as onlooker:
        onlooker.wait_until(lambda status: status.frames_decoded > 10)
        (pid,) = decoder_pids()
        os.kill(pid, signal.SIGSTOP)
        status = onlooker.wait_for_state(CameraState.DOWN)
        onlooker.wait_for_state(CameraState.UP)
        assert pid not in decoder_pids()
    assert Fault.STALE.value == status.error_code


LIAR = """#!{python} -I
import socket, sys, time
from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.pipeline.capture.protocol import Message, MessageKind
control = socket.socket(fileno=int(sys.argv[-2]))
control.recv(65536)
def frame(**changes):
    fields = dict(kind=MessageKind.FRAME, number=0, size=SizeWH(64, 64), arrived_ns=time.monotonic_ns()) | changes
    return Message(**fields).pack()
control.send(Message(kind=MessageKind.OPENED).pack())
control.send(frame())
control.send({lie})
time.sleep(60)
"""


@pytest.mark.parametrize(
    "lie",
    [
        "frame()",  # the slot is with a frame now
        "frame(number=3)",
        "frame(number=1, size=SizeWH(1921, 64))",
        "frame(number=1, size=SizeWH(0, 64))",
        "frame(number=1, arrived_ns=time.monotonic_ns() + 10**12)",
        "frame(number=1, arrived_ns=1)",
        "frame(number=1, media_time_s=float('inf'))",
        "frame(number=1)[:-1]",
        "frame(number=1) + b'x'",
        "b'x' * 30000",
    ],
)
def test_a_lying_decoder_is_killed(lie: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that hostile bytes took over gets no further than its first impossible word, which is counted."""
    liar = tmp_path / "decoder"
    liar.write_text(LIAR.format(python=sys.executable, lie=lie))
    liar.chmod(stat.S_IRWXU)
    monkeypatch.setattr(sys, "executable", str(liar))
    with Onlooker("rtsp://127.0.0.1:1/camera", **{**QUICK, "backoff_s": (5.0, 5.0)}) as onlooker:
        status = onlooker.wait_for_state(CameraState.DOWN)
        assert (Fault.DECODER_LIED.value, 1) == (status.error_code, status.frames_decoded)
        assert 1 == onlooker.count(DiscardReason.FRAME_INVALID)
