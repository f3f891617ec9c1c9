"""Calls are noted, and run again as they were."""

import numpy as np
from numpy.typing import NDArray

from edge_lfr.evaluation.bench.noted_nets import Call, NotedSession, run_again
from edge_lfr.inference.session import TensorSpec


class Net:
    """A net that answers zeros, and says what it was run on."""

    def __init__(self) -> None:
        self.inputs = (TensorSpec("in", (None, 2)),)
        self.outputs = (TensorSpec("out", (None, 2)),)
        self.provider = "test"
        self.overwrites_freed = False
        self.runs: list[tuple[tuple[int, ...], bool]] = []

    def run(self, feed: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        self.runs.append((feed.shape, False))
        return (np.zeros_like(feed),)

    def run_into(self, feed: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        self.runs.append((feed.shape, True))
        out.fill(0)


def test_bare_runs_are_those_that_were_asked_for() -> None:
    """The same session, shape, batch and way of giving the outputs; repeating adds nothing to what is repeated."""
    net = Net()
    calls: list[Call] = []
    session = NotedSession(net, calls.append)
    session.run(np.zeros((3, 2), dtype=np.float32))
    session.run_into(np.zeros((1, 2), dtype=np.float32), np.zeros((1, 2), dtype=np.float32))
    spent = run_again(calls)
    assert 2 == len(calls)
    assert [((3, 2), False), ((1, 2), True)] * 2 == net.runs
    assert spent.wall_s > 0.0


def test_threads_share_the_calls() -> None:
    """Each call is run once, by whichever thread is free."""
    net = Net()
    run_again([Call(net, (number, 2), (number, 2)) for number in range(1, 20)], threads=3)
    assert [((number, 2), True) for number in range(1, 20)] == sorted(net.runs)
