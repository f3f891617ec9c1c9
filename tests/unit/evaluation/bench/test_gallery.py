"""The whole measurement with a small list."""

import structlog

from edge_lfr.evaluation.bench.gallery import FULL, QUICK, Plan, measure
from edge_lfr.evaluation.bench.gallery_start import ListSize
from simulators.silence import Silence

SMALL = Plan(exact=(ListSize(100, 3),), graphs=(300,), rounds=3)


def test_a_small_list_gives_every_row() -> None:
    """Exact search and graph name the same people, each figure has its row, and `auto` stays exact."""
    with structlog.testing.capture_logs():
        report = measure(Silence(), SMALL)
    value = {row.name: row.value for row in report.rows}
    assert report.is_ok
    assert 1.0 == value["300: graph, recall at the threshold"]
    assert 1.0 == value["300: graph in use, mates named as by exact search"]
    assert ("exact", "too-few-templates") == (value["300: auto takes"], value["300: auto's reason"])
    assert {"300: start to first search, median of 3", "300: opening the store before it"} <= value.keys()
    for batch in ("one probe", "8 at once", "16 at once"):
        names = {
            f"300: exact, {batch}, {name}" for name in ("elapsed, median", "elapsed, shortest", "CPU time, median")
        }
        assert names <= value.keys()


def test_the_limit_is_on_elapsed_time() -> None:
    """What a probe waits for is the target, and CPU time is shown beside it."""
    with structlog.testing.capture_logs():
        report = measure(Silence(), Plan(exact=(ListSize(1_000, 20),), graphs=(), rounds=1))
    limited = [(row.name, row.target) for row in report.rows if row.name.startswith("20,000: exact") and row.target]
    assert [("20,000: exact, 8 at once, elapsed, median", "<= 0.5")] == limited


def test_the_start_is_measured_for_the_lists_that_the_targets_name() -> None:
    """20,000 templates, quick as well, and the design load: 20,000 people with three pictures each."""
    assert [20_000] == [size.templates for size in QUICK.exact]
    assert (ListSize(20_000, 1), ListSize(20_000, 3)) == FULL.exact
