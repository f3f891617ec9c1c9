"""The decoder's end of the hand-over, without a video: fitting, masking, pacing, waiting."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.pipeline.capture.outlet import Outlet, ParentGoneError, fitted
from edge_lfr.pipeline.capture.protocol import MESSAGE_BYTES, Message, MessageKind, Order, parse_message

ORDER = Order(
    source="clip.mp4",
    kind="file",
    parent_pid=0,
    every_frame=False,
    pictures_per_second=5.0,
    open_timeout_s=1.0,
    read_timeout_s=1.0,
    slots=2,
    width=64,
    height=48,
    lent=(0, 1),
    masks=(),
)


@dataclass
class Grey:
    """A picture of one brightness."""

    size: SizeWH = field(default=SizeWH(64, 48))
    media_time_s: float | None = None

    def draw_into(self, target: NDArray[np.uint8]) -> None:
        target[...] = 200


@dataclass
class Bench:
    """Both ends in one process."""

    parent: socket.socket
    child: socket.socket
    memory: NDArray[np.uint8]

    def outlet(self, order: Order) -> Outlet:
        return Outlet(self.child, self.memory, order)

    def heard(self) -> Message:
        self.parent.settimeout(5)
        return parse_message(self.parent.recv(MESSAGE_BYTES + 1), ORDER.limits)


@pytest.fixture
def bench() -> Iterator[Bench]:
    parent, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with parent, child:
        yield Bench(parent, child, np.zeros((ORDER.slots, ORDER.limits.slot_bytes), dtype=np.uint8))


sides = st.integers(1, 20_000)


@given(sides, sides, st.integers(64, 7680), st.integers(64, 4320))
def test_a_picture_fits_and_keeps_its_shape(width: int, height: int, limit_width: int, limit_height: int) -> None:
    """Never beyond the limit, never enlarged, at least one pixel, and the same shape to the pixel."""
    size = fitted(SizeWH(width, height), SizeWH(limit_width, limit_height))
    assert 1 <= size.width <= min(width, limit_width)
    assert 1 <= size.height <= min(height, limit_height)
    factor = min(limit_width / width, limit_height / height, 1.0)
    assert abs(size.width - width * factor) <= 1
    assert abs(size.height - height * factor) <= 1


def test_a_privacy_mask_is_black_before_the_frame_leaves(bench: Bench) -> None:
    """The masked area never reaches the daemon."""
    corners = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    bench.outlet(replace(ORDER, masks=(corners,))).deliver(Grey())
    assert MessageKind.FRAME is bench.heard().kind
    pixels = bench.memory[0].reshape(48, 64, 3)
    assert 0 == pixels[:, :32].max()
    assert 200 == pixels[:, 33:].min()


def test_overlapping_masks_do_not_cancel_each_other(bench: Bench) -> None:
    """What two masks cover is as black as what one covers."""
    whole = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    bench.outlet(replace(ORDER, masks=(whole, whole))).deliver(Grey())
    assert 0 == bench.memory.max()


def test_a_live_picture_without_a_slot_is_dropped_and_said(bench: Bench) -> None:
    """The newest pictures matter; nobody waits for a path that is behind."""
    outlet = bench.outlet(replace(ORDER, kind="rtsp"))
    for _ in range(3):
        outlet.deliver(Grey())
    assert [MessageKind.FRAME, MessageKind.FRAME, MessageKind.NO_SLOT] == [bench.heard().kind for _ in range(3)]
    bench.parent.send(bytes((1,)))
    outlet.deliver(Grey())
    assert 1 == bench.heard().number


def test_where_every_frame_counts_a_slot_is_waited_for(bench: Bench) -> None:
    """The decoder stands still, shows signs of life, and goes on when a slot comes back."""
    outlet = bench.outlet(replace(ORDER, every_frame=True, lent=()))
    thread = threading.Thread(target=outlet.deliver, args=(Grey(),))
    thread.start()
    assert MessageKind.ALIVE is bench.heard().kind
    bench.parent.send(bytes((0,)))
    while (message := bench.heard()).kind is MessageKind.ALIVE:
        pass
    assert MessageKind.FRAME is message.kind
    thread.join()


def test_time_stamps_set_the_pace(bench: Bench) -> None:
    """Two pictures 0.2 s apart leave 0.2 s apart."""
    outlet = bench.outlet(ORDER)
    outlet.deliver(Grey(media_time_s=10.0))
    started = time.monotonic()
    outlet.deliver(Grey(media_time_s=10.2))
    assert 0.15 < time.monotonic() - started < 2.0


@pytest.mark.parametrize("time_stamp_s", [1e8, -5.0, float("inf"), float("nan"), None])
def test_broken_time_stamps_are_not_waited_for(bench: Bench, time_stamp_s: float | None) -> None:
    """A leap of years, a step back or no time at all is a splice, not a pause."""
    outlet = bench.outlet(ORDER)
    outlet.deliver(Grey(media_time_s=10.0))
    started = time.monotonic()
    outlet.deliver(Grey(media_time_s=time_stamp_s))
    assert time.monotonic() - started < 1.0


def test_a_giant_picture_is_skipped(bench: Bench) -> None:
    """More than a hundred megapixels are not converted."""
    bench.outlet(ORDER).deliver(Grey(size=SizeWH(20_000, 20_000)))
    assert MessageKind.SKIPPED is bench.heard().kind
    assert 0 == bench.memory.max()


def test_the_end_of_the_parent_is_an_end(bench: Bench) -> None:
    """A decoder whose daemon has gone does not go on."""
    outlet = bench.outlet(ORDER)
    bench.parent.close()
    with pytest.raises(ParentGoneError):
        outlet.deliver(Grey())
