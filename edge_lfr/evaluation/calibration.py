"""
Labelled portraits enter, a pack's table leaves: for so many templates, the lowest threshold that keeps the promise.

**The promise.** Of 1,000 passages of people who are not listed, at most one ends in a false alert: for the labelled
group that fares worst, at the upper end of its 95 % bound (`calibration_tail` says how rates and bounds are made).
Taking the worst of so many bounds errs to the safe side once more.

**From a comparison to N templates.** A passage is expected to hit N times as many listed people as one comparison does.
The chance that it hits anybody is smaller still, and so are figures for lists with several pictures of one person.

**From a look to a passage.** A passage is compared about ten times, and two looks must hit the same reference. If looks
were copies of one another, a passage would be worth exactly one comparison; if they were independent, nearly none. In
between the best two of ten looks help a stranger: where the score of a pair varies normally from look to look, a
passage is worth at most 1.97 comparisons, whatever part of the variance that is (at 1e-5, ten looks, two hits; the most
is reached where it is a tenth). `COMPARISONS_OF_A_PASSAGE` is that, rounded up. It is a model and not a bound: without
any, the mean number of hits among ten looks bounds the chance of two by five times one comparison (Markov). A
configuration that asks for one hit alone, allows more looks or takes worse faces is outside this table:
`inference.calibrated_conditions` then takes bound and evidence away.

**Whom the list holds.** The table takes templates from everybody else, that is from all groups about alike: a list that
nobody has put together yet has no other neutral make-up. A list of the probe's own group alone is the worst there is;
each row says, as information, how many false alerts its threshold would then let through.

**What is not in it.** One picture a person, from the web and in good light, 13 pixels between the eyes and more, stands
for a passage. Twins, lookalikes who were listed as such, children, and what one camera does to all faces are not in it.
So even `measured` means: of these pictures.
"""

import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from edge_lfr.config.faces import QualityConfig
from edge_lfr.config.models import Provider
from edge_lfr.evaluation.bench.report import Report, Row, Witness
from edge_lfr.evaluation.calibration_faces import (
    CalibrationError,
    Population,
    embedded,
    first_of_each_group,
    labelled_portraits,
)
from edge_lfr.evaluation.calibration_tail import TAIL_SHARE, Floats, Rates, high_scores, rates
from edge_lfr.inference.catalogue import CalibrationRow, PackEntry
from edge_lfr.inference.packs import install, open_pack

DATA: Final = "calibration"
"""Folder of the data that tables are made from, and which serves nothing else."""

SIZES: Final = (
    10,
    20,
    50,
    100,
    200,
    300,
    500,
    700,
    1000,
    1500,
    2000,
    3000,
    5000,
    7000,
    10000,
    15000,
    20000,
    30000,
    60000,
)
"""Templates of the rows: close enough that rounding a list up to the next row costs at most 0.01 of threshold."""

STEP: Final = 0.005
"""Thresholds are multiples of this; finer would promise more than the data know."""

PROMISED_PER_1000: Final = 1.0

COMPARISONS_OF_A_PASSAGE: Final = 2.0

OWN_GROUP_SHARE: Final = 5 * TAIL_SHARE
"""Comparisons within one group are a fourteenth as many; its tail begins lower, so that there is one to fit."""

QUICK_PEOPLE: Final = 50
"""Of each group, for a first answer within a minute."""

ROW_OF_GROUPS: Final = 1000
"""Templates of the list for which every group's own figures are shown."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of the table."""

    templates: int
    threshold: float
    expected_per_1000: float
    """False alerts in 1,000 passages of people of the worst group."""

    upper_per_1000: float
    """The same, upper end of the 95 % bound; 1 at most."""

    worst_group: str
    evidence: Literal["measured", "extrapolated"]
    own_group_upper_per_1000: float
    """The bound of the group that fares worst on a list of nobody but its own people."""


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """What one group contributes."""

    name: str
    people: int
    left_out: int
    """People whose picture could not be compared."""

    upper_per_1000: float
    """At the threshold for `Table.groups_at_templates` templates."""


@dataclass(frozen=True, slots=True)
class Table:
    """A pack's calibration, and how it came about."""

    rows: tuple[TableRow, ...]
    groups: tuple[GroupFigures, ...]
    groups_at_templates: int
    """Length of the list that the groups' own figures are given for, at its threshold."""

    shape: float
    """Of the tail beyond the data; negative: it ends somewhere."""


def calibrate_pack(
    entry: PackEntry, weights: Path, data: Path, witness: Witness, *, is_quick: bool, threads: int = 0
) -> Table:
    """
    Make the table of a pack.

    Args:
        entry: The pack.

        weights: Folder or archive with its files, as `install` takes it.

        data: Folder with `labels.csv` and pictures.

        witness: Told how far it is.

        is_quick: A few people of each group: the order of magnitude, never for a catalogue.

        threads: Inside one net; 0 takes all cores.

    Raises:
        CalibrationError: The pictures do not suffice.
        ModelError: The weights are not those of the catalogue.
    """
    portraits = labelled_portraits(data)
    if is_quick:
        portraits = first_of_each_group(portraits, QUICK_PEOPLE)
    with tempfile.TemporaryDirectory(prefix="edge-lfr-calibration-") as folder:
        install(weights, entry, Path(folder))
        pack = open_pack(entry, Path(folder), Provider.CPU, threads)
    witness.stage(f"{len(portraits)} pictures into vectors")
    with embedded(portraits, pack, QualityConfig(), witness) as population:
        witness.stage(f"{len(population.groups)} people compared with one another")
        return table_of(population)


def table_of(population: Population, sizes: Sequence[int] = SIZES) -> Table:
    """
    Make the table from vectors; it ends before a size that no threshold below 1 suffices for.

    Raises:
        CalibrationError: Too few people, or not one row.
    """
    thresholds: Floats = np.arange(1, round(1 / STEP), dtype=np.float64) * STEP
    mixed = rates(population, high_scores(population, own_group=False), thresholds)
    own = rates(population, high_scores(population, own_group=True, share=OWN_GROUP_SHARE), thresholds)
    rows = tuple(_rows(population.names, mixed, own, sizes))
    if not rows:
        message = "no threshold keeps the promise even for the shortest list"
        raise CalibrationError(message)
    shown = next((row for row in rows if row.templates >= ROW_OF_GROUPS), rows[-1])
    column = int(np.abs(thresholds - shown.threshold).argmin())
    return Table(
        rows=rows,
        groups=tuple(
            GroupFigures(
                name=name,
                people=int((population.groups == row).sum()),
                left_out=sum(population.left_out[name].values()),
                upper_per_1000=_per_1000(mixed.upper[row, column], shown.templates),
            )
            for row, name in enumerate(population.names)
        ),
        groups_at_templates=shown.templates,
        shape=mixed.shape,
    )


def _rows(names: Sequence[str], mixed: Rates, own: Rates, sizes: Sequence[int]) -> Iterable[TableRow]:
    worst_upper: Floats = mixed.upper.max(axis=0)
    for templates in sizes:
        kept = np.flatnonzero(worst_upper * templates * COMPARISONS_OF_A_PASSAGE * 1000 <= PROMISED_PER_1000)
        if not len(kept):
            return
        column = int(kept[0])
        worst = int(mixed.upper[:, column].argmax())
        yield TableRow(
            templates=templates,
            threshold=round(float(mixed.thresholds[column]), 3),
            expected_per_1000=_per_1000(mixed.expected[worst, column], templates),
            upper_per_1000=_per_1000(mixed.upper[worst, column], templates),
            worst_group=names[worst],
            evidence="measured" if mixed.is_observed[worst, column] else "extrapolated",
            own_group_upper_per_1000=_per_1000(own.upper[:, column].max(), templates),
        )


def _per_1000(rate: float, templates: int) -> float:
    """False alerts in 1,000 passages, rounded up to hundredths."""
    return math.ceil(float(rate) * templates * COMPARISONS_OF_A_PASSAGE * 1000 * 100 - 1e-9) / 100


def catalogue_rows(table: Table) -> tuple[CalibrationRow, ...]:
    """The table as the catalogue holds it."""
    return tuple(
        CalibrationRow(
            templates=row.templates,
            threshold=row.threshold,
            false_alerts_per_1000=row.expected_per_1000,
            upper_per_1000=row.upper_per_1000,
            worst_group=row.worst_group,
            evidence=row.evidence,
        )
        for row in table.rows
    )


def catalogue_lines(table: Table, command: str) -> str:
    """The lines that go into the pack's entry of the catalogue, before its first sub-table; *command* made them."""
    lines = [f'calibration_data = "{DATA}"', f'calibration_command = "{command}"', "calibration = ["]
    for row in catalogue_rows(table):
        fields = (
            f"templates = {row.templates}",
            f"threshold = {row.threshold:.3f}",
            f"false_alerts_per_1000 = {row.false_alerts_per_1000:.2f}",
            f"upper_per_1000 = {row.upper_per_1000:.2f}",
            f'worst_group = "{row.worst_group}"',
            f'evidence = "{row.evidence}"',
        )
        lines.append(f"    {{ {', '.join(fields)} }},")
    return "\n".join([*lines, "]"])


def report_of(table: Table) -> Report:
    """The table in the form of all measurements; the promise is the target of every bound."""
    rows = []
    for row in table.rows:
        size = f"{row.templates} templates"
        rows += [
            Row.shown(f"threshold, {size}", row.threshold, "cosine"),
            Row.shown(f"false alerts, {size}, expected", row.expected_per_1000, "in 1,000 passages"),
            Row.at_most(
                f"false alerts, {size}, 95 % bound", row.upper_per_1000, PROMISED_PER_1000, "in 1,000 passages"
            ),
            Row.shown(f"worst group, {size}", row.worst_group),
            Row.shown(f"evidence, {size}", row.evidence),
            Row.shown(
                f"false alerts, {size} all of one group, 95 % bound", row.own_group_upper_per_1000, "in 1,000 passages"
            ),
        ]
    for group in table.groups:
        rows += [
            Row.shown(f"people, {group.name}", group.people),
            Row.shown(f"pictures that cannot be compared, {group.name}", group.left_out),
            Row.shown(f"false alerts, {group.name}, 95 % bound", group.upper_per_1000, "in 1,000 passages"),
        ]
    rows.append(Row.shown("shape of the tail", round(table.shape, 3)))
    return Report.of(rows)
