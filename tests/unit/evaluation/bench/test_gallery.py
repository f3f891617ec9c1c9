"""The whole measurement with a small list."""

import structlog

from edge_lfr.evaluation.bench.gallery import Plan, measure
from simulators.silence import Silence

SMALL = Plan(exact=(300,), graphs=(300,), rounds=3)


def test_a_small_list_gives_every_row() -> None:
    """Exact search and graph name the same people, each figure has its row, and `auto` stays exact."""
    with structlog.testing.capture_logs():
        report = measure(Silence(), SMALL)
    value = {row.name: row.value for row in report.rows}
    assert report.is_ok
    assert 1.0 == value["300: graph, recall at the threshold"]
    assert 1.0 == value["300: graph in use, mates named as by exact search"]
    assert ("exact", "too-few-templates") == (value["300: auto takes"], value["300: auto's reason"])
    assert "300: start to first search" in value
    for batch in ("one probe", "8 at once", "16 at once"):
        names = {
            f"300: exact, {batch}, {name}" for name in ("elapsed, median", "elapsed, shortest", "CPU time, median")
        }
        assert names <= value.keys()


def test_the_limit_is_on_elapsed_time() -> None:
    """What a probe waits for is the target, and CPU time is shown beside it."""
    with structlog.testing.capture_logs():
        report = measure(Silence(), Plan(exact=(20_000,), graphs=(), rounds=1))
    limited = [(row.name, row.target) for row in report.rows if row.name.startswith("20,000: exact") and row.target]
    assert [("20,000: exact, 8 at once, elapsed, median", "<= 0.5")] == limited
