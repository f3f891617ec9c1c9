"""
Search in a graph (HNSW): probes enter, the rows leave among which their nearest references probably are.

The only file that knows hnswlib, and the reasons for its manner: the library accepts wrong dimensions and NaN, so its
callers check first; an index file may be forged and loses `ef`, so none is ever written or read; deletion only hides,
so removal is a new build; adding while querying races, so a graph is whole before anybody sees it.
"""

from collections.abc import Callable
from typing import Final

import hnswlib
import numpy as np
import structlog
from numpy.typing import NDArray

from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.watchlist.gallery.exact_index import HEADROOM
from edge_lfr.watchlist.gallery.templates import TemplateMatrix

SEED: Final = 20_082
"""Chosen once, so that two builds of one list are the same graph."""

ROWS_A_STEP: Final = 16
"""Rows added between two looks at the stop signal: at 7 ms a row, as at 60,000 templates, a tenth of a second."""

MAX_EF: Final = 2000
"""As in the configuration: beyond it exact search is cheaper."""


class BuildStoppedError(RuntimeError):
    """The build was asked to stop; there is no graph."""


class HnswIndex:
    """
    A graph over the templates, built whole by one thread and never changed afterwards.

    It keeps its own copy of the rows, which is freed with it and cannot be zeroed from here.
    """

    choice = IndexChoice.HNSW

    def __init__(
        self,
        templates: TemplateMatrix,
        config: GalleryConfig,
        should_stop: Callable[[], bool] = lambda: False,
        *,
        only: int | None = None,
    ) -> None:
        """
        Build the graph, in order of reference id; minutes at 60,000 templates, and the interpreter's lock is not held.

        Args:
            templates: At least one.

            config: Links, and breadths of the searches.

            should_stop: Asked every few rows.

            only: Take so many of the templates, spread evenly, and leave the others out: a trial, not to be served.

        Raises:
            BuildStoppedError: *should_stop* said so.
        """
        self._count = min(len(templates), len(templates) if only is None else only)
        numbers = np.arange(self._count, dtype=np.intp) * len(templates) // self._count
        self._graph = hnswlib.Index(space="ip", dim=templates.dimension)
        self._graph.init_index(
            max_elements=self._count,
            M=config.hnsw_m,
            ef_construction=config.hnsw_ef_construction,
            random_seed=SEED,
        )
        for start in range(0, self._count, ROWS_A_STEP):
            if should_stop():
                raise BuildStoppedError
            added = numbers[start : start + ROWS_A_STEP]
            rows = templates.rows(added)
            self._graph.add_items(rows, added, num_threads=1)
            rows.fill(0)
        self.set_ef(config.hnsw_ef)
        self._has_failed = False

    @property
    def ef(self) -> int:
        """Breadth of the search."""
        return int(self._graph.ef)

    def set_ef(self, ef: int) -> None:
        """Search this broadly from now on; not while another thread searches."""
        self._graph.set_ef(min(ef, MAX_EF))

    def propose(self, probes: NDArray[np.float32], k: int) -> tuple[NDArray[np.intp], ...]:
        templates = min(HEADROOM * k, self._count)
        try:
            labels, _ = self._graph.knn_query(probes, k=templates, num_threads=1)
        except RuntimeError:
            # A walk found fewer rows than asked for, because parts of the graph are not connected (many equal rows).
            if not self._has_failed:
                self._has_failed = True
                structlog.get_logger().warning("gallery.graph-incomplete", templates=self._count, ef=self.ef)
            return tuple(np.empty(0, dtype=np.intp) for _ in probes)
        return tuple(labels.astype(np.intp))
