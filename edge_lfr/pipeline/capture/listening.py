"""
What one decoder says, checked, until it ends: by its own word, by its death, by a lie, or by its silence.

Nothing here trusts the decoder to keep time or to be honest; how it ended is always the last message.
"""

import os
import select
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge_lfr.clock import Clock
from edge_lfr.errors import FrameFormatError
from edge_lfr.pipeline.capture.process import DecoderProcess
from edge_lfr.pipeline.capture.protocol import Fault, Limits, Message, MessageKind, parse_message

_LIFE_OF_LIVE = frozenset({MessageKind.OPENED, MessageKind.FRAME, MessageKind.NO_SLOT})
"""What shows that a live source still gives pictures; that its decoder runs is not enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a decoder may stay silent."""

    to_open_s: float
    """From its start to the open source."""

    between_frames_s: float
    is_live: bool


def listen(
    decoder: DecoderProcess,
    limits: Limits,
    patience: Patience,
    *,
    wake: int,
    is_interrupted: Callable[[], bool],
    clock: Clock,
) -> Iterator[Message]:
    """
    Yield checked messages; the last one is ENDED, or the iterator ends without it because *is_interrupted*.

    Args:
        decoder: A running decoder; the caller kills it afterwards.

        limits: What it was allowed.

        patience: When silence is an end.

        wake: An eventfd that becomes readable when *is_interrupted* may have changed; it is read here.

        is_interrupted: Whether the caller wants no more.

        clock: For the silence, and for time stamps that lie in the future or before the decoder's start.
    """
    started_ns = clock.monotonic_ns()
    is_open = False
    deadline_ns = started_ns + int(patience.to_open_s * 1e9)
    while True:
        left_s = (deadline_ns - clock.monotonic_ns()) / 1e9
        if left_s <= 0:
            yield Message(kind=MessageKind.ENDED, fault=Fault.STALE if is_open else Fault.OPEN_TIMEOUT)
            return
        control = decoder.control.fileno()
        readable, _, _ = select.select([control, wake], [], [], left_s)
        if wake in readable:
            os.eventfd_read(wake)  # before the question: what is written after this read wakes again
        if is_interrupted():
            return
        if control not in readable:
            continue
        message = _checked(decoder.read(), limits, started_ns, clock)
        yield message
        if message.kind is MessageKind.ENDED:
            return
        is_open = is_open or message.kind is MessageKind.OPENED
        if is_open and (message.kind in _LIFE_OF_LIVE or not patience.is_live):
            deadline_ns = clock.monotonic_ns() + int(patience.between_frames_s * 1e9)


def _checked(untrusted: bytes, limits: Limits, started_ns: int, clock: Clock) -> Message:
    """What the decoder said; its end, where it has gone or said what cannot be."""
    if not untrusted:
        return Message(kind=MessageKind.ENDED, fault=Fault.DECODER_DIED)
    try:
        message = parse_message(untrusted, limits)
    except FrameFormatError:
        return Message(kind=MessageKind.ENDED, fault=Fault.DECODER_LIED)
    if message.kind is MessageKind.FRAME and not started_ns <= message.arrived_ns <= clock.monotonic_ns():
        return Message(kind=MessageKind.ENDED, fault=Fault.DECODER_LIED)
    return message
