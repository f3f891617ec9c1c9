"""What is drawn is where the truth says; a small clip of the two packaged portraits."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, repeat
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import BoxXYXY, SizeWH
from edge_lfr.evaluation.truth import TruthBox
from edge_lfr.evaluation.walkby.drawing import draw_clip, plain_street
from edge_lfr.evaluation.walkby.heads import Head, cut_head
from edge_lfr.evaluation.walkby.people import Portrait, cast_built_in
from edge_lfr.evaluation.walkby.plan import FADE_IN_S, Scene, Walk, plan_walks

SCENE = Scene(size=SizeWH(640, 480), fps=4.0, seconds=6.0, face_px=(24.0, 90.0))


def rng() -> np.random.Generator:
    return np.random.default_rng(2)


def street() -> Iterator[NDArray[np.uint8]]:
    return repeat(plain_street(SCENE.size, rng()))


@pytest.fixture(scope="module")
def portraits() -> tuple[Portrait, Portrait]:
    cast = cast_built_in(mated=1, non_mated=1, rng=rng())
    return cast.mated[0][0], cast.non_mated[0]


@pytest.fixture(scope="module")
def heads(portraits: tuple[Portrait, Portrait]) -> list[Head]:
    return [cut_head(portrait) for portrait in portraits]


@pytest.fixture(scope="module")
def walks() -> tuple[Walk, ...]:
    return plan_walks(SCENE, 2, rng())


Clip = list[tuple[NDArray[np.uint8], tuple[tuple[int, TruthBox], ...]]]


@pytest.fixture(scope="module")
def clip(walks: tuple[Walk, ...], heads: list[Head]) -> Clip:
    return [(drawn.pixels.copy(), drawn.boxes) for drawn in draw_clip(SCENE, walks, heads, street(), rng())]


def test_every_frame_is_drawn(clip: Clip) -> None:
    """As many frames as the scene has, of its size, and boxes that count them."""
    assert [SCENE.frames] == [len(clip)]
    assert {(480, 640, 3)} == {pixels.shape for pixels, _ in clip}
    assert all(box.frame == number for number, (_, boxes) in enumerate(clip) for _, box in boxes)
    assert {0, 1} == {index for _, boxes in clip for index, _ in boxes}


def test_the_same_seed_draws_the_same(clip: Clip, walks: tuple[Walk, ...], heads: list[Head]) -> None:
    """Pixels and truth depend on the seed alone."""
    again = next(iter(draw_clip(SCENE, walks, heads, street(), rng())))
    assert np.array_equal(clip[0][0], again.pixels)


def test_a_head_is_cut_out_of_its_background(heads: list[Head]) -> None:
    """The middle of a head is opaque, its corners are not there, and each level is half the one before."""
    for head in heads:
        opacity = head.levels[0][:, :, 3]
        share_x, share_y = head.centre_shares
        middle = opacity[int(share_y * opacity.shape[0]), int(share_x * opacity.shape[1])]
        assert 1.0 == pytest.approx(float(middle))
        assert [0.0] * 4 == [float(opacity[y, x]) for y in (0, -1) for x in (0, -1)]
        assert [2] * 3 == [large.shape[0] // small.shape[0] for large, small in pairwise(head.levels)]


def test_who_is_hidden_is_said(heads: list[Head]) -> None:
    """Somebody straight behind another person, or leaving the picture, is hidden; alone in front nobody is."""
    scene = replace(SCENE, fps=10.0, post=False)
    (walk,) = plan_walks(scene, 1, rng())
    behind = replace(walk, starts_s=walk.starts_s + 0.3)
    alone = [box for drawn in draw_clip(scene, [walk], heads, street(), rng()) for _, box in drawn.boxes]
    inside = [box for box in alone if box.y1 < scene.size.height and box.time_s > walk.starts_s + FADE_IN_S]
    assert max(box.hidden_share for box in inside) < 0.15
    assert max(box.hidden_share for box in alone[-3:]) > 0.3
    both = draw_clip(scene, [walk, behind], heads, street(), rng())
    hidden = [box.hidden_share for drawn in both for index, box in drawn.boxes if index == 1]
    assert max(hidden[:-3]) > 0.4


def test_the_post_hides_who_passes_behind_it(heads: list[Head]) -> None:
    """The lamp post covers a part of somebody who walks along the left side, and only in the scene that has one."""
    (walk,) = plan_walks(SCENE, 1, rng())
    left = replace(walk, lanes=(-0.9, -0.9))
    with_post, without = (
        [
            box.hidden_share
            for drawn in draw_clip(replace(SCENE, fps=10.0, post=post), [left], heads, street(), rng())
            for _, box in drawn.boxes
            if box.y1 < SCENE.size.height and box.time_s > walk.starts_s + FADE_IN_S
        ]
        for post in (True, False)
    )
    assert max(without) < 0.15
    assert 0.2 < max(with_post) < 0.9


@pytest.mark.shared
def test_faces_are_found_where_the_truth_says(clip: Clip, shared_models: Path) -> None:
    """A detector finds the visible faces of 36 px and more at the true places, and nobody where nobody is."""
    net = cv2.FaceDetectorYN.create(
        str(shared_models / "face_detection_yunet_2023mar.onnx"), "", (SCENE.size.width, SCENE.size.height), 0.6
    )
    expected = found = stray = 0
    for pixels, boxes in clip:
        rows = cast("NDArray[np.float32] | None", net.detect(pixels)[1])
        detected = [] if rows is None else [BoxXYXY(r[0], r[1], r[0] + r[2], r[1] + r[3]) for r in rows.tolist()]
        truth = [box for _, box in boxes]
        for box in truth:
            if box.hidden_share < 0.3 and box.x1 - box.x0 >= 36.0:
                expected += 1
                found += any(box.box_xyxy.iou(other) > 0.6 for other in detected)
        stray += sum(all(box.box_xyxy.iou(other) < 0.3 for box in truth) for other in detected)
    assert expected >= 6
    assert found >= 0.9 * expected
    assert stray <= 1
