"""What the watchlist says about one reference: who and why, in closed terms; no picture and no vector."""

from dataclasses import dataclass, field
from enum import StrEnum


class Category(StrEnum):
    """Why a reference is listed; the eight categories of the College of Policing's guidance, and no others."""

    WANTED_BY_COURTS = "wanted-by-courts"
    SUSPECT = "suspect"
    BAIL_OR_RESTRICTION = "bail-or-restriction"
    MISSING_AT_RISK = "missing-at-risk"
    RISK_OF_HARM = "risk-of-harm"
    ASSOCIATE = "associate"
    WITNESS = "witness"
    VICTIM = "victim"


class ResponseCode(StrEnum):
    """What an officer is asked to do; a missing child is not met like a suspect."""

    ARREST = "arrest"
    CHECK_CONDITIONS = "check-conditions"
    SAFEGUARD = "safeguard"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class WatchlistEntry:
    """One reference, as an officer reads it on an alert."""

    reference_id: str
    label: str = field(repr=False)
    """What the officer calls the subject; never in a log, a topic, an error or a ledger."""

    category: Category
    response_code: ResponseCode
