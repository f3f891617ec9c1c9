import pytest

from edge_lfr.pipeline.stage_times import KEPT, StageTimes


def test_percentiles_are_nearest_rank_over_the_latest_runs() -> None:
    """The count and the total are of all runs, the percentiles of those that are kept."""
    times = StageTimes()
    for milliseconds in [1_000] * 5 + list(range(1, KEPT + 1)):
        times.add("decision", milliseconds * 1_000_000)
    summary = times.summary()["decision"]
    assert KEPT + 5 == summary.count
    assert 5_000 + KEPT * (KEPT + 1) / 2 == summary.total_ms
    assert (KEPT / 2, KEPT * 0.99) == (summary.p50_ms, summary.p99_ms)


def test_a_stage_that_fails_is_measured_too() -> None:
    """A slow failure is as slow as a slow success."""
    times = StageTimes()
    with pytest.raises(ZeroDivisionError), times.measured("decision"):
        _ = 1 / 0
    assert 1 == times.summary()["decision"].count
