"""From a folder to what a bundle will hold: rows enter, lawful entries with usable pictures and refused rows leave."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from edge_lfr.config.policy import WatchlistPolicy
from edge_lfr.watchlist.bundle.composition import DatedPictures
from edge_lfr.watchlist.bundle.manifest import ManifestEntry, ManifestPicture
from edge_lfr.watchlist.bundle.rules import POLICY, judge
from edge_lfr.watchlist.bundle.writing import Progress, describe
from edge_lfr.watchlist.enrolling.folder import WatchlistSource
from edge_lfr.watchlist.enrolling.pictures import PictureRefusedError


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that no bundle should hold, and every reason for it."""

    line: int
    """In the CSV, from 1; of an entry with several rows the first one, where the entry itself is refused."""

    reference_id: str
    reasons: tuple[str, ...]
    """Codes: of `EntryReason`, or one of `PictureReason`."""


@dataclass(slots=True)
class Plan:
    """What a bundle will hold, and what was left out."""

    entries: list[ManifestEntry] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list, repr=False)
    """In the order of the entries."""

    refused: list[RefusedRow] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """References of whom nothing remains."""

    def dated(self) -> Iterator[DatedPictures]:
        """For the composition."""
        for entry in self.entries:
            yield DatedPictures(entry.entry(), entry.taken_on)


def plan_bundle(
    source: WatchlistSource,
    at: datetime,
    progress: Progress = lambda _done, _total: None,
    *,
    policy: WatchlistPolicy = POLICY,
) -> Plan:
    """
    Judge every entry of a folder and read every picture of those that are lawful.

    Args:
        source: A folder whose CSV keeps the format.

        at: Aware; when the bundle is made.

        progress: Told after each reference's pictures.

        policy: The numbers of the rules.
    """
    plan = Plan()
    done = 0
    for entry, rows in source.listed():
        taken_on = [row.taken_on for row in rows]
        reasons = judge(entry, at=at, authorised_categories=None, taken_on=taken_on, policy=policy)
        described: list[ManifestPicture] = []
        if reasons:
            plan.refused.append(RefusedRow(rows[0].line, entry.reference_id, reasons))
        else:
            for row in rows:
                number = len(plan.pictures) + 1
                try:
                    picture = describe(row.picture, number, source=row.picture_source, taken_on=row.taken_on)
                except PictureRefusedError as error:
                    plan.refused.append(RefusedRow(row.line, entry.reference_id, (error.reason,)))
                    continue
                described.append(picture)
                plan.pictures.append(row.picture)
        if described:
            plan.entries.append(ManifestEntry.of(entry, tuple(described)))
        else:
            plan.left_out.append(entry.reference_id)
        done += len(rows)
        progress(done, source.picture_count)
    return plan
