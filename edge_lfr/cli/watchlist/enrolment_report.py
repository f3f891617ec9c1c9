"""
How a load is told to a person: counts, quality, what to expect, what was refused or rejected, and warnings.

Ids, lines and numbers, never labels.
"""

from collections.abc import Mapping
from typing import Final

from edge_lfr.cli.output import say, write_fields, write_table
from edge_lfr.terms import Category
from edge_lfr.watchlist.bundle.composition import AgeBand
from edge_lfr.watchlist.enrolling.quality_spread import Spread
from edge_lfr.watchlist.enrolling.report import EnrolmentReport, RowOutcome

MAX_SHOWN: Final = 50
"""Rows and pairs on a terminal; `--json` has all of them. Chosen, not measured."""


def write_report(report: EnrolmentReport) -> None:
    """Counts and what to expect, then every refused entry and every rejected picture with its reason."""
    write_fields(
        {
            "references": report.enrolled_references,
            "templates": report.enrolled_templates,
            "unlawful references": len(report.unlawful),
            "rejected rows": report.rejected,
            "list": report.list_id,
            "threshold": report.threshold,
            "expected false alerts": report.expected_false_alerts and report.expected_false_alerts.in_words,
            "seconds": round(report.seconds, 1),
        }
    )
    composition = report.composition
    if composition.entries:
        write_fields(
            {
                "listed": {
                    "categories": _counts(composition.categories),
                    "age bands": _counts(composition.age_bands),
                    "under 18": composition.under_18,
                    "bluelist": composition.bluelist,
                    "oldest picture": [day.isoformat() for day, _ in composition.oldest_pictures[:1]],
                    "undated pictures": composition.undated_pictures,
                }
            }
        )
    quality = report.quality
    if quality is not None:
        write_fields(
            {
                "pictures (5 %, half, 95 % have at most)": {
                    "px between eyes": _words(quality.inter_eye_px, 0),
                    "sharpness": _words(quality.sharpness, 2),
                    "detection score": _words(quality.detection_score, 2),
                }
            }
        )
    _write_unlawful(report)
    _write_rejected(report)


def _counts(counts: Mapping[Category, int] | Mapping[AgeBand, int]) -> list[str]:
    return [f"{count} {term.value}" for term, count in counts.items() if count]


def _words(spread: Spread, digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in (spread.p5, spread.p50, spread.p95))


def _write_unlawful(report: EnrolmentReport) -> None:
    if report.unlawful:
        rows = [(entry.reference_id, ", ".join(entry.reasons)) for entry in report.unlawful[:MAX_SHOWN]]
        write_table(("unlawful reference", "reasons"), rows)
    _say_rest(len(report.unlawful), "unlawful references")


def _write_rejected(report: EnrolmentReport) -> None:
    told = {RowOutcome.ENROLLED, RowOutcome.UNLAWFUL}
    rejected = [row for row in report.rows if row.outcome not in told]
    if rejected:
        rows = [(row.line, row.reference_id, row.outcome.value, row.inter_eye_px) for row in rejected[:MAX_SHOWN]]
        write_table(("line", "reference", "reason", "px between eyes"), rows, numbers=("line", "px between eyes"))
    _say_rest(len(rejected), "rejected rows")


def _say_rest(count: int, what: str) -> None:
    if count > MAX_SHOWN:
        say(f"... and {count - MAX_SHOWN} more {what}: --json has them all")


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
