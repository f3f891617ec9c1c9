"""What the appliance must know of everybody on an open list without opening each entry again: until when, and what."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from edge_lfr.terms import Category
from edge_lfr.watchlist.sealed_list import StoredWatchlist


@dataclass(frozen=True, slots=True)
class Listed:
    """Read once, when the list is opened: 20,000 entries took some two seconds on one core."""

    expiries: tuple[tuple[datetime, str], ...]
    """When each reference expires, the next one first."""

    categories: frozenset[Category]

    @classmethod
    def on(cls, watchlist: StoredWatchlist) -> Self:
        """
        Read every entry.

        Raises:
            WatchlistSealError: Changed bytes.
        """
        expiries: list[tuple[datetime, str]] = []
        categories: set[Category] = set()
        for reference_id in watchlist.reference_ids:
            entry = watchlist.entry(reference_id)
            expiries.append((entry.expires_at, reference_id))
            categories.add(entry.category)
        return cls(tuple(sorted(expiries)), frozenset(categories))

    def expired(self, now: datetime) -> Collection[str]:
        """Whose time has come: from then on nobody is found by that entry."""
        found: list[str] = []
        for expires_at, reference_id in self.expiries:
            if expires_at > now:
                break
            found.append(reference_id)
        return found
