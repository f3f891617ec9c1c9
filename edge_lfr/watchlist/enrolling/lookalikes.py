"""All templates of a list enter, pairs that come too near (or not near enough) leave; memory stays bounded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS: Final = 1024
"""A block of scores takes 4 MB: it stays in a cache, and more does not make the product faster (chosen)."""

MAX_PAIRS: Final = 100_000
"""The nearest pairs that are kept; ten times what 60,000 templates of strangers give at the provisional floor."""


@dataclass(frozen=True, slots=True)
class NearPairs:
    """What came too near."""

    pairs: tuple[tuple[int, int, float], ...]
    """First owner (the smaller), second owner, score of their nearest templates; nearest first, at most `MAX_PAIRS`."""

    are_more: bool
    """Whether there are pairs beyond these, less near than they."""


def near_pairs(vectors: NDArray[np.float32], owners: Sequence[int], least_score: float) -> NearPairs:
    """
    Find the pairs of owners whose nearest templates score at least *least_score*.

    Args:
        vectors: float32 (n, d), unit rows.

        owners: The owner of each row, as a number from 0.

        least_score: Cosine.
    """
    owner = np.asarray(owners, dtype=np.int64)
    nearest = _Nearest(int(owner.max(initial=0)) + 1, least_score)
    for top in range(0, len(vectors), BLOCK_ROWS):
        rows = vectors[top : top + BLOCK_ROWS]
        for left in range(top, len(vectors), BLOCK_ROWS):
            scores = rows @ vectors[left : left + BLOCK_ROWS].T
            row, column = np.nonzero(nearest.is_wanted(scores))
            nearest.take(owner[top + row], owner[left + column], scores[row, column])
    return nearest.result()


class _Nearest:
    """
    The best `MAX_PAIRS` pairs so far; holds at most three times as many and one block of hits.

    Once there are more pairs than that, only scores above the last one's can still change anything: of a list that is
    one picture many times over, nearly nothing is collected any more.
    """

    def __init__(self, owner_count: int, least_score: float) -> None:
        self._owner_count = owner_count
        self._least_score = least_score
        self._floor: np.float32 | None = None
        self._codes: list[NDArray[np.int64]] = []
        self._scores: list[NDArray[np.float32]] = []
        self._held = 0

    def is_wanted(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which scores belong to the result, as far as is known."""
        return scores >= self._least_score if self._floor is None else scores > self._floor

    def take(self, one: NDArray[np.int64], other: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        """Add hits: owners and scores; an owner's likeness to itself is none."""
        differ = one != other
        low, high = np.minimum(one, other)[differ], np.maximum(one, other)[differ]
        self._codes.append(low * self._owner_count + high)
        self._scores.append(scores[differ])
        self._held += len(low)
        if self._held > 3 * MAX_PAIRS:
            self._shorten()

    def _shorten(self) -> None:
        """Keep the best score of each pair, and of the pairs the best."""
        codes = np.concatenate([np.empty(0, np.int64), *self._codes])
        scores = np.concatenate([np.empty(0, np.float32), *self._scores])
        order = np.lexsort((codes, -scores))  # equal scores in order of the pair
        _, first = np.unique(codes[order], return_index=True)
        kept = order[np.sort(first)[:MAX_PAIRS]]
        if len(first) > MAX_PAIRS:
            self._floor = scores[kept[-1]]
        self._codes, self._scores, self._held = [codes[kept]], [scores[kept]], len(kept)

    def result(self) -> NearPairs:
        """Nearest first."""
        self._shorten()
        pairs = [divmod(int(code), self._owner_count) for code in self._codes[0]]
        scores = [float(score) for score in self._scores[0]]
        found = tuple((first, second, score) for (first, second), score in zip(pairs, scores, strict=True))
        return NearPairs(found, are_more=self._floor is not None)


def far_rows(vectors: NDArray[np.float32], threshold: float) -> tuple[tuple[int, int, float], ...]:
    """Find the pairs of rows of one owner's *vectors* that score below *threshold*."""
    scores = vectors @ vectors.T
    return tuple(
        (int(first), int(second), float(scores[first, second]))
        for first, second in np.argwhere(np.triu(scores < threshold, k=1))
    )
