"""
A pack's nets that note how they are run: calls leave, and can be run again without anything around them.

The same sessions in the same shapes and batches, on arrays that are there already; how long a net takes does not depend
on what it sees, so it is shown noise.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_lfr.evaluation.bench.spent import Spent, Stopwatch
from edge_lfr.inference.packs import OpenPack
from edge_lfr.inference.session import Session, TensorSpec

Shape: TypeAlias = tuple[int, ...]
Arrays: TypeAlias = dict[Shape, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a net."""

    session: Session
    feed: Shape
    out: Shape | None
    """None: the runtime allocates the outputs."""


class NotedSession:
    """A net whose calls are noted; satisfies `Session`."""

    def __init__(self, session: Session, note: Callable[[Call], None]) -> None:
        self._session = session
        self._note = note
        self.provider = session.provider
        self.overwrites_freed = session.overwrites_freed
        self.inputs: tuple[TensorSpec, ...] = session.inputs
        self.outputs: tuple[TensorSpec, ...] = session.outputs

    def run(self, feed: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        self._note(Call(self._session, feed.shape, None))
        return self._session.run(feed)

    def run_into(self, feed: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        self._note(Call(self._session, feed.shape, out.shape))
        self._session.run_into(feed, out)


def noted(pack: OpenPack, note: Callable[[Call], None]) -> OpenPack:
    """Give the pack with nets that tell *note* of each call, before it is made."""
    return replace(pack, detector=NotedSession(pack.detector, note), embedder=NotedSession(pack.embedder, note))


def run_again(calls: Sequence[Call], threads: int = 1) -> Spent:
    """
    Run *calls* by the nets alone, each thread taking the next one; arrays are made before the clock runs.

    Raises:
        InferenceError: A net failed.
    """
    noise = np.random.default_rng(1)
    feeds: Arrays = {shape: noise.random(shape, dtype=np.float32) * 255.0 for shape in {call.feed for call in calls}}
    shapes = {call.out for call in calls if call.out is not None}
    waiting = iter(calls)
    taking = threading.Lock()

    def work(outs: Arrays) -> None:
        while True:
            with taking:
                call = next(waiting, None)
            if call is None:
                return
            if call.out is None:
                call.session.run(feeds[call.feed])
            else:
                call.session.run_into(feeds[call.feed], outs[call.out])

    # filled, so that no page is mapped while the clock runs
    outs: list[Arrays] = [{shape: np.full(shape, 1.0, np.float32) for shape in shapes} for _ in range(max(threads, 1))]
    if len(outs) == 1:
        watch = Stopwatch()
        work(outs[0])
        return watch.read()
    with ThreadPoolExecutor(len(outs)) as pool:
        watch = Stopwatch()
        workers = [pool.submit(work, own) for own in outs]
        for worker in workers:
            worker.result()
        return watch.read()
