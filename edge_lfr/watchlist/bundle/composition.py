"""Who is on a list, in numbers: entries and the dates of their pictures enter, counts for a report leave."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from edge_lfr.terms import Category, ResponseCode
from edge_lfr.watchlist.bundle.rules import full_years
from edge_lfr.watchlist.entries import WatchlistEntry


class AgeBand(StrEnum):
    """How reports divide people by age."""

    UNDER_13 = "under-13"
    FROM_13 = "13-17"
    FROM_18 = "18-24"
    FROM_25 = "25-39"
    FROM_40 = "40-59"
    FROM_60 = "60-and-over"
    UNKNOWN = "unknown"


_BAND_BEGINS: Final = (
    (60, AgeBand.FROM_60),
    (40, AgeBand.FROM_40),
    (25, AgeBand.FROM_25),
    (18, AgeBand.FROM_18),
    (13, AgeBand.FROM_13),
)


def age_band(born_on: date | None, at: datetime) -> AgeBand:
    """Where somebody born then belongs."""
    if born_on is None:
        return AgeBand.UNKNOWN
    years = full_years(born_on, at.date())
    return next((band for begins, band in _BAND_BEGINS if years >= begins), AgeBand.UNDER_13)


OLDEST_NAMED: Final = 10
"""Pictures that a report names; chosen, not measured."""


@dataclass(frozen=True, slots=True)
class DatedPictures:
    """An entry and when its pictures were taken."""

    entry: WatchlistEntry
    taken_on: tuple[date | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Who is on a list, in numbers; ids stand only beside dates of pictures."""

    entries: int
    pictures: int
    categories: Mapping[Category, int]
    response_codes: Mapping[ResponseCode, int]
    age_bands: Mapping[AgeBand, int]
    under_18: int
    bluelist: int
    why_here_share: float
    """Of entries that say what connects the person with the place; 1 where every entry is complete."""

    why_here_texts: int
    """Different ones: a single text for everybody gives no reason for anybody."""

    oldest_pictures: tuple[tuple[date, str], ...]
    """Day and reference id, the oldest first."""

    undated_pictures: int

    def as_json(self) -> dict[str, Any]:
        """For a report."""
        return {
            "entries": self.entries,
            "pictures": self.pictures,
            "categories": {category.value: count for category, count in self.categories.items()},
            "response_codes": {code.value: count for code, count in self.response_codes.items()},
            "age_bands": {band.value: count for band, count in self.age_bands.items()},
            "under_18": self.under_18,
            "bluelist": self.bluelist,
            "why_here_share": self.why_here_share,
            "why_here_texts": self.why_here_texts,
            "oldest_pictures": [
                {"taken_on": day.isoformat(), "reference_id": reference_id}
                for day, reference_id in self.oldest_pictures
            ],
            "undated_pictures": self.undated_pictures,
        }


Term = TypeVar("Term", bound=StrEnum)


def _counted(terms: type[Term], found: Iterable[Term]) -> dict[Term, int]:
    """How often each of a closed list was found; those that were not are told as 0."""
    counts = Counter(found)
    return {term: counts[term] for term in terms}


def compose(listed: Collection[DatedPictures], at: datetime) -> Composition:
    """Count who is on a list at that time."""
    entries = [one.entry for one in listed]
    bands = _counted(AgeBand, (age_band(entry.born_on, at) for entry in entries))
    dated = ((day, one.entry.reference_id) for one in listed for day in one.taken_on if day is not None)
    return Composition(
        entries=len(entries),
        pictures=sum(len(one.taken_on) for one in listed),
        categories=_counted(Category, (entry.category for entry in entries)),
        response_codes=_counted(ResponseCode, (entry.response_code for entry in entries)),
        age_bands=bands,
        under_18=bands[AgeBand.UNDER_13] + bands[AgeBand.FROM_13],
        bluelist=sum(entry.is_bluelist for entry in entries),
        why_here_share=sum(bool(entry.why_here.strip()) for entry in entries) / len(entries) if entries else 0.0,
        why_here_texts=len({entry.why_here for entry in entries}),
        oldest_pictures=tuple(sorted(dated)[:OLDEST_NAMED]),
        undated_pictures=sum(one.taken_on.count(None) for one in listed),
    )
