"""
Exact search: probes enter, the rows leave among which their nearest references certainly are.

One matrix product gives all scores in float32. They would give the probe away to anyone who holds the templates, so
the buffer is zeroed after each search.
"""

import threading
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.config.identification import IndexChoice
from edge_lfr.watchlist.templates import TemplateMatrix

BATCH: Final = 16
"""Probes a product. Twice the usual burst; a larger one gains nothing and its score buffer leaves the cache."""

HEADROOM: Final = 4
"""Templates looked at for each reference asked for: one more than the three pictures that a person usually has."""

BLOCKS: Final = 64
"""Chosen, not measured: one fast pass for the maxima, and 1/64 of the scores are left to be ordered."""


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
        self._scores = locked_zeros((len(templates) * BATCH,), np.float32)
        self._lock = threading.Lock()

    def propose(self, probes: NDArray[np.float32], k: int) -> tuple[NDArray[np.intp], ...]:
        rows: list[NDArray[np.intp]] = []
        with self._lock:  # one buffer
            for start in range(0, len(probes), BATCH):
                rows += self._propose(probes[start : start + BATCH], k)
        return tuple(rows)

    def _propose(self, probes: NDArray[np.float32], k: int) -> list[NDArray[np.intp]]:
        """Search one batch; (templates, probes) is the order in which the product is fastest on the tall matrix."""
        count = len(self._templates)
        scores = self._scores[: count * len(probes)].reshape(count, len(probes))
        try:
            np.matmul(self._templates.matrix, probes.T, out=scores)
            rows = self._above(scores, self._floors(scores, HEADROOM * k))
            for place, found in enumerate(rows):
                rows[place] = self._with_enough_references(found, scores[:, place : place + 1], k)
        finally:
            scores.fill(0)
        return rows

    def _with_enough_references(self, rows: NDArray[np.intp], scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
        """Look further down the column while *rows* belong to too few references, because one has many templates."""
        wanted = min(k, len(self._templates.reference_ids))
        templates = HEADROOM * k
        while len(np.unique(self._templates.owners[rows])) < wanted:
            templates *= HEADROOM
            rows = self._above(scores, self._floors(scores, templates))[0]
        return rows

    def _floors(self, scores: NDArray[np.float32], templates: int) -> NDArray[np.float32]:
        """
        Find for each column a score that at least *templates* rows reach, or all when there are fewer.

        The n-th largest of the maxima of disjoint sets of rows is reached by n rows at least; so only the maxima are
        ordered, not the scores.
        """
        count, columns = scores.shape
        length = count // BLOCKS
        if count - length * (BLOCKS - 1) <= templates:
            maxima = scores.copy()
        else:
            maxima = np.empty((count - length * (BLOCKS - 1), columns), dtype=np.float32)
            blocks = scores[: length * BLOCKS].reshape(BLOCKS, length * columns)
            np.max(blocks, axis=0, out=maxima[:length].reshape(length * columns))
            maxima[length:] = scores[length * BLOCKS :]
        last = len(maxima) - min(templates, len(maxima))
        maxima.partition(last, axis=0)
        floors = maxima[last].copy()
        maxima.fill(0)
        # Beyond 1 and -1 lies only rounding, which is clipped from the score; so there all rows tie.
        floors = np.minimum(floors, np.float32(1.0)) - np.float32(self._slack)
        return np.where(floors <= -1.0, -np.inf, floors)

    @staticmethod
    def _above(scores: NDArray[np.float32], floors: NDArray[np.float32]) -> list[NDArray[np.intp]]:
        columns = scores.shape[1]
        rows, places = np.divmod(np.flatnonzero(scores >= floors), columns)  # one pass over memory as it lies
        return [rows[places == column] for column in range(columns)]
