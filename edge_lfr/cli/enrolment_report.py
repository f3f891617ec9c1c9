"""How a load is told to a person: counts, the rows that were rejected, and warnings; ids and lines, never labels."""

from typing import Final

from edge_lfr.cli.output import say, write_fields, write_table
from edge_lfr.watchlist.report import EnrolmentReport, RowOutcome

MAX_SHOWN: Final = 50
"""Rows and pairs on a terminal; `--json` has all of them. Chosen, not measured."""


def write_report(report: EnrolmentReport) -> None:
    """Counts, then every rejected row with its reason."""
    write_fields(
        {
            "references": report.enrolled_references,
            "templates": report.enrolled_templates,
            "rejected rows": report.rejected,
            "list": report.list_id,
            "threshold": report.threshold,
            "seconds": round(report.seconds, 1),
        }
    )
    rejected = [row for row in report.rows if row.outcome is not RowOutcome.ENROLLED]
    if rejected:
        rows = [(row.line, row.reference_id, row.outcome.value, row.inter_eye_px) for row in rejected[:MAX_SHOWN]]
        write_table(("line", "reference", "reason", "px between eyes"), rows, numbers=("line", "px between eyes"))
    if len(rejected) > MAX_SHOWN:
        say(f"... and {len(rejected) - MAX_SHOWN} more rejected rows: --json has them all")


def say_warnings(report: EnrolmentReport) -> None:
    """What somebody should look at before the van leaves."""
    if report.failed_references:
        shown = ", ".join(report.failed_references[:MAX_SHOWN])
        say(f"warning: nobody will be found by {len(report.failed_references)} references: {shown}")
    for pair in report.lookalikes[:MAX_SHOWN]:
        say(f"warning: lookalikes: {pair.first} and {pair.second} ({pair.score:.2f}): an alert may name either")
    if len(report.lookalikes) > MAX_SHOWN or report.has_more_lookalikes:
        beyond = len(report.lookalikes) - MAX_SHOWN
        say(f"warning: {'more than ' if report.has_more_lookalikes else ''}{beyond} further pairs of lookalikes")
    for differing in report.pictures_differ[:MAX_SHOWN]:
        first, second = differing.lines
        say(
            f"warning: {differing.reference_id}: the pictures of lines {first} and {second} do not resemble each other "
            f"({differing.score:.2f}): one may show somebody else"
        )
