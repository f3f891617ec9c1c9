"""
What one field of a watchlist may hold: untrusted text enters, a checked value leaves; the same in CSV and manifest.

A checker raises ValueError without words of its own: whoever asked knows file, line and field, tells what `EXPECTED`
says, and never what stood there.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

from edge_lfr.terms import Category, ResponseCode


class EntryField(StrEnum):
    """What is said about a reference, as CSV and manifest spell it."""

    REFERENCE_ID = "reference_id"
    LABEL = "label"
    CATEGORY = "category"
    LEGAL_BASIS = "legal_basis"
    RESPONSE_CODE = "response_code"
    REQUESTER = "requester"
    EXPIRES_AT = "expires_at"
    REVIEW_ON = "review_on"
    BORN_ON = "born_on"
    WHY_HERE = "why_here"
    UNDER_18_NECESSITY = "under_18_necessity"
    UNDER_18_COUNTERSIGNED_BY = "under_18_countersigned_by"
    APPROVED_BY = "approved_by"
    IS_BLUELIST = "is_bluelist"


MAX_LABEL_CHARACTERS: Final = 200
"""Fits one line of an officer's screen twice; chosen, not measured."""

MAX_BASIS_CHARACTERS: Final = 200
"""An act, a section and a warrant's number; also for where a picture came from. Chosen, not measured."""

MAX_PERSON_CHARACTERS: Final = 100
"""A rank, a name and a number; chosen, not measured."""

MAX_REASON_CHARACTERS: Final = 1_000
"""A paragraph; chosen, not measured."""

REFERENCE_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
"""Force systems number people like `1974/12345A` or `SUSP-0042`; nothing that a terminal or a page would interpret."""

UNKNOWN: Final = "unknown"
"""Stands for a date that nobody knows; an empty field could be one that was forgotten."""

JOINERS: Final = "\u200c\u200d"
"""Zero-width (non-)joiners: format characters that names in several scripts are spelt with."""

_DATE: Final = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(_DATE.pattern + r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})")
"""The forms of ISO 8601 that RFC 3339 keeps, and without seconds: spreadsheets leave them out."""

_PERSON: Final = f"1 to {MAX_PERSON_CHARACTERS} printable characters on one line"
_REASON: Final = f"1 to {MAX_REASON_CHARACTERS} printable characters on one line"
_TIME_WORDS: Final = "a time with its zone, such as 2026-01-31T18:00:00Z or 2026-01-31T18:00+01:00"

EXPECTED: Final[Mapping[str, str]] = {
    EntryField.REFERENCE_ID: "1 to 64 of A-Z a-z 0-9 . _ / - and begins with a letter or digit",
    EntryField.LABEL: f"1 to {MAX_LABEL_CHARACTERS} printable characters on one line",
    EntryField.CATEGORY: f"one of {', '.join(Category)}",
    EntryField.LEGAL_BASIS: f"1 to {MAX_BASIS_CHARACTERS} printable characters on one line",
    EntryField.RESPONSE_CODE: f"one of {', '.join(ResponseCode)}",
    EntryField.REQUESTER: _PERSON,
    EntryField.EXPIRES_AT: _TIME_WORDS,
    EntryField.REVIEW_ON: "a date, such as 2026-01-31",
    EntryField.BORN_ON: f"a date, such as 1990-01-31, or {UNKNOWN}",
    EntryField.WHY_HERE: _REASON,
    EntryField.UNDER_18_NECESSITY: f"{_REASON}, or nothing",
    EntryField.UNDER_18_COUNTERSIGNED_BY: f"{_PERSON}, or nothing",
    EntryField.APPROVED_BY: f"{_PERSON}, or nothing",
    EntryField.IS_BLUELIST: "true or false",
}
"""What is allowed in each field, in words."""

TIME_EXPECTED: Final = _TIME_WORDS


def checked_reference_id(untrusted: str) -> str:
    """
    A reference id.

    Raises:
        ValueError: It is none.
    """
    if REFERENCE_ID_PATTERN.fullmatch(untrusted) is None:
        raise ValueError
    return untrusted


def checked_line(untrusted: str, most: int) -> str:
    """
    Text that a terminal and a page show as one line: no controls, no turning of the reading direction.

    Raises:
        ValueError: It is empty, blank, longer than *most* characters, or would be shown as something else.
    """
    if not 0 < len(untrusted) <= most or not untrusted.strip():
        raise ValueError
    for character in untrusted:
        if character not in JOINERS and unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}:
            raise ValueError
    return untrusted


def checked_date(untrusted: str) -> date:
    """
    A date as `2026-01-31`.

    Raises:
        ValueError: It is none.
    """
    if _DATE.fullmatch(untrusted) is None:
        raise ValueError
    return date.fromisoformat(untrusted)


def checked_time(untrusted: str) -> datetime:
    """
    A time with its zone, turned into UTC.

    Raises:
        ValueError: It is none, or says no zone.
    """
    if _TIME.fullmatch(untrusted) is None:
        raise ValueError
    return datetime.fromisoformat(untrusted).astimezone(UTC)
