"""All templates of a list enter, pairs that come too near (or not near enough) leave; memory stays bounded."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS: Final = 1024
"""A block of scores takes 4 MB: it stays in a cache, and more does not make the product faster (chosen)."""

MAX_PAIRS: Final = 100_000
"""The nearest pairs that are kept; ten times what 60,000 templates of strangers give at the provisional floor."""


def near_pairs(
    vectors: NDArray[np.float32], owners: Sequence[int], least_score: float
) -> tuple[tuple[int, int, float], ...]:
    """
    Find the pairs of owners whose nearest templates score at least *least_score*.

    Args:
        vectors: float32 (n, d), unit rows.

        owners: The owner of each row, as a number.

        least_score: Cosine.

    Returns:
        First owner (the smaller), second owner, score of their nearest templates; nearest first, at most `MAX_PAIRS`.
    """
    owner = np.asarray(owners, dtype=np.int64)
    best: dict[tuple[int, int], float] = {}
    for top in range(0, len(vectors), BLOCK_ROWS):
        rows = vectors[top : top + BLOCK_ROWS]
        for left in range(top, len(vectors), BLOCK_ROWS):
            scores = rows @ vectors[left : left + BLOCK_ROWS].T
            for row, column in np.argwhere(scores >= least_score):
                one, other = int(owner[top + row]), int(owner[left + column])
                if one != other:
                    pair = (one, other) if one < other else (other, one)
                    best[pair] = max(best.get(pair, -1.0), float(scores[row, column]))
        if len(best) > 2 * MAX_PAIRS:
            best = dict(sorted(best.items(), key=lambda item: -item[1])[:MAX_PAIRS])
    ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:MAX_PAIRS]
    return tuple((*pair, score) for pair, score in ranked)


def far_rows(vectors: NDArray[np.float32], threshold: float) -> tuple[tuple[int, int, float], ...]:
    """Find the pairs of rows of one owner's *vectors* that score below *threshold*."""
    scores = vectors @ vectors.T
    return tuple(
        (int(first), int(second), float(scores[first, second]))
        for first, second in np.argwhere(np.triu(scores < threshold, k=1))
    )
