"""
Between a camera's thread and the path: the frames that wait, the policy by which they are dropped, and the counts.

Newest frame wins: one that is still waiting when a newer one comes is destroyed and counted. Where every frame counts,
frames wait in order, as many as there are slots; the decoder waits when there are none.
"""

import threading
from collections import deque

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.biometrics.samples import Frame

RATE_WINDOW = 50
"""Frames over which the rate is measured: two seconds at 25 a second."""


class Handover:
    """The frames of one camera that wait for the path; thread-safe."""

    def __init__(self, *, every_frame: bool) -> None:
        self._every_frame = every_frame
        self._waiting: deque[Frame] = deque()
        self._arrivals: deque[int] = deque(maxlen=RATE_WINDOW)
        self._lock = threading.Lock()
        self.decoded = 0
        self.handed_over = 0
        self.superseded = 0
        self.no_slot = 0
        self.dropped_at_pause = 0
        self.size: SizeWH | None = None
        self.last_frame_ns: int | None = None
        self.last_media_time_s: float | None = None
        """Of the latest frame that was handed over: from here a file goes on after a pause."""

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def waits_since_ns(self) -> int | None:
        """Arrival of the frame that has waited longest; None when none waits."""
        with self._lock:
            return self._waiting[0].arrived_ns if self._waiting else None

    def offer(self, frame: Frame) -> Frame | None:
        """Let *frame* wait; the frame that it superseded, to be destroyed by the caller."""
        with self._lock:
            self._arrived(frame.arrived_ns)
            self.size = frame.size
            superseded = None
            if self._waiting and not self._every_frame:
                superseded = self._waiting.popleft()
                self.superseded += 1
            self._waiting.append(frame)
            return superseded

    def missed(self, arrived_ns: int) -> None:
        """A picture was decoded and found no slot."""
        with self._lock:
            self._arrived(arrived_ns)
            self.no_slot += 1

    def take(self) -> Frame | None:
        """The frame whose turn it is, numbered; the caller owns it."""
        with self._lock:
            if not self._waiting:
                return None
            frame = self._waiting.popleft()
            frame.sequence = self.handed_over
            self.handed_over += 1
            self.last_media_time_s = frame.media_time_s
            return frame

    def drop_all(self) -> tuple[Frame, ...]:
        """Nothing waits any more; the dropped frames, to be destroyed by the caller."""
        with self._lock:
            dropped = tuple(self._waiting)
            self._waiting.clear()
            self.dropped_at_pause += len(dropped)
            return dropped

    def forget_rate(self) -> None:
        """What comes next is another decoder's."""
        with self._lock:
            self._arrivals.clear()

    @property
    def pictures_per_second(self) -> float | None:
        """Measured over the latest frames; None before the second."""
        with self._lock:
            if len(self._arrivals) <= 1:
                return None
            span_ns = self._arrivals[-1] - self._arrivals[0]
            return None if span_ns <= 0 else (len(self._arrivals) - 1) * 1e9 / span_ns

    def _arrived(self, arrived_ns: int) -> None:
        self.decoded += 1
        self.last_frame_ns = arrived_ns
        self._arrivals.append(arrived_ns)
