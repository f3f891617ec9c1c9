"""What a list will cost in false alerts, from the pack's calibration alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.inference.catalogue import CalibrationRow
from edge_lfr.watchlist.enrolling.expected_alerts import expected_false_alerts
from simulators.reports import CALIBRATION

UNBOUNDED = CalibrationRow(templates=10, threshold=0.4, false_alerts_per_1000=0.01, evidence="measured")


def test_the_bound_is_told_where_there_is_one() -> None:
    """A day of eight hours at the design load, unless somebody says otherwise: 120,000 passages."""
    expected = expected_false_alerts(CALIBRATION)

    assert "at most 108 in a day of 8 h at 15,000 passages an hour (95 % bound, worst group; extrapolated)" == (
        expected.in_words
    )
    assert {
        "alerts": 108.0,
        "is_bound": True,
        "hours": 8.0,
        "passages_per_hour": 15_000,
        "templates": 100,
        "worst_group": "Group, A",
        "evidence": "extrapolated",
        "in_words": expected.in_words,
    } == expected.as_json()


def test_an_expectation_without_a_bound_is_called_one() -> None:
    """No bound, no groups: `about`, and neither word is claimed."""
    expected = expected_false_alerts(UNBOUNDED, hours=5.5, passages_per_hour=2_000)

    assert "about 1 in a day of 5.5 h at 2,000 passages an hour (not bounded; measured)" == expected.in_words
    assert 0.11 == pytest.approx(expected.alerts)


@given(
    rate=st.floats(0.0, 1_000.0),
    hours=st.floats(0.25, 24.0),
    passages=st.integers(1, 100_000),
    factor=st.integers(2, 10),
)
def test_expectations_grow_with_the_passages(rate: float, hours: float, passages: int, factor: int) -> None:
    """In proportion; never more alerts than passages, and what is told in words is never less than the number."""
    row = CALIBRATION.model_copy(update={"upper_per_1000": rate})

    once = expected_false_alerts(row, hours=hours, passages_per_hour=passages)
    often = expected_false_alerts(row, hours=hours, passages_per_hour=passages * factor)

    assert once.alerts * factor == pytest.approx(often.alerts)
    assert once.alerts <= hours * passages * (1 + 1e-9)
    assert int(once.in_words.split()[2]) >= once.alerts - 1e-6


@pytest.mark.parametrize(("hours", "passages"), [(0.0, 100), (-1.0, 100), (float("nan"), 100), (8.0, 0)])
def test_a_day_of_nothing_is_a_mistake(hours: float, passages: int) -> None:
    """Zero expected alerts would be told for it, which nobody should read."""
    with pytest.raises(ValueError, match="expected hours and passages above 0"):
        expected_false_alerts(CALIBRATION, hours=hours, passages_per_hour=passages)
