"""
What crosses the border to a decoder: one order down, messages of one size up, one byte down for every slot returned.

The child has read hostile bytes, so all that it says is untrusted until `parse_message` has checked it. Both
ends import this file, and the child shall start fast: standard library only.
"""

import json
import math
import struct
from dataclasses import asdict, dataclass, field
from enum import IntEnum, StrEnum
from typing import Literal, Self, TypeAlias

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.errors import FrameFormatError

Kind: TypeAlias = Literal["rtsp", "file", "v4l2", "pictures"]
"""The values of `config.capture.SourceKind`; the child does without the configuration and its library."""

LIVE_KINDS: frozenset[str] = frozenset({"rtsp", "v4l2"})
"""Sources without an end: when they end, they failed."""

MAX_ORDER_BYTES = 64 * 1024
"""One datagram; room for about fifty privacy masks of 64 corners. Chosen, not measured."""

MAX_PICTURE_PIXELS = 100_000_000
"""A larger picture is no camera's; decoding it would take more than half a gigabyte. Chosen, not measured."""

MAX_MEDIA_TIME_S = 1e9
"""Thirty years: a time stamp beyond it is nonsense, whatever the container says."""

_LAYOUT = struct.Struct("=BBBxIIQd")
MESSAGE_BYTES = _LAYOUT.size


class Fault(StrEnum):
    """Why a source ended or could not be read; the only words about a failure that leave the decoder."""

    NOT_FOUND = "not-found"
    REFUSED = "refused"
    UNAUTHORISED = "unauthorised"
    UNREACHABLE = "unreachable"
    OPEN_TIMEOUT = "open-timeout"
    READ_TIMEOUT = "read-timeout"
    NO_VIDEO = "no-video"
    EMPTY = "empty"
    BROKEN = "broken-data"
    TRUNCATED = "truncated"
    STREAM_ENDED = "stream-ended"
    STALE = "stale"
    DECODER_FAILED = "decoder-failed"
    """The decoder met something that it has no word for."""

    DECODER_DIED = "decoder-died"
    """The decoder ended without a word: killed, out of memory, or crashed in the video library."""

    DECODER_LIED = "decoder-lied"
    """The decoder announced what cannot be, and was killed."""

    CAMERA_FAILED = "camera-failed"
    """The camera's own thread, not its decoder, met something unexpected."""


_FAULTS = tuple(Fault)


class MessageKind(IntEnum):
    """What a decoder can say."""

    OPENED = 1
    """The source is open; `number` is the Landlock version that confines the decoder, 0 for none."""

    FRAME = 2
    """A picture lies in slot `number`."""

    NO_SLOT = 3
    """A picture was decoded and dropped, because no slot was free."""

    SKIPPED = 4
    """A picture or packet could not be decoded."""

    ALIVE = 5
    """Nothing is due yet: a file at its own pace, or every slot is with the path."""

    ENDED = 6
    """The last message; `fault` says why, or None for the plain end of a file."""


_KINDS = frozenset(map(int, MessageKind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the parent allows: number of slots, and the largest picture in one."""

    slots: int
    size: SizeWH

    @property
    def slot_bytes(self) -> int:
        return self.size.width * self.size.height * 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a decoder, within the limits."""

    kind: MessageKind
    number: int = 0
    size: SizeWH | None = None
    arrived_ns: int = 0
    """CLOCK_MONOTONIC when the picture was decoded."""

    media_time_s: float | None = None
    fault: Fault | None = None

    def pack(self) -> bytes:
        return _LAYOUT.pack(
            self.kind,
            self.number,
            0 if self.fault is None else 1 + _FAULTS.index(self.fault),
            0 if self.size is None else self.size.width,
            0 if self.size is None else self.size.height,
            self.arrived_ns,
            math.nan if self.media_time_s is None else self.media_time_s,
        )


def parse_message(untrusted: bytes, limits: Limits) -> Message:
    """
    Read one message and believe nothing beyond *limits*.

    Raises:
        FrameFormatError: Wrong length, unknown kind, a slot or size beyond the limits, an impossible time.
    """
    if len(untrusted) != MESSAGE_BYTES:
        raise FrameFormatError(f"a decoder's message has {len(untrusted)} bytes; expected {MESSAGE_BYTES}")
    untrusted_kind, number, untrusted_fault, width, height, arrived_ns, untrusted_time = _LAYOUT.unpack(untrusted)
    if untrusted_kind not in _KINDS:
        raise FrameFormatError(f"a decoder's message is of kind {untrusted_kind}; the kinds end at {max(MessageKind)}")
    kind = MessageKind(untrusted_kind)
    if untrusted_fault > len(_FAULTS):
        raise FrameFormatError(f"a decoder's message has fault {untrusted_fault}; the faults end at {len(_FAULTS)}")
    fault = None if untrusted_fault == 0 else _FAULTS[untrusted_fault - 1]
    if kind is not MessageKind.FRAME:
        return Message(kind=kind, number=number, fault=fault)
    if number >= limits.slots:
        raise FrameFormatError(f"a decoder announced slot {number}; there are {limits.slots}")
    if not (0 < width <= limits.size.width and 0 < height <= limits.size.height):
        raise FrameFormatError(f"a decoder announced {width}x{height} pixels; the limit is {limits.size}")
    if not (math.isnan(untrusted_time) or abs(untrusted_time) <= MAX_MEDIA_TIME_S):
        raise FrameFormatError(f"a decoder announced the media time {untrusted_time}")
    media_time_s = None if math.isnan(untrusted_time) else untrusted_time
    return Message(
        kind=kind,
        number=number,
        size=SizeWH(width=width, height=height),
        arrived_ns=arrived_ns,
        media_time_s=media_time_s,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """All that a decoder is told; it chooses nothing itself."""

    source: str = field(repr=False)
    """May hold a password: it travels in this order alone, never in arguments, environment or a log."""

    kind: Kind
    parent_pid: int
    every_frame: bool
    pictures_per_second: float
    open_timeout_s: float
    read_timeout_s: float
    slots: int
    width: int
    height: int
    lent: tuple[int, ...]
    """Slots that the decoder may write from the start."""

    masks: tuple[tuple[tuple[float, float], ...], ...]
    """Privacy masks; corners in shares of width and height."""

    after_s: float | None = None
    """Of a file, only what lies after this media time: the rest was handed over before a pause."""

    @property
    def limits(self) -> Limits:
        return Limits(slots=self.slots, size=SizeWH(width=self.width, height=self.height))

    @property
    def is_live(self) -> bool:
        return self.kind in LIVE_KINDS

    def to_line(self) -> bytes:
        """
        One line of JSON.

        Raises:
            ValueError: More privacy masks than an order holds.
        """
        line = json.dumps(asdict(self), separators=(",", ":")).encode() + b"\n"
        if len(line) > MAX_ORDER_BYTES:
            raise ValueError(f"an order for a decoder has {len(line)} bytes; at most {MAX_ORDER_BYTES} are allowed")
        return line

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Read what the parent wrote; it is trusted."""
        fields = json.loads(line)
        fields["lent"] = tuple(fields["lent"])
        fields["masks"] = tuple(tuple((x, y) for x, y in corners) for corners in fields["masks"])
        return cls(**fields)
