"""The wipe's measurement: run for real on a small list, and its rows judged as they should be."""

from pathlib import Path

import pytest

from edge_lfr.evaluation.bench.report import Report
from edge_lfr.evaluation.bench.wipe import measure_wipe, wipe_rows

CLEAN = {
    "memory_bytes": 1_000_000,
    "memory_hits": 0,
    "file_bytes": 0,
    "file_hits": 0,
    "paths_left": 0,
    "deleted_files_open": 0,
    "keys_that_open": 0,
    "files_unread": 0,
    "processes_unread": 0,
    "fragments": 3_000,
    "seconds": 0.4,
}


class Silent:
    """Follows, and says nothing."""

    def stage(self, text: str) -> None: ...

    def count(self, done: int, total: int) -> None: ...


TOLD = {"templates": 60_000, "destroyed_in_s": 0.6, "answering_in_s": 2.0, "proof": CLEAN}


def test_a_clean_wipe_reaches_every_target() -> None:
    """Nothing found, in time."""
    assert Report.of(wipe_rows(TOLD)).is_ok


@pytest.mark.parametrize("name", ["memory_hits", "file_hits", "paths_left", "deleted_files_open", "keys_that_open"])
def test_one_find_misses_a_target(name: str) -> None:
    """Whatever was found, once is too often."""
    assert not Report.of(wipe_rows({**TOLD, "proof": {**CLEAN, name: 1}})).is_ok


@pytest.mark.parametrize(
    "changed", [{"destroyed_in_s": 2.1}, {"answering_in_s": 5.1}, {"answering_in_s": None}, {"proof": None}]
)
def test_a_late_or_missing_figure_misses_a_target(changed: dict[str, object]) -> None:
    """What was not measured was not reached."""
    assert not Report.of(wipe_rows({**TOLD, **changed})).is_ok


@pytest.mark.shared
def test_a_real_wipe_is_measured(shared_models: Path) -> None:
    """A daemon that searches a list is told to destroy it; nothing is left, and the control finds what was left."""
    report = measure_wipe(shared_models.parent, Silent(), is_quick=True)
    rows = {row.name: row.value for row in report.rows}
    found = {name for name in ("memory hits", "file hits", "paths left", "keys that open") if rows[name] != 0}
    assert set() == found
    assert rows["templates destroyed"] == 1_000
    assert all(row.ok for row in report.rows if row.name.startswith("control"))
