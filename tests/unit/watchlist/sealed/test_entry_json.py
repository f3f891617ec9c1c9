"""An entry as it stands in a row of the sealed list: everything comes back, and nothing else is read."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge_lfr.terms import Category, ResponseCode
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.fields import EntryField
from edge_lfr.watchlist.sealed.entry_json import EntryFields, said_of
from edge_lfr.watchlist.sealed.sealed_list import entry_to_bytes
from simulators.watchlists import made_entry

LINES = st.text(st.characters(categories=["L", "N", "P", "S", "M"]), min_size=1, max_size=100)
ENTRIES = st.builds(
    WatchlistEntry,
    reference_id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}", fullmatch=True),
    label=LINES,
    category=st.sampled_from(Category),
    response_code=st.sampled_from(ResponseCode),
    legal_basis=LINES,
    requester=LINES,
    expires_at=st.datetimes(datetime(1990, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy adds it
    review_on=st.dates(datetime(1900, 1, 1, tzinfo=UTC).date(), datetime(2999, 1, 1, tzinfo=UTC).date()),
    born_on=st.none() | st.dates(datetime(1900, 1, 1, tzinfo=UTC).date(), datetime(2999, 1, 1, tzinfo=UTC).date()),
    why_here=LINES,
    under_18_necessity=st.none() | LINES,
    under_18_countersigned_by=st.none() | LINES,
    approved_by=st.none() | LINES,
    is_bluelist=st.booleans(),
)


@given(ENTRIES)
def test_every_field_comes_back(entry: WatchlistEntry) -> None:
    """Whatever letters a name has, with every optional field said or not."""
    assert entry == EntryFields.model_validate_json(entry_to_bytes(entry)).entry()


def test_a_time_of_another_zone_is_the_same_time() -> None:
    """It is kept in UTC."""
    entry = made_entry("REF-1", expires_at=datetime(2026, 6, 1, 3, tzinfo=timezone(timedelta(hours=2))))
    (back,) = [EntryFields.model_validate_json(entry_to_bytes(entry)).entry().expires_at]
    assert (entry.expires_at, timedelta(0)) == (back, back.utcoffset())


@pytest.mark.parametrize(
    "untrusted",
    [
        b'["REF-1","Subject","suspect","observe"]',
        b"{}",
        entry_to_bytes(made_entry("REF-1")).replace(b'"label"', b'"name"'),
        entry_to_bytes(made_entry("REF-1")).replace(b"{", b'{"more":1,'),
        entry_to_bytes(made_entry("REF-1")).replace(b'"is_bluelist":false', b'"is_bluelist":0'),
    ],
)
def test_another_form_is_refused(untrusted: bytes) -> None:
    """The four fields of the first format, missing fields, unknown ones, other types."""
    with pytest.raises(ValidationError):
        EntryFields.model_validate_json(untrusted)


def test_what_cannot_be_read_back_is_not_sealed() -> None:
    """An entry that was made past the bounds is its maker's mistake."""
    with pytest.raises(ValueError, match="label"):
        entry_to_bytes(made_entry("REF-1", label="a\nb"))


def test_a_representation_names_nobody() -> None:
    """Only the id and closed terms: a log or a traceback may show it."""
    entry = made_entry("REF-1", label="SECRET", requester="SECRET", why_here="SECRET", legal_basis="SECRET")
    assert "REF-1" in repr(entry)
    assert "SECRET" not in repr(entry)
    assert "1990" not in repr(entry)


def test_every_field_of_an_entry_has_its_name() -> None:
    """The record, the wire and the list of fields say the same."""
    assert set(EntryField) == set(said_of(made_entry("REF-1"))) == set(EntryFields.model_fields)
    assert set(EntryField) == set(json.loads(entry_to_bytes(made_entry("REF-1"))))
