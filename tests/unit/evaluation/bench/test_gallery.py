"""The whole measurement with a small list."""

import structlog

from edge_lfr.evaluation.bench.gallery import Plan, measure

SMALL = Plan(exact=(300,), graphs=(300,), rounds=3)


class Silence:
    """A witness that says nothing."""

    def stage(self, text: str) -> None:
        pass

    def count(self, done: int, total: int) -> None:
        assert 0 <= done <= total


def test_a_small_list_gives_every_row() -> None:
    """Exact search and graph name the same people, each figure has its row, and `auto` stays exact."""
    with structlog.testing.capture_logs():
        report = measure(Silence(), SMALL)
    value = {row.name: row.value for row in report.rows}
    assert report.is_ok
    assert 1.0 == value["300: graph, recall at the threshold"]
    assert 1.0 == value["300: graph in use, mates named as by exact search"]
    assert "exact (too-few-templates)" == value["300: auto takes"]
    assert {"300: exact, one probe", "300: exact, 8 at once", "300: start to first search"} <= value.keys()
