"""The columns of `watchlist.csv`: what each one is for, what it may hold, and how a row of them is written."""

from collections.abc import Callable, Mapping
from datetime import UTC, date
from enum import StrEnum
from typing import Final

from edge_lfr.terms import Category, ResponseCode
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.fields import (
    EXPECTED,
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


class Column(StrEnum):
    """The columns, as a header spells them and in the order in which a template names them."""

    REFERENCE_ID = EntryField.REFERENCE_ID
    LABEL = EntryField.LABEL
    CATEGORY = EntryField.CATEGORY
    LEGAL_BASIS = EntryField.LEGAL_BASIS
    RESPONSE_CODE = EntryField.RESPONSE_CODE
    REQUESTER = EntryField.REQUESTER
    EXPIRES_AT = EntryField.EXPIRES_AT
    REVIEW_ON = EntryField.REVIEW_ON
    BORN_ON = EntryField.BORN_ON
    WHY_HERE = EntryField.WHY_HERE
    PICTURE = "picture"
    PICTURE_SOURCE = "picture_source"
    PICTURE_TAKEN_ON = "picture_taken_on"
    UNDER_18_NECESSITY = EntryField.UNDER_18_NECESSITY
    UNDER_18_COUNTERSIGNED_BY = EntryField.UNDER_18_COUNTERSIGNED_BY
    APPROVED_BY = EntryField.APPROVED_BY
    IS_BLUELIST = EntryField.IS_BLUELIST


OPTIONAL: Final = (
    Column.UNDER_18_NECESSITY,
    Column.UNDER_18_COUNTERSIGNED_BY,
    Column.APPROVED_BY,
    Column.IS_BLUELIST,
)
"""A header may leave them out, and a row may leave them empty."""

MANDATORY: Final = tuple(column for column in Column if column not in OPTIONAL)
ENTRY_COLUMNS: Final = tuple(Column(field.value) for field in EntryField)
"""What is said about the reference, and hence alike in all its rows."""

MAX_PICTURE_PATH_BYTES: Final = 1024
"""A quarter of Linux's PATH_MAX, since the folder's own path stands in front; chosen, not measured."""

COLUMN_EXPECTED: Final[Mapping[Column, str]] = {
    **{Column(field.value): EXPECTED[field] for field in EntryField},
    Column.PICTURE: f"a path of 1 to {MAX_PICTURE_PATH_BYTES} bytes",
    Column.PICTURE_SOURCE: f"1 to {MAX_BASIS_CHARACTERS} printable characters on one line",
    Column.PICTURE_TAKEN_ON: f"a date, such as 2025-01-31, or {UNKNOWN}",
    Column.IS_BLUELIST: "true, false, or nothing",
}
"""What is allowed, in words."""

PURPOSE: Final[Mapping[Column, str]] = {
    Column.REFERENCE_ID: "your number for the person; it stands in alerts and logs, so no name",
    Column.LABEL: "what the officer reads on the alert",
    Column.CATEGORY: "why the person is listed",
    Column.LEGAL_BASIS: "the power or duty: act, section, warrant",
    Column.RESPONSE_CODE: "what the officer is asked to do",
    Column.REQUESTER: "who asked for the listing",
    Column.EXPIRES_AT: "when the entry stops being used",
    Column.REVIEW_ON: "when the keeping of the pictures has to be reviewed",
    Column.BORN_ON: "date of birth",
    Column.WHY_HERE: "what connects the person with this place and day",
    Column.PICTURE: "the file, inside the folder, with / between folders",
    Column.PICTURE_SOURCE: "where the picture comes from",
    Column.PICTURE_TAKEN_ON: "when the picture was taken",
    Column.UNDER_18_NECESSITY: "why a child has to be listed",
    Column.UNDER_18_COUNTERSIGNED_BY: "the officer who countersigned that",
    Column.APPROVED_BY: "the authorising officer who agreed: associate, witness, victim, and children under 13",
    Column.IS_BLUELIST: "a member of staff who walks by for a test",
}
"""What a column is for, told by `edge-lfr watchlist template`."""


def _category(untrusted: str) -> Category:
    return Category(untrusted)


def _response_code(untrusted: str) -> ResponseCode:
    return ResponseCode(untrusted)


def _line(most: int) -> Callable[[str], str]:
    return lambda untrusted: checked_line(untrusted, most)


def _line_or_nothing(most: int) -> Callable[[str], str | None]:
    return lambda untrusted: checked_line(untrusted, most) if untrusted else None


def _date_or_unknown(untrusted: str) -> date | None:
    return None if untrusted.lower() == UNKNOWN else checked_date(untrusted)


def _flag(untrusted: str) -> bool:
    """Read what people and spreadsheets write; nothing means no."""
    if untrusted.lower() not in {"true", "false", ""}:
        raise ValueError
    return untrusted.lower() == "true"


CHECKS: Final[Mapping[Column, Callable[[str], object]]] = {
    Column.REFERENCE_ID: checked_reference_id,
    Column.LABEL: _line(MAX_LABEL_CHARACTERS),
    Column.CATEGORY: _category,
    Column.LEGAL_BASIS: _line(MAX_BASIS_CHARACTERS),
    Column.RESPONSE_CODE: _response_code,
    Column.REQUESTER: _line(MAX_PERSON_CHARACTERS),
    Column.EXPIRES_AT: checked_time,
    Column.REVIEW_ON: checked_date,
    Column.BORN_ON: _date_or_unknown,
    Column.WHY_HERE: _line(MAX_REASON_CHARACTERS),
    Column.PICTURE_SOURCE: _line(MAX_BASIS_CHARACTERS),
    Column.PICTURE_TAKEN_ON: _date_or_unknown,
    Column.UNDER_18_NECESSITY: _line_or_nothing(MAX_REASON_CHARACTERS),
    Column.UNDER_18_COUNTERSIGNED_BY: _line_or_nothing(MAX_PERSON_CHARACTERS),
    Column.APPROVED_BY: _line_or_nothing(MAX_PERSON_CHARACTERS),
    Column.IS_BLUELIST: _flag,
}
"""How a field becomes a value; each raises ValueError for what it is not. A picture's path is `source`'s."""


def csv_fields(entry: WatchlistEntry, *, picture: str, picture_source: str, taken_on: date | None) -> tuple[str, ...]:
    """One row, in the order of `Column`."""
    values: dict[str, object] = {
        **{column.value: getattr(entry, column.value) for column in ENTRY_COLUMNS},
        Column.EXPIRES_AT.value: entry.expires_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        Column.BORN_ON.value: entry.born_on or UNKNOWN,
        Column.IS_BLUELIST.value: str(entry.is_bluelist).lower(),
        Column.PICTURE.value: picture,
        Column.PICTURE_SOURCE.value: picture_source,
        Column.PICTURE_TAKEN_ON.value: taken_on or UNKNOWN,
    }
    return tuple("" if values[column.value] is None else str(values[column.value]) for column in Column)
