"""Calls are noted while the real thing runs, and run again alone, while it stands still."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.errors import InferenceError
from edge_lfr.evaluation.bench.bare_nets import BareNets
from edge_lfr.evaluation.bench.ground import prepared_ground
from edge_lfr.evaluation.bench.noted_nets import Call
from edge_lfr.inference.packs import OpenPack
from edge_lfr.inference.session import Session

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def pack(shared_models: Path) -> OpenPack:
    with prepared_ground(shared_models.parent) as ground:
        opened = ground.open_pack(threads=1)
    return replace(opened)


def picture(pack: OpenPack) -> None:
    """One pass of the detector, and one sample embedded."""
    pack.detector.run(np.zeros((1, 3, 64, 64), np.float32))
    pack.embedder.run_into(np.ones((1, 3, 128, 128), np.float32), np.zeros((1, 256), np.float32))


def test_the_last_pictures_are_run_again_and_stand_for_all(pack: OpenPack) -> None:
    """Of five pictures two are run again, and what they took counts two and a half times."""
    nets = BareNets(lanes=0)
    noted = nets.around(pack)
    for _ in range(5):
        picture(noted)

    nets.repeat(2)

    assert (5, 2) == (nets.noted, nets.repeated)
    whole = nets.whole()
    assert whole is not None
    assert whole.wall_s == pytest.approx(2.5 * nets.bare.wall_s)


def test_lanes_stand_still_meanwhile(pack: OpenPack) -> None:
    """A lane that reaches a net waits at its door until the nets alone have been timed, and then goes on."""
    nets = BareNets(lanes=1)
    noted = nets.around(pack)
    picture(noted)
    is_done = threading.Event()

    def go_on() -> None:
        while not is_done.is_set():
            picture(noted)

    lane = threading.Thread(target=go_on)
    lane.start()
    try:
        nets.repeat(1)
    finally:
        is_done.set()
        lane.join()

    assert 0.0 < nets.bare.wall_s <= nets.paused.wall_s
    assert nets.noted > nets.repeated


class BrokenNet:
    """A net that fails, as an accelerator that is lost does, or as when somebody presses ctrl-C."""

    def __init__(self, error: BaseException, like: Session) -> None:
        self._error = error
        self.inputs, self.outputs, self.provider = like.inputs, like.outputs, like.provider
        self.overwrites_freed = like.overwrites_freed

    def run(self, feed: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        del feed
        raise self._error

    def run_into(self, feed: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        del feed, out
        raise self._error


@pytest.mark.parametrize("error", [InferenceError("lost"), KeyboardInterrupt()])
def test_the_door_opens_whatever_happens(pack: OpenPack, error: BaseException) -> None:
    """What a bare run fails with reaches whoever measures, and no lane is held for good."""
    nets = BareNets(lanes=0)
    nets.note(Call(BrokenNet(error, pack.detector), (1, 3, 64, 64), None))
    with pytest.raises(type(error)):
        nets.repeat(1)

    lane = threading.Thread(target=picture, args=(nets.around(pack),), daemon=True)
    lane.start()
    lane.join(20.0)

    assert not lane.is_alive()
    assert 0 == nets.repeated


def test_a_lane_that_is_busy_elsewhere_leaves_the_bare_run_out(pack: OpenPack) -> None:
    """What would be timed along with somebody else's work is not timed, and nothing to compare with is no figure."""
    nets = BareNets(lanes=1, parking_limit_s=0.01)
    picture(nets.around(pack))

    nets.repeat(1)

    assert (0, 1, None) == (nets.repeated, nets.skipped, nets.whole())


def test_noting_changes_no_result(pack: OpenPack) -> None:
    """The net that is noted gives what the net gives."""
    feed = np.full((1, 3, 64, 64), 7.0, np.float32)

    plain, noted = pack.detector.run(feed), BareNets(lanes=1).around(pack).detector.run(feed)

    assert all(np.array_equal(one, other) for one, other in zip(plain, noted, strict=True))
