"""
What a load tells the technician: one result for every row and every entry, warnings, counts and what to expect of it.

Identifiers, dates and numbers only; nobody is named.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from edge_lfr.biometrics.outcomes import SimilarityScore
from edge_lfr.biometrics.samples import QualityReason
from edge_lfr.watchlist.bundle.composition import Composition
from edge_lfr.watchlist.enrolling.expected_alerts import ExpectedFalseAlerts
from edge_lfr.watchlist.enrolling.pictures import PictureReason
from edge_lfr.watchlist.enrolling.quality_spread import QualitySpread, Spread

SCHEMA: Final = "lfr.enrolment/1"


class RowOutcome(StrEnum):
    """Enrolled, or why not."""

    ENROLLED = "enrolled"
    UNLAWFUL = "unlawful"
    """A rule forbids the entry; its pictures were not looked at."""

    PICTURE_MISSING = PictureReason.MISSING.value
    PICTURE_TYPE = PictureReason.TYPE.value
    PICTURE_MISNAMED = PictureReason.MISNAMED.value
    PICTURE_TOO_LARGE = PictureReason.TOO_LARGE.value
    PICTURE_BROKEN = PictureReason.BROKEN.value
    NO_FACE = "no-face"
    SEVERAL_FACES = "several-faces"
    QUALITY_SMALL = f"quality-{QualityReason.SMALL.value}"
    QUALITY_POSE = f"quality-{QualityReason.POSE.value}"
    QUALITY_BLURRED = f"quality-{QualityReason.BLURRED.value}"
    QUALITY_DARK = f"quality-{QualityReason.DARK.value}"
    QUALITY_BRIGHT = f"quality-{QualityReason.BRIGHT.value}"
    QUALITY_FLAT = f"quality-{QualityReason.FLAT.value}"
    QUALITY_CLIPPED = f"quality-{QualityReason.CLIPPED.value}"
    QUALITY_LOW_DETECTION_SCORE = f"quality-{QualityReason.LOW_DETECTION_SCORE.value}"
    QUALITY_OUTSIDE_ZONE = f"quality-{QualityReason.OUTSIDE_ZONE.value}"


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one picture."""

    line: int
    """Of the CSV, or the number of the picture in the bundle."""

    reference_id: str
    outcome: RowOutcome
    inter_eye_px: float | None = None
    """Distance between the eyes in the picture's own pixels; None where no single face was found."""

    sharpness: float | None = None
    """Of the aligned sample; None where there was no reason to make one."""

    detection_score: float | None = None
    """The detector's own 0 to 1; None where no single face was found."""

    reasons: tuple[str, ...] = ()
    """Codes of the rules that forbid the entry; empty unless it is unlawful."""

    def as_json(self) -> dict[str, object]:
        return {
            "line": self.line,
            "reference_id": self.reference_id,
            "outcome": self.outcome.value,
            "inter_eye_px": None if self.inter_eye_px is None else round(self.inter_eye_px, 1),
            "sharpness": None if self.sharpness is None else round(self.sharpness, 3),
            "detection_score": None if self.detection_score is None else round(self.detection_score, 3),
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, slots=True)
class EntryResult:
    """What became of one reference."""

    reference_id: str
    templates: int
    """Enrolled of its pictures; 0: nobody will be found by it."""

    reasons: tuple[str, ...]
    """Why it is not there, or not with all pictures: codes of rules, or outcomes of its other pictures; each once."""

    is_unlawful: bool = False
    """Whether the reasons are rules that forbid it."""

    @classmethod
    def of(cls, reference_id: str, rows: Iterable[RowResult]) -> Self:
        """Sum up the pictures of one reference."""
        results = list(rows)
        reasons = [code for row in results for code in row.reasons or (row.outcome.value,)]
        templates = sum(row.outcome is RowOutcome.ENROLLED for row in results)
        return cls(
            reference_id=reference_id,
            templates=templates,
            reasons=tuple(code for code in dict.fromkeys(reasons) if code != RowOutcome.ENROLLED),
            is_unlawful=any(row.outcome is RowOutcome.UNLAWFUL for row in results),
        )


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """Two references whose templates come so near that a probe of one may match the other."""

    first: str
    second: str
    score: SimilarityScore
    """The nearest pair of their templates."""


@dataclass(frozen=True, slots=True)
class PicturesDiffer:
    """Two pictures of one reference that do not resemble each other: one may show another person."""

    reference_id: str
    lines: tuple[int, int]
    score: SimilarityScore


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentReport:
    """The whole load."""

    list_id: str | None
    """The list that is live now; None when nothing was activated and the list before stays."""

    rows: tuple[RowResult, ...]
    """In order of the source."""

    entries: tuple[EntryResult, ...]
    """One for each reference, in order of the source."""

    lookalikes: tuple[Lookalikes, ...]
    """Nearest first."""

    has_more_lookalikes: bool
    """Whether there are pairs beyond these: a list of copies has more than can be kept."""

    pictures_differ: tuple[PicturesDiffer, ...]
    threshold: SimilarityScore | None
    """What the warnings were measured against; None when nothing was enrolled."""

    expected_false_alerts: ExpectedFalseAlerts | None
    """Of a day with this list; None when nothing was enrolled."""

    composition: Composition
    """Who was enrolled, in numbers."""

    seconds: float

    @property
    def enrolled_templates(self) -> int:
        return sum(entry.templates for entry in self.entries)

    @property
    def enrolled_references(self) -> int:
        return sum(entry.templates > 0 for entry in self.entries)

    @property
    def failed_references(self) -> tuple[str, ...]:
        """References of which no picture was enrolled: nobody will be found by them."""
        return tuple(entry.reference_id for entry in self.entries if not entry.templates)

    @property
    def unlawful(self) -> tuple[EntryResult, ...]:
        """What rules forbid; part of `failed_references`, and its pictures part of `rejected`."""
        return tuple(entry for entry in self.entries if entry.is_unlawful)

    @property
    def rejected(self) -> int:
        """Rows that were not enrolled."""
        return sum(row.outcome is not RowOutcome.ENROLLED for row in self.rows)

    @property
    def is_activated(self) -> bool:
        return self.list_id is not None

    @property
    def is_complete(self) -> bool:
        """Whether every row was enrolled and the list is live; anything else wants a word to the technician."""
        return self.is_activated and self.rejected == 0

    @property
    def quality(self) -> QualitySpread | None:
        """How good the enrolled pictures are; None when there are none."""
        enrolled = [row for row in self.rows if row.outcome is RowOutcome.ENROLLED]
        if not enrolled:
            return None
        return QualitySpread(
            inter_eye_px=Spread.of([row.inter_eye_px for row in enrolled if row.inter_eye_px is not None]),
            sharpness=Spread.of([row.sharpness for row in enrolled if row.sharpness is not None]),
            detection_score=Spread.of([row.detection_score for row in enrolled if row.detection_score is not None]),
        )

    def outcomes(self) -> dict[RowOutcome, int]:
        """How many rows ended how, most frequent first."""
        return dict(Counter(row.outcome for row in self.rows).most_common())

    def as_json(self) -> dict[str, object]:
        """The report for a program; it names references by their id and nobody by label."""
        quality, expected = self.quality, self.expected_false_alerts
        return {
            "schema": SCHEMA,
            "list_id": self.list_id,
            "is_complete": self.is_complete,
            "enrolled_templates": self.enrolled_templates,
            "enrolled_references": self.enrolled_references,
            "rejected": self.rejected,
            "outcomes": {outcome.value: count for outcome, count in self.outcomes().items()},
            "failed_references": list(self.failed_references),
            "entries": [
                {
                    "reference_id": entry.reference_id,
                    "templates": entry.templates,
                    "is_unlawful": entry.is_unlawful,
                    "reasons": list(entry.reasons),
                }
                for entry in self.entries
            ],
            "rows": [row.as_json() for row in self.rows],
            "quality": None if quality is None else quality.as_json(),
            "lookalikes": [
                {"first": pair.first, "second": pair.second, "score": round(pair.score, 4)} for pair in self.lookalikes
            ],
            "has_more_lookalikes": self.has_more_lookalikes,
            "pictures_differ": [
                {"reference_id": pair.reference_id, "lines": list(pair.lines), "score": round(pair.score, 4)}
                for pair in self.pictures_differ
            ],
            "threshold": self.threshold,
            "expected_false_alerts": None if expected is None else expected.as_json(),
            "composition": self.composition.as_json(),
            "seconds": round(self.seconds, 3),
        }
