"""What a load tells the technician: one result for every row, warnings, and counts; identifiers and numbers only."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge_lfr.biometrics.outcomes import SimilarityScore
from edge_lfr.biometrics.samples import QualityReason
from edge_lfr.watchlist.pictures import PictureReason

SCHEMA: Final = "lfr.enrolment/1"


class RowOutcome(StrEnum):
    """Enrolled, or why not."""

    ENROLLED = "enrolled"
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
    """What became of one row of the CSV."""

    line: int
    reference_id: str
    outcome: RowOutcome
    inter_eye_px: float | None = None
    """Distance between the eyes in the picture's own pixels; None where no single face was found."""


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
    """In order of the file."""

    enrolled_templates: int
    enrolled_references: int
    failed_references: tuple[str, ...]
    """References of which no picture could be enrolled: nobody will be found by them."""

    lookalikes: tuple[Lookalikes, ...]
    """Nearest first."""

    has_more_lookalikes: bool
    """Whether there are pairs beyond these: a list of copies has more than can be kept."""

    pictures_differ: tuple[PicturesDiffer, ...]
    threshold: SimilarityScore | None
    """What the warnings were measured against; None when nothing was enrolled."""

    seconds: float

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

    def outcomes(self) -> dict[RowOutcome, int]:
        """How many rows ended how, most frequent first."""
        return dict(Counter(row.outcome for row in self.rows).most_common())

    def as_json(self) -> dict[str, object]:
        """The report for a program; it names references by their id and nobody by label."""
        return {
            "schema": SCHEMA,
            "list_id": self.list_id,
            "is_complete": self.is_complete,
            "enrolled_templates": self.enrolled_templates,
            "enrolled_references": self.enrolled_references,
            "rejected": self.rejected,
            "outcomes": {outcome.value: count for outcome, count in self.outcomes().items()},
            "failed_references": list(self.failed_references),
            "rows": [
                {
                    "line": row.line,
                    "reference_id": row.reference_id,
                    "outcome": row.outcome.value,
                    "inter_eye_px": None if row.inter_eye_px is None else round(row.inter_eye_px, 1),
                }
                for row in self.rows
            ],
            "lookalikes": [
                {"first": pair.first, "second": pair.second, "score": round(pair.score, 4)} for pair in self.lookalikes
            ],
            "has_more_lookalikes": self.has_more_lookalikes,
            "pictures_differ": [
                {"reference_id": pair.reference_id, "lines": list(pair.lines), "score": round(pair.score, 4)}
                for pair in self.pictures_differ
            ],
            "threshold": self.threshold,
            "seconds": round(self.seconds, 3),
        }
