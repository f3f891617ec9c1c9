"""
Exact search: probes enter, the rows leave among which their nearest references certainly are.

Products with all templates give all scores in float32. They would give the probe away to anyone who holds the
templates, so the buffer is zeroed after each search.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.config.identification import IndexChoice
from edge_lfr.watchlist.gallery.templates import ROWS_A_BLOCK, TemplateMatrix

BATCH: Final = 16
"""Probes a product. Twice the usual burst; a larger one gains nothing and its score buffer leaves the cache."""

HEADROOM: Final = 4
"""Templates looked at for each reference asked for: one more than the three pictures that a person usually has."""

FIRST_LOOK: Final = 2
"""Templates looked at first for each reference asked for: mostly enough for a probe of nobody, whose nearest templates
are of different people; for a mated one, with all its reference's pictures on top, a second look is taken."""

BLOCKS_A_ROUND: Final = 8
"""Chosen, not measured: maxima over the rounds are one fast pass, and 512 sets are enough for their best to tell."""

MAX_THREADS: Final = 4
"""Threads that share the product, where there are as many cores. One core takes in what memory gives it, and two take
1.8 times as much: eight probes searched among 20,000 templates took 2.5 ms instead of 3.7, and 4.2 instead of 7.7 while
other processes kept both cores busy. Beyond two nothing was measured."""

BLOCKS_A_THREAD: Final = 64
"""A thread that has fewer to multiply costs more than it brings; chosen."""

BLOCKS_A_PART: Final = 32
"""Multiplied at a time, in a quarter of a millisecond: a thread that has its core less often takes fewer. Chosen."""

NO_TEMPLATE: Final = np.float32(-np.inf)
"""Stands where a block or a round has no template."""

BELOW_ALL: Final = np.float32(-2.0)
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

    def __init__(self, templates: TemplateMatrix, threads: int | None = None) -> None:
        """
        Search these templates.

        Args:
            templates: Not copied.

            threads: Which share a search at most; None takes as many as this process has cores.
        """
        self._templates = templates
        # The product of two float32 unit vectors of length d, summed in any order, errs by less than d units in the
        # last place (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1); both the row that sets
        # the floor and the row below it may err.
        self._slack = 2.0 * 1.01 * templates.dimension * float(np.finfo(np.float32).eps)
        self._rounds = -(-len(templates.blocks) // BLOCKS_A_ROUND)
        self._scores = locked_zeros((self._rounds * BLOCKS_A_ROUND * BATCH * ROWS_A_BLOCK,), np.float32)
        self._lock = threading.Lock()
        count = len(templates.blocks)
        self._parts = [slice(start, start + BLOCKS_A_PART) for start in range(0, count, BLOCKS_A_PART)]
        cores = len(os.sched_getaffinity(0)) if threads is None else threads
        self._helpers = max(min(cores, MAX_THREADS, count // BLOCKS_A_THREAD) - 1, 0)
        # Its threads start with the first search that shares, and end when this index is collected.
        self._pool = ThreadPoolExecutor(MAX_THREADS - 1, thread_name_prefix="gallery")

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
            self._multiply(probes, scores[: len(blocks)])
            scores[len(blocks) :] = NO_TEMPLATE
            scores[len(blocks) - 1, :, (len(self._templates) - 1) % ROWS_A_BLOCK + 1 :] = NO_TEMPLATE
            return self._found(rounds, k)
        finally:
            used.fill(0)

    def _multiply(self, probes: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Multiply every block with the probes: whoever is free takes the next part. Nobody is at it on return."""
        blocks = self._templates.blocks
        parts = iter(self._parts)  # one for all threads; the interpreter gives each part to one of them

        def work() -> None:
            for part in parts:
                np.matmul(probes, blocks[part], out=out[part])

        helping = self._with_helpers(work)
        try:
            work()
        finally:
            deque(parts, maxlen=0)  # after a failure nobody begins another part
            wait([helper for helper in helping if not helper.cancel()])  # one that has not begun is not waited for
        for helper in helping:
            if not helper.cancelled():
                helper.result()

    def _with_helpers(self, work: Callable[[], None]) -> "list[Future[None]]":
        helping: list[Future[None]] = []
        try:
            for _ in range(self._helpers):
                helping.append(self._pool.submit(work))  # noqa: PERF401 - those before one that fails are to be known
        except RuntimeError:  # the system gives no more threads: the searching one is enough
            self._helpers = 0
        return helping

    def _found(self, scores: NDArray[np.float32], k: int) -> list[NDArray[np.intp]]:
        """
        Give for each probe the rows that reach a floor, all probes in one go.

        Args:
            scores: float32 (rounds, `BLOCKS_A_ROUND`, n, `ROWS_A_BLOCK`), n probes, in the order of the templates.

            k: References wanted.
        """
        maxima = np.max(scores, axis=0)
        try:
            return self._nearest(scores, maxima, k)
        finally:
            maxima.fill(0)

    def _nearest(self, scores: NDArray[np.float32], maxima: NDArray[np.float32], k: int) -> list[NDArray[np.intp]]:
        rows, ends, is_short = self._reaching(scores, maxima, FIRST_LOOK * k, k)
        found = np.split(rows, ends)
        for place in np.flatnonzero(is_short).tolist():
            # The rows belong to too few references, because one has many templates: look further down.
            templates, still_short = FIRST_LOOK * k, True
            while still_short:
                templates *= HEADROOM
                one = slice(place, place + 1)
                found[place], _, short = self._reaching(scores[:, :, one], maxima[:, one], templates, k)
                still_short = bool(short[0])
        return found

    def _reaching(
        self, scores: NDArray[np.float32], maxima: NDArray[np.float32], templates: int, k: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
        """
        Find the rows that reach the floors; only sets of rows whose best does are looked into.

        Args:
            scores: As above.

            maxima: float32 (`BLOCKS_A_ROUND`, n, `ROWS_A_BLOCK`), over the rounds: a set is one place in all rounds.

            templates: How many shall reach the floor at least.

            k: References wanted.

        Returns:
            Rows of all probes, one probe after another, ascending in each; where each but the last probe's end; whether
            a probe's rows belong to too few references.
        """
        floors = self._floors(scores, maxima, templates)
        block, asker, place = np.nonzero(maxima >= floors[:, None])
        looked_into = scores[:, block, asker, place]
        turn, chosen = np.nonzero(looked_into >= floors[asker])
        looked_into.fill(0)
        rows = (turn * BLOCKS_A_ROUND + block[chosen]) * ROWS_A_BLOCK + place[chosen]
        count = len(self._templates)
        askers, rows = np.divmod(np.sort(asker[chosen] * count + rows), count)
        owners = askers * count + self._templates.owners[rows]  # ascending
        is_first = np.ones(len(rows), dtype=np.bool_)
        np.not_equal(owners[1:], owners[:-1], out=is_first[1:])
        references = np.bincount(askers[is_first], minlength=len(floors))
        ends = np.searchsorted(askers, np.arange(1, len(floors)))
        return rows, ends, references < min(k, len(self._templates.reference_ids))

    def _floors(self, scores: NDArray[np.float32], maxima: NDArray[np.float32], templates: int) -> NDArray[np.float32]:
        """
        Find for each probe a score that at least *templates* rows reach, or all when there are fewer.

        The n-th largest of the maxima of disjoint sets of rows is reached by n rows at least; so only the maxima are
        ordered, not the scores, unless there are too few sets.
        """
        sets = BLOCKS_A_ROUND * ROWS_A_BLOCK
        source = scores if min(sets, len(self._templates)) < templates else maxima
        ordered = np.moveaxis(source, -2, 0).reshape(source.shape[-2], -1)
        if np.shares_memory(ordered, source):
            ordered = ordered.copy()
        last = ordered.shape[1] - min(templates, len(self._templates))
        ordered.partition(last, axis=1)
        floors = ordered[:, last].copy()
        ordered.fill(0)
        # Beyond 1 and -1 lies only rounding, which is clipped from the score; so there all rows tie.
        floors = np.minimum(floors, np.float32(1.0)) - np.float32(self._slack)
        return np.where(floors <= -1.0, BELOW_ALL, floors)
