"""A line of the ledger is read in one form only, and what is none is None, whatever stands there."""

import json
from datetime import UTC, datetime

import pytest

from edge_lfr.governance.ledger.lines import read_line, read_time, written_time


def line(at: object) -> bytes:
    content = {"at": at, "event": "login", "facts": {}, "n": 1, "previous": "0" * 64, "who": {"uid": 0}}
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def test_a_line_is_read() -> None:
    """As it is written."""
    found = read_line(line("2026-06-01T12:00:00.000000Z"))
    assert found is not None
    assert datetime(2026, 6, 1, 12, tzinfo=UTC) == found.at


@pytest.mark.parametrize(
    "at",
    [
        "0001-01-01T00:00:00.000000+23:59",
        "9999-12-31T23:59:59.999999-23:59",
        "2026-06-01T12:00:00.000000+00:00",
        "2026-06-01T14:00:00.000000+02:00",
        "2026-06-01T12:00:00.000000",
        "2026-06-01T12:00:00Z",
        "2026-02-30T12:00:00.000000Z",
        "",
        17,
        None,
    ],
)
def test_a_time_in_any_other_form_is_none(at: object) -> None:
    """Also one in a zone in which it has no UTC."""
    assert read_line(line(at)) is None


def test_the_calendar_ends_where_it_ends() -> None:
    """The last instant that there is can be written and read."""
    last = datetime.max.replace(tzinfo=UTC)
    assert last == read_time(written_time(last))
