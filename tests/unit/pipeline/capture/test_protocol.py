"""What a decoder may say, and what is done with everything else."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.errors import FrameFormatError
from edge_lfr.pipeline.capture.protocol import (
    MESSAGE_BYTES,
    Fault,
    Limits,
    Message,
    MessageKind,
    Order,
    parse_message,
)

LIMITS = Limits(slots=3, size=SizeWH(640, 360))
FRAME = Message(kind=MessageKind.FRAME, number=2, size=SizeWH(640, 360), arrived_ns=123_456_789_000, media_time_s=1.25)


def order(**changes: object) -> Order:
    fields: dict[str, object] = {
        "source": "rtsp://user:secret@host/x",
        "kind": "rtsp",
        "parent_pid": 7,
        "every_frame": False,
        "pictures_per_second": 5.0,
        "open_timeout_s": 5.0,
        "read_timeout_s": 4.0,
        "slots": 3,
        "width": 640,
        "height": 360,
        "lent": (0, 1, 2),
        "masks": (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0)),),
    }
    return Order(**{**fields, **changes})  # type: ignore[arg-type]  # the fields are checked by the round trip


@pytest.mark.parametrize(
    "message",
    [
        FRAME,
        Message(kind=MessageKind.FRAME, number=0, size=SizeWH(1, 1), arrived_ns=1),
        Message(kind=MessageKind.OPENED, number=7),
        Message(kind=MessageKind.NO_SLOT),
        Message(kind=MessageKind.ENDED),
        *(Message(kind=MessageKind.ENDED, fault=fault) for fault in Fault),
    ],
)
def test_an_honest_message_arrives_as_it_was_sent(message: Message) -> None:
    """Packing and parsing are inverse within the limits."""
    assert message == parse_message(message.pack(), LIMITS)


@given(untrusted=st.binary(min_size=MESSAGE_BYTES, max_size=MESSAGE_BYTES) | st.binary(max_size=3 * MESSAGE_BYTES))
@example(untrusted=b"")
@example(untrusted=FRAME.pack() + b"\0")
def test_no_bytes_are_believed_beyond_the_limits(untrusted: bytes) -> None:
    """Any bytes are a message within the limits or a format error; nothing else happens."""
    try:
        message = parse_message(untrusted, LIMITS)
    except FrameFormatError:
        return
    if message.kind is MessageKind.FRAME:
        assert message.size is not None
        assert 0 <= message.number < LIMITS.slots
        assert 0 < message.size.width <= LIMITS.size.width
        assert 0 < message.size.height <= LIMITS.size.height
        assert message.media_time_s is None or math.isfinite(message.media_time_s)


@given(
    number=st.integers(0, 255),
    width=st.integers(0, 2**32 - 1),
    height=st.integers(0, 2**32 - 1),
    media_time_s=st.floats(),
)
def test_a_frame_that_cannot_be_is_refused(number: int, width: int, height: int, media_time_s: float) -> None:
    """A frame is believed exactly when slot, size and media time are possible."""
    untrusted = Message(
        kind=MessageKind.FRAME, number=number, size=SizeWH(width, height), media_time_s=media_time_s
    ).pack()
    is_possible = (
        number < 3 and 0 < width <= 640 and 0 < height <= 360 and (math.isnan(media_time_s) or abs(media_time_s) <= 1e9)
    )
    try:
        parse_message(untrusted, LIMITS)
    except FrameFormatError:
        assert not is_possible
    else:
        assert is_possible


def test_an_order_arrives_as_it_was_sent() -> None:
    """The decoder reads what the parent wrote, a strange file name included."""
    sent = order(source="/tmp/\udcff ü.mp4", kind="file", after_s=1.5)  # noqa: S108 - a name, never opened
    assert sent == Order.from_line(sent.to_line())


def test_an_order_does_not_show_its_source() -> None:
    """An order that ends in a traceback gives no password away."""
    assert "secret" not in repr(order())


def test_an_order_is_bounded() -> None:
    """More masks than a datagram holds are refused at once, not truncated."""
    corners = tuple((index / 64, 1 / 3) for index in range(64))
    with pytest.raises(ValueError, match="at most"):
        order(masks=(corners,) * 100).to_line()
