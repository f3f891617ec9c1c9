"""Alignment: the transform is the best similarity and never a mirror; samples live in slots and die with them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_lfr.biometrics.buffers import ArenaExhaustedError
from edge_lfr.biometrics.geometry import BoxXYXY, PointsXY
from edge_lfr.biometrics.samples import Face
from edge_lfr.inference.catalogue import EmbedderSpec
from edge_lfr.pipeline.faces.alignment import Aligner, similarity_transform
from simulators.nets import ARCFACE, embedder_like, entry_of, yunet_like

CANONICAL: PointsXY = np.asarray(ARCFACE, dtype=np.float32)

scales = st.floats(0.1, 10.0)
angles = st.floats(-math.pi, math.pi)
shifts = st.floats(-2000.0, 2000.0)
noise = st.lists(st.floats(-8.0, 8.0), min_size=10, max_size=10)


def applied(transform: NDArray[np.float32], points_xy: PointsXY) -> PointsXY:
    return np.asarray(points_xy @ transform[:, :2].T + transform[:, 2], dtype=np.float32)


def similarity(scale: float, angle: float, x: float, y: float) -> NDArray[np.float64]:
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


@given(scales, angles, shifts, shifts)
def test_a_moved_template_is_moved_back(scale: float, angle: float, x: float, y: float) -> None:
    """Whatever rotation, scale and shift a face has had, alignment undoes them."""
    moved = applied(similarity(scale, angle, x, y).astype(np.float32), CANONICAL)
    back = applied(similarity_transform(moved, CANONICAL), moved)
    assert np.abs(back - CANONICAL).max() < 0.05


@given(noise, scales, angles)
def test_transform_is_a_similarity_and_no_mirror(errors: list[float], scale: float, angle: float) -> None:
    """Equal scale in both directions, right angles, and a determinant that is never negative; mirrored faces too."""
    landmarks = CANONICAL + np.array(errors, dtype=np.float32).reshape(5, 2)
    mirrored = landmarks * np.array([-1.0, 1.0], dtype=np.float32)
    turned = applied(similarity(scale, angle, 0.0, 0.0).astype(np.float32), mirrored)
    for points in (landmarks, mirrored, turned):
        (a, b, _), (c, d, _) = similarity_transform(points, CANONICAL).tolist()
        assert a == d
        assert b == -c
        assert a * d - b * c >= 0.0


@given(noise, st.floats(-0.05, 0.05), st.floats(-0.05, 0.05), st.floats(-2.0, 2.0), st.floats(-2.0, 2.0))
def test_no_other_similarity_fits_better(errors: list[float], a: float, b: float, x: float, y: float) -> None:
    """The squared error is the least: any small change of the transform makes it larger."""
    landmarks = CANONICAL + np.array(errors, dtype=np.float32).reshape(5, 2)
    best = similarity_transform(landmarks, CANONICAL).astype(np.float64)
    other = best + np.array([[a, -b, x], [b, a, y]])

    def squared_error(transform: NDArray[np.float64]) -> float:
        return float(((landmarks @ transform[:, :2].T + transform[:, 2] - CANONICAL) ** 2).sum())

    assert squared_error(best) <= squared_error(other) + 1e-2


@pytest.mark.parametrize("point", [(0.0, 0.0), (1000.0, -3.0), (math.nan, 1.0), (math.inf, 1.0)])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_landmarks_in_one_point_are_refused(point: tuple[float, float]) -> None:
    """Coinciding or impossible landmarks are a caller's mistake."""
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(np.array([point] * 5, dtype=np.float32), CANONICAL)


@pytest.fixture
def spec() -> EmbedderSpec:
    return entry_of(yunet_like(), embedder_like()).embedder


def face_at(landmarks_xy: PointsXY) -> Face:
    return Face(box_xyxy=BoxXYXY(0, 0, 1, 1), landmarks_xy=landmarks_xy, detection_score=1.0)


def test_landmarks_land_on_the_template(spec: EmbedderSpec) -> None:
    """Bright spots at the landmarks of a turned, enlarged face shine at the template's places in the sample."""
    landmarks = applied(similarity(2.0, 0.4, 300.0, 150.0).astype(np.float32), CANONICAL)
    picture = np.zeros((720, 1280, 3), dtype=np.uint8)
    for x, y in np.rint(landmarks).astype(int):
        picture[y - 3 : y + 4, x - 3 : x + 4] = 255
    with Aligner(spec, 1).align(picture, face_at(landmarks), 7) as sample:
        assert 7 == sample.track_id
        assert (112, 112, 3) == sample.pixels.shape
        for x, y in np.rint(CANONICAL).astype(int):
            assert 255 == sample.pixels[y, x].min()


def test_identity_copies_pixels_and_black_lies_outside(spec: EmbedderSpec) -> None:
    """A face that already lies on the template is cut out unchanged; beyond the picture there is black."""
    picture = np.random.default_rng(0).integers(1, 255, (80, 90, 3), dtype=np.uint8)
    with Aligner(spec, 1).align(picture, face_at(CANONICAL), 0) as sample:
        assert picture[:79, :89].tolist() == sample.pixels[:79, :89].tolist()
        assert not sample.pixels[81:].any()
        assert not sample.pixels[:, 91:].any()


def test_sample_is_written_into_its_slot_and_zeroed_with_it(spec: EmbedderSpec) -> None:
    """The sample is the arena's own memory, and leaving the block leaves zeros and a free slot."""
    aligner = Aligner(spec, 2)
    picture = np.full((200, 200, 3), 200, dtype=np.uint8)
    with aligner.align(picture, face_at(CANONICAL), 0) as sample:
        assert np.shares_memory(sample.pixels, aligner.arena.block)
        assert 200 == aligner.arena.block[0].min()
        assert 1 == aligner.arena.free_slots
    assert not aligner.arena.block.any()
    assert 2 == aligner.arena.free_slots


def test_refused_face_takes_no_slot(spec: EmbedderSpec) -> None:
    """A mistake does not cost the arena a slot; too many samples at once are told so."""
    aligner = Aligner(spec, 1)
    picture = np.full((200, 200, 3), 200, dtype=np.uint8)
    with pytest.raises(ValueError, match="coincide"):
        aligner.align(picture, face_at(np.zeros((5, 2), dtype=np.float32)), 0)
    with pytest.raises(Exception, match="OpenCV"):
        aligner.align(np.empty((0, 0, 3), dtype=np.uint8), face_at(CANONICAL), 0)
    assert 1 == aligner.arena.free_slots
    with aligner.align(picture, face_at(CANONICAL), 0), pytest.raises(ArenaExhaustedError):
        aligner.align(picture, face_at(CANONICAL), 1)
