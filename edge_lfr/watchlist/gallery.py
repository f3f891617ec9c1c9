"""
The watchlist in memory: unit vectors and their reference ids enter, candidates with exact scores leave.

Exact search serves from the first moment. A graph, where one is asked for or pays, only proposes; it is taken when it
was seen to find whom exact search finds. `destroy` zeroes the matrix in place and drops the graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import structlog
from numpy.typing import NDArray

from edge_lfr.biometrics.outcomes import Candidate
from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.errors import WatchlistFormatError
from edge_lfr.watchlist.exact_index import ExactIndex, Index
from edge_lfr.watchlist.hnsw_index import BuildStoppedError, HnswIndex
from edge_lfr.watchlist.recall import measure_recall
from edge_lfr.watchlist.templates import TemplateMatrix, check_unit_rows

GRAPH_PAYS_FROM: Final = 200_000
"""Templates from which `auto` builds a graph; extrapolated. Measured with made faces of 256 dimensions, one thread, at
60,000 templates and a recall of 0.997: one probe takes 7.9 ms exactly and 5.1 ms in the graph, eight take 18 and 43 ms,
because a graph gains nothing in a batch; the build took 6 minutes of a core. At 17,000 even one is faster exactly."""

MIN_RECALL: Final = 0.999
"""Below it a graph misses more people than the camera's worst second does; the architecture's figure."""


class GalleryDestroyedError(RuntimeError):
    """A search after `destroy`: a caller's mistake, and no answer, because an empty one would be a silent non-match."""


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredIndex:
    """A graph and how often it found whom exact search finds; `Gallery.adopt` takes it when that is often enough."""

    graph: Index
    recall: float


class Gallery:
    """
    The templates of one watchlist, and the index in use.

    Searches come from one thread; `build_index` may run in another one meanwhile, and `destroy` stops it.
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
        self._recall: float | None = None

    @classmethod
    def build(
        cls,
        vectors: NDArray[np.float32],
        reference_ids: Sequence[str],
        *,
        pack_digest: str,
        config: GalleryConfig,
        threshold: float,
    ) -> Self:
        """Take the templates as the constructor does, and come back with the index that will serve them."""
        gallery = cls(vectors, reference_ids, pack_digest=pack_digest, config=config, threshold=threshold)
        measured = gallery.build_index()
        if measured is not None:
            gallery.adopt(measured)
        return gallery

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
        return self._serving.choice

    @property
    def recall(self) -> float | None:
        """Of the graph that was last offered, whether it serves or not; None when there was none."""
        return self._recall

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
        serving = self._serving  # another thread may adopt a graph meanwhile
        found = self._rank(serving, probes, k)
        if serving is not self._exact:
            near = [place for place, candidates in enumerate(found) if self._needs_exact(candidates)]
            if near:
                chosen = probes[near]
                for place, candidates in zip(near, self._rank(self._exact, chosen, k), strict=True):
                    found[place] = candidates
                chosen.fill(0)
        return tuple(found)

    def build_index(self) -> MeasuredIndex | None:
        """
        Build the graph that the configuration and the number of templates ask for, and measure it; changes nothing.

        May take minutes, in any one thread, while searches go on.

        Returns:
            The graph, good or not; None when exact search is the right one, or the gallery was destroyed meanwhile.
        """
        if not self._wants_graph():
            return None
        try:
            graph = HnswIndex(self._templates, self._config, self._is_destroyed)
        except BuildStoppedError:
            return None
        recall = self._measure(graph)
        if recall < MIN_RECALL:
            graph.set_ef(2 * graph.ef)
            recall = self._measure(graph)
        return None if self._is_destroyed() else MeasuredIndex(graph=graph, recall=recall)

    def adopt(self, measured: MeasuredIndex) -> None:
        """Serve from this graph from the next search on, if it is good enough; else stay exact and say so."""
        if self._is_destroyed():
            return
        log = structlog.get_logger()
        self._recall = measured.recall
        facts = {"recall": measured.recall, "templates": self.templates}
        if measured.recall < MIN_RECALL:
            log.warning("gallery.index-refused", required=MIN_RECALL, serving=self.index, **facts)
            return
        self._serving = measured.graph
        log.info("gallery.index", serving=self.index, **facts)

    def destroy(self) -> None:
        """Zero the matrix, drop the graph and stop a build; not while a search is running."""
        self._templates.destroy()
        self._serving = self._exact

    def _is_destroyed(self) -> bool:
        return self._templates.is_destroyed

    def _wants_graph(self) -> bool:
        match self._config.index:
            case IndexChoice.EXACT:
                return False
            case IndexChoice.HNSW:
                return self.templates > 0
            case IndexChoice.AUTO:
                return self.templates >= GRAPH_PAYS_FROM

    def _measure(self, graph: HnswIndex) -> float:
        reference = ExactIndex(self._templates)  # its own score buffer: the serving one belongs to the searching thread
        return measure_recall(graph, reference, self._templates, self._threshold, self._is_destroyed)

    def _rank(self, index: Index, probes: NDArray[np.float32], k: int) -> list[tuple[Candidate, ...]]:
        proposals = zip(probes, index.propose(probes, k), strict=True)
        return [self._templates.nearest(probe, rows, k) for probe, rows in proposals]

    def _needs_exact(self, candidates: tuple[Candidate, ...]) -> bool:
        """Whether the decision could rest on what the graph found: a runner-up from a graph is not to be trusted."""
        return not candidates or candidates[0].score >= self._threshold - self._config.rescore_band
