"""
A face, and later its aligned sample, enter; what speaks for and against a comparison leaves; nothing is kept.

One pure function per measure, one reason per measure (the manner of ISO/IEC 29794-5: a native value for each
component). Live faces and watchlist pictures are judged by the same measures.
"""

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import BoxXYXY, PointsXY, PolygonXY, SizeWH
from edge_lfr.biometrics.samples import Face, Quality, QualityReason
from edge_lfr.config.faces import QualityConfig

SHARPNESS_SIDE: Final = 48
"""
Side to which samples are shrunk before their sharpness is measured.

The eyes of an aligned sample are then about 17 px apart, so that a face of 40 px in the frame, which holds no finer
detail, and one of 400 px are judged alike: what counts is whether the detail that a comparison uses is there.
"""

HALF_SIZE_PX: Final = 20.0
"""Distance of the eyes at which the size counts one half; near the middle of the rise of the mated scores."""

HALF_YAW: Final = 0.5
HALF_PITCH: Final = 0.4
LEVEL_PITCH: Final = 0.5
"""Likewise for the turn and the nod; chosen, not measured."""

HALF_SHARPNESS: Final = 0.3
"""Likewise for the sharpness; between faces that compare well (0.34 and more) and those that do not (0.24)."""


# Measures of geometry --------------------------------------------------------------------------------------------


def inter_eye_px(landmarks_xy: PointsXY) -> float:
    """Distance between the eyes, in source pixels."""
    return float(np.linalg.norm(landmarks_xy[1] - landmarks_xy[0]))


def yaw_share(landmarks_xy: PointsXY) -> float:
    """Nose tip's shift from the middle of the eyes along the eye line, in eye distances; positive to the right."""
    along, _, eyes = _axes(landmarks_xy)
    distance = inter_eye_px(landmarks_xy)
    return float(np.dot(landmarks_xy[2] - eyes, along)) / distance if distance > 0.0 else 0.0


def pitch_share(landmarks_xy: PointsXY) -> float:
    """Nose tip's place between eye line (0) and mouth line (1), across the eye line; 0 where the two lines coincide."""
    _, across, eyes = _axes(landmarks_xy)
    mouth = (landmarks_xy[3] + landmarks_xy[4]) / 2
    depth = float(np.dot(mouth - eyes, across))
    return float(np.dot(landmarks_xy[2] - eyes, across)) / depth if depth > 0.0 else 0.0


def roll_deg(landmarks_xy: PointsXY) -> float:
    """Turn of the eye line, -180 to 180 degrees; clockwise (image-right eye lower) is positive."""
    dx, dy = landmarks_xy[1] - landmarks_xy[0]
    return float(np.degrees(np.arctan2(dy, dx)))


def inside_share(box_xyxy: BoxXYXY, size: SizeWH) -> float:
    """Share of the box's area that lies inside a picture of *size*; 0 for an empty box."""
    return box_xyxy.clipped_to(size).area / box_xyxy.area if box_xyxy.area > 0.0 else 0.0


# Measures of the aligned sample ----------------------------------------------------------------------------------


def sharpness(sample_bgr: NDArray[np.uint8]) -> float:
    """
    Detail of a sample relative to its contrast, measured at a fixed size.

    The deviation of the Laplacian over that of the luminance: dimensionless, about 0 (blurred) to 1 (crisp). It does
    not change with brightness, contrast or the side of the sample. 0 for a picture of one colour.
    """
    luminance = _luminance(sample_bgr, SHARPNESS_SIDE)
    deviation = float(luminance.std())
    if deviation < 1.0:  # less than one level of 255: nothing but rounding
        return 0.0
    return float(cv2.Laplacian(luminance, cv2.CV_32F).std()) / deviation


def brightness(sample_bgr: NDArray[np.uint8]) -> float:
    """Mean luminance of a sample, 0 to 255."""
    return float(_luminance(sample_bgr, SHARPNESS_SIDE).mean())


def contrast(sample_bgr: NDArray[np.uint8]) -> float:
    """Standard deviation of the luminance of a sample, 0 to about 127."""
    return float(_luminance(sample_bgr, SHARPNESS_SIDE).std())


# Judgement -------------------------------------------------------------------------------------------------------


def assess_geometry(face: Face, size: SizeWH, config: QualityConfig, zone: PolygonXY | None) -> Quality:
    """
    Judge what is known before a sample is made.

    Args:
        face: In source pixels.

        size: Of the picture that the face was found in.

        config: The limits.

        zone: Where recognition is signed and allowed; the middle of the box must lie in it. None: everywhere.
    """
    measured = Quality(
        inter_eye_px=inter_eye_px(face.landmarks_xy),
        yaw_share=yaw_share(face.landmarks_xy),
        pitch_share=pitch_share(face.landmarks_xy),
        roll_deg=roll_deg(face.landmarks_xy),
        inside_share=inside_share(face.box_xyxy, size),
        detection_score=face.detection_score,
    )
    x, y = face.box_xyxy.centre_xy
    lowest_pitch, highest_pitch = config.pitch_range
    is_turned = (
        abs(measured.yaw_share) > config.max_yaw_share
        or not lowest_pitch <= measured.pitch_share <= highest_pitch
        or abs(measured.roll_deg) > config.max_roll_deg
    )
    found = (
        (QualityReason.SMALL, measured.inter_eye_px < config.min_inter_eye_px),
        (QualityReason.POSE, is_turned),
        (QualityReason.CLIPPED, measured.inside_share < config.min_inside_share),
        (QualityReason.LOW_DETECTION_SCORE, measured.detection_score < config.min_detection_score),
        (QualityReason.OUTSIDE_ZONE, zone is not None and not zone.contains(x / size.width, y / size.height)),
    )
    reasons = tuple(reason for reason, applies in found if applies)
    return replace(measured, value=value(measured), reasons=reasons)


def assess_sample(quality: Quality, sample_bgr: NDArray[np.uint8], config: QualityConfig) -> Quality:
    """
    Add what the aligned sample shows to the judgement of its geometry; earlier reasons stay.

    Args:
        quality: From `assess_geometry`.

        sample_bgr: uint8 (side, side, 3), aligned to the pack's template.

        config: The limits.
    """
    sharp, light, spread = sharpness(sample_bgr), brightness(sample_bgr), contrast(sample_bgr)
    measured = replace(quality, sharpness=sharp, brightness=light, contrast=spread)
    darkest, brightest = config.brightness_range
    found = (
        (QualityReason.BLURRED, sharp < config.min_sharpness),
        (QualityReason.DARK, light < darkest),
        (QualityReason.BRIGHT, light > brightest),
        (QualityReason.FLAT, spread < config.min_contrast),
    )
    reasons = quality.reasons + tuple(reason for reason, applies in found if applies)
    return replace(measured, value=value(measured), reasons=reasons)


def value(quality: Quality) -> float:
    """
    One number, 0 to 1, to rank the looks at a track by.

    It rises with size, frontalness, detection score and, once measured, sharpness. Size saturates: beyond some 60 px
    between the eyes more of it gains nothing, so that somebody who walks towards the camera is not forever "clearly
    better".
    """
    size = quality.inter_eye_px / (quality.inter_eye_px + HALF_SIZE_PX)
    frontal = 1.0 / (1.0 + (quality.yaw_share / HALF_YAW) ** 2)
    level = 1.0 / (1.0 + ((quality.pitch_share - LEVEL_PITCH) / HALF_PITCH) ** 2)
    crisp = 1.0 if quality.sharpness is None else quality.sharpness / (quality.sharpness + HALF_SHARPNESS)
    return size * frontal * level * crisp * quality.detection_score


def _axes(landmarks_xy: PointsXY) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors along the eye line and across it (downwards in an upright face), and the middle of the eyes."""
    left, right = landmarks_xy[0].astype(np.float64), landmarks_xy[1].astype(np.float64)
    length = float(np.linalg.norm(right - left))
    along = (right - left) / length if length > 0.0 else np.asarray([1.0, 0.0])
    return along, np.asarray([-along[1], along[0]]), (left + right) / 2


def _luminance(sample_bgr: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """float32 (side, side), 0 to 255."""
    grey = cv2.cvtColor(sample_bgr, cv2.COLOR_BGR2GRAY)
    shrunk = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, dtype=np.float32)
