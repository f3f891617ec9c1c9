"""What the watchlist says about one reference: who, why and until when, in closed terms; no picture and no vector."""

from dataclasses import dataclass, field
from datetime import date, datetime

from edge_lfr.terms import Category, ResponseCode


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchlistEntry:
    """
    One reference: what an officer reads on an alert, and what makes it lawful that it is listed.

    Only the id and the closed terms are shown by `repr`; the rest never stands in a log, a topic, an error or a ledger.
    """

    reference_id: str
    label: str = field(repr=False)
    """What the officer calls the subject."""

    category: Category
    response_code: ResponseCode
    legal_basis: str = field(repr=False)
    requester: str = field(repr=False)
    """Who asked for the listing."""

    expires_at: datetime = field(repr=False)
    """Aware; from then on nobody is found by this entry."""

    review_on: date = field(repr=False)
    """From this day on, whoever holds the pictures has to decide anew whether they may be kept."""

    born_on: date | None = field(repr=False)
    """None where it is not known; that is said and never assumed."""

    why_here: str = field(repr=False)
    """What connects the subject with this place and day."""

    under_18_necessity: str | None = field(default=None, repr=False)
    """Why a child has to be listed."""

    under_18_countersigned_by: str | None = field(default=None, repr=False)
    approved_by: str | None = field(default=None, repr=False)
    """The authorising officer who agreed to an entry that needs it."""

    is_bluelist: bool = field(default=False, repr=False)
    """A member of staff who walks by so that misses can be counted."""
