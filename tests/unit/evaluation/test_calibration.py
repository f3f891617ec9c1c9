"""From rates to a table, and from a table to the catalogue."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest

from edge_lfr.evaluation import calibration_tail
from edge_lfr.evaluation.calibration import (
    COMPARISONS_OF_A_PASSAGE,
    PROMISED_PER_1000,
    SIZES,
    STEP,
    Table,
    catalogue_lines,
    catalogue_rows,
    report_of,
    table_of,
)
from edge_lfr.evaluation.calibration_faces import CalibrationError, Population
from edge_lfr.inference.catalogue import CalibrationRow

COMMAND = "edge-lfr evaluate calibrate --toml"
NAMES = ("alike", "varied")


@pytest.fixture(scope="module")
def population() -> Population:
    """300 people of each of two groups; those of the first are drawn towards one direction, and so alike."""
    random = np.random.default_rng(11)
    vectors = random.standard_normal((600, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[:300, 0] += 0.6
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Population(
        vectors=vectors.astype(np.float32),
        groups=np.repeat([0, 1], 300).astype(np.intp),
        names=NAMES,
        left_out={"alike": {"no-face": 2, "quality-pose": 1}, "varied": {}},
    )


@pytest.fixture(scope="module")
def table(population: Population) -> Table:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration_tail, "REPLICATES", 200)
        return table_of(population, (1, *SIZES))


def test_every_row_keeps_the_promise(table: Table) -> None:
    """One false alert in 1,000 passages at most, at the upper end of the bound, and it is no wider than that."""
    assert all(0.0 <= row.expected_per_1000 <= row.upper_per_1000 <= PROMISED_PER_1000 for row in table.rows)
    assert all(row.upper_per_1000 > PROMISED_PER_1000 / 4 for row in table.rows)


def test_longer_lists_take_higher_thresholds(table: Table) -> None:
    """On the grid of thresholds."""
    thresholds = [row.threshold for row in table.rows]
    assert sorted(thresholds) == thresholds
    assert thresholds == pytest.approx([round(t / STEP) * STEP for t in thresholds])
    assert [1, *SIZES][: len(thresholds)] == [row.templates for row in table.rows]


def test_the_worst_group_decides(table: Table) -> None:
    """It is named, and its own figure is the highest of all groups."""
    assert {"alike"} == {row.worst_group for row in table.rows}
    highest = max(table.groups, key=lambda group: group.upper_per_1000)
    assert ("alike", 300, 3) == (highest.name, highest.people, highest.left_out)
    row = next(row for row in table.rows if row.templates == table.groups_at_templates)
    assert row.upper_per_1000 == highest.upper_per_1000


def test_short_lists_are_measured_and_long_ones_extrapolated(table: Table) -> None:
    """The border is crossed once: where pairs end, nothing is measured any more."""
    evidence = [row.evidence for row in table.rows]
    assert "measured" == evidence[0]
    assert "extrapolated" == evidence[-1]
    assert sorted(evidence, reverse=True) == evidence


def test_a_list_of_one_group_is_worse(table: Table) -> None:
    """Who is alike is taken for one another; compared where pairs and not tails say so."""
    first = table.rows[0]
    assert "measured" == first.evidence
    assert first.own_group_upper_per_1000 > first.upper_per_1000


def test_twice_the_templates_are_twice_the_alerts(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    """At one threshold the rate grows with the list; a passage counts as so many comparisons."""
    monkeypatch.setattr(calibration_tail, "REPLICATES", 50)
    groups = calibration_tail.high_scores(population, own_group=False)
    grid: calibration_tail.Floats = np.arange(1, 200, dtype=np.float64) * STEP
    found = calibration_tail.rates(population, groups, grid)
    (row,) = table_of(population, (100,)).rows
    column = round(row.threshold / STEP) - 1
    expected = found.upper[:, column].max() * 100 * COMPARISONS_OF_A_PASSAGE * 1000
    assert expected <= row.upper_per_1000 < expected + 0.011
    below = found.upper[:, column - 1].max() * 100 * COMPARISONS_OF_A_PASSAGE * 1000
    assert below > PROMISED_PER_1000


def test_a_table_ends_where_no_threshold_suffices(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    """No row is better than one that promises what nothing can keep; and no row at all is an error."""
    monkeypatch.setattr(calibration_tail, "REPLICATES", 20)
    twins = replace(population, vectors=np.repeat(population.vectors[::10], 10, axis=0))
    with pytest.raises(CalibrationError, match="no threshold"):
        table_of(twins)


def test_the_catalogue_takes_the_lines(table: Table) -> None:
    """They are TOML, carry the command, and read back as the very rows."""
    read = tomllib.loads(catalogue_lines(table, COMMAND))
    assert ("calibration", COMMAND) == (read["calibration_data"], read["calibration_command"])
    rows = [CalibrationRow.model_validate(row) for row in read["calibration"]]
    assert list(catalogue_rows(table)) == rows


def test_the_report_holds_every_bound_to_the_promise(table: Table) -> None:
    """A threshold a row, and a target that a program can check."""
    report = report_of(table)
    bounds = [row for row in report.rows if row.target is not None]
    assert report.is_ok
    assert len(table.rows) == len(bounds)
    assert {"<= 1"} == {row.target for row in bounds}
    assert table.rows[0].threshold == report.rows[0].value
