"""What one load came to, as rows: figures of a made load, and when it stands still for the bare nets."""

import json
from dataclasses import replace

import pytest

from edge_lfr.evaluation.bench.report import Report
from edge_lfr.evaluation.bench.spent import Spent
from edge_lfr.evaluation.bench.watchlist import LoadFigures, block_of

LOAD = LoadFigures(
    pictures=300,
    spent=Spent(12.0, 20.0),
    bare=Spent(10.0, 16.0),
    children_s=1.0,
    peak_mb=900.0,
    lanes=2,
    noted=310,
    repeated=100,
    skipped=0,
    sealed=290,
    enrolled=290,
    rejected=10,
    lookalike_pairs=3,
)


def test_a_load_is_held_to_the_bare_nets() -> None:
    """Wall time over that of the nets alone, for the same calls."""
    rows = {row.name: row for row in LOAD.rows(lookalikes_s=5.0)}
    assert (1.2, True) == (
        rows["load / bare nets, by the clock"].value,
        rows["load / bare nets, by the clock"].ok,
    )
    assert 805.0 == rows["20000 pictures, projected"].value


def test_without_a_bare_run_there_is_no_ratio() -> None:
    """The target is missed, and the table is still JSON that every reader takes."""
    rows = replace(LOAD, bare=None).rows(lookalikes_s=5.0)
    assert ["20000 pictures, projected", "load / bare nets, by the clock"] == [row.name for row in rows if not row.ok]
    assert None is {row.name: row.value for row in rows}["load / bare nets, by the clock"]
    assert json.dumps(Report.of(rows).as_json(), allow_nan=False)


@pytest.mark.parametrize("pictures", [2, 3, 10, 39, 79, 300, 1_600, 20_000])
def test_every_load_stands_still(pictures: int) -> None:
    """However few pictures there are, a block ends before the last one begins."""
    block = block_of(pictures)
    assert [done for done in range(1, pictures + 1) if done % block == 0 and done <= pictures - block]
    assert pictures / block <= 60
