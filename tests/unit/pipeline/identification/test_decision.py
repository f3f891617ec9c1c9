"""The argument of the decision, number by number, and the end of a track."""

import numpy as np
import pytest

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.biometrics.outcomes import Candidate, Decision, DecisionReason, Discard, DiscardReason, Outcome
from edge_lfr.biometrics.samples import Face, Track
from edge_lfr.config.identification import DecisionConfig
from edge_lfr.pipeline.identification.decision import Decider

THRESHOLD = 0.6
TWINS = frozenset({frozenset({"a", "b"})})
CHAIN = frozenset({frozenset({"a", "b"}), frozenset({"b", "c"})})
Look = tuple[Candidate, ...]


def track(track_id: int = 7, camera_id: str = "north") -> Track:
    face = Face(box_xyxy=BoxXYXY(0, 0, 9, 9), landmarks_xy=np.zeros((5, 2), dtype=np.float32), detection_score=0.9)
    return Track(track_id=track_id, camera_id=camera_id, face=face, first_seen_ns=0, last_seen_ns=0)


def look(**scores: float) -> Look:
    """Candidates by reference id, best first."""
    order = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Candidate(reference_id=name, score=score, rank=rank) for rank, (name, score) in enumerate(order, 1))


def decider(hits: int = 2, lookalikes: frozenset[frozenset[str]] = frozenset()) -> Decider:
    return Decider(DecisionConfig(required_hits=hits, margin=0.05), THRESHOLD, lookalikes)


def reasons(decided: Decider, *looks: Look | None) -> list[str]:
    return [decided.decide(track(), candidates).reason.value for candidates in looks]


def matched(decision: Decision | Discard | None) -> tuple[list[tuple[str, float, int]], bool]:
    """The candidates of a match, and whether it is ambiguous."""
    assert isinstance(decision, Decision)
    assert Outcome.MATCH is decision.outcome
    return [(c.reference_id, c.score, c.rank) for c in decision.candidates], decision.is_ambiguous


A = look(a=0.7, b=0.3)
B = look(b=0.7, a=0.3)
BELOW = look(a=0.5)


def open_hits(decided: Decider) -> int:
    """Hits of track 7 since it began or last matched."""
    evidence = decided._tracks.get(7)
    return 0 if evidence is None else len(evidence.hits)


class TestRule1:
    def test_undetermined_if_the_search_could_not_be_completed(self) -> None:
        """No answer is not the same as nobody, and adds nothing: not a look, not a hit."""
        decided = decider()
        decision = decided.decide(track(), None)
        assert (Outcome.UNDETERMINED, DecisionReason.SEARCH_INCOMPLETE) == (decision.outcome, decision.reason)
        assert ((), 0, 0) == (decision.candidates, decision.looks, open_hits(decided))

    def test_evidence_outlives_a_failed_search(self) -> None:
        """The hits before and after it agree."""
        assert ["too-few-hits", "search-incomplete", "consensus"] == reasons(decider(), A, None, A)


class TestRule2:
    @pytest.mark.parametrize("candidates", [(), BELOW, look(a=0.5999999)])
    def test_non_match_if_the_first_score_is_below_the_threshold(self, candidates: Look) -> None:
        """Nobody, or nobody near enough; the numbers of the look are kept for statistics."""
        decision = decider(1).decide(track(), candidates)
        assert (Outcome.NON_MATCH, DecisionReason.BELOW_THRESHOLD) == (decision.outcome, decision.reason)
        assert (candidates, 1, THRESHOLD) == (decision.candidates, decision.looks, decision.threshold)

    def test_the_threshold_itself_is_a_hit(self) -> None:
        """At or above."""
        assert ["consensus"] == reasons(decider(1), look(a=THRESHOLD))

    def test_non_matching_looks_take_no_hit_away(self) -> None:
        """Blurred looks between two good ones change nothing."""
        assert ["too-few-hits", "below-threshold", "below-threshold", "consensus"] == reasons(
            decider(), A, BELOW, (), A
        )


class TestRule3:
    def test_undetermined_while_subjects_disagree(self) -> None:
        """Hits of others count against the lead; a subject that leads by the required hits matches all the same."""
        expected = ["too-few-hits", "subjects-disagree", "subjects-disagree", "consensus"]
        assert expected == reasons(decider(), A, B, A, A)

    def test_candidates_of_disagreeing_looks_are_left_out(self) -> None:
        """The scores of an outvoted look say nothing about the subject."""
        decided = decider()
        reasons(decided, A, look(x=0.9, a=0.2), A)
        assert ([("a", 0.7, 1), ("b", 0.3, 2)], False) == matched(decided.decide(track(), A))

    def test_lookalikes_count_as_one_subject(self) -> None:
        """The best score is named, the alert is ambiguous, and first one more look is asked for."""
        decided = decider(lookalikes=TWINS)
        assert ["too-few-hits", "margin-asks-look"] == reasons(decided, A, look(b=0.8, a=0.4))
        assert ([("b", 0.8, 1), ("a", 0.7, 2)], True) == matched(decided.decide(track(), A))

    def test_being_alike_is_not_transitive(self) -> None:
        """Where `a` and `c` are both like `b` and not like each other, only who leads by enough can be named."""
        decided = decider(3, CHAIN)
        looks = [look(a=0.9), look(b=0.7), look(c=0.65)]
        assert ["too-few-hits", "too-few-hits", "margin-asks-look"] == reasons(decided, *looks)
        names, is_ambiguous = matched(decided.decide(track(), look(b=0.72)))
        assert (["b", "a", "c"], True) == ([name for name, _, _ in names], is_ambiguous)


class TestRule4:
    @pytest.mark.parametrize("hits", [1, 2, 3, 10])
    def test_undetermined_until_the_track_has_the_required_hits(self, hits: int) -> None:
        """One hit fewer is not enough, and the count of looks goes with the decision."""
        decided = decider(hits)
        assert ["too-few-hits"] * (hits - 1) == reasons(decided, *[A] * (hits - 1))
        assert hits - 1 == open_hits(decided)
        last = decided.decide(track(), A)
        assert (Outcome.MATCH, hits, 0) == (last.outcome, last.looks, open_hits(decided))


class TestRule5:
    CLOSE = look(a=0.70, b=0.66, c=0.2)

    def test_a_small_margin_asks_for_one_more_look_and_never_suppresses(self) -> None:
        """Once; then the match carries both, with each one's best score, and says that it is ambiguous."""
        decided = decider()
        assert ["too-few-hits", "margin-asks-look"] == reasons(decided, self.CLOSE, A)
        assert ([("a", 0.75, 1), ("b", 0.73, 2), ("c", 0.2, 3)], True) == matched(
            decided.decide(track(), look(a=0.75, b=0.73))
        )

    def test_a_margin_of_its_own_size_is_wide_enough(self) -> None:
        """Only less than the margin is small."""
        decided = Decider(DecisionConfig(required_hits=1, margin=0.125), THRESHOLD)
        assert ([("a", 0.75, 1), ("b", 0.625, 2)], False) == matched(decided.decide(track(), look(a=0.75, b=0.625)))

    @pytest.mark.parametrize("miss", [BELOW, ()])
    def test_the_look_that_is_asked_for_need_not_be_a_hit(self, miss: Look) -> None:
        """The required hits are there: who is told must not depend on one more, and the miss's scores stay out."""
        decided = decider()
        assert ["too-few-hits", "margin-asks-look"] == reasons(decided, A, self.CLOSE)
        decision = decided.decide(track(), miss)
        assert ([("a", 0.7, 1), ("b", 0.66, 2), ("c", 0.2, 3)], True) == matched(decision)
        assert (DecisionReason.CONSENSUS, 3, 0) == (decision.reason, decision.looks, open_hits(decided))

    def test_a_failed_search_is_not_the_look_that_is_asked_for(self) -> None:
        """Only a completed look settles it."""
        expected = ["too-few-hits", "margin-asks-look", "search-incomplete", "consensus"]
        assert expected == reasons(decider(), A, self.CLOSE, None, BELOW)

    def test_no_hit_settles_nothing_once_the_lead_is_gone(self) -> None:
        """The look that was asked for disagreed; misses after it are misses."""
        expected = ["too-few-hits", "margin-asks-look", "subjects-disagree", "below-threshold", "consensus"]
        assert expected == reasons(decider(), A, self.CLOSE, look(x=0.7), BELOW, A)

    def test_after_the_match_no_hit_is_a_non_match_again(self) -> None:
        """What was asked for has been settled."""
        expected = ["too-few-hits", "margin-asks-look", "consensus", "below-threshold"]
        assert expected == reasons(decider(), A, self.CLOSE, BELOW, BELOW)

    def test_the_look_that_is_asked_for_may_disagree(self) -> None:
        """Then the lead is gone, and has to be won again."""
        expected = ["too-few-hits", "margin-asks-look", "subjects-disagree", "consensus"]
        assert expected == reasons(decider(), A, self.CLOSE, look(x=0.7), A)

    def test_the_match_is_not_lost_when_the_track_ends_first(self) -> None:
        """The required hits were there: the end itself gives the match."""
        decided = decider()
        reasons(decided, A, self.CLOSE)
        decision = decided.end(7, "north")
        assert ([("a", 0.7, 1), ("b", 0.66, 2), ("c", 0.2, 3)], True) == matched(decision)
        assert isinstance(decision, Decision)
        assert (7, "north", 2, THRESHOLD) == (
            decision.track_id,
            decision.camera_id,
            decision.looks,
            decision.threshold,
        )


class TestRule6:
    def test_match_once_for_each_track_and_reference(self) -> None:
        """A later consensus on the same reference says so, with its better scores."""
        decided = decider()
        better = look(a=0.9)
        decisions = [decided.decide(track(), candidates) for candidates in (A, A, A, better, better, A)]
        assert ["too-few-hits", "consensus", *["already-matched"] * 4] == [d.reason.value for d in decisions]
        told, waits = Outcome.MATCH, Outcome.UNDETERMINED
        assert [waits, told, waits, told, waits, told] == [decision.outcome for decision in decisions]
        assert 0.9 == decisions[3].candidates[0].score

    def test_only_hits_for_somebody_new_ask_for_confirmation(self) -> None:
        """Two who have both matched disagree about nothing new; a third one's hit does."""
        decided = decider()
        reasons(decided, A, A, B, B)
        expected = ["already-matched", "already-matched", "subjects-disagree"]
        assert expected == reasons(decided, A, B, look(x=0.7))

    def test_evidence_starts_anew_after_a_match(self) -> None:
        """A track that passes to another person needs all hits of that person, and none of the first count."""
        decided = decider()
        assert ["too-few-hits", "consensus", "too-few-hits"] == reasons(decided, A, A, B)
        assert ([("b", 0.7, 1), ("a", 0.3, 2)], False) == matched(decided.decide(track(), B))

    def test_a_reference_that_has_matched_asks_for_no_further_look(self) -> None:
        """The alert is out: a small margin changes nothing."""
        decided = decider(1)
        assert ["consensus", "already-matched"] == reasons(decided, A, TestRule5.CLOSE)

    def test_a_match_needs_no_second_reference(self) -> None:
        """A list of one person has no runner-up."""
        assert ([("a", 0.7, 1)], False) == matched(decider(1).decide(track(), look(a=0.7)))


class TestEnd:
    @pytest.mark.parametrize(
        ("looks", "reason"),
        [
            ([], DiscardReason.TRACK_NOT_LOOKED_AT),
            ([BELOW, ()], DiscardReason.TRACK_NON_MATCH),
            ([BELOW, A], DiscardReason.TRACK_UNDETERMINED),
            ([A, B], DiscardReason.TRACK_UNDETERMINED),
            ([None], DiscardReason.TRACK_UNDETERMINED),
            ([BELOW, None], DiscardReason.TRACK_UNDETERMINED),
        ],
    )
    def test_a_track_without_a_match_ends_as_a_number(self, looks: list[Look | None], reason: DiscardReason) -> None:
        """One reason each; a search that failed is never taken for a non-match."""
        decided = decider()
        reasons(decided, *looks)
        assert Discard(reason=reason, camera_id="north", track_id=7) == decided.end(7, "north")

    def test_a_track_that_matched_ends_without_a_discard(self) -> None:
        """Its alert stands for it, also when the evidence had begun anew."""
        decided = decider()
        reasons(decided, A, A, B)
        assert decided.end(7, "north") is None

    def test_a_second_person_on_a_matched_track_is_not_lost(self) -> None:
        """A pending match of another reference is given at the end."""
        decided = decider()
        reasons(decided, A, A, look(b=0.7, c=0.68), look(b=0.8))
        assert ([("b", 0.8, 1), ("c", 0.68, 2)], True) == matched(decided.end(7, "north"))

    def test_an_ended_track_is_forgotten(self) -> None:
        """Nothing of it stays."""
        decided = decider()
        reasons(decided, A)
        decided.end(7, "north")
        assert {} == decided._tracks
        assert 0 == open_hits(decided)
