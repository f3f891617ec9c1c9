"""An entry as JSON: one form on the wire, in a bundle's manifest, and in the rows of the sealed list."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated, Final, TypeAlias, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from edge_lfr.terms import Category, ResponseCode
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.fields import (
    MAX_BASIS_CHARACTERS,
    MAX_LABEL_CHARACTERS,
    MAX_PERSON_CHARACTERS,
    MAX_REASON_CHARACTERS,
    UNKNOWN,
    EntryField,
    checked_date,
    checked_line,
    checked_reference_id,
    checked_time,
)

STRICT: Final = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)
"""Nothing is turned into what it is not, nothing unknown is passed over, and no error quotes what it found."""

Value = TypeVar("Value")


def _of_text(check: Callable[[str], Value]) -> Callable[[object], object]:
    """Apply *check* to text; whatever else it is, the field's own type refuses or takes it."""
    return lambda untrusted: check(untrusted) if isinstance(untrusted, str) else untrusted


def _known_date(untrusted: str) -> date | None:
    return None if untrusted == UNKNOWN else checked_date(untrusted)


def _line(most: int) -> BeforeValidator:
    return BeforeValidator(_of_text(partial(checked_line, most=most)))


def _utc_text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


Day: TypeAlias = Annotated[date, BeforeValidator(_of_text(checked_date))]
DayOrUnknown: TypeAlias = Annotated[
    date | None,
    BeforeValidator(lambda untrusted: _of_text(_known_date)(untrusted) if untrusted is not None else False),
    PlainSerializer(lambda day: UNKNOWN if day is None else day.isoformat(), return_type=str),
]
"""`unknown` is a word that somebody wrote; null is not."""

Time: TypeAlias = Annotated[
    AwareDatetime, BeforeValidator(_of_text(checked_time)), PlainSerializer(_utc_text, return_type=str)
]
BasisText: TypeAlias = Annotated[str, _line(MAX_BASIS_CHARACTERS)]
PersonText: TypeAlias = Annotated[str, _line(MAX_PERSON_CHARACTERS)]
ReasonText: TypeAlias = Annotated[str, _line(MAX_REASON_CHARACTERS)]


class EntryFields(BaseModel):
    """All that is said about one reference; what is bounded here is bounded alike in a CSV."""

    model_config = STRICT

    reference_id: Annotated[str, BeforeValidator(_of_text(checked_reference_id))]
    label: Annotated[str, _line(MAX_LABEL_CHARACTERS)]
    category: Category
    legal_basis: BasisText
    response_code: ResponseCode
    requester: PersonText
    expires_at: Time
    review_on: Day
    born_on: DayOrUnknown
    why_here: ReasonText
    under_18_necessity: ReasonText | None = None
    under_18_countersigned_by: PersonText | None = None
    approved_by: PersonText | None = None
    is_bluelist: bool = False

    def entry(self) -> WatchlistEntry:
        """The record that travels."""
        return WatchlistEntry(**{name: getattr(self, name) for name in EntryField})


def said_of(entry: WatchlistEntry) -> dict[str, object]:
    """What stands in *entry*, by field, as `EntryFields` and its heirs take it."""
    values = {name.value: getattr(entry, name) for name in EntryField}
    return {**values, EntryField.BORN_ON.value: UNKNOWN if entry.born_on is None else entry.born_on}
