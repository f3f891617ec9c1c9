"""What a load tells: sums over rows and entries agree, and its JSON keeps the keys that programs know."""

import json

from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.watchlist.enrolling.quality_spread import Spread
from edge_lfr.watchlist.enrolling.report import EntryResult, Lookalikes, RowOutcome, RowResult
from simulators.reports import enrolled, made_report

KNOWN_KEYS = {
    "schema",
    "list_id",
    "is_complete",
    "enrolled_templates",
    "enrolled_references",
    "rejected",
    "outcomes",
    "failed_references",
    "rows",
    "lookalikes",
    "has_more_lookalikes",
    "pictures_differ",
    "threshold",
    "seconds",
}
"""Of the first version of the form; none may go while it is called `lfr.enrolment/1`."""


def test_entries_sum_up_their_rows() -> None:
    """Templates are counted, each reason is told once and in order, and an unlawful entry tells the rules."""
    rows = [
        enrolled(2, "REF-A"),
        RowResult(3, "REF-A", RowOutcome.NO_FACE),
        RowResult(4, "REF-A", RowOutcome.QUALITY_DARK),
        RowResult(5, "REF-A", RowOutcome.NO_FACE),
    ]
    unlawful = [RowResult(line, "REF-B", RowOutcome.UNLAWFUL, reasons=("expired", "approval")) for line in (6, 7)]

    assert EntryResult("REF-A", 1, ("no-face", "quality-dark")) == EntryResult.of("REF-A", rows)
    assert EntryResult("REF-B", 0, ("expired", "approval"), is_unlawful=True) == EntryResult.of("REF-B", unlawful)
    assert EntryResult("REF-C", 2, ()) == EntryResult.of("REF-C", [enrolled(8, "REF-C"), enrolled(9, "REF-C")])


def test_a_report_keeps_its_keys_and_adds_to_them() -> None:
    """Counts as before, and beside them entries, quality and what to expect; all of it plain JSON."""
    report = made_report(
        enrolled(2, "REF-A", eyes=40.0),
        enrolled(3, "REF-B", eyes=60.0),
        RowResult(4, "REF-C", RowOutcome.SEVERAL_FACES),
        RowResult(5, "REF-D", RowOutcome.UNLAWFUL, reasons=("expired",)),
        lookalikes=(Lookalikes("REF-A", "REF-B", 0.61),),
    )

    found = json.loads(json.dumps(report.as_json()))

    assert set(found) >= KNOWN_KEYS
    assert (2, 2, 2, ["REF-C", "REF-D"], False) == (
        found["enrolled_templates"],
        found["enrolled_references"],
        found["rejected"],
        found["failed_references"],
        found["is_complete"],
    )
    assert {"enrolled": 2, "several-faces": 1, "unlawful": 1} == found["outcomes"]
    assert {"reference_id": "REF-D", "templates": 0, "is_unlawful": True, "reasons": ["expired"]} == found["entries"][3]
    assert {"p5": 40.0, "p50": 40.0, "p95": 60.0} == found["quality"]["inter_eye_px"]
    assert {"inter_eye_px", "sharpness", "detection_score"} == set(found["quality"])
    assert [["expired"], None] == [found["rows"][3]["reasons"], found["rows"][3]["sharpness"]]
    assert {"suspect": 2} == {name: count for name, count in found["composition"]["categories"].items() if count}
    assert "at most" in found["expected_false_alerts"]["in_words"]


def test_a_load_of_nothing_has_no_quality_and_expects_nothing() -> None:
    """None, and not zeros that look measured."""
    report = made_report(RowResult(2, "REF-A", RowOutcome.NO_FACE))

    assert (None, None) == (report.as_json()["quality"], report.as_json()["expected_false_alerts"])
    assert ((), 0) == (report.lookalikes, report.enrolled_templates)


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=200))
def test_percentiles_are_values_that_were_measured(values: list[float]) -> None:
    """The smallest value that at least 5, 50 and 95 of 100 do not exceed, in order."""
    spread = Spread.of(values)

    for percent, found in ((5, spread.p5), (50, spread.p50), (95, spread.p95)):
        assert found in values
        assert sum(value <= found for value in values) * 100 >= percent * len(values)
        assert sum(value < found for value in values) * 100 < percent * len(values)
    assert spread.p5 <= spread.p50 <= spread.p95
