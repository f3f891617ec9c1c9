"""
Tracks with a face in the present frame enter; those worth a comparison now leave. Scores stay with the decider.

A track is not compared in every frame. The budget of looks is spent so that there is an early one (the alert should
come while the person is still in the zone), a few along the way, and some left for the moment when the face is best.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from edge_lfr.biometrics.samples import Quality, Track
from edge_lfr.config.faces import LooksConfig

NS_PER_S: Final = 1e9

QUALITY_SPACING_S: Final = 0.2
"""
Least time between a look and one that is due only because the face is better by now.

Somebody who walks towards the camera gets better all the time; without it the budget would be gone before the face is
large. Chosen, not measured: two frames at 10 a second.
"""

KEPT_FOR_BETTER: Final = 3
"""Looks that the passing of time alone may not spend: for a clearly better face, and for confirming a hit."""

KEPT_FOR_HITS: Final = 1
"""Looks that only the confirmation of a hit may spend: the last look may be the one that finds the person."""


class Urgency(IntEnum):
    """Who goes first when more looks are due than a pass can take."""

    HIT = 0
    FIRST_LOOK = 1
    REST = 2


@dataclass(frozen=True, slots=True)
class LookPlan:
    """The looks of one pass."""

    due: tuple[Track, ...]
    """Most urgent first; at most `max_batch`."""

    postponed: tuple[Track, ...]
    """Those that were due too, and have to wait."""


@dataclass(frozen=True, slots=True)
class LookHistory:
    """What was done for one track, once it has ended."""

    looks: int
    """Comparisons."""

    best_quality: Quality | None
    """The best that was seen, sufficient or not; None for a track that was never offered."""

    was_sufficient: bool
    """Whether a face was good enough: its sample was, or its geometry was and no sample was ever made of it."""


@dataclass(slots=True)
class LookState:
    """What is remembered of one track: times, counts and quality; no score, no picture."""

    looks: int = 0
    spent: int = 0
    """Looks that count against `max_looks`: those before the track had alerted."""

    follow_ups: int = 0
    """Looks in a row that each followed a hit, since the track alerted."""

    last_look_ns: int = 0
    last_hit_ns: int | None = None
    """None, too, when the hits up to now have been told."""

    offered_value: float = 0.0
    """Quality value in the latest `choose`, before the sample was made."""

    looked_value: float = 0.0
    """The best value that `choose` was offered and a comparison was made of; values are compared like with like."""

    best_quality: Quality | None = None
    is_settled: bool = False
    has_sufficient_geometry: bool = False
    samples: int = 0
    sufficient_samples: int = 0

    @property
    def was_hit(self) -> bool:
        """Whether the last look was a hit that others have to confirm."""
        return self.last_hit_ns is not None and self.last_hit_ns >= self.last_look_ns


class LookPlanner:
    """
    Decides which tracks are compared in a pass.

    A track is due, if its face is good enough, when
    (1) it was never compared;
    (2) its last look was a hit, and `after_hit_s` have passed since;
    (3) its quality value exceeds the best one compared by `quality_gain`, and a short spacing has passed;
    (4) `interval_s` have passed since the last look;
    (5) it has alerted already (settled), and `settled_interval_s` have passed: neither (3) nor (4) hurries it;
    (6) it has alerted already, its last look was a hit for somebody else, and `after_hit_s` have passed since.

    (1) to (4) spend at most `max_looks`: (4) leaves three of them, and (3) leaves one to a track without a hit. (5)
    spends none of them, so that a track which passed to another person is noticed however long it lasts; (6) then
    brings that one's alert while the person is still there. It takes at most `max_looks` in a row: hits that never
    come to agree go on at the pace of (5), until a look is no hit or the track alerts again.
    """

    def __init__(self, config: LooksConfig) -> None:
        self._config = config
        self._states: dict[int, LookState] = {}

    def choose(self, present: Sequence[tuple[Track, Quality]], now_ns: int) -> LookPlan:
        """
        Pick the looks of this pass.

        Args:
            present: Every track of this pass, of all cameras, with the judgement of its geometry, good or bad.

            now_ns: CLOCK_MONOTONIC of the pass.
        """
        due: list[tuple[Urgency, int, Track]] = []
        for track, quality in present:
            state = self._states.setdefault(track.track_id, LookState())
            state.offered_value = quality.value
            state.has_sufficient_geometry |= quality.is_sufficient
            self._remember_best(state, quality)
            if quality.is_sufficient and self._is_due(state, now_ns):
                since = state.last_look_ns if state.looks else track.first_seen_ns
                due.append((self._urgency(state), since, track))
        due.sort(key=lambda entry: (entry[0], entry[1], entry[2].track_id))
        batch = self._config.max_batch
        tracks = tuple(track for _, _, track in due)
        return LookPlan(due=tracks[:batch], postponed=tracks[batch:])

    def taken(self, track_id: int, quality: Quality, now_ns: int) -> None:
        """
        Note what came of a due look.

        Args:
            track_id: One of those that `choose` returned.

            quality: The judgement of the sample. If it is not sufficient, no comparison was made and no look is spent:
                the next frame may be better.

            now_ns: CLOCK_MONOTONIC of the pass.
        """
        state = self._states.setdefault(track_id, LookState())
        state.samples += 1
        self._remember_best(state, quality)
        if not quality.is_sufficient:
            return
        state.sufficient_samples += 1
        state.follow_ups = state.follow_ups + 1 if state.is_settled and state.was_hit else 0
        state.last_look_ns = now_ns
        state.looked_value = max(state.looked_value, state.offered_value)
        state.looks += 1
        if not state.is_settled:
            state.spent += 1

    def hit(self, track_id: int, now_ns: int) -> None:
        """
        Note that the look at *now_ns* scored at or above the threshold: it is to be confirmed soon.

        Not to be called for a hit that only repeats what the track has alerted for.
        """
        state = self._states.setdefault(track_id, LookState())
        state.last_hit_ns = now_ns

    def settled(self, track_id: int) -> None:
        """Note that the track has alerted; the hits up to now need no confirmation any more."""
        state = self._states.setdefault(track_id, LookState())
        state.is_settled = True
        state.last_hit_ns = None
        state.follow_ups = 0

    def end(self, track_id: int) -> LookHistory:
        """Forget the track, and say what was done for it."""
        state = self._states.pop(track_id, LookState())
        return LookHistory(
            looks=state.looks,
            best_quality=state.best_quality,
            was_sufficient=state.sufficient_samples > 0 or (state.has_sufficient_geometry and state.samples == 0),
        )

    def _is_due(self, state: LookState, now_ns: int) -> bool:
        config = self._config
        since_s = (now_ns - state.last_look_ns) / NS_PER_S
        if state.is_settled:
            is_followed = self._is_followed(state) and since_s >= config.after_hit_s
            return is_followed or since_s >= config.settled_interval_s
        if state.looks == 0:
            return True
        left = config.max_looks - state.spent
        if state.was_hit and since_s >= config.after_hit_s:
            return left > 0
        is_better = state.offered_value >= state.looked_value * config.quality_gain
        if is_better and since_s >= QUALITY_SPACING_S:
            return left > (KEPT_FOR_HITS if state.last_hit_ns is None else 0)
        return since_s >= config.interval_s and left > KEPT_FOR_BETTER

    def _is_followed(self, state: LookState) -> bool:
        """Whether a settled track's last look is one that (6) follows."""
        return state.was_hit and state.follow_ups < self._config.max_looks

    def _urgency(self, state: LookState) -> Urgency:
        has_open_hit = self._is_followed(state) if state.is_settled else state.last_hit_ns is not None
        if has_open_hit:
            return Urgency.HIT
        return Urgency.FIRST_LOOK if state.looks == 0 else Urgency.REST

    @staticmethod
    def _remember_best(state: LookState, quality: Quality) -> None:
        best = state.best_quality
        rank = (quality.is_sufficient, quality.value)
        if best is None or rank > (best.is_sufficient, best.value):
            state.best_quality = quality
