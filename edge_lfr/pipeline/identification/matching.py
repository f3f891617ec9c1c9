"""
Probes enter, candidates leave: one gallery search for all probes of a pass.

The probes stay the caller's to destroy; the batch that is made of them here is zeroed before `search` returns.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from edge_lfr.biometrics.features import Probe
from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.biometrics.outcomes import Candidate
from edge_lfr.errors import WatchlistModelError
from edge_lfr.watchlist.gallery.gallery import Gallery

CANDIDATES: Final = 5
"""Chosen, not measured: the subject, the runner-up, and room for people who are listed twice."""

Found = tuple[Candidate, ...] | None
"""Candidates, best first; None when the search could not be completed, which is not the same as nobody."""


class Matcher:
    """Searches one gallery; another watchlist gets another matcher."""

    def __init__(self, gallery: Gallery, *, pack_digest: str) -> None:
        """
        Search *gallery* with probes of the pack that *pack_digest* names.

        Raises:
            WatchlistModelError: The gallery's templates come from another pack.
        """
        if gallery.pack_digest != pack_digest:
            raise WatchlistModelError(
                f"the watchlist was enrolled with pack {gallery.pack_digest[:12]}, this box uses {pack_digest[:12]}"
            )
        self._gallery = gallery
        self._pack_digest = pack_digest
        self._is_failing = False
        self._batch: NDArray[np.float32] = locked_zeros((1, gallery.dimension), np.float32)

    def search(self, probes: Sequence[Probe]) -> tuple[Found, ...]:
        """
        Find the candidates of each probe, in one search for all.

        Returns:
            One entry a probe: its candidates, or None where the search failed. One bad probe costs the others nothing.
        """
        if not probes:
            return ()
        try:
            found: tuple[Found, ...] = self._search(probes)
        except (ValueError, RuntimeError) as error:
            found = tuple(self._search_alone(probe) for probe in probes)
            self._note_failure(error, found.count(None))
        else:
            self._note_success()
        return found

    def _search(self, probes: Sequence[Probe]) -> tuple[Found, ...]:
        if len(probes) > len(self._batch):  # it grows to the largest pass, and then keeps its address
            self._batch = locked_zeros((len(probes), self._gallery.dimension), np.float32)
        batch = self._batch[: len(probes)]
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
