"""Exact search shares its product between threads: the parts are the whole, and a failure leaves nothing behind."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.evaluation.made_templates import make_templates
from edge_lfr.watchlist.exact_index import BLOCKS_A_THREAD, MAX_THREADS, ExactIndex, _parts_of
from edge_lfr.watchlist.templates import ROWS_A_BLOCK, TemplateMatrix
from simulators.mates import make_mates

DIMENSION = 32
SHARED = 3 * BLOCKS_A_THREAD * ROWS_A_BLOCK + 100


@pytest.mark.parametrize("blocks", [0, 1, BLOCKS_A_THREAD, 2 * BLOCKS_A_THREAD, 2 * BLOCKS_A_THREAD + 1, 15_625])
@pytest.mark.parametrize("cores", [1, 2, 3, 64])
def test_the_parts_are_all_blocks_once(blocks: int, cores: int) -> None:
    """No block is left out or multiplied twice, and no thread has only a few."""
    parts = _parts_of(blocks, cores)
    assert list(range(blocks)) == [block for part in parts for block in range(blocks)[part]]
    assert len(parts) <= max(1, min(cores, MAX_THREADS, blocks // BLOCKS_A_THREAD))


@pytest.fixture
def templates() -> TemplateMatrix:
    return TemplateMatrix(*make_templates(SHARED // 2, dimension=DIMENSION))


def shared_index(templates: TemplateMatrix) -> ExactIndex:
    """An index with three parts, whatever this machine has."""
    index = ExactIndex(templates)
    index._parts = _parts_of(len(templates.blocks), 3)
    assert 3 == len(index._parts)
    return index


def test_threads_find_what_one_thread_finds(templates: TemplateMatrix) -> None:
    """Mates from all parts of the list, and the buffer is zero afterwards."""
    probes = make_mates(templates.rows(np.linspace(0, len(templates) - 1, 40).astype(np.intp)), 0.7)
    alone, shared = ExactIndex(templates), shared_index(templates)
    alone._parts = _parts_of(len(templates.blocks), 1)
    for one, other in zip(alone.propose(probes, 5), shared.propose(probes, 5), strict=True):
        assert one.tolist() == other.tolist()
    assert not shared._scores.any()


@pytest.mark.parametrize("place", [0, 2])
def test_a_part_that_fails_leaves_no_score(
    templates: TemplateMatrix, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """In the searching thread or in another one: the search fails as a whole, and only once nobody writes any more."""
    index = shared_index(templates)
    first = templates.blocks[index._parts[place]]
    multiply = np.matmul

    def broken(probes: NDArray[np.float32], blocks: NDArray[np.float32], *, out: NDArray[np.float32]) -> Any:
        if np.shares_memory(blocks[:1], first[:1]):
            raise MemoryError
        return multiply(probes, blocks, out=out)

    monkeypatch.setattr(np, "matmul", broken)
    with pytest.raises(MemoryError):
        index.propose(templates.rows(np.arange(3)), 5)
    assert not index._scores.any()
