"""
The watchlist in memory: unit vectors and their reference ids enter, candidates with exact scores leave.

Exact search serves from the first moment. A graph, where one is asked for or pays, only proposes; it is taken when it
was seen to find whom exact search finds. `destroy` zeroes the matrix in place and drops the graph.
"""

import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from edge_lfr.biometrics.outcomes import Candidate
from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.errors import WatchlistFormatError
from edge_lfr.watchlist.gallery.exact_index import ExactIndex, Index
from edge_lfr.watchlist.gallery.hnsw_index import BuildStoppedError, HnswIndex
from edge_lfr.watchlist.gallery.index_report import IndexReason, IndexReport, SearchTimes
from edge_lfr.watchlist.gallery.race import is_clearly_faster, race, race_probes
from edge_lfr.watchlist.gallery.recall import measure_recall
from edge_lfr.watchlist.gallery.templates import TemplateMatrix, check_unit_rows

TRIED_FROM: Final = 50_000
"""Templates from which `auto` tries a graph. Eight probes at 20,000 took 4.7 ms exactly and 17 ms in a graph of a fifth
of them, at 60,000 11 ms and 21 ms in one of a fifteenth: below, no machine like that one is near a gain. (Computing
time on a loaded machine, 256 dimensions, one of eight probes near the threshold.)"""

PILOT_TEMPLATES: Final = 4096
"""`auto` first builds a graph of so few, in seconds. The time of a search in a graph grows with its size: where this
one is not clearly faster than exact search among all, the whole graph, minutes of a core, would not be either."""

CANDIDATES: Final = 5
"""Asked for in a race; as many as the path asks for."""

MIN_RECALL: Final = 0.999
"""Below it a graph misses more people than the camera's worst second does; the architecture's figure."""


class GalleryDestroyedError(RuntimeError):
    """A search after `destroy`: a caller's mistake, and no answer, because an empty one would be a silent non-match."""


class Gallery:
    """
    The templates of one watchlist, and the index in use.

    Searches come from one thread; `choose_index` may run in another one meanwhile, and `destroy` stops it.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32],
        reference_ids: Sequence[str],
        *,
        pack_digest: str,
        config: GalleryConfig,
        threshold: float,
    ) -> None:
        """
        Take a copy of the templates and serve them exactly.

        Args:
            vectors: float32 (n, d), unit rows; n may be 0. The caller's array stays the caller's to destroy.

            reference_ids: One for each row.

            pack_digest: The pack that the vectors come from.

            config: Which index, and its parameters.

            threshold: The operating threshold.

        Raises:
            WatchlistFormatError: The shapes disagree, or a row is not finite and of unit length.
        """
        try:
            self._templates = TemplateMatrix(vectors, reference_ids)
        except ValueError as error:
            raise WatchlistFormatError(f"templates: {error}", remedy="wipe the store and load the list again") from None
        self.pack_digest = pack_digest
        self._config = config
        self._threshold = threshold
        self._exact = ExactIndex(self._templates)
        self._serving: Index = self._exact
        self._choice = IndexReport(serving=IndexChoice.EXACT, reason=self._first_reason())
        self._swapping = threading.Lock()

    @property
    def templates(self) -> int:
        """How many vectors."""
        return len(self._templates)

    @property
    def references(self) -> int:
        """How many different reference ids."""
        return len(self._templates.reference_ids)

    @property
    def dimension(self) -> int:
        return self._templates.dimension

    @property
    def index(self) -> IndexChoice:
        """What serves now: `exact` or `hnsw`, never `auto`."""
        return self._choice.serving

    @property
    def choice(self) -> IndexReport:
        """What serves now, why, and what was measured; one record, swapped whole."""
        return self._choice

    def search(self, probes: NDArray[np.float32], k: int = 5) -> tuple[tuple[Candidate, ...], ...]:
        """
        Find the *k* nearest references of each probe.

        Args:
            probes: float32 (n, d), C order, unit rows; they stay the caller's to destroy.

            k: How many references at most.

        Returns:
            For each probe different references, each with the exact score of its nearest template, best first, ties by
            reference id. When a graph serves, a probe without a score near the threshold may lack some.

        Raises:
            ValueError: Wrong shape, order or dimension, a row that is not finite and of unit length, or k below 1.

            GalleryDestroyedError: After `destroy`.
        """
        if self._templates.is_destroyed:
            raise GalleryDestroyedError
        if k < 1:
            raise ValueError(f"expected k of at least 1, found {k}")
        check_unit_rows(probes, self.dimension)
        if not probes.flags.c_contiguous:
            raise ValueError(f"expected C order, found strides {probes.strides}: a copy would be nobody's to destroy")
        if not self.templates or not len(probes):
            return ((),) * len(probes)
        return tuple(self._found(self._serving, self._exact, probes, k))

    def choose_index(self) -> None:
        """
        Build the graph that the configuration or the number of templates asks for, measure it, and serve it if it won.

        May take minutes, in any one thread, while searches go on; `choice` then says what was found. Ends soon after
        `destroy`.
        """
        if self._choice.reason is not IndexReason.TRYING:
            return
        try:
            graph, report = self._trial()
        except BuildStoppedError:
            return
        except Exception as error:  # noqa: BLE001  # the trial's thread: whatever ends it, exact search goes on and says why
            self.give_up_index(error)
        else:
            self._conclude(graph, report)

    def give_up_index(self, error: Exception) -> None:
        """Search exactly from now on, and say so: the graph could not be tried because of *error*."""
        structlog.get_logger().error("gallery.graph-failed", error=type(error).__name__)
        self._conclude(None, IndexReport(serving=IndexChoice.EXACT, reason=IndexReason.FAILED))

    def _conclude(self, graph: Index | None, report: IndexReport) -> None:
        with self._swapping:
            if self._is_destroyed():
                return
            if graph is not None:
                self._serving = graph
            self._choice = report
        self._tell(report)

    def as_they_lie(self, count: int) -> NDArray[np.float32]:
        """Some of the matrix as memory holds it: `TemplateMatrix.as_they_lie`."""
        return self._templates.as_they_lie(count)

    def forget(self, reference_ids: Collection[str]) -> None:
        """Find nobody by these references any more, from any thread and at once; they end with a list without them."""
        self._templates.forget(frozenset(reference_ids))

    def destroy(self) -> None:
        """Zero the matrix, drop the graph and stop a trial; not while a search is running."""
        with self._swapping:
            self._templates.destroy()
            self._serving = self._exact
            self._choice = replace(self._choice, serving=IndexChoice.EXACT)

    def _tell(self, report: IndexReport) -> None:
        facts = asdict(report)
        facts |= {name: round(ms, 3) for name, ms in (facts.pop("times") or {}).items()}
        is_fault = report.reason in {IndexReason.MISSES, IndexReason.FAILED}
        log = structlog.get_logger()
        (log.warning if is_fault else log.info)("gallery.index", templates=self.templates, **facts)

    def _is_destroyed(self) -> bool:
        return self._templates.is_destroyed

    def _first_reason(self) -> IndexReason:
        match self._config.index:
            case IndexChoice.EXACT:
                return IndexReason.CONFIGURED
            case IndexChoice.HNSW:
                return IndexReason.TRYING if self.templates else IndexReason.SMALL
            case IndexChoice.AUTO:
                return IndexReason.TRYING if self.templates >= TRIED_FROM else IndexReason.SMALL

    def _trial(self) -> tuple[Index | None, IndexReport]:
        """Give what shall serve from now on, None for exact search, and the report that says why."""
        is_forced = self._config.index is IndexChoice.HNSW
        # A score buffer of its own: the serving one belongs to the searching thread. And one thread, as a graph takes.
        exact = ExactIndex(self._templates, threads=1)
        stays = IndexReport(serving=IndexChoice.EXACT, reason=IndexReason.NOT_FASTER)
        if not is_forced:
            pilot, seconds = self._built(PILOT_TEMPLATES)
            times = self._race(exact, pilot)
            if not is_clearly_faster(times):
                return None, replace(stays, reason=IndexReason.FEW_NOT_FASTER, times=times, build_s=seconds)
            del pilot
        graph, seconds = self._built()
        recall = measure_recall(graph, exact, self._templates, self._threshold, self._is_destroyed)
        if recall < MIN_RECALL:
            graph.set_ef(2 * graph.ef)
            recall = measure_recall(graph, exact, self._templates, self._threshold, self._is_destroyed)
        times = self._race(exact, graph)
        stays = replace(stays, recall=recall, times=times, build_s=seconds)
        if recall < MIN_RECALL:
            return None, replace(stays, reason=IndexReason.MISSES)
        if not is_forced and not is_clearly_faster(times):
            return None, stays
        reason = IndexReason.FORCED if is_forced else IndexReason.FASTER
        return graph, replace(stays, serving=IndexChoice.HNSW, reason=reason)

    def _built(self, only: int | None = None) -> tuple[HnswIndex, float]:
        began = time.perf_counter()
        graph = HnswIndex(self._templates, self._config, self._is_destroyed, only=only)
        return graph, time.perf_counter() - began

    def _race(self, exact: ExactIndex, graph: Index) -> SearchTimes:
        def search(index: Index, probes: NDArray[np.float32]) -> None:
            if self._is_destroyed():
                raise BuildStoppedError
            self._found(index, exact, probes, CANDIDATES)

        return race(partial(search, exact), partial(search, graph), race_probes(self._templates, self._threshold))

    def _found(
        self, serving: Index, exact: ExactIndex, probes: NDArray[np.float32], k: int
    ) -> list[tuple[Candidate, ...]]:
        """Search with one index; what a graph places near the threshold is searched exactly too."""
        found = self._templates.nearest(probes, serving.propose(probes, k), k)
        near = [] if serving is exact else [place for place, who in enumerate(found) if self._needs_exact(who)]
        if near:
            chosen = probes[near]
            try:
                certain = self._templates.nearest(chosen, exact.propose(chosen, k), k)
            finally:
                chosen.fill(0)
            for place, who in zip(near, certain, strict=True):
                found[place] = who
        return found

    def _needs_exact(self, candidates: tuple[Candidate, ...]) -> bool:
        """Whether the decision could rest on what the graph found: a runner-up from a graph is not to be trusted."""
        return not candidates or candidates[0].score >= self._threshold - self._config.rescore_band
