"""
The same work by the nets alone: calls are noted while the real thing runs, and now and then run again without it.

For such a moment all lanes are held at the door of a net, so that both are timed alone on the same machine, minutes or
seconds apart: a machine that others slow down slows both.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.inference.packs import OpenPack
from edge_lfr.inference.session import Session, TensorSpec

PARKING_LIMIT_S: Final = 5.0
"""A lane that reaches no net for so long has run out of work, or is busy with something else: no bare run then."""

GREY: Final = 128.0
"""What the nets are fed: their time does not depend on it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a net."""

    session: Session
    shape: tuple[int, ...]
    out_shape: tuple[int, ...] | None
    """None: the runtime allocates the outputs."""


@dataclass(slots=True)
class Spent:
    """Time, in all threads or by the clock."""

    wall_s: float = 0.0
    processor_s: float = 0.0

    def add(self, other: "Spent") -> None:
        self.wall_s += other.wall_s
        self.processor_s += other.processor_s


class Stopwatch:
    """From its making on; of this process, all threads."""

    def __init__(self) -> None:
        self._wall_s, self._processor_s = time.perf_counter(), time.process_time()

    def read(self) -> Spent:
        return Spent(time.perf_counter() - self._wall_s, time.process_time() - self._processor_s)


class BareNets:
    """Notes every call of a pack's nets, and runs the last ones again without anything around them."""

    def __init__(self, lanes: int, *, parking_limit_s: float = PARKING_LIMIT_S) -> None:
        self._lanes = lanes
        self._parking_limit_s = parking_limit_s
        self._door = threading.Condition()
        self._is_closed = False
        self._parked = 0
        self._latest: list[Call] = []
        self.noted = 0
        """Detector passes so far: one for most pictures."""

        self.repeated = 0
        """Detector passes that were run again."""

        self.skipped = 0
        """Repeats that were left out, since a lane was not held."""

        self.paused = Spent()
        """While the lanes were held."""

        self.bare = Spent()
        """What the nets alone took for `repeated`."""

    def around(self, pack: OpenPack) -> OpenPack:
        """Give the pack with nets that are noted."""
        return replace(pack, detector=NotedSession(pack.detector, self), embedder=NotedSession(pack.embedder, self))

    def note(self, call: Call) -> None:
        """Note a call; waits at the door while it is closed."""
        with self._door:
            if self._is_closed:
                self._parked += 1
                self._door.notify_all()
                self._door.wait_for(lambda: not self._is_closed)
                self._parked -= 1
            self._latest.append(call)
            self.noted += call.out_shape is None

    def repeat(self, pictures: int) -> None:
        """
        Hold the lanes, and run the calls of the last *pictures* detector passes again, on as many threads.

        Nothing is run where a lane is still busy after `PARKING_LIMIT_S`: it would be timed along. The lanes go on
        afterwards, whatever happened.

        Raises:
            InferenceError: A net failed.
        """
        try:
            with self._door:
                self._is_closed = True
                if not self._door.wait_for(lambda: self._parked == self._lanes, self._parking_limit_s):
                    self.skipped += 1
                    return
                calls, self._latest = self._last(pictures), []
            watch = Stopwatch()
            try:
                self.bare.add(_run_again(calls, self._lanes))
                self.repeated += sum(call.out_shape is None for call in calls)
            finally:
                self.paused.add(watch.read())
        finally:
            with self._door:
                self._is_closed = False
                self._door.notify_all()

    def whole(self) -> Spent | None:
        """What the nets alone take for everything that was noted; None where nothing was run again."""
        if not self.repeated:
            return None
        share = self.noted / self.repeated
        return Spent(self.bare.wall_s * share, self.bare.processor_s * share)

    def _last(self, pictures: int) -> list[Call]:
        starts = [number for number, call in enumerate(self._latest) if call.out_shape is None]
        return self._latest[starts[-pictures] if len(starts) > pictures else 0 :]


class NotedSession:
    """A net whose calls are noted."""

    def __init__(self, session: Session, notes: BareNets) -> None:
        self._session = session
        self._notes = notes
        self.provider = session.provider
        self.inputs: tuple[TensorSpec, ...] = session.inputs
        self.outputs: tuple[TensorSpec, ...] = session.outputs

    def run(self, feed: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        self._notes.note(Call(self._session, feed.shape, None))
        return self._session.run(feed)

    def run_into(self, feed: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        self._notes.note(Call(self._session, feed.shape, out.shape))
        self._session.run_into(feed, out)


def _run_again(calls: Sequence[Call], threads: int) -> Spent:
    """Each thread takes the next call, as the lanes do; buffers are made before the clock runs. Raises their errors."""
    shapes = {shape for call in calls for shape in (call.shape, call.out_shape) if shape is not None}
    waiting = iter(calls)
    taking = threading.Lock()

    def work(buffers: dict[tuple[int, ...], NDArray[np.float32]]) -> None:
        while True:
            with taking:
                call = next(waiting, None)
            if call is None:
                return
            if call.out_shape is None:
                call.session.run(buffers[call.shape])
            else:
                call.session.run_into(buffers[call.shape], buffers[call.out_shape])

    count = max(threads, 1)
    buffers = [{shape: np.full(shape, GREY, np.float32) for shape in shapes} for _ in range(count)]
    with ThreadPoolExecutor(count) as pool:
        watch = Stopwatch()
        workers = [pool.submit(work, own) for own in buffers]
        for worker in workers:
            worker.result()
        return watch.read()
