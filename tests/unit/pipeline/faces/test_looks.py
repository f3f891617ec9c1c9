"""When a track is compared; numbers in the names are those of the planner's rules."""

from itertools import pairwise

import numpy as np
import pytest

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.biometrics.samples import Face, Quality, QualityReason, Track
from edge_lfr.config.faces import LooksConfig
from edge_lfr.pipeline.faces.looks import LookHistory, LookPlan, LookPlanner
from edge_lfr.pipeline.faces.quality import value

FACE = Face(box_xyxy=BoxXYXY(0, 0, 50, 65), landmarks_xy=np.zeros((5, 2), dtype=np.float32), detection_score=0.9)


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def track(track_id: int = 1, since_s: float = 0.0) -> Track:
    return Track(track_id=track_id, camera_id="gate", face=FACE, first_seen_ns=ns(since_s), last_seen_ns=ns(since_s))


def quality(value_: float = 0.5, *reasons: QualityReason) -> Quality:
    return Quality(
        inter_eye_px=30.0,
        yaw_share=0.0,
        pitch_share=0.5,
        roll_deg=0.0,
        inside_share=1.0,
        detection_score=0.9,
        value=value_,
        reasons=reasons,
    )


BAD = quality(0.9, QualityReason.POSE)


class Passage:
    """One track before one planner; `at` offers a face and takes the look that is due."""

    def __init__(self, config: LooksConfig | None = None) -> None:
        self.planner = LookPlanner(config or LooksConfig())

    def at(self, seconds: float, offered: Quality | None = None, *, hit: bool = False) -> bool:
        offered = offered or quality()
        plan = self.planner.choose([(track(), offered)], ns(seconds))
        if plan.due:
            self.planner.taken(1, offered, ns(seconds))
        if plan.due and hit:
            self.planner.hit(1, ns(seconds))
        return bool(plan.due)


def test_the_first_good_face_is_compared_at_once_1() -> None:
    """(1) The first sufficient face is due, and an insufficient one never is."""
    passage = Passage()
    assert [False, True, False] == [passage.at(0.0, BAD), passage.at(0.1), passage.at(0.2)]


def test_a_hit_is_confirmed_soon_2() -> None:
    """(2) After a hit the next good face at least `after_hit_s` later is due, before `interval_s`."""
    passage = Passage()
    assert passage.at(0.0, hit=True)
    assert [False, False, True] == [passage.at(0.1), passage.at(0.2, BAD), passage.at(0.25)]


def test_a_hit_that_was_not_confirmed_does_not_spend_the_budget_2() -> None:
    """(2) When the confirming look missed, the usual rhythm is back."""
    passage = Passage()
    assert [True, True] == [passage.at(0.0, hit=True), passage.at(0.2)]
    assert [False, False, True] == [passage.at(0.4), passage.at(0.6), passage.at(0.7)]


def test_a_clearly_better_face_is_compared_3() -> None:
    """(3) The value must exceed the best compared one by `quality_gain`, and not within the spacing."""
    passage = Passage()
    passage.at(0.0, quality(0.50))
    assert [False, False, True] == [
        passage.at(0.1, quality(0.70)),
        passage.at(0.2, quality(0.59)),
        passage.at(0.3, quality(0.60)),
    ]


def test_time_makes_a_look_due_4() -> None:
    """(4) Without a hit a look is due after `interval_s`, and the last three are kept."""
    passage = Passage()
    due = [passage.at(n / 10) for n in range(100)]
    assert [0, 5, 10, 15, 20, 25, 30] == [index for index, is_due in enumerate(due) if is_due]


def test_kept_looks_go_to_a_better_face_and_the_last_to_a_hit() -> None:
    """After the looks of (4), (3) still has two, and a hit in the last of them is still confirmed."""
    passage = Passage()
    for n in range(100):
        passage.at(n / 10)
    assert [True, True, False] == [
        passage.at(11.0, quality(0.62)),
        passage.at(11.2, quality(0.75), hit=True),
        passage.at(11.3, quality(0.75)),
    ]
    assert [True, False] == [passage.at(11.4, quality(0.75), hit=True), passage.at(11.7, quality(0.75))]


def test_a_settled_track_is_looked_at_rarely_and_for_ever_5() -> None:
    """(5) A track that has alerted is due every `settled_interval_s`, whatever its quality and budget."""
    passage = Passage()
    passage.at(0.0, hit=True)
    passage.at(0.2, hit=True)
    passage.planner.settled(1)
    due = [passage.at(0.2 + n / 10, quality(0.5 + n / 100)) for n in range(1, 500)]
    assert 24 == sum(due)
    assert 19 == due.index(True)


def settled_passage() -> Passage:
    """One that alerted at 0.2 s."""
    passage = Passage()
    passage.at(0.0, hit=True)
    passage.at(0.2)
    passage.planner.settled(1)
    return passage


def test_a_hit_for_another_person_is_confirmed_soon_6() -> None:
    """(6) On a track that has alerted too, the next good face after `after_hit_s` follows a hit, one for each."""
    passage = settled_passage()
    assert passage.at(2.2, hit=True)
    assert [False, False, True] == [passage.at(2.3), passage.at(2.4, BAD), passage.at(2.5)]
    assert [False, False, True] == [passage.at(2.7), passage.at(4.4), passage.at(4.5)]


def test_an_alert_needs_no_confirmation_6() -> None:
    """(6) The hit that brought the alert is told: the next look is that of (5)."""
    passage = settled_passage()
    assert [True, True] == [passage.at(2.2, hit=True), passage.at(2.4, hit=True)]
    passage.planner.settled(1)
    assert [False, False, True] == [passage.at(2.6), passage.at(4.3), passage.at(4.4)]


def test_hits_that_never_agree_are_not_followed_for_ever_6() -> None:
    """(6) At most `max_looks` in a row, then the pace of (5); a look that is no hit makes room for new ones."""
    passage, most = settled_passage(), LooksConfig().max_looks
    looked = [n for n in range(3, 400) if passage.at(n / 10, hit=True)]
    assert [22 + 2 * n for n in range(most + 1)] == looked[: most + 1]
    assert {20} == {late - early for early, late in pairwise(looked[most:])}
    calm = looked[-1] + 20
    due = [passage.at(calm / 10), passage.at(calm / 10 + 2.0, hit=True), passage.at(calm / 10 + 2.2)]
    assert [True, True, True] == due


def test_another_persons_hit_on_a_settled_track_goes_first() -> None:
    """Before the first look at somebody else; without a hit a settled track waits behind it."""
    planner = LookPlanner(LooksConfig(max_batch=1))
    present = [(track(1), quality()), (track(2, since_s=2.0), quality())]
    planner.choose(present[:1], 0)
    planner.taken(1, quality(), 0)
    planner.settled(1)
    assert [2] == [found.track_id for found in planner.choose(present, ns(2.0)).due]
    planner.taken(1, quality(), ns(2.0))
    planner.hit(1, ns(2.0))
    assert [1] == [found.track_id for found in planner.choose(present, ns(2.2)).due]


def test_a_walk_towards_the_camera_keeps_looks_for_the_end() -> None:
    """A 5 s passage at 10 frames a second spends at most ten looks, the last when the face has nearly its full size."""
    passage = Passage()
    looked: list[float] = []
    for n in range(50):
        share = n / 50
        width = 1 / (1 / 28 + (1 / 140 - 1 / 28) * share)
        eyes = 0.42 * width
        measured = Quality(
            inter_eye_px=eyes, yaw_share=0.0, pitch_share=0.5, roll_deg=0.0, inside_share=1.0, detection_score=0.9
        )
        reasons = (QualityReason.SMALL,) if eyes < 13.0 else ()
        offered = Quality(
            inter_eye_px=eyes,
            yaw_share=0.0,
            pitch_share=0.5,
            roll_deg=0.0,
            inside_share=1.0,
            detection_score=0.9,
            value=value(measured),
            reasons=reasons,
        )
        if passage.at(n / 10, offered):
            looked.append(width)
    assert 6 <= len(looked) <= 10
    assert looked[-1] > 90


@pytest.mark.parametrize("most", [1, 2, 5, 10])
def test_no_track_gets_more_than_its_looks(most: int) -> None:
    """However good the faces and however many the hits, `max_looks` is the end; and the first look is never refused."""
    passage = Passage(LooksConfig(max_looks=most))
    taken = [passage.at(n / 10, quality(0.1 * 1.3**n), hit=n % 2 == 0) for n in range(200)]
    assert taken[0]
    assert 1 <= sum(taken) <= most


def test_the_batch_is_cut_and_the_rest_is_postponed() -> None:
    """Tracks with a hit go first, then those without a look, then the rest; the oldest look first."""
    planner = LookPlanner(LooksConfig(max_batch=3))
    for track_id, seconds in ((1, 0.2), (2, 0.1), (3, 0.3)):
        planner.choose([(track(track_id), quality())], ns(seconds))
        planner.taken(track_id, quality(), ns(seconds))
    planner.hit(3, ns(0.3))
    present = [(track(number), quality()) for number in (1, 2, 3)]
    present += [(track(4, since_s=0.9), quality()), (track(5, since_s=0.8), quality()), (track(6), BAD)]
    plan = planner.choose(present, ns(1.0))
    assert ([3, 5, 4], [2, 1]) == ([found.track_id for found in plan.due], [late.track_id for late in plan.postponed])
    for found in plan.due:
        planner.taken(found.track_id, quality(), ns(1.0))
    plan = planner.choose(present, ns(1.05))
    assert ([2, 1], ()) == ([found.track_id for found in plan.due], plan.postponed)


def test_a_bad_sample_spends_nothing() -> None:
    """When the sample was not good enough for a comparison, the next face is due at once."""
    planner = LookPlanner(LooksConfig())
    for seconds in (0.0, 0.1):
        assert 1 == len(planner.choose([(track(), quality())], ns(seconds)).due)
        planner.taken(1, quality(0.3, QualityReason.BLURRED), ns(seconds))
    assert LookHistory(looks=0, best_quality=quality(), was_sufficient=False) == planner.end(1)


def test_the_history_says_what_was_done() -> None:
    """Looks, the best face, and whether any was good enough; afterwards the track is unknown."""
    passage = Passage()
    passage.at(0.0, BAD)
    passage.at(0.1, quality(0.4))
    passage.at(0.7, quality(0.45))
    assert LookHistory(looks=2, best_quality=quality(0.45), was_sufficient=True) == passage.planner.end(1)
    assert LookHistory(looks=0, best_quality=None, was_sufficient=False) == passage.planner.end(1)


def test_a_good_face_that_was_only_postponed_was_sufficient() -> None:
    """A track whose looks were all postponed counts as seen, not as bad."""
    planner = LookPlanner(LooksConfig(max_batch=1))
    planner.choose([(track(1), quality()), (track(2), quality())], 0)
    assert LookHistory(looks=0, best_quality=quality(), was_sufficient=True) == planner.end(2)


def test_nobody_present_is_nothing_due() -> None:
    """An empty pass is an empty plan."""
    assert LookPlan(due=(), postponed=()) == LookPlanner(LooksConfig()).choose([], 0)
