"""Counters."""

from edge_lfr.biometrics.outcomes import Discard, DiscardReason
from edge_lfr.pipeline.reporting.discard import Counters


def test_a_discard_is_counted_in_all_and_for_its_camera() -> None:
    """The track leaves no trace in the counters."""
    counters = Counters()
    for camera in ("a", "a", "b"):
        counters.discard(Discard(reason=DiscardReason.TRACK_NON_MATCH, camera_id=camera, track_id=7))
    counters.count("matches", 2)
    assert {
        "discard.track-non-match": 3,
        "discard.track-non-match.a": 2,
        "discard.track-non-match.b": 1,
        "matches": 2,
    } == counters.snapshot()
