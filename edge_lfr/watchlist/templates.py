"""
The templates of one watchlist as one matrix: unit vectors and reference ids enter, exact scores leave.

The matrix is a copy that this module owns; `destroy` zeroes it in place. All scores that leave the gallery are computed
here, one way, whichever index proposed the rows: so they do not depend on the index, the batch or the threads.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.biometrics.outcomes import Candidate

UNIT_TOLERANCE: Final = 1e-3
"""A vector whose length is further from 1 was not normalised; float32 rounding is a thousand times smaller."""


def check_unit_rows(vectors: NDArray[np.float32], dimension: int) -> None:
    """
    Refuse what an index would silently accept and answer with nonsense.

    Raises:
        ValueError: Not float32 (n, *dimension*), or a row that is not finite and of unit length.
    """
    if vectors.dtype != np.float32 or vectors.ndim != 2 or vectors.shape[1] != dimension:  # noqa: PLR2004 - a matrix
        raise ValueError(f"expected float32 (n, {dimension}), found {vectors.dtype} {vectors.shape}")
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    bad = np.count_nonzero(~(np.abs(lengths - 1.0) <= UNIT_TOLERANCE))  # a NaN compares false, and so counts as bad
    if bad:
        raise ValueError(f"{bad} of {len(vectors)} vectors are not finite and of unit length")


class TemplateMatrix:
    """The templates in order of their reference ids, and the scores of some of them."""

    def __init__(self, vectors: NDArray[np.float32], reference_ids: Sequence[str]) -> None:
        """
        Copy *vectors* into a matrix of our own; the caller's array stays the caller's to destroy.

        Args:
            vectors: float32 (n, d), unit rows; n may be 0.

            reference_ids: One for each row; a reference with several templates stands there several times.

        Raises:
            ValueError: The shapes disagree, or a row is not finite and of unit length.
        """
        if vectors.ndim != 2 or vectors.shape[1] == 0:  # noqa: PLR2004 - a matrix
            raise ValueError(f"expected float32 (n, d), found {vectors.dtype} {vectors.shape}")
        check_unit_rows(vectors, vectors.shape[1])
        if len(reference_ids) != len(vectors):
            raise ValueError(f"expected one reference id for each of {len(vectors)} rows, found {len(reference_ids)}")
        order = sorted(range(len(reference_ids)), key=reference_ids.__getitem__)
        self.matrix: NDArray[np.float32] = locked_zeros(vectors.shape, np.float32)
        """float32 (n, d), C order, rows in order of reference id."""
        np.take(vectors, np.asarray(order, dtype=np.intp), axis=0, out=self.matrix)
        self.reference_ids = tuple(sorted(set(reference_ids)))
        place = {reference_id: index for index, reference_id in enumerate(self.reference_ids)}
        self.owners: NDArray[np.intp] = np.asarray([place[reference_ids[row]] for row in order], dtype=np.intp)
        """intp (n,), ascending: the place in `reference_ids` of the reference that each row belongs to."""
        self.is_destroyed = False

    def __len__(self) -> int:
        return len(self.matrix)

    @property
    def dimension(self) -> int:
        return int(self.matrix.shape[1])

    def nearest(self, probe: NDArray[np.float32], rows: NDArray[np.intp], k: int) -> tuple[Candidate, ...]:
        """
        Rank the references that own *rows*, each by its nearest template among them.

        Args:
            probe: float32 (d,), unit length.

            rows: Rows of the matrix, each at most once.

            k: How many references at most.

        Returns:
            Best first, ties by reference id; cosines summed in float64 and clipped to -1..1.
        """
        gathered = self.matrix[rows]
        products = gathered.astype(np.float64)
        live = probe.astype(np.float64)
        np.multiply(products, live, out=products)  # then a sum by row: each score is the same in any company
        scores = np.clip(products.sum(axis=1), -1.0, 1.0)
        for copied in (gathered, products, live):
            copied.fill(0)
        best: dict[int, float] = {}
        for owner, score in zip(self.owners[rows].tolist(), scores.tolist(), strict=True):
            best[owner] = max(score, best.get(owner, score))
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:k]
        return tuple(
            Candidate(reference_id=self.reference_ids[owner], score=score, rank=rank)
            for rank, (owner, score) in enumerate(ranked, start=1)
        )

    def destroy(self) -> None:
        """Zero the matrix in place; may be called again."""
        self.is_destroyed = True
        self.matrix.fill(0)
