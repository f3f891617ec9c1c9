"""The pictures of an alert."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.pipeline.reporting.pictures import (
    BAND_PX,
    LONGEST_SIDE_PX,
    NARROWEST_PX,
    card_picture,
    enrolled_picture,
    face_picture,
)
from simulators.appliance import face_at, frame_of, jpeg_of, noise
from simulators.clock import StoppedClock


def decoded(jpeg: bytes | None) -> NDArray[np.int16]:
    assert jpeg is not None
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels.astype(np.int16)


@pytest.mark.parametrize("side", [12.0, 80.0, 300.0])
@pytest.mark.parametrize("max_bytes", [4_000, 40_000])
def test_a_face_picture_keeps_its_bounds(side: float, max_bytes: int) -> None:
    """Small in bytes and pixels, wide enough for its mark, whatever the face's size."""
    frame = frame_of(StoppedClock())
    jpeg = face_picture(frame, face_at(100, 30, side), (), mark="TRAINING", max_bytes=max_bytes)
    height, width = decoded(jpeg).shape[:2]
    assert jpeg is not None
    assert len(jpeg) <= max_bytes
    assert NARROWEST_PX <= width <= LONGEST_SIDE_PX
    assert height <= LONGEST_SIDE_PX


def test_every_picture_carries_its_mark() -> None:
    """A band of amber with dark writing stands under faces, enrolled pictures and test cards."""
    frame = frame_of(StoppedClock())
    pictures = [
        face_picture(frame, face_at(100, 100), (), mark="TRAINING", max_bytes=40_000),
        enrolled_picture(jpeg_of(noise(400, 300)), mark="TRAINING", max_bytes=40_000),
        card_picture("TEST", mark="TRAINING TEST", max_bytes=40_000),
    ]
    for picture in pictures:
        band = decoded(picture)[4 - BAND_PX : -4]
        assert (np.abs(band - (0, 176, 255)).max(axis=2) < 40).mean() > 0.2
        assert (band.max(axis=2) < 100).mean() > 0.02


def test_a_face_outside_the_frame_gives_no_picture() -> None:
    """A track that left is told without a picture."""
    frame = frame_of(StoppedClock())
    assert face_picture(frame, face_at(-500, -500), (), mark="T", max_bytes=40_000) is None


def test_a_neighbour_is_painted_over_and_the_subject_is_not() -> None:
    """Who did not match does not leave with somebody else's alert, even where the boxes overlap."""
    frame = frame_of(StoppedClock())
    frame.pixels[:] = (0, 0, 255)
    subject, neighbour = face_at(200, 100), face_at(260, 100)
    frame.pixels[100:180, 260:340] = (255, 0, 0)
    frame.pixels[100:180, 200:280] = (0, 255, 0)
    picture = decoded(face_picture(frame, subject, (subject, neighbour), mark="TRAINING", max_bytes=40_000))
    blue = (picture[:, :, 0] > 200) & (picture[:, :, 1:].max(axis=2) < 60)
    green = (picture[:, :, 1] > 200) & (picture[:, :, ::2].max(axis=2) < 60)
    assert 0 == np.count_nonzero(blue)
    assert np.count_nonzero(green) > 70 * 70


def test_what_is_no_picture_is_none() -> None:
    """A broken enrolled picture costs the picture, not the alert."""
    assert enrolled_picture(b"\xff\xd8\xff but no more", mark="T", max_bytes=40_000) is None
