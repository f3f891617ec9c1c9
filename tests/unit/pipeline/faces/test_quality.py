"""One measure, one function, one reason."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import BoxXYXY, PolygonXY, SizeWH
from edge_lfr.biometrics.samples import Face, Quality, QualityReason
from edge_lfr.config.faces import QualityConfig
from edge_lfr.pipeline.faces import quality

CONFIG = QualityConfig()
SIZE = SizeWH(640, 480)

FRONTAL = np.asarray([(-20, 0), (20, 0), (0, 22), (-16, 44), (16, 44)], dtype=np.float32)
"""A level face with 40 px between the eyes, around the middle of the eyes."""


def turned(landmarks: NDArray[np.float32], degrees: float) -> NDArray[np.float32]:
    """Turned clockwise on the screen."""
    angle = np.radians(degrees)
    turn = np.asarray([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], dtype=np.float32)
    return np.asarray(landmarks @ turn, dtype=np.float32)


def face(
    landmarks: NDArray[np.float32] = FRONTAL, *, at: tuple[float, float] = (300.0, 200.0), score: float = 0.9
) -> Face:
    x, y = at
    box = BoxXYXY(x - 48, y - 40, x + 48, y + 85)
    return Face(
        box_xyxy=box,
        landmarks_xy=(landmarks + np.asarray(at)).astype(np.float32),
        detection_score=score,
    )


def pattern(sigma: float = 0.0, side: int = 128) -> NDArray[np.uint8]:
    """Blobs of all sizes, the same for every side; *sigma* in pixels of a 128 px sample."""
    rng = np.random.default_rng(3)
    layers = [
        cv2.resize(rng.normal(0.0, 1.0, (n, n)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
        for n in (4, 8, 16, 32)
    ]
    grey = np.asarray(sum(layers, np.zeros((side, side), dtype=np.float32)), dtype=np.float32)
    if sigma > 0.0:
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma * side / 128), dtype=np.float32)
    return np.repeat(np.clip(128 + 25 * grey, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def test_a_frontal_face_is_good() -> None:
    """A large, level, frontal face inside the picture has no reason against it."""
    found = quality.assess_geometry(face(), SIZE, CONFIG, None)
    assert () == found.reasons
    assert (40.0, 0.0, 0.5, 0.0, 1.0) == pytest.approx(
        (found.inter_eye_px, found.yaw_share, found.pitch_share, found.roll_deg, found.inside_share)
    )
    assert (None, None, None) == (found.sharpness, found.brightness, found.contrast)


@pytest.mark.parametrize("degrees", [-90.0, -30.0, 0.0, 15.0, 170.0])
def test_roll_is_measured_and_changes_nothing_else(degrees: float) -> None:
    """Turning a face in the picture changes its roll alone; clockwise is positive."""
    landmarks = turned(FRONTAL + np.asarray([[0, 0], [0, 0], [6, 3], [0, 0], [0, 0]], dtype=np.float32), degrees)
    assert degrees == pytest.approx(quality.roll_deg(landmarks), abs=1e-3)
    assert 0.15 == pytest.approx(quality.yaw_share(landmarks), abs=1e-5)
    assert 25 / 44 == pytest.approx(quality.pitch_share(landmarks), abs=1e-5)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (face(FRONTAL * 0.3), QualityReason.SMALL),
        (face(FRONTAL + np.asarray([[0, 0], [0, 0], [20, 0], [0, 0], [0, 0]], dtype=np.float32)), QualityReason.POSE),
        (face(FRONTAL + np.asarray([[0, 0], [0, 0], [0, 18], [0, 0], [0, 0]], dtype=np.float32)), QualityReason.POSE),
        (face(turned(FRONTAL, 50.0)), QualityReason.POSE),
        (face(at=(20.0, 200.0)), QualityReason.CLIPPED),
        (face(score=0.4), QualityReason.LOW_DETECTION_SCORE),
        (face(at=(500.0, 200.0)), QualityReason.OUTSIDE_ZONE),
    ],
)
def test_each_defect_has_its_reason(broken: Face, reason: QualityReason) -> None:
    """One defect gives one reason, and no other."""
    zone = PolygonXY(((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0)))
    assert (reason,) == quality.assess_geometry(broken, SIZE, CONFIG, zone).reasons


def test_landmarks_in_one_point_are_refused_and_do_not_divide_by_zero() -> None:
    """A collapsed face is small and without a pose; all measures are finite."""
    found = quality.assess_geometry(face(np.zeros((5, 2), dtype=np.float32)), SIZE, CONFIG, None)
    assert (QualityReason.SMALL, QualityReason.POSE) == found.reasons
    assert np.isfinite([found.yaw_share, found.pitch_share, found.roll_deg, found.value]).all()


def test_an_empty_box_is_not_inside() -> None:
    """A box without area lies nowhere."""
    assert 0.0 == quality.inside_share(BoxXYXY(5, 5, 5, 5), SIZE)


def test_sharpness_falls_with_blur_and_not_with_light() -> None:
    """More blur is less sharp; brightness, contrast and the side of the sample hardly count."""
    crisp = quality.sharpness(quality.luminance(pattern()))
    blurred = [quality.sharpness(quality.luminance(pattern(sigma))) for sigma in (2.0, 4.0, 8.0)]
    assert sorted([crisp, *blurred], reverse=True) == [crisp, *blurred]
    dimmed = np.clip(pattern() * 0.5 + 20, 0, 255).astype(np.uint8)
    assert crisp == pytest.approx(quality.sharpness(quality.luminance(dimmed)), rel=0.1)
    assert crisp == pytest.approx(quality.sharpness(quality.luminance(pattern(side=112))), rel=0.1)


def test_a_picture_of_one_colour_has_no_sharpness() -> None:
    """Without contrast there is no detail; nothing is divided by zero."""
    assert 0.0 == quality.sharpness(quality.luminance(np.full((128, 128, 3), 90, dtype=np.uint8)))


@pytest.mark.parametrize(
    ("sample", "reasons"),
    [
        (pattern(), ()),
        (pattern(16.0), (QualityReason.BLURRED,)),
        (pattern() // 8, (QualityReason.DARK, QualityReason.FLAT)),
        (np.clip(245 + (pattern().astype(np.int16) - 128) // 2, 0, 255).astype(np.uint8), (QualityReason.BRIGHT,)),
        ((110 + pattern() // 8).astype(np.uint8), (QualityReason.FLAT,)),
    ],
)
def test_each_defect_of_a_sample_has_its_reason(sample: NDArray[np.uint8], reasons: tuple[QualityReason, ...]) -> None:
    """What is wrong with the sample is said, and only that."""
    config = QualityConfig(min_sharpness=0.05) if QualityReason.BLURRED not in reasons else CONFIG
    geometry = quality.assess_geometry(face(), SIZE, CONFIG, None)
    assert reasons == quality.assess_sample(geometry, sample, config).reasons


def test_earlier_reasons_stay() -> None:
    """A good sample does not heal a bad pose."""
    geometry = quality.assess_geometry(face(turned(FRONTAL, 50.0)), SIZE, CONFIG, None)
    assert (QualityReason.POSE,) == quality.assess_sample(geometry, pattern(), CONFIG).reasons


MEASURED = Quality(
    inter_eye_px=30.0,
    yaw_share=0.2,
    pitch_share=0.4,
    roll_deg=0.0,
    inside_share=1.0,
    detection_score=0.8,
    sharpness=0.4,
)


@pytest.mark.parametrize(
    "better",
    [
        replace(MEASURED, inter_eye_px=31.0),
        replace(MEASURED, yaw_share=-0.1),
        replace(MEASURED, pitch_share=0.45),
        replace(MEASURED, detection_score=0.9),
        replace(MEASURED, sharpness=0.5),
    ],
)
def test_the_value_rises_with_every_measure(better: Quality) -> None:
    """Larger, more frontal, sharper, surer: each alone ranks higher."""
    assert quality.value(better) > quality.value(MEASURED)


def test_the_value_of_size_saturates() -> None:
    """From 13 to 58 px between the eyes the value rises clearly (by 1.2) three or four times, not at every step."""
    small, large = (quality.value(replace(MEASURED, inter_eye_px=eyes)) for eyes in (13.0, 58.0))
    assert 1.2**3 < large / small < 1.2**5
