"""What the appliance must know of everybody on an open list without opening each entry again: until when, and what."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Self

from edge_lfr.terms import Category
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist


@dataclass(frozen=True, slots=True)
class Listed:
    """Read once, when the list is opened: 20,000 entries took some two seconds on one core."""

    expiries: tuple[tuple[datetime, str], ...]
    """When each reference ends, the next one first: it expires, or the day of its retention review begins."""

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
            review_at = datetime.combine(entry.review_on, time.min, UTC)
            expiries.append((min(entry.expires_at, review_at), reference_id))
            categories.add(entry.category)
        return cls(tuple(sorted(expiries)), frozenset(categories))

    @property
    def next_at(self) -> datetime:
        """When the next one ends; on nobody's list nobody does."""
        return self.expiries[0][0] if self.expiries else datetime.max.replace(tzinfo=UTC)

    def expired(self, now: datetime) -> Collection[str]:
        """Whose time has come: from then on nobody is found by that entry."""
        found: list[str] = []
        for expires_at, reference_id in self.expiries:
            if expires_at > now:
                break
            found.append(reference_id)
        return found
