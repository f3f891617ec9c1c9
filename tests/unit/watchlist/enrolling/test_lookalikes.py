"""All templates against all: near pairs of different references, far pairs of one."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lfr.watchlist.enrolling import lookalikes
from edge_lfr.watchlist.enrolling.lookalikes import far_rows, near_pairs
from simulators.watchlists import templates


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    count=st.integers(0, 40),
    owners=st.integers(1, 12),
    least=st.floats(-0.5, 0.9),
    block=st.integers(1, 50),
)
def test_blocks_find_what_the_full_product_finds(seed: int, count: int, owners: int, least: float, block: int) -> None:
    """Every pair of owners with its highest score, nearest first, whatever the size of the blocks."""
    vectors = templates(seed, count, 4)
    owner = [row % owners for row in range(count)]
    best: dict[tuple[int, int], float] = {}
    for row in range(count):
        for other in range(count):
            pair = owner[row], owner[other]
            if pair[0] < pair[1]:
                best[pair] = max(best.get(pair, -1.0), float(vectors[row] @ vectors[other]))
    # Scores within rounding of the bound may fall on either side of it.
    expected = {pair: score for pair, score in best.items() if score >= least + 1e-5}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookalikes, "BLOCK_ROWS", block)
        found = near_pairs(vectors, owner, least).pairs

    assert sorted((score for *_, score in found), reverse=True) == [score for *_, score in found]
    assert len(found) == len({pair[:2] for pair in found})
    by_pair = {(first, second): score for first, second, score in found}
    assert set(expected) <= set(by_pair) <= {pair for pair, score in best.items() if score >= least - 1e-5}
    assert all(abs(best[pair] - score) < 1e-5 for pair, score in by_pair.items())


def test_the_number_of_pairs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many pairs the nearest are kept."""
    vectors = templates(1, 60, 4)
    every = near_pairs(vectors, range(60), -1.0).pairs
    monkeypatch.setattr(lookalikes, "MAX_PAIRS", 10)
    monkeypatch.setattr(lookalikes, "BLOCK_ROWS", 7)

    some = near_pairs(vectors, range(60), -1.0)
    all_of_some = near_pairs(vectors[:5], range(5), -1.0)

    assert 60 * 59 // 2 == len(every)
    assert [pair[:2] for pair in every[:10]] == [pair[:2] for pair in some.pairs]
    assert (True, 10, False) == (some.are_more, len(all_of_some.pairs), all_of_some.are_more)


def test_memory_is_bounded_within_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """One picture under a thousand names: half a million pairs, and neither they nor their like are ever held."""
    monkeypatch.setattr(lookalikes, "MAX_PAIRS", 100)
    monkeypatch.setattr(lookalikes, "BLOCK_ROWS", 32)
    vectors = np.tile(templates(1, 1, 4), (1024, 1))

    tracemalloc.start()
    found = near_pairs(vectors, range(1024), 0.5)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (100, True) == (len(found.pairs), found.are_more)
    assert {1.0} == {round(score, 5) for *_, score in found.pairs}
    assert most < 1_000_000


def test_far_rows_are_each_pair_once() -> None:
    """Pairs below the threshold, the earlier row first."""
    vectors = np.asarray([[1, 0], [0, 1], [1, 0]], dtype=np.float32)

    assert ((0, 1, 0.0), (1, 2, 0.0)) == far_rows(vectors, 0.5)
    assert () == far_rows(vectors[:1], 0.5)
