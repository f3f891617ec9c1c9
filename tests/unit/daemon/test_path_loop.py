"""The loop: when it overwrites what is left of the last frames, and what an exchange of paths survives."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_lfr.daemon.latency import LatencyLog
from edge_lfr.daemon.path_loop import PathLoop
from edge_lfr.errors import InferenceError
from simulators.appliance import eventually
from simulators.clock import StoppedClock
from simulators.operations import Box

PICTURE = np.full((64, 64, 3), 90, np.uint8)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    box.run()
    yield box
    box.close()


def test_a_turn_without_a_frame_right_after_a_pass_overwrites_nothing(box: Box) -> None:
    """Frames come faster than passes end: a turn that found none in between is no quiet."""
    box.embed()
    assert box.camera.push(PICTURE)
    box.loop._turn(is_idle=False)
    box.loop._turn(is_idle=False)
    assert (1, 0) == (box.loop.frames_processed["north"], box.session.neutral_runs)
    box.loop._turn(is_idle=True)
    assert 1 == box.session.neutral_runs


def test_a_frame_that_comes_as_the_wait_ends_is_no_quiet(box: Box) -> None:
    """The wait was in vain, and there is a frame all the same."""
    box.embed()
    assert box.camera.push(PICTURE)
    box.loop._turn(is_idle=True)
    assert (1, 0) == (box.loop.frames_processed["north"], box.session.neutral_runs)


def test_a_quiet_camera_has_what_is_left_overwritten(box: Box) -> None:
    """The running loop sees by itself that nothing comes."""
    box.embed()
    assert box.camera.push(PICTURE)
    box.loop.start()
    try:
        assert eventually(lambda: box.session.neutral_runs == 1)
        assert 1 == box.loop.frames_processed["north"]
    finally:
        box.loop.stop()


def test_a_loop_that_cannot_warm_up_does_not_start() -> None:
    """Whoever starts the loop learns why, and no thread is left."""

    def fail() -> None:
        message = "the device is lost"
        raise InferenceError(message)

    loop = PathLoop({}, StoppedClock(), LatencyLog(), warm_up=fail, on_broken=lambda: None)
    with pytest.raises(InferenceError, match="the device is lost"):
        loop.start()
    loop.stop()
    assert not loop.is_alive


def test_a_loop_can_be_stopped_before_it_starts_and_while_it_warms_up() -> None:
    """Whoever is interrupted meanwhile leaves no thread behind."""
    is_warming, may_go_on = threading.Event(), threading.Event()

    def warm_up() -> None:
        is_warming.set()
        may_go_on.wait(30)

    loop = PathLoop({}, StoppedClock(), LatencyLog(), warm_up=warm_up, on_broken=lambda: None)
    loop.stop()
    loop = PathLoop({}, StoppedClock(), LatencyLog(), warm_up=warm_up, on_broken=lambda: None)
    starting = threading.Thread(target=loop.start)
    starting.start()
    assert is_warming.wait(30)
    stopping = threading.Thread(target=loop.stop)
    stopping.start()
    assert eventually(loop._stopping.is_set)
    may_go_on.set()
    stopping.join(30)
    starting.join(30)
    assert (False, 0) == (loop.is_alive, loop.turns)


def test_an_exchange_is_whole_though_the_old_path_fails(box: Box) -> None:
    """What runs between two paths runs, the failure is counted, and nobody who exchanged sees it."""
    box.embed()
    box.session.is_lost = True
    done: list[str] = []
    box.loop.swap(None, lambda: done.append("exchanged"))
    assert (["exchanged"], 1) == (done, box.loop.failures)
    assert box.camera.push(PICTURE)
    box.loop._turn(is_idle=False)
    assert 0 == box.loop.frames_processed["north"]


def test_a_pass_that_hangs_keeps_no_path_alive(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ends it goes on after a moment; the path ends as soon as the loop comes back, and nobody is compared."""
    is_passing, may_go_on = threading.Event(), threading.Event()
    path = box.loop._path
    assert path is not None
    retired: list[object] = []

    def hang(_frames: object) -> None:
        is_passing.set()
        may_go_on.wait(30)

    monkeypatch.setattr(type(path), "identify", lambda _, frames: hang(frames))
    monkeypatch.setattr(box.loop, "_retire", retired.append)
    assert box.camera.push(PICTURE)
    turn = threading.Thread(target=lambda: box.loop._turn(is_idle=False))
    turn.start()
    assert is_passing.wait(30)
    assert not box.loop.end_path(0.05)
    assert not box.loop.is_searching
    assert [] == retired
    may_go_on.set()
    turn.join(30)
    assert [path] == retired
    assert box.camera.push(PICTURE)
    box.loop._turn(is_idle=False)
    assert 1 == box.loop.frames_processed["north"]
    assert box.loop.end_path(0.05)
