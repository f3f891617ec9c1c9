"""Truth and records enter, rows leave: who was missed and at which stage, who was alerted wrongly, and the scores."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from edge_lfr.biometrics.outcomes import DecisionReason
from edge_lfr.evaluation.bench.accuracy_watch import Look, Record
from edge_lfr.evaluation.bench.report import Row
from edge_lfr.evaluation.demo_summary import DiscardReport, RunReport, TrackReport, stage_of
from edge_lfr.evaluation.truth import Event, Passage, Truth, assign
from edge_lfr.pipeline.durations import nearest_rank

SIZE_EDGES_PX: Final = (70, 100, 130)
"""Between them lie what the four rounds reach: faces whose largest width is about 60, 90, 120 and 155 px."""

SIZES: Final = (
    *(f"face of {lower} to {upper} px" for lower, upper in pairwise((0, *SIZE_EDGES_PX))),
    f"face of {SIZE_EDGES_PX[-1]} px and more",
)
"""Classes of a passage by its largest face."""

MAX_HIDDEN: Final = 0.5
"""A face of which less than this is hidden counts for its width."""

STAGE_WORDS: Final = {
    "faces": "not detected or tracked",
    "quality": "never good enough",
    "looks": "never compared",
    "matching": "below the threshold",
    "decision": "too few hits",
}
"""What `stage_of` calls a stage, in words; everything else is `OTHER`."""

DISAGREED: Final = "looks disagreed"
OTHER: Final = "other"
STAGES: Final = (*STAGE_WORDS.values(), DISAGREED, OTHER)

LEAST_OF_PERCENTILE: Final = 20
"""Percentiles of fewer values are left out."""

LEVEL: Final = 0.05
"""Upper bounds hold at 95 %."""


@dataclass(frozen=True, slots=True)
class Walked:
    """One passage and what was made of it."""

    person: str
    is_mated: bool
    largest_face_px: float
    alert_ids: int
    """Of alerts and sightings that name this very person."""

    false_ids: int
    """Of those that name somebody else."""

    missed_at: str | None
    """One of `STAGES`; None where nothing was missed."""

    rank: int | None
    """Of the person's reference in the look at which the nearest candidate was nearest; None: not among the first."""

    own_score: float | None
    """The best score of the person's own reference, over all looks."""

    other_score: float | None
    """The best score of anybody else's."""


@dataclass(frozen=True, slots=True)
class Findings:
    """All passages, and what belonged to none."""

    walked: tuple[Walked, ...]
    stray_ids: int
    """Alerts at places where nobody's face was."""


def find(watched: Iterable[tuple[Truth, Record]]) -> Findings:
    """Hold each clip's record against its truth."""
    walked: list[Walked] = []
    stray_ids = 0
    for truth, record in watched:
        assignment = assign(truth, record.events)
        run = _run_of(record)
        looks: dict[str, list[Look]] = {}
        for look in record.looks:
            owner = truth.passage_at(look.media_time_s, look.box_xyxy)
            if owner is not None:
                looks.setdefault(owner.passage_id, []).append(look)
        false: dict[str, list[Event]] = {}
        stray: list[Event] = []
        for event in assignment.false:
            owner = truth.passage_at(event.media_time_s, event.box_xyxy)
            (stray if owner is None else false.setdefault(owner.passage_id, [])).append(event)
        stray_ids += _ids(stray)
        missed = {passage.passage_id for passage in assignment.missed}
        for passage in truth.passages:
            own = looks.get(passage.passage_id, [])
            stage = _missed_at(passage, truth, run, own) if passage.passage_id in missed else None
            walked.append(
                Walked(
                    person=passage.person,
                    is_mated=passage.is_mated,
                    largest_face_px=_largest_face_px(passage),
                    alert_ids=_ids(assignment.by_passage.get(passage.passage_id, ())),
                    false_ids=_ids(false.get(passage.passage_id, ())),
                    missed_at=stage,
                    rank=_rank(passage, own),
                    own_score=_best(own, passage.reference_id, is_own=True),
                    other_score=_best(own, passage.reference_id, is_own=False),
                )
            )
    return Findings(tuple(walked), stray_ids)


def upper_bound(hits: int, trials: int) -> float | None:
    """
    The largest share that may lie behind so few *hits*, at 95 %: exact, by Clopper and Pearson, one-sided.

    Without any hit this is nearly 3 / *trials*. None without trials.
    """
    if trials == 0:
        return None
    if hits >= trials:
        return 1.0
    lowest, highest = hits / trials, 1.0
    for _ in range(60):  # halves the interval; more does not change a double
        middle = (lowest + highest) / 2
        at_most = sum(math.comb(trials, k) * middle**k * (1 - middle) ** (trials - k) for k in range(hits + 1))
        lowest, highest = (middle, highest) if at_most > LEVEL else (lowest, middle)
    return highest


def rows(findings: Findings, group_by_key: Mapping[str, str], *, allowed_misses: int) -> tuple[Row, ...]:
    """
    The table.

    Args:
        findings: What happened.

        group_by_key: The labelled group of each person.

        allowed_misses: How many mated passages may be missed.
    """
    mated = [one for one in findings.walked if one.is_mated]
    others = [one for one in findings.walked if not one.is_mated]
    alerted = [one for one in mated if one.alert_ids]
    missed = [one for one in mated if one.missed_at is not None]
    false_ids = findings.stray_ids + sum(one.false_ids for one in findings.walked)
    wrongly = [one for one in others if one.false_ids]
    bound = upper_bound(min(len(wrongly) + findings.stray_ids, len(others)), len(others))  # a stray may be anybody's
    ids = sum(one.alert_ids for one in alerted)
    stages = Counter(one.missed_at for one in missed)
    return (
        Row.shown("mated passages", len(mated), "passages"),
        Row.shown("non-mated passages", len(others), "passages"),
        Row.at_most("mated passages missed", len(missed), allowed_misses, "passages"),
        Row.exactly("false alerts", false_ids, 0, "alerts"),
        Row.shown(
            "non-mated passages with a false alert, upper bound at 95 %",
            None if bound is None else math.ceil(round(bound * 1000, 6)) / 10,
            "%",
        ),
        Row.shown("mated passages alerted", len(alerted), "passages"),
        Row.exactly("alert ids per alerted mated passage", ids / len(alerted) if alerted else None, 1, "ids"),
        *(Row.shown(f"missed: {stage}", stages[stage], "passages") for stage in STAGES),
        *_by("missed", "mated passages", mated, lambda one: _size_of(one.largest_face_px), _is_missed, keys=SIZES),
        *_by("missed", "mated passages", mated, lambda one: group_by_key[one.person], _is_missed),
        *_by("falsely alerted", "non-mated passages", others, lambda one: group_by_key[one.person], _is_false),
        *_scores(mated, others),
    )


def _scores(mated: Sequence[Walked], others: Sequence[Walked]) -> Iterable[Row]:
    compared = [one for one in mated if one.own_score is not None or one.other_score is not None]
    first = sum(one.rank == 1 for one in compared)
    yield Row.shown("mated passages compared", len(compared), "passages")
    yield Row.shown("mated passages whose nearest candidate is the person", first, "passages")
    own = sorted(one.own_score for one in mated if one.own_score is not None)
    yield Row.shown("mated passages with a score of the person", len(own), "passages")
    for percent in (1, 5, 50):
        yield Row.shown(f"best score of the person in a mated passage, p{percent}", _percentile(own, percent), "cosine")
    wrong = sorted(one.other_score for one in others if one.other_score is not None)
    yield Row.shown("non-mated passages with a score", len(wrong), "passages")
    for percent in (50, 99):
        yield Row.shown(f"best score in a non-mated passage, p{percent}", _percentile(wrong, percent), "cosine")
    yield Row.shown("best score in a non-mated passage, largest", round(wrong[-1], 3) if wrong else None, "cosine")
    confused = [one.other_score for one in mated if one.other_score is not None]
    name = "score of somebody else in a mated passage, largest"
    yield Row.shown(name, round(max(confused), 3) if confused else None, "cosine")


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    """As it is shown; None of too few values."""
    return round(nearest_rank(ordered, percent), 3) if len(ordered) >= LEAST_OF_PERCENTILE else None


def _by(
    name: str,
    of_all: str,
    walked: Sequence[Walked],
    key_of: Callable[[Walked], str],
    is_hit: Callable[[Walked], bool],
    *,
    keys: Sequence[str] = (),
) -> Iterable[Row]:
    """Two rows a class: how many were hit, and of how many; *keys* have theirs also where nobody belongs to them."""
    classes = Counter(key_of(one) for one in walked)
    hits = Counter(key_of(one) for one in walked if is_hit(one))
    for key in keys or sorted(classes):
        yield Row.shown(f"{name}, {key}", hits[key], "passages")
        yield Row.shown(f"{of_all}, {key}", classes[key], "passages")


def _is_false(one: Walked) -> bool:
    return one.false_ids > 0


def _is_missed(one: Walked) -> bool:
    return one.missed_at is not None


def _size_of(width_px: float) -> str:
    return SIZES[bisect_right(SIZE_EDGES_PX, width_px)]


def _largest_face_px(passage: Passage) -> float:
    seen = [box.x1 - box.x0 for box in passage.boxes if box.hidden_share < MAX_HIDDEN]
    return max(seen, default=0.0)


def _ids(events: Iterable[Event]) -> int:
    return len({event.alert_id for event in events})


def _missed_at(passage: Passage, truth: Truth, run: RunReport, looks: Sequence[Look]) -> str:
    stage = stage_of(passage, truth, run)
    if stage == "decision" and any(look.reason is DecisionReason.SUBJECTS_DISAGREE for look in looks):
        return DISAGREED
    if stage == "unknown":  # nothing was tracked in the whole clip
        return STAGE_WORDS["faces"]
    return STAGE_WORDS.get(stage, OTHER)


def _run_of(record: Record) -> RunReport:
    """The record as the daemon's own report has it, which `stage_of` reads."""
    return RunReport(
        frames_decoded=record.frames,
        frames_processed=record.frames,
        frames_dropped=0,
        track_ends=tuple(
            TrackReport(
                track_id=end.track_id,
                last_media_s=end.last_media_s,
                last_box_xyxy=end.last_box_xyxy,
                looks=end.looks,
                discard=None if end.discard is None else DiscardReport(reason=end.discard.reason.value),
            )
            for end in record.ends
        ),
    )


def _rank(passage: Passage, looks: Sequence[Look]) -> int | None:
    found = [look for look in looks if look.candidates]
    if not found:
        return None
    best = max(found, key=lambda look: look.candidates[0].score)
    return next((one.rank for one in best.candidates if one.reference_id == passage.reference_id), None)


def _best(looks: Iterable[Look], reference_id: str | None, *, is_own: bool) -> float | None:
    """The largest score of this reference, or of all others."""
    scores = [one.score for look in looks for one in look.candidates if (one.reference_id == reference_id) is is_own]
    return max(scores, default=None)
