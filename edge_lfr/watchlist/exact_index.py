"""
Exact search: probes enter, the rows leave among which their nearest references certainly are.

Products with all templates give all scores in float32. They would give the probe away to anyone who holds the
templates, so the buffer is zeroed after each search.
"""

import threading
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.config.identification import IndexChoice
from edge_lfr.watchlist.templates import ROWS_A_BLOCK, TemplateMatrix

BATCH: Final = 16
"""Probes a product. Twice the usual burst; a larger one gains nothing and its score buffer leaves the cache."""

HEADROOM: Final = 4
"""Templates looked at for each reference asked for: one more than the three pictures that a person usually has."""

FIRST_LOOK: Final = 2
"""Templates looked at first for each reference asked for: mostly enough for a probe of nobody, whose nearest templates
are of different people; for a mated one, with all its reference's pictures on top, a second look is taken."""

BLOCKS_A_ROUND: Final = 8
"""Chosen, not measured: maxima over the rounds are one fast pass, and 512 sets are enough for their best to tell."""

NO_TEMPLATE: Final = np.float32(-np.inf)
"""Stands where a block or a round has no template."""

BELOW_ALL: Final = -2.0
"""Below every score, and above `NO_TEMPLATE`."""


class Index(Protocol):
    """Something that proposes rows of the matrix; who they are and how near is computed from the matrix afterwards."""

    @property
    def choice(self) -> IndexChoice: ...

    def propose(self, probes: NDArray[np.float32], k: int) -> tuple[NDArray[np.intp], ...]:
        """
        Name the rows among which the *k* nearest references of each probe are to be found.

        Args:
            probes: float32 (n, d), C order, unit rows, checked by the caller.

            k: References wanted, at least 1.

        Returns:
            For each probe different rows, in any order; empty when the index could not tell.
        """
        ...


class ExactIndex:
    """The product with the whole matrix; serves from the first second and is the reference for any other index."""

    choice = IndexChoice.EXACT

    def __init__(self, templates: TemplateMatrix) -> None:
        self._templates = templates
        # The product of two float32 unit vectors of length d, summed in any order, errs by less than d units in the
        # last place (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1); both the row that sets
        # the floor and the row below it may err.
        self._slack = 2.0 * 1.01 * templates.dimension * float(np.finfo(np.float32).eps)
        self._rounds = -(-len(templates.blocks) // BLOCKS_A_ROUND)
        self._scores = locked_zeros((self._rounds * BLOCKS_A_ROUND * BATCH * ROWS_A_BLOCK,), np.float32)
        self._lock = threading.Lock()

    def propose(self, probes: NDArray[np.float32], k: int) -> tuple[NDArray[np.intp], ...]:
        rows: list[NDArray[np.intp]] = []
        with self._lock:  # one buffer
            for start in range(0, len(probes), BATCH):
                rows += self._propose(probes[start : start + BATCH], k)
        return tuple(rows)

    def _propose(self, probes: NDArray[np.float32], k: int) -> list[NDArray[np.intp]]:
        """Search one batch: a small product for each block of templates, then the rows that reach a floor."""
        blocks, count = self._templates.blocks, len(probes)
        used = self._scores[: self._rounds * BLOCKS_A_ROUND * count * ROWS_A_BLOCK]
        scores = used.reshape(-1, count, ROWS_A_BLOCK)
        rounds = used.reshape(self._rounds, BLOCKS_A_ROUND, count, ROWS_A_BLOCK)
        try:
            np.matmul(probes, blocks, out=scores[: len(blocks)])
            scores[len(blocks) :] = NO_TEMPLATE
            scores[len(blocks) - 1, :, (len(self._templates) - 1) % ROWS_A_BLOCK + 1 :] = NO_TEMPLATE
            maxima = np.max(rounds, axis=0)
            found = [self._rows(rounds[:, :, place], maxima[:, place], k) for place in range(count)]
            maxima.fill(0)
        finally:
            used.fill(0)
        return found

    def _rows(self, scores: NDArray[np.float32], maxima: NDArray[np.float32], k: int) -> NDArray[np.intp]:
        """Look further down the scores while the rows belong to too few references, because one has many templates."""
        wanted = min(k, len(self._templates.reference_ids))
        templates = FIRST_LOOK * k
        while True:
            rows = _reaching(scores, maxima, self._floor(scores, maxima, templates))
            owners = self._templates.owners[rows]  # ascending
            if 1 + np.count_nonzero(np.diff(owners)) >= wanted:
                return rows
            templates *= HEADROOM

    def _floor(self, scores: NDArray[np.float32], maxima: NDArray[np.float32], templates: int) -> float:
        """
        Find a score that at least *templates* rows reach, or all when there are fewer.

        The n-th largest of the maxima of disjoint sets of rows is reached by n rows at least; so only the maxima are
        ordered, not the scores, unless there are too few sets.
        """
        is_few = min(maxima.size, len(self._templates)) < templates
        ordered = (scores if is_few else maxima).flatten()
        last = len(ordered) - min(templates, len(self._templates))
        ordered.partition(last)
        floor = float(ordered[last])
        ordered.fill(0)
        # Beyond 1 and -1 lies only rounding, which is clipped from the score; so there all rows tie.
        floor = min(floor, 1.0) - self._slack
        return BELOW_ALL if floor <= -1.0 else floor


def _reaching(scores: NDArray[np.float32], maxima: NDArray[np.float32], floor: float) -> NDArray[np.intp]:
    """
    Find the rows that reach the floor, ascending; only sets whose best does are looked into.

    Args:
        scores: float32 (rounds, `BLOCKS_A_ROUND`, `ROWS_A_BLOCK`), in the order of the templates.

        maxima: float32 (`BLOCKS_A_ROUND`, `ROWS_A_BLOCK`), over the rounds: a set is one place in all rounds.

        floor: Cosine.
    """
    block, place = np.nonzero(maxima >= floor)
    looked_into = scores[:, block, place]
    turn, chosen = np.nonzero(looked_into >= floor)
    looked_into.fill(0)
    rows: NDArray[np.intp] = (turn * BLOCKS_A_ROUND + block[chosen]) * ROWS_A_BLOCK + place[chosen]
    rows.sort()
    return rows
