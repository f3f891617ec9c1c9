"""What the searcher has heard from the taps: fragments to look for, who was seen when, how long things lived."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from edge_lfr.evaluation.bench.ground import BenchError
from retention.needles import Kind, Needle, is_distinctive
from retention.tapping import Event, Told

FRAGMENT_BYTES: Final = 64
PIXEL_FRAGMENT_BYTES: Final = 48

LIFETIMES: Final[Mapping[Event, str]] = {
    Event.PROBE_ZEROED: "probe written to zero",
    Event.CROP_ZEROED: "crop written to zero",
    Event.FRAME_ZEROED: "frame taken to zero",
}
BUSY: Final = "repeat it while nothing else runs; `edge-lfr doctor` says whether the appliance is well"

FLUSH: Final = "last embedding to flush"


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long one kind of buffer held its content, in ms."""

    name: str
    values_ms: tuple[float, ...]

    @property
    def p99_ms(self) -> float:
        ordered = sorted(self.values_ms)
        return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


class Watch:
    """Fed by the listener's thread, asked by the searcher's."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._needles: dict[bytes, Needle] = {}
        self._lifetimes: dict[str, list[float]] = {}
        self._unflushed_ns: int | None = None
        self.last_face_ns = 0
        self.frames_with_faces = 0
        self.media_time_s = 0.0
        self.raised = 0
        self.is_exiting = False
        self.seen: Counter[Event] = Counter()

    def take(self, told: Told) -> None:
        """One event."""
        with self._changed:
            self.seen[told.event] += 1
            if told.event is Event.FRAME and told.number:
                self.last_face_ns = told.at_ns
                self.frames_with_faces += 1
            elif told.event is Event.MEDIA_TIME:
                self.media_time_s = told.number
            elif told.event is Event.RAISED:
                self.raised += 1
            elif told.event is Event.EXITING:
                self.is_exiting = True
            elif told.event in LIFETIMES:
                self._lifetimes.setdefault(LIFETIMES[told.event], []).append(told.number)
            elif told.event is Event.FLUSHED:
                if self._unflushed_ns is not None:
                    self._lifetimes.setdefault(FLUSH, []).append((told.at_ns - self._unflushed_ns) / 1e6)
                self._unflushed_ns = None
            for needle in _needles_of(told):
                self._needles.setdefault(needle.content, needle)
            if told.event is Event.RAW_PROBE:
                self._unflushed_ns = told.at_ns
            self._changed.notify_all()

    def until(self, is_so: Callable[["Watch"], bool], what: str, timeout_s: float = 30.0) -> None:
        """
        Wait for something to be heard.

        Raises:
            BenchError: It was not.
        """
        with self._changed:
            self._changed.wait_for(lambda: is_so(self) or self.is_exiting, timeout_s)
            if not is_so(self):
                heard = ", ".join(f"{count} x {event.name}" for event, count in self.seen.items()) or "nothing"
                when = "before the daemon ended" if self.is_exiting else f"within {timeout_s:g} s"
                raise BenchError(f"{what}: not {when}; heard {heard}", remedy=BUSY)

    def until_more_faces(self, frames: int, what: str) -> None:
        """Wait for so many further frames with faces."""
        wanted = self.frames_with_faces + frames
        self.until(lambda watch: watch.frames_with_faces >= wanted, what)

    @contextmanager
    def expecting_failure(self, stage: str) -> Iterator[None]:
        """Wait at the end of the block for the failure that was called for in it."""
        raised = self.raised
        yield
        self.until(lambda watch: watch.raised > raised, f"failure of {stage}")

    def until_age(self, age_s: float) -> None:
        """Wait until the last frame with a face was looked at *age_s* ago."""
        while (left_s := age_s - (time.monotonic_ns() - self.last_face_ns) / 1e9) > 0:
            time.sleep(left_s)

    def needles(self) -> tuple[Needle, ...]:
        with self._changed:
            return tuple(self._needles.values())

    def lifetimes(self) -> tuple[Lifetimes, ...]:
        with self._changed:
            return tuple(Lifetimes(name, tuple(values)) for name, values in sorted(self._lifetimes.items()))


def _needles_of(told: Told) -> Iterable[Needle]:
    """Fragments of what was told; those that anything else might resemble are left out."""
    content = told.content
    if told.event in {Event.PROBE, Event.RAW_PROBE}:
        kind = Kind.PROBE if told.event is Event.PROBE else Kind.RAW_PROBE
        pieces = [content[at : at + FRAGMENT_BYTES] for at in range(0, len(content), 4 * FRAGMENT_BYTES)]
        wide = [_widened(piece) for piece in pieces] if kind is Kind.PROBE else []
        return [Needle(kind, piece) for piece in pieces if is_distinctive(piece, np.float32)] + [
            Needle(Kind.WIDE_PROBE, piece) for piece in wide if is_distinctive(piece, np.float64)
        ]
    if told.event is Event.CROP_ROW:
        row = np.frombuffer(content, dtype=np.uint8).reshape(1, -1, 3)
        grey = cv2.cvtColor(row, cv2.COLOR_BGR2GRAY).tobytes()
        quarter = len(grey) // 4
        crops = [content[3 * at : 3 * at + PIXEL_FRAGMENT_BYTES] for at in (quarter, 2 * quarter)]
        greys = [grey[at : at + quarter] for at in (quarter, 2 * quarter)]
        return [Needle(Kind.CROP, piece) for piece in crops if is_distinctive(piece, np.uint8)] + [
            Needle(Kind.GREY_CROP, piece) for piece in greys if is_distinctive(piece, np.uint8)
        ]
    if told.event is Event.FRAME_ROW and is_distinctive(content, np.uint8):
        return [Needle(Kind.FRAME, content)]
    if told.event in {Event.DETECTOR_ROW, Event.EMBEDDER_ROW} and is_distinctive(content, np.float32):
        kind = Kind.DETECTOR_INPUT if told.event is Event.DETECTOR_ROW else Kind.EMBEDDER_INPUT
        return [Needle(kind, content)]
    return []


def _widened(piece: bytes) -> bytes:
    """The first half of the numbers, in twice the bytes each: a fragment as long as the others."""
    return np.frombuffer(piece, dtype="<f4")[: FRAGMENT_BYTES // 8].astype("<f8").tobytes()
