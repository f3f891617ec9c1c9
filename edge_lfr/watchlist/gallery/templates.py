"""
The templates of one watchlist as one array: unit vectors and reference ids enter, exact scores leave.

The array is a copy that this module owns; `destroy` zeroes it in place. All scores that leave the gallery are computed
here, one way, whichever index proposed the rows: so they do not depend on the index, the batch or the threads.
"""

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.biometrics.outcomes import Candidate

UNIT_TOLERANCE: Final = 1e-3
"""A vector whose length is further from 1 was not normalised; float32 rounding is a thousand times smaller."""

ROWS_A_BLOCK: Final = 64
"""Templates that lie beside one another. Of 16, 32, 64, 128, 256 and 512 the fastest or next to it for 2 to 16 probes:
the product with a block of 256 x 64 is small enough for the kernels that copy nothing first, and eight probes against
60,000 templates then take 8 ms instead of 15 (`edge-lfr bench gallery` prints the time of today)."""

ROWS_A_PIECE: Final = 256
"""Rows scored at a time: half a megabyte in float64, which stays in the cache of a core."""


NEIGHBOURS: Final = 4
"""Numbers that are searched for together after a wipe: sixteen bytes."""


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
        Copy *vectors* into an array of our own; the caller's stays the caller's to destroy.

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
        self._count = len(vectors)
        self.dimension = int(vectors.shape[1])
        self.blocks = _blocks_of(vectors, np.asarray(order, dtype=np.intp))
        """float32 (blocks, d, `ROWS_A_BLOCK`), C order: template i is `blocks[i // ROWS_A_BLOCK, :, i % ROWS_A_BLOCK]`,
        in order of reference id; what is left over in the last block is zero."""
        self.reference_ids = tuple(sorted(set(reference_ids)))
        place = {reference_id: index for index, reference_id in enumerate(self.reference_ids)}
        self.owners: NDArray[np.intp] = np.asarray([place[reference_ids[row]] for row in order], dtype=np.intp)
        """intp (n,), ascending: the place in `reference_ids` of the reference that each row belongs to."""
        self._forgotten: frozenset[int] = frozenset()
        """Places of references that are found no more; exchanged whole, for any thread may forget."""

        self.is_destroyed = False

    def __len__(self) -> int:
        return self._count

    def rows(self, numbers: NDArray[np.intp]) -> NDArray[np.float32]:
        """Copy these templates: float32 (len(*numbers*), d), C order; the caller's to zero."""
        copied = np.empty((len(numbers), self.dimension), dtype=np.float32)
        self._gather(numbers, copied)
        return copied

    def nearest(
        self, probes: NDArray[np.float32], proposals: Sequence[NDArray[np.intp]], k: int
    ) -> list[tuple[Candidate, ...]]:
        """
        Rank for each probe the references that own the rows proposed for it, each by its nearest template among them.

        Args:
            probes: float32 (n, d), unit rows.

            proposals: For each probe rows of the matrix, each at most once.

            k: How many references at most.

        Returns:
            For each probe best first, ties by reference id; cosines summed in float64 and clipped to -1..1.
        """
        if not proposals:
            return []
        lengths = [len(rows) for rows in proposals]
        rows = np.concatenate(proposals)
        owners = self.owners[rows].tolist()
        scores = self._scores(probes, np.repeat(np.arange(len(proposals)), lengths), rows).tolist()
        found, start = [], 0
        for length in lengths:
            end = start + length
            found.append(self._ranked(owners[start:end], scores[start:end], k))
            start = end
        return found

    def as_they_lie(self, count: int) -> NDArray[np.float32]:
        """
        Copy up to *count* runs of neighbours in memory, spread over all blocks; the caller's to zero.

        Returns:
            float32 (n, 4): of one number of four templates each, so that nobody's template lies in one of them.
        """
        runs = self.blocks.reshape(-1, ROWS_A_BLOCK)
        places = np.unique(np.linspace(0, len(runs) - 1, min(count, len(runs))).astype(np.intp))
        return runs[places, :NEIGHBOURS]

    def forget(self, reference_ids: Collection[str]) -> None:
        """Rank these references no more; their templates lie here until `destroy`."""
        found = {place for place, known in enumerate(self.reference_ids) if known in reference_ids}
        self._forgotten |= found

    def destroy(self) -> None:
        """Zero the templates in place; may be called again."""
        self.is_destroyed = True
        self.blocks.fill(0)

    def _scores(
        self, probes: NDArray[np.float32], askers: NDArray[np.intp], rows: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Score each of *rows* with the probe that asks for it: a product and a sum by row, the same in any company."""
        scores = np.empty(len(rows), dtype=np.float64)
        products = np.empty((min(len(rows), ROWS_A_PIECE), self.dimension), dtype=np.float64)
        live = probes.astype(np.float64)
        try:
            for start in range(0, len(rows), ROWS_A_PIECE):
                part = slice(start, start + ROWS_A_PIECE)
                piece = products[: len(rows[part])]
                self._gather(rows[part], piece)
                beside = live[askers[part]]
                np.multiply(piece, beside, out=piece)
                np.sum(piece, axis=1, out=scores[part])
                beside.fill(0)
        finally:
            for copied in (products, live):
                copied.fill(0)
        return np.clip(scores, -1.0, 1.0, out=scores)

    def _gather(self, numbers: NDArray[np.intp], out: NDArray[np.float32] | NDArray[np.float64]) -> None:
        block, place = np.divmod(numbers, ROWS_A_BLOCK)
        copied = self.blocks[block, :, place]
        out[...] = copied
        copied.fill(0)

    def _ranked(self, owners: list[int], scores: list[float], k: int) -> tuple[Candidate, ...]:
        best: dict[int, float] = {}
        for owner, score in zip(owners, scores, strict=True):
            if owner not in self._forgotten and score > best.get(owner, -2.0):
                best[owner] = score
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:k]
        return tuple(
            Candidate(reference_id=self.reference_ids[owner], score=score, rank=rank)
            for rank, (owner, score) in enumerate(ranked, start=1)
        )


def _blocks_of(vectors: NDArray[np.float32], order: NDArray[np.intp]) -> NDArray[np.float32]:
    count, dimension = vectors.shape
    shape = (-(-count // ROWS_A_BLOCK), dimension, ROWS_A_BLOCK)
    blocks: NDArray[np.float32] = locked_zeros(shape, np.float32)
    rows = np.empty((ROWS_A_BLOCK, dimension), dtype=np.float32)
    for block, start in zip(blocks, range(0, count, ROWS_A_BLOCK), strict=True):
        numbers = order[start : start + ROWS_A_BLOCK]
        taken = rows[: len(numbers)]
        np.take(vectors, numbers, axis=0, out=taken)
        block[:, : len(numbers)] = taken.T
    rows.fill(0)
    return blocks
