"""
Probes enter, candidates leave: one gallery search for all probes of a pass.

The probes stay the caller's to destroy; the batch that is made of them here is zeroed before `search` returns.
"""

import threading
from collections.abc import Sequence
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from edge_lfr.biometrics.features import Probe
from edge_lfr.biometrics.outcomes import Candidate
from edge_lfr.errors import WatchlistModelError
from edge_lfr.watchlist.gallery import Gallery

CANDIDATES: Final = 5
"""Chosen, not measured: the subject, the runner-up, and room for people who are listed twice."""

Found = tuple[Candidate, ...] | None
"""Candidates, best first; None when the search could not be completed, which is not the same as nobody."""


class Matcher:
    """Searches the gallery in use; a new one is swapped in between two searches."""

    def __init__(self, gallery: Gallery, *, pack_digest: str) -> None:
        """
        Search *gallery* with probes of the pack that *pack_digest* names.

        Raises:
            WatchlistModelError: The gallery's templates come from another pack.
        """
        self._pack_digest = pack_digest
        self._lock = threading.Lock()
        self._is_failing = False
        self._gallery = self._checked(gallery)

    def search(self, probes: Sequence[Probe]) -> tuple[Found, ...]:
        """
        Find the candidates of each probe, in one search for all.

        Returns:
            One entry a probe: its candidates, or None where the search failed. One bad probe costs the others nothing.
        """
        if not probes:
            return ()
        with self._lock:
            try:
                found: tuple[Found, ...] = self._search(probes)
            except (ValueError, RuntimeError) as error:
                found = tuple(self._search_alone(probe) for probe in probes)
                self._note_failure(error, found.count(None))
            else:
                self._note_success()
        return found

    def replace(self, gallery: Gallery) -> Gallery:
        """
        Search *gallery* from now on.

        Returns:
            The one before, in which no search is running any more: the caller may destroy it.

        Raises:
            WatchlistModelError: The templates come from another pack; the gallery in use stays.
        """
        checked = self._checked(gallery)
        with self._lock:
            before, self._gallery = self._gallery, checked
        return before

    def _checked(self, gallery: Gallery) -> Gallery:
        if gallery.pack_digest != self._pack_digest:
            raise WatchlistModelError(
                f"the watchlist was enrolled with pack {gallery.pack_digest[:12]}, this box uses "
                f"{self._pack_digest[:12]}"
            )
        return gallery

    def _search(self, probes: Sequence[Probe]) -> tuple[Found, ...]:
        batch: NDArray[np.float32] = np.empty((len(probes), self._gallery.dimension), dtype=np.float32)
        try:
            for row, probe in zip(batch, probes, strict=True):
                if probe.pack_digest != self._pack_digest or probe.vector.shape != row.shape:
                    raise ValueError(f"a probe of another pack, or of shape {probe.vector.shape}, not {row.shape}")
                row[:] = probe.vector
            return self._gallery.search(batch, CANDIDATES)
        finally:
            batch.fill(0)

    def _search_alone(self, probe: Probe) -> Found:
        try:
            return self._search((probe,))[0]
        except (ValueError, RuntimeError):
            return None

    def _note_failure(self, error: Exception, probes: int) -> None:
        """Log the first of a row of failures; each is also counted, as a look that is undetermined."""
        if not self._is_failing:
            self._is_failing = True
            structlog.get_logger().error(
                "matching.search-failed", probes=probes, error=type(error).__name__, message=str(error)
            )

    def _note_success(self) -> None:
        if self._is_failing:
            self._is_failing = False
            structlog.get_logger().info("matching.search-recovered")
