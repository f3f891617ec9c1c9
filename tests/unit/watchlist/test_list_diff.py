"""What would change with another list, in ids and fields."""

from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.terms import Category, ResponseCode
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.fields import EntryField
from edge_lfr.watchlist.list_diff import compare_lists
from simulators.watchlists import EXPIRES_AT, entry

NUMBERS = st.lists(st.integers(0, 30), unique=True)
OTHER: dict[EntryField, Any] = {
    EntryField.LABEL: "Hush",
    EntryField.CATEGORY: Category.VICTIM,
    EntryField.RESPONSE_CODE: ResponseCode.SAFEGUARD,
    EntryField.LEGAL_BASIS: "another",
    EntryField.REQUESTER: "another",
    EntryField.EXPIRES_AT: EXPIRES_AT + timedelta(seconds=1),
    EntryField.REVIEW_ON: date(2030, 1, 1),
    EntryField.BORN_ON: None,
    EntryField.WHY_HERE: "another",
    EntryField.UNDER_18_NECESSITY: "another",
    EntryField.UNDER_18_COUNTERSIGNED_BY: "another",
    EntryField.APPROVED_BY: "another",
    EntryField.IS_BLUELIST: True,
}


@given(before=NUMBERS, after=NUMBERS, changed=st.sets(st.integers(0, 30)))
def test_everybody_is_counted_once(before: list[int], after: list[int], changed: set[int]) -> None:
    """Added, removed, changed and unchanged are the two lists together."""
    said = [replace(entry(number), label="Hush") if number in changed else entry(number) for number in after]
    found = compare_lists(map(entry, before), said)
    both = set(before) & set(after)
    assert [entry(number).reference_id for number in after if number not in before] == list(found.added)
    assert [entry(number).reference_id for number in before if number not in after] == list(found.removed)
    assert {entry(number).reference_id for number in both & changed} == set(found.changed)
    assert len(both - changed) == found.unchanged
    assert len(both & changed) == found.fields().get(EntryField.LABEL, 0)


@pytest.mark.parametrize("field", OTHER)
def test_every_field_counts(field: EntryField) -> None:
    """Whatever an entry says otherwise, it is named, and not repeated."""
    found = compare_lists([entry(1)], [replace(entry(1), **{field.value: OTHER[field]})])
    assert {entry(1).reference_id: (field,)} == found.changed
    assert "Hush" not in repr(found)


def test_no_field_is_forgotten() -> None:
    """The fields of an entry are those that are compared."""
    assert {field.name for field in fields(WatchlistEntry)} == set(EntryField) == {EntryField.REFERENCE_ID, *OTHER}
