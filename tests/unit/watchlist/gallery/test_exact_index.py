"""Exact search shares its product between threads: the parts are the whole, and a failure leaves nothing behind."""

import threading
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.evaluation.made_templates import make_templates
from edge_lfr.watchlist.gallery.exact_index import BLOCKS_A_PART, BLOCKS_A_THREAD, ExactIndex
from edge_lfr.watchlist.gallery.templates import ROWS_A_BLOCK, TemplateMatrix
from simulators.mates import make_mates

DIMENSION = 32
SHARED = 3 * BLOCKS_A_THREAD * ROWS_A_BLOCK + 100


@pytest.fixture
def templates() -> TemplateMatrix:
    return TemplateMatrix(*make_templates(SHARED // 2, dimension=DIMENSION))


def mates(templates: TemplateMatrix, count: int) -> NDArray[np.float32]:
    """Mates from all parts of the list."""
    return make_mates(templates.rows(np.linspace(0, len(templates) - 1, count).astype(np.intp)), 0.7)


def found(index: ExactIndex, probes: NDArray[np.float32]) -> list[list[int]]:
    return [rows.tolist() for rows in index.propose(probes, 5)]


@pytest.mark.parametrize("blocks", [1, 2, BLOCKS_A_PART, BLOCKS_A_PART + 1, BLOCKS_A_THREAD, 2 * BLOCKS_A_THREAD + 1])
def test_the_parts_are_all_blocks_once(blocks: int) -> None:
    """No block is left out or multiplied twice, and a short list is one thread's."""
    index = ExactIndex(TemplateMatrix(*make_templates(blocks * ROWS_A_BLOCK // 2, dimension=4)), threads=2)
    assert list(range(blocks)) == [block for part in index._parts for block in range(blocks)[part]]
    assert (blocks >= 2 * BLOCKS_A_THREAD) == (index._helpers == 1)


def test_threads_find_what_one_thread_finds(templates: TemplateMatrix) -> None:
    """Whoever multiplies a part, the rows are the same; and the buffer is zero afterwards."""
    alone, shared = ExactIndex(templates, threads=1), ExactIndex(templates, threads=3)
    assert (0, 2) == (alone._helpers, shared._helpers)
    for count in (40, 3, 8):
        probes = mates(templates, count)
        assert found(alone, probes) == found(shared, probes)
    assert not shared._scores.any()


class Multiplier:
    """Stands for `np.matmul`: one thread's parts fail, and the others' take a moment."""

    def __init__(self, *, fails_in_helper: bool) -> None:
        self.fails_in_helper = fails_in_helper
        self.multiply = np.matmul
        self.both_at_work = threading.Barrier(2)

    def __call__(self, probes: NDArray[np.float32], blocks: NDArray[np.float32], *, out: NDArray[np.float32]) -> Any:
        self.both_at_work.wait(30)
        if self.fails_in_helper == threading.current_thread().name.startswith("gallery"):
            raise MemoryError
        time.sleep(0.1)
        return self.multiply(probes, blocks, out=out)


@pytest.mark.parametrize("fails_in_helper", [True, False])
def test_a_part_that_fails_leaves_no_score(
    templates: TemplateMatrix, monkeypatch: pytest.MonkeyPatch, *, fails_in_helper: bool
) -> None:
    """The search fails as a whole, once nobody writes any more, and the next one is right."""
    index, probes = ExactIndex(templates, threads=2), mates(templates, 9)
    index._parts = [slice(0, 100), slice(100, len(templates.blocks))]  # each thread has one
    with monkeypatch.context() as patched:
        patched.setattr(np, "matmul", Multiplier(fails_in_helper=fails_in_helper))
        with pytest.raises(MemoryError):
            index.propose(probes, 5)
    assert not index._scores.any()
    assert found(ExactIndex(templates, threads=1), probes[:2]) == found(index, probes[:2])


def test_without_a_thread_to_be_had_one_searches(templates: TemplateMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that gives no more threads loses no alert, and is not asked again."""

    def refuse(_: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    index, probes = ExactIndex(templates, threads=3), mates(templates, 9)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert found(ExactIndex(templates, threads=1), probes) == found(index, probes)
    assert 0 == index._helpers
    assert found(ExactIndex(templates, threads=1), probes[:1]) == found(index, probes[:1])
    assert not index._scores.any()
