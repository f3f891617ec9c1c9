"""Reports of loads that never were, for what reads them."""

from datetime import UTC, date, datetime

from edge_lfr.inference.catalogue import CalibrationRow
from edge_lfr.watchlist.bundle.composition import DatedPictures, compose
from edge_lfr.watchlist.enrolling.expected_alerts import expected_false_alerts
from edge_lfr.watchlist.enrolling.report import EnrolmentReport, EntryResult, Lookalikes, RowOutcome, RowResult
from simulators.watchlists import entry

CALIBRATION = CalibrationRow(
    templates=100,
    threshold=0.5,
    false_alerts_per_1000=0.2,
    upper_per_1000=0.9,
    worst_group="Group, A",
    evidence="extrapolated",
)


def enrolled(line: int, reference_id: str, *, eyes: float = 50.0) -> RowResult:
    """A row that went well."""
    return RowResult(line, reference_id, RowOutcome.ENROLLED, eyes, sharpness=0.5, detection_score=0.9)


def made_report(*rows: RowResult, lookalikes: tuple[Lookalikes, ...] = ()) -> EnrolmentReport:
    """What a load of these rows says; live where anything was enrolled."""
    ids = dict.fromkeys(row.reference_id for row in rows)
    is_live = any(row.outcome is RowOutcome.ENROLLED for row in rows)
    return EnrolmentReport(
        list_id="0" * 32 if is_live else None,
        rows=rows,
        entries=tuple(EntryResult.of(one, (row for row in rows if row.reference_id == one)) for one in ids),
        lookalikes=lookalikes,
        has_more_lookalikes=False,
        pictures_differ=(),
        threshold=CALIBRATION.threshold if is_live else None,
        expected_false_alerts=expected_false_alerts(CALIBRATION) if is_live else None,
        composition=compose(
            [
                DatedPictures(entry(number), (date(2020 + number, 1, 31), None))
                for number in range(sum(row.outcome is RowOutcome.ENROLLED for row in rows))
            ],
            datetime(2026, 6, 1, tzinfo=UTC),
        ),
        seconds=1.5,
    )
