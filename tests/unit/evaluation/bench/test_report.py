from edge_lfr.evaluation.bench.report import Report, Row


def test_a_row_reaches_its_target_or_not() -> None:
    """What could not be measured reaches no target; what has none is shown."""
    assert Row.at_most("a", 1.15, 1.15).ok
    assert not Row.at_most("a", 1.16, 1.15).ok
    assert not Row.at_most("a", None, 1.15).ok
    assert Row.at_least("a", 0.999, 0.999).ok
    assert not Row.exactly("a", 1, 0).ok
    assert Row.shown("a", None).ok


def test_programs_read_one_form() -> None:
    """Whatever measures gives name, value, unit, target and verdict."""
    report = Report.of([Row.exactly("false alerts", 1, 0, "alerts")])
    assert not report.is_ok
    row = {"name": "false alerts", "value": 1, "unit": "alerts", "target": "= 0", "ok": False}
    assert {"rows": [row]} == report.as_json()
