"""
A face, and later its aligned sample, enter; what speaks for and against a comparison leaves; nothing is kept.

One pure function per measure, one reason per measure (the manner of ISO/IEC 29794-5: a native value for each
component). Live faces and watchlist pictures are judged by the same measures. Geometry is taken in plain floats: every
face of every frame is judged, and five points are too few for arrays to be fast.
"""

import math
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
    (left_x, left_y), (right_x, right_y) = landmarks_xy[:2].tolist()
    return math.hypot(right_x - left_x, right_y - left_y)


def yaw_share(landmarks_xy: PointsXY) -> float:
    """Nose tip's shift from the middle of the eyes along the eye line, in eye distances; positive to the right."""
    (left_x, left_y), (right_x, right_y), (nose_x, nose_y) = landmarks_xy[:3].tolist()
    dx, dy = right_x - left_x, right_y - left_y
    shift_x, shift_y = nose_x - (left_x + right_x) / 2, nose_y - (left_y + right_y) / 2
    squared = dx * dx + dy * dy
    return float((shift_x * dx + shift_y * dy) / squared) if squared > 0.0 else 0.0


def pitch_share(landmarks_xy: PointsXY) -> float:
    """Nose tip's place between eye line (0) and mouth line (1), across the eye line; 0 where the two lines coincide."""
    (left_x, left_y), (right_x, right_y), (nose_x, nose_y), one_corner, other_corner = landmarks_xy.tolist()
    # Downwards in an upright face, of any length, since it cancels; where the eyes coincide, down the picture.
    across_x, across_y = (left_y - right_y, right_x - left_x) if (left_x, left_y) != (right_x, right_y) else (0.0, 1.0)
    eyes_x, eyes_y = (left_x + right_x) / 2, (left_y + right_y) / 2
    mouth_x, mouth_y = (one_corner[0] + other_corner[0]) / 2, (one_corner[1] + other_corner[1]) / 2
    depth = (mouth_x - eyes_x) * across_x + (mouth_y - eyes_y) * across_y
    return float(((nose_x - eyes_x) * across_x + (nose_y - eyes_y) * across_y) / depth) if depth > 0.0 else 0.0


def roll_deg(landmarks_xy: PointsXY) -> float:
    """Turn of the eye line, -180 to 180 degrees; clockwise (image-right eye lower) is positive."""
    (left_x, left_y), (right_x, right_y) = landmarks_xy[:2].tolist()
    return math.degrees(math.atan2(right_y - left_y, right_x - left_x))


def inside_share(box_xyxy: BoxXYXY, size: SizeWH) -> float:
    """Share of the box's area that lies inside a picture of *size*; 0 for an empty box."""
    return box_xyxy.clipped_to(size).area / box_xyxy.area if box_xyxy.area > 0.0 else 0.0


# Measures of the aligned sample ----------------------------------------------------------------------------------


def luminance(sample_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32 (SHARPNESS_SIDE, SHARPNESS_SIDE), 0 to 255: what the measures of a sample are taken of."""
    grey = cv2.cvtColor(sample_bgr, cv2.COLOR_BGR2GRAY)
    shrunk = cv2.resize(grey, (SHARPNESS_SIDE, SHARPNESS_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, dtype=np.float32)


def sharpness(light: NDArray[np.float32]) -> float:
    """
    Detail of a sample's luminance relative to its contrast, measured at a fixed size.

    The deviation of the Laplacian over that of the luminance: dimensionless, about 0 (blurred) to 1 (crisp). It does
    not change with brightness, contrast or the side of the sample. 0 for a picture of one colour.
    """
    deviation = contrast(light)
    if deviation < 1.0:  # less than one level of 255: nothing but rounding
        return 0.0
    return float(cv2.Laplacian(light, cv2.CV_32F).std()) / deviation


def brightness(light: NDArray[np.float32]) -> float:
    """Mean luminance, 0 to 255."""
    return float(light.mean())


def contrast(light: NDArray[np.float32]) -> float:
    """Standard deviation of the luminance, 0 to about 127."""
    return float(light.std())


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
    light = luminance(sample_bgr)
    sharp, mean, spread = sharpness(light), brightness(light), contrast(light)
    measured = replace(quality, sharpness=sharp, brightness=mean, contrast=spread)
    darkest, brightest = config.brightness_range
    found = (
        (QualityReason.BLURRED, sharp < config.min_sharpness),
        (QualityReason.DARK, mean < darkest),
        (QualityReason.BRIGHT, mean > brightest),
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
