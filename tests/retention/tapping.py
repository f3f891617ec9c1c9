"""What the tapped daemon tells the searcher, and what it is told: fixed headers with raw bytes behind them."""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from edge_lfr.pipeline.path import TIMED_STAGES

HEADER: Final = struct.Struct("<BxxxIqd")
"""Kind, length of what follows, CLOCK_MONOTONIC in ns, one number."""

EVENT_SOCKET: Final = "RETENTION_SOCKET"
CONTROL: Final = "RETENTION_CONTROL"
"""In the environment of the tapped daemon: the socket's descriptor; `1` switches destruction off."""

STAGES: Final = TIMED_STAGES
"""Where a failure can be called for; the capture stage fails by the death of its decoder."""

LOOK, CALM, GO_ON = b"+", b"-", b"."
"""Orders: let the cameras begin, which wait for it; no failures from now on; and end, now that everything was looked
at. A letter from `a` on arms a stage."""


class Event(IntEnum):
    """What happened in the daemon; events with content carry bytes that must not be found later."""

    FRAME = 1
    """A frame was looked at; the number is how many faces it had."""

    MEDIA_TIME = 2
    PROBE = 3
    RAW_PROBE = 4
    CROP_ROW = 5
    FRAME_ROW = 6
    DETECTOR_ROW = 7
    EMBEDDER_ROW = 8
    PROBE_ZEROED = 9
    """The number is the time since it was written, in ms; likewise for the next ones."""

    CROP_ZEROED = 10
    FRAME_ZEROED = 11
    FLUSHED = 12
    RAISED = 13
    """A failure that was called for; the number is the stage's place."""

    EXITING = 14
    """Everything has been taken down, and the interpreter is about to end; it waits for leave."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event."""

    event: Event
    at_ns: int
    number: float
    content: bytes


class Teller:
    """The daemon's end: bytes go from where they lie into the socket, and no copy is made on the way."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._lock = threading.Lock()

    def tell(self, event: Event, number: float = 0.0, content: Any = None) -> None:
        """Send one event; *content* is a contiguous array."""
        view = memoryview(b"") if content is None else memoryview(content).cast("B")
        with self._lock:
            self._socket.sendall(HEADER.pack(event, len(view), time.monotonic_ns(), number))
            if len(view):
                self._socket.sendall(view)

    def heard(self, *, waits: bool = False) -> bytes:
        """All orders that have come; with *waits*, at least one, or nothing when the searcher has gone."""
        try:
            return self._socket.recv(64, 0 if waits else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""


class Listener:
    """The searcher's end: a thread that takes every event in."""

    def __init__(self, on_event: Callable[[Told], None]) -> None:
        self.here, self.theirs = socket.socketpair()
        self._on_event = on_event
        self._thread = threading.Thread(target=self._listen, name="taps", daemon=True)

    def start(self) -> None:
        """Begin once the daemon has its end: it then is the only one who holds it."""
        self.theirs.close()
        self._thread.start()

    def order(self, word: bytes) -> None:
        self.here.sendall(word)

    def close(self) -> None:
        self._thread.join(timeout=10)
        self.here.close()

    def _listen(self) -> None:
        with self.here.makefile("rb") as stream:
            while len(header := stream.read(HEADER.size)) == HEADER.size:
                kind, length, at_ns, number = HEADER.unpack(header)
                self._on_event(Told(Event(kind), at_ns, number, stream.read(length)))


def letter_of(stage: str) -> bytes:
    """The order that arms a stage."""
    return bytes((ord("a") + STAGES.index(stage),))


def stage_of(letter: int) -> str | None:
    """The stage that an order arms; None for another order."""
    place = letter - ord("a")
    return STAGES[place] if 0 <= place < len(STAGES) else None


def descriptor_from_environment() -> int:
    return int(os.environ[EVENT_SOCKET])
