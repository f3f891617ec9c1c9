"""What the watchlist says about one reference: who and why, in closed terms; no picture and no vector."""

from dataclasses import dataclass, field

from edge_lfr.terms import Category, ResponseCode


@dataclass(frozen=True, slots=True)
class WatchlistEntry:
    """One reference, as an officer reads it on an alert."""

    reference_id: str
    label: str = field(repr=False)
    """What the officer calls the subject; never in a log, a topic, an error or a ledger."""

    category: Category
    response_code: ResponseCode
