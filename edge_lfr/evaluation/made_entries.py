"""Entries for people who do not exist or are not sought: an id enters, an entry that the rules allow leaves."""

from datetime import date, datetime, timedelta
from typing import Final

from edge_lfr.terms import Category, ResponseCode
from edge_lfr.watchlist.entries import WatchlistEntry

LIFE: Final = timedelta(days=7)
"""How long a made entry is good for; chosen."""

TAKEN_ON: Final = date(2020, 1, 1)
"""When the pictures of made lists are said to be taken; nobody knows, and nobody is sought by them."""

MADE_SOURCE: Final = "portraits for tests"


def made_entry(
    reference_id: str,
    at: datetime,
    *,
    label: str,
    category: Category = Category.SUSPECT,
    response_code: ResponseCode = ResponseCode.OBSERVE,
) -> WatchlistEntry:
    """An entry that is lawful for `LIFE` from *at* on."""
    expires_at = at.replace(microsecond=0) + LIFE
    return WatchlistEntry(
        reference_id=reference_id,
        label=label,
        category=category,
        response_code=response_code,
        legal_basis="made for a test",
        requester="edge-lfr",
        expires_at=expires_at,
        review_on=expires_at.date() + LIFE,
        born_on=date(1980, 1, 1),
        why_here="made for a test",
        approved_by="the authorising officer" if category.needs_approval else None,
    )
