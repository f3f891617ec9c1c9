"""A watchlist of any size out of a few hundred portraits."""

from pathlib import Path

import pytest

from edge_lfr.evaluation.bench.ground import BenchError
from edge_lfr.evaluation.bench.watchlist_source import write_source
from edge_lfr.watchlist.source import read_source

pytestmark = pytest.mark.shared


def test_the_folder_keeps_the_format_and_no_picture_stands_twice(tmp_path: Path, shared_models: Path) -> None:
    """As many rows as were asked for, one to three for a reference, each with a file of its own content."""
    source = read_source(write_source(shared_models.parent, tmp_path / "source", 40))

    contents = {row.picture.read_bytes() for row in source.rows}
    counts = [sum(row.reference_id == entry.reference_id for row in source.rows) for entry in source.entries]
    assert (40, 40) == (len(source.rows), len(contents))
    assert {1, 2, 3} == set(counts)


def test_missing_portraits_are_told(tmp_path: Path) -> None:
    """Without pictures to start from there is no measurement."""
    with pytest.raises(BenchError, match="no portraits"):
        write_source(tmp_path, tmp_path / "source", 10)
