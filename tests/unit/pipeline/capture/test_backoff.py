"""How long a camera rests between two tries."""

import pytest

from edge_lfr.pipeline.capture.backoff import JITTER_SHARE, Backoff


def test_waits_double_up_to_the_longest() -> None:
    """Each wait is twice the last, give or take the jitter, and never outside its bounds."""
    backoff = Backoff(1.0, 30.0)
    waits = [backoff.next_wait_s(0.0) for _ in range(8)]
    expected = [1, 2, 4, 8, 16, 30, 30, 30]
    assert [pytest.approx(wait, rel=JITTER_SHARE + 1e-9) for wait in expected] == waits
    assert all(1.0 <= wait <= 30.0 for wait in waits)


def test_a_camera_that_stayed_up_is_tried_soon() -> None:
    """The waits begin anew after a time of service."""
    backoff = Backoff(1.0, 30.0)
    for _ in range(5):
        backoff.next_wait_s(0.0)
    assert pytest.approx(1.0, rel=JITTER_SHARE) == backoff.next_wait_s(60.0)


def test_a_camera_that_blinks_is_tried_ever_more_rarely() -> None:
    """Half a second of pictures at every try is no service."""
    backoff = Backoff(1.0, 30.0)
    assert sorted(waits := [backoff.next_wait_s(0.5) for _ in range(6)]) == waits
