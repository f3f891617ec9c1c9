"""One passage of one person is one track."""

from collections.abc import Iterable
from itertools import count

import numpy as np
import pytest

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.biometrics.samples import Face
from edge_lfr.config.faces import TrackingConfig
from edge_lfr.pipeline.faces.tracking import Followed, Tracker

MIN_STARTING_SCORE = 0.6


def face(x: float, y: float, width: float = 50.0, score: float = 0.9) -> Face:
    box = BoxXYXY(x - width / 2, y - width * 0.65, x + width / 2, y + width * 0.65)
    return Face(box_xyxy=box, landmarks_xy=np.zeros((5, 2), dtype=np.float32), detection_score=score)


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


@pytest.fixture
def tracker() -> Tracker:
    ids = count(1)
    return Tracker("gate", TrackingConfig(), MIN_STARTING_SCORE, lambda: next(ids))


def ids(followed: Followed) -> list[int]:
    return [track.track_id for track in followed.present]


def walk(tracker: Tracker, faces: Iterable[tuple[float, Face]]) -> list[list[int]]:
    return [ids(tracker.follow([found], ns(time_s))) for time_s, found in faces]


def test_a_face_that_moves_on_stays_one_track(tracker: Tracker) -> None:
    """Small steps continue the track, and it says when it was first and last seen."""
    assert [[1]] * 10 == walk(tracker, ((n / 10, face(100 + 10 * n, 100 + 5 * n)) for n in range(10)))
    track = tracker.follow([face(200, 150)], ns(1.0)).present[0]
    assert (0, ns(1.0), "gate") == (track.first_seen_ns, track.last_seen_ns, track.camera_id)


def test_large_steps_at_a_low_frame_rate_stay_one_track(tracker: Tracker) -> None:
    """Boxes that no longer overlap are one face if the step is less than a face, and then as its velocity predicts."""
    steps = [(0.0, face(100, 100, 60)), (0.4, face(148, 120, 66)), (0.8, face(196, 140, 72)), (1.6, face(292, 180, 84))]
    assert [[1]] * 4 == walk(tracker, steps)


def test_frames_may_come_at_any_rate(tracker: Tracker) -> None:
    """Motion goes by the clock: the same walk at uneven times is the same track."""
    times = [0.0, 0.04, 0.08, 0.5, 0.54, 1.1, 1.2, 1.9]
    assert [[1]] * 8 == walk(tracker, ((t, face(100 + 150 * t, 100)) for t in times))


def test_a_weak_detection_continues_and_never_starts(tracker: Tracker) -> None:
    """Below the starting score a detection can only continue a track."""
    assert [] == ids(tracker.follow([face(100, 100, score=0.5)], ns(0.0)))
    assert [1] == ids(tracker.follow([face(100, 100)], ns(0.1)))
    assert [1] == ids(tracker.follow([face(102, 100, score=0.31)], ns(0.2)))
    assert [] == ids(tracker.follow([face(104, 100, score=0.29)], ns(0.3)))


def test_a_clear_detection_goes_before_a_weak_one(tracker: Tracker) -> None:
    """The weak detection may fit better; the clear one still continues the track, and the weak one starts none."""
    tracker.follow([face(100, 100)], ns(0.0))
    followed = tracker.follow([face(100, 100, score=0.5), face(110, 100)], ns(0.1))
    assert [1] == ids(followed)
    assert 110 == followed.present[0].face.box_xyxy.centre_xy[0]


def test_a_weak_detection_does_not_jump(tracker: Tracker) -> None:
    """A step without overlap needs a clear detection."""
    tracker.follow([face(100, 100)], ns(0.0))
    assert [] == ids(tracker.follow([face(148, 100, score=0.5)], ns(0.1)))


def test_lost_tracks_come_back_until_their_time_is_over(tracker: Tracker) -> None:
    """A person hidden for less than `max_lost_s` keeps the track; later it has ended and another one starts."""
    tracker.follow([face(100, 100)], ns(0.0))
    assert Followed(present=(), ended=()) == tracker.follow([], ns(0.9))
    assert [1] == ids(tracker.follow([face(100, 100)], ns(1.0)))
    assert Followed(present=(), ended=()) == tracker.follow([], ns(1.5))
    followed = tracker.follow([face(100, 100)], ns(2.1))
    assert ([2], (1,)) == (ids(followed), followed.ended)


def test_frames_far_apart_do_not_end_a_track(tracker: Tracker) -> None:
    """Only a frame can miss a face: where frames are more than `max_lost_s` apart, the next one continues the track."""
    assert [[1]] * 5 == walk(tracker, ((1.5 * n, face(100 + 8 * n, 100)) for n in range(5)))


def test_after_a_long_silence_nobody_is_continued(tracker: Tracker) -> None:
    """Up to `max_gap_s` a face in the same place is the same; later it is anybody's."""
    gap_s = TrackingConfig().max_gap_s
    assert [[1], [1]] == walk(tracker, [(0.0, face(100, 100)), (gap_s, face(100, 100))])
    followed = tracker.follow([face(100, 100)], ns(2 * gap_s + 0.1))
    assert ([2], (1,)) == (ids(followed), followed.ended)


def test_after_a_gap_somebody_elsewhere_is_another_person(tracker: Tracker) -> None:
    """Not seen where it should be, over time: the track ends with the frame that starts the other one."""
    tracker.follow([face(100, 100)], ns(0.0))
    followed = tracker.follow([face(300, 100)], ns(2.0))
    assert ([2], (1,)) == (ids(followed), followed.ended)


def test_a_silent_cameras_tracks_end_by_time(tracker: Tracker) -> None:
    """Without any face, time alone ends them, the earlier missed and the others together."""
    tracker.follow([face(100, 100)], ns(0.0))
    tracker.follow([face(300, 100)], ns(0.5))
    assert Followed(present=(), ended=(1, 2)) == tracker.follow((), ns(2.0))


def test_neighbours_are_two(tracker: Tracker) -> None:
    """Two heads side by side keep their tracks, in whatever order they are detected."""
    tracker.follow([face(100, 100), face(180, 100)], ns(0.0))
    followed = tracker.follow([face(184, 100), face(104, 100)], ns(0.1))
    assert [(1, 104), (2, 184)] == [(t.track_id, t.face.box_xyxy.centre_xy[0]) for t in followed.present]


def test_a_smaller_face_nearby_is_another_person(tracker: Tracker) -> None:
    """Without overlap, another size is another face."""
    tracker.follow([face(100, 100, 80)], ns(0.0))
    assert [2] == ids(tracker.follow([face(150, 60, 24)], ns(0.1)))


def test_all_tracks_can_be_ended(tracker: Tracker) -> None:
    """After `end_all` nobody is remembered, and ids do not come back."""
    tracker.follow([face(100, 100), face(300, 100)], ns(0.0))
    assert (1, 2) == tracker.end_all()
    assert () == tracker.end_all()
    assert [3] == ids(tracker.follow([face(100, 100)], ns(0.1)))


def test_two_frames_of_one_moment_are_no_motion(tracker: Tracker) -> None:
    """A second frame with the same time continues the track and leaves its velocity alone."""
    tracker.follow([face(100, 100)], ns(0.0))
    assert [1] == ids(tracker.follow([face(104, 100)], ns(0.0)))
    assert [1] == ids(tracker.follow([face(106, 100)], ns(0.1)))
