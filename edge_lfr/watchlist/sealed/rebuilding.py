"""A list without some of its references: every row is opened with the old key and sealed with the new one."""

from collections import Counter
from collections.abc import Sequence

from edge_lfr.watchlist.sealed.new_list import NewList
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist


def copy_some(old: StoredWatchlist, kept: Sequence[str], new: NewList) -> None:
    """
    Copy the references *kept* into *new*, and make it the live list; the vectors are zeroed in any case.

    Raises:
        EdgeLfrError: As `NewList.add`, `NewList.activate`, `StoredWatchlist.vectors`.
    """
    matrix, owners = old.vectors()
    try:
        rows: dict[str, slice] = {}
        start = 0
        for reference_id, count in Counter(owners).items():
            rows[reference_id] = slice(start, start + count)
            start += count
        for reference_id in kept:
            new.add(old.entry(reference_id), matrix[rows[reference_id]], old.picture(reference_id))
        new.activate(lookalikes=[pair for pair in old.lookalikes if pair.issubset(kept)])
    finally:
        matrix[...] = 0
