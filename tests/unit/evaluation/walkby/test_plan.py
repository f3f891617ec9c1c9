"""People walk through the scene as planned."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.evaluation.walkby.plan import (
    MAX_COVERED,
    TURN_PAUSE_S,
    PlanError,
    Scene,
    Walk,
    plan_turns,
    plan_walks,
    spread,
)

SCENE = Scene(size=SizeWH(1280, 720), fps=10.0, seconds=60.0)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture(scope="module")
def walks() -> tuple[Walk, ...]:
    return plan_walks(SCENE, 24, rng())


def test_every_walk_happens_within_the_clip(walks: tuple[Walk, ...]) -> None:
    """As many walks as were asked for, in order of their start, all over before the clip is."""
    assert 24 == len(walks)
    assert sorted(walk.starts_s for walk in walks) == [walk.starts_s for walk in walks]
    assert all(0.0 <= walk.starts_s < walk.ends_s <= SCENE.seconds for walk in walks)


def test_faces_grow_from_far_to_near(walks: tuple[Walk, ...]) -> None:
    """A face begins at the smaller width, never shrinks, and passes the larger one before it leaves."""
    for walk in walks:
        poses = [walk.pose(float(t)) for t in np.arange(walk.starts_s, walk.ends_s, 0.1)]
        widths = [pose.face_px for pose in poses if pose is not None]
        assert 24.0 == pytest.approx(widths[0])
        assert sorted(widths) == widths
        assert widths[-1] > 125.0


def test_nobody_is_there_before_and_after(walks: tuple[Walk, ...]) -> None:
    """A walk has no pose outside its time."""
    assert walks[3].pose(walks[3].starts_s - 0.01) is None
    assert walks[3].pose(walks[3].ends_s) is None


def test_the_same_seed_plans_the_same(walks: tuple[Walk, ...]) -> None:
    """The plan depends on the seed alone."""
    assert walks == plan_walks(SCENE, 24, rng())
    assert walks != plan_walks(SCENE, 24, np.random.default_rng(6))


def test_several_walk_at_once(walks: tuple[Walk, ...]) -> None:
    """There are moments with three people and more."""
    present = [sum(walk.pose(t / 10) is not None for walk in walks) for t in range(600)]
    assert max(present) >= 3


def test_nobody_is_hidden_for_most_of_the_passage(walks: tuple[Walk, ...]) -> None:
    """Faces stay apart: while both are usable, one box lies over another for a small part of the time only."""
    for walk in walks:
        hidden = []
        for time_s in np.arange(walk.starts_s, walk.ends_s, 0.1):
            mine = walk.pose(float(time_s))
            others = [pose for other in walks if other != walk and (pose := other.pose(float(time_s))) is not None]
            if mine is None or mine.face_px < 36:
                continue
            nearer = [pose.box_xyxy(1.3) for pose in others if pose.face_px > mine.face_px]
            hidden.append(max((box.iou(mine.box_xyxy(1.3)) for box in nearer), default=0.0))
        assert np.mean(hidden) < MAX_COVERED


def test_a_short_scene_can_be_planned() -> None:
    """A clip of a few seconds holds a short passage."""
    scene = replace(SCENE, seconds=3.0)
    (walk,) = plan_walks(scene, 1, rng())
    assert walk.ends_s <= 3.0


def test_turns_come_one_after_the_other() -> None:
    """Each turn is over for a while before the next one begins, and the last before the clip ends."""
    turns = plan_turns(replace(SCENE, seconds=118.0), 12, rng())
    assert 12 == len(turns)
    assert all(after.starts_s - before.ends_s >= TURN_PAUSE_S for before, after in pairwise(turns))
    assert turns[-1].ends_s <= 118.0


def test_turns_that_do_not_fit_are_refused() -> None:
    """More turns than the scene has time for are an error, not a crowd of one person."""
    with pytest.raises(PlanError, match="12 passages of one person"):
        plan_turns(SCENE, 12, rng())


def test_others_walk_among_the_turns() -> None:
    """Nobody hides one who was planned before, and the turns themselves are not returned again."""
    scene = replace(SCENE, seconds=118.0)
    turns = plan_turns(scene, 12, rng())
    others = plan_walks(scene, 40, rng(), among=turns)
    assert 40 == len(others)
    assert not set(turns) & set(others)
    assert others != plan_walks(scene, 40, rng())


@pytest.mark.parametrize(("mated", "non_mated"), [(0, 3), (1, 0), (1, 5), (4, 12), (16, 40), (3, 3)])
def test_the_mated_are_spread(mated: int, non_mated: int) -> None:
    """Exactly the mated number of places, and no long stretch without one."""
    places = spread(mated, non_mated, rng())
    assert (mated, mated + non_mated) == (sum(places), len(places))
    if mated > 1:
        where = [index for index, is_mated in enumerate(places) if is_mated]
        longest = max(after - before for before, after in pairwise(where))
        assert longest <= (mated + non_mated) // mated + 1
