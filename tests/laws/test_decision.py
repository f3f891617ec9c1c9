"""Laws of the decision: whatever the looks, nobody is accused on fewer than the required hits, and nothing is lost."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.biometrics.outcomes import Candidate, Decision, DecisionReason, Outcome
from edge_lfr.biometrics.samples import Face, Track
from edge_lfr.config.identification import DecisionConfig
from edge_lfr.pipeline.identification.decision import Decider

THRESHOLD = 0.5
Look = tuple[Candidate, ...] | None
FACE = Face(box_xyxy=BoxXYXY(0, 0, 9, 9), landmarks_xy=np.zeros((5, 2), dtype=np.float32), detection_score=0.9)

# Scores on a grid of sixteenths: the threshold itself and equal scores are common, and differences are exact.
SCORES = st.integers(0, 16).map(lambda step: step / 16)
CONFIGS = st.builds(DecisionConfig, required_hits=st.integers(1, 4), margin=st.sampled_from([0.0, 0.0625, 0.25]))
LOOKALIKES = st.frozensets(st.frozensets(st.sampled_from("abcd"), min_size=2, max_size=3), max_size=2)


def ranked(scores: dict[str, float]) -> Look:
    order = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Candidate(reference_id=name, score=score, rank=rank) for rank, (name, score) in enumerate(order, 1))


LOOKS = st.one_of(st.none(), st.dictionaries(st.sampled_from("abcd"), SCORES, max_size=4).map(ranked))
PASSAGES = st.lists(LOOKS, max_size=14)


def track(track_id: int) -> Track:
    return Track(track_id=track_id, camera_id="north", face=FACE, first_seen_ns=0, last_seen_ns=0)


def is_hit(look: Look) -> bool:
    return bool(look) and look is not None and look[0].score >= THRESHOLD


def matches(decider: Decider, looks: list[Look], track_id: int = 1) -> list[Decision]:
    """All matches of one passage, that of its end included."""
    decisions = [decider.decide(track(track_id), look) for look in looks]
    last = decider.end(track_id, "north")
    decisions += [last] if isinstance(last, Decision) else []
    return [decision for decision in decisions if decision.outcome is Outcome.MATCH]


@given(CONFIGS, LOOKALIKES, PASSAGES)
def test_no_match_without_the_required_hits(
    config: DecisionConfig, lookalikes: frozenset[frozenset[str]], looks: list[Look]
) -> None:
    """Every match stands on its own required hits, of its subject or of that one's lookalikes; none is used twice."""
    found = matches(Decider(config, THRESHOLD, lookalikes), looks)
    assert len(found) * config.required_hits <= sum(map(is_hit, looks))
    for decision in found:
        subject = decision.candidates[0].reference_id
        one = {subject}.union(*(group for group in lookalikes if subject in group))
        hits = Counter(look[0].reference_id for look in looks if look is not None and is_hit(look))
        assert sum(hits[reference_id] for reference_id in one) >= config.required_hits
        assert hits[subject] >= 1


@given(CONFIGS, LOOKALIKES, PASSAGES)
def test_failed_searches_change_nothing(
    config: DecisionConfig, lookalikes: frozenset[frozenset[str]], looks: list[Look]
) -> None:
    """Leaving out the looks whose search failed changes no match."""
    completed: list[Look] = [look for look in looks if look is not None]
    some, all_looks = (matches(Decider(config, THRESHOLD, lookalikes), found) for found in (completed, looks))
    assert some == all_looks


@given(st.integers(1, 4), PASSAGES)
def test_without_doubt_misses_change_nothing(hits: int, looks: list[Look]) -> None:
    """Where no margin asks for a look, leaving out the misses changes no match but in its count of looks."""
    config = DecisionConfig(required_hits=hits, margin=0.0)
    decided = [
        [(d.reason, d.candidates, d.is_ambiguous) for d in matches(Decider(config, THRESHOLD), some)]
        for some in (looks, [look for look in looks if is_hit(look)])
    ]
    assert decided[0] == decided[1]


@given(CONFIGS, LOOKALIKES, PASSAGES)
def test_misses_never_cost_a_match(
    config: DecisionConfig, lookalikes: frozenset[frozenset[str]], looks: list[Look]
) -> None:
    """A passage matches somebody if its hits alone do; a miss may settle what a later hit would dispute."""
    hits = [look for look in looks if is_hit(look)]
    found, by_hits = (matches(Decider(config, THRESHOLD, lookalikes), some) for some in (looks, hits))
    assert found or not by_hits


@given(CONFIGS, LOOKALIKES, PASSAGES)
def test_the_look_that_the_margin_asks_for_settles_it(
    config: DecisionConfig, lookalikes: frozenset[frozenset[str]], looks: list[Look]
) -> None:
    """The next completed look is a match if it is no hit, and never asks again or waits for another look."""
    decider = Decider(config, THRESHOLD, lookalikes)
    is_asked = False
    for look in looks:
        decision = decider.decide(track(1), look)
        if is_asked and look is not None:
            allowed = {Outcome.MATCH: {DecisionReason.CONSENSUS}}
            if is_hit(look):
                allowed[Outcome.UNDETERMINED] = {DecisionReason.SUBJECTS_DISAGREE}
            assert decision.reason in allowed.get(decision.outcome, set())
            assert decision.is_ambiguous or decision.outcome is Outcome.UNDETERMINED
        if look is not None:
            is_asked = decision.reason is DecisionReason.MARGIN_ASKS_LOOK


@given(CONFIGS, st.integers(1, 4))
def test_the_threshold_itself_is_a_hit(config: DecisionConfig, steps: int) -> None:
    """Looks at exactly the threshold match after the required hits; any lower never do."""
    at = ranked({"a": THRESHOLD})
    below = ranked({"a": THRESHOLD - steps / 16})
    assert 1 == len(matches(Decider(config, THRESHOLD), [at] * config.required_hits))
    assert [] == matches(Decider(config, THRESHOLD), [below] * 20)


@given(CONFIGS, PASSAGES)
def test_agreeing_looks_are_never_lost(config: DecisionConfig, looks: list[Look]) -> None:
    """A passage whose hits are all of one reference, and enough, matches it, however near the second one is."""
    agreeing = [look for look in looks if look is not None and is_hit(look) and look[0].reference_id == "a"]
    found = matches(Decider(config, THRESHOLD), list(agreeing))
    assert (len(agreeing) >= config.required_hits) == bool(found)
    for decision in found:
        assert "a" == decision.candidates[0].reference_id


@given(CONFIGS, LOOKALIKES, PASSAGES)
def test_a_match_lists_each_reference_once_by_score(
    config: DecisionConfig, lookalikes: frozenset[frozenset[str]], looks: list[Look]
) -> None:
    """The subject stands first with a score that reached the threshold; ranks count up, and others fall by score."""
    for decision in matches(Decider(config, THRESHOLD, lookalikes), looks):
        first, *others = decision.candidates
        assert first.score >= THRESHOLD
        assert list(range(1, len(others) + 2)) == [candidate.rank for candidate in decision.candidates]
        assert len(others) + 1 == len({candidate.reference_id for candidate in decision.candidates})
        assert others == sorted(others, key=lambda candidate: (-candidate.score, candidate.reference_id))


@given(CONFIGS, LOOKALIKES, st.lists(st.tuples(st.integers(1, 3), LOOKS), max_size=30))
def test_tracks_do_not_touch_one_another(
    config: DecisionConfig, lookalikes: frozenset[frozenset[str]], looks: list[tuple[int, Look]]
) -> None:
    """Deciding on several interleaved tracks is deciding on each alone, to the end."""
    together = Decider(config, THRESHOLD, lookalikes)
    mixed = [(track_id, together.decide(track(track_id), look)) for track_id, look in looks]
    for track_id in (1, 2, 3):
        alone = Decider(config, THRESHOLD, lookalikes)
        expected = [alone.decide(track(track_id), look) for owner, look in looks if owner == track_id]
        assert expected == [decision for owner, decision in mixed if owner == track_id]
        assert alone.end(track_id, "north") == together.end(track_id, "north")
