"""The whole measurement with three people: the appliance sees them, and the table says so."""

from pathlib import Path

import pytest

from edge_lfr.evaluation.bench.accuracy import FULL, Plan, measure
from edge_lfr.evaluation.bench.accuracy_people import Size
from simulators.silence import Silence

SMALL = Plan(Size(pictured_twice=2, strangers=1, fillers=6, rounds=1), 1, (140,), 0.0)


@pytest.mark.shared
def test_a_listed_person_is_alerted_once_and_nobody_else(shared_data: Path) -> None:
    """Of three passages one is mated: it is one alert id in the outbox, and the others are none."""
    report = measure(shared_data.parent, Silence(), SMALL)
    value = {row.name: row.value for row in report.rows}
    assert report.is_ok
    assert (0, 0, 1.0) == (
        value["mated passages missed"],
        value["false alerts"],
        value["alert ids per alerted mated passage"],
    )
    assert 122 == value["frames"]
    assert 1 == value["people who walk and are enrolled"]


def test_six_of_all_mated_passages_may_be_missed() -> None:
    """The allowed share of 204 passages is six, and not by a rounding error five."""
    assert 6 == int(FULL.allowed_missed_share * 204)
