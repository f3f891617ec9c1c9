"""Laws of the decision: whatever the looks, nobody is accused on fewer than the required hits, and nothing is lost."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.biometrics.outcomes import Candidate, Decision, Outcome
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


@given(CONFIGS, LOOKALIKES, PASSAGES, st.data())
def test_looks_that_are_no_hit_may_stand_anywhere(
    config: DecisionConfig, lookalikes: frozenset[frozenset[str]], looks: list[Look], data: st.DataObject
) -> None:
    """Moving or leaving out non-matching and failed looks changes no match but in its count of looks."""
    hits = [look for look in looks if is_hit(look)]
    moved = list(hits)
    for look in looks:
        if not is_hit(look):
            moved.insert(data.draw(st.integers(0, len(moved))), look)
    decided = [matches(Decider(config, THRESHOLD, lookalikes), some) for some in (looks, moved, hits)]
    plain = [[(d.reason, d.candidates, d.is_ambiguous) for d in found] for found in decided]
    assert plain[0] == plain[1] == plain[2]


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
