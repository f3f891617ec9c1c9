"""
What identification concludes: identifiers and numbers; no numpy, no pictures, nothing to destroy.

A score is a cosine, -1 to 1, higher is nearer; it is never called a confidence.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.biometrics.samples import QualityReason

SimilarityScore: TypeAlias = float
"""Cosine of a probe and a template of one pack."""


class Outcome(StrEnum):
    """The comparison decision of ISO/IEC 2382-37, 37.03.26."""

    MATCH = "match"
    NON_MATCH = "non-match"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A reference of the watchlist that a search returned; the nearest of its templates counts."""

    reference_id: str
    score: SimilarityScore
    rank: int
    """1 is the nearest."""


class DecisionReason(StrEnum):
    """Which numbered rule of `identification.decision` spoke."""

    SEARCH_INCOMPLETE = "search-incomplete"
    BELOW_THRESHOLD = "below-threshold"
    MARGIN_ASKS_LOOK = "margin-asks-look"
    TOO_FEW_HITS = "too-few-hits"
    SUBJECTS_DISAGREE = "subjects-disagree"
    CONSENSUS = "consensus"
    ALREADY_MATCHED = "already-matched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is concluded about one track after one more look."""

    track_id: int
    camera_id: str
    outcome: Outcome
    reason: DecisionReason
    threshold: SimilarityScore
    candidates: tuple[Candidate, ...] = ()
    """For a match: the subject first, then the runner-up; scores are the best of the agreeing looks."""

    looks: int
    """Comparisons of this track so far."""

    is_ambiguous: bool = False
    """A second reference lies within the margin: the alert carries both."""


class DiscardReason(StrEnum):
    """Why something ended without an alert; one counter each."""

    FRAME_SUPERSEDED = "frame-superseded"
    FRAME_NO_SLOT = "frame-no-slot"
    FRAME_PAUSED = "frame-paused"
    FRAME_INVALID = "frame-invalid"
    LOOK_POSTPONED = "look-postponed"
    LOOK_LOW_QUALITY = "look-low-quality"
    TRACK_NON_MATCH = "track-non-match"
    TRACK_UNDETERMINED = "track-undetermined"
    TRACK_LOW_QUALITY = "track-low-quality"
    TRACK_NOT_LOOKED_AT = "track-not-looked-at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """Something that ended without an alert; counted, and nothing more."""

    reason: DiscardReason
    camera_id: str
    track_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackEnd:
    """What one passage came to: places, times and counts, no score and no reference."""

    track_id: int
    camera_id: str
    first_media_s: float | None
    last_media_s: float | None
    """Position in the file or stream when first and last seen; None when it has none."""

    last_box_xyxy: BoxXYXY
    looks: int
    was_sufficient: bool
    """Whether any face of the track was good enough: a *face seen*."""

    quality_reasons: tuple[QualityReason, ...]
    """What its best face still lacked; empty where one was good enough."""

    discard: Discard | None
    """Why it ended without an alert; None after a match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A confirmed match on its way to a human; its two pictures travel beside it, sealed."""

    alert_id: str
    reference_id: str
    camera_id: str
    track_id: int
    captured_at: datetime
    score: SimilarityScore
    threshold: SimilarityScore
    runner_up: Candidate | None
    looks: int
    is_ambiguous: bool
    is_sighting: bool
    """A further match of a subject whose alert is still fresh: the same alert id, no second alarm."""
