"""What the stages' clocks add up to."""

from contextlib import suppress

import pytest

from edge_lfr.pipeline.durations import KEPT
from edge_lfr.pipeline.stage_times import ALL_STAGES, PassClock, StageTimes


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


def test_a_pass_gives_each_stage_one_duration() -> None:
    """However many parts a stage has in a pass; one that had nothing to do in it is not counted."""
    times = StageTimes()
    clock = PassClock(times, ("detection", "embedding"))
    for _ in range(2):
        with clock:
            for _ in range(3):
                with clock["detection"]:
                    pass
    summary = times.summary()
    assert {"detection", ALL_STAGES} == set(summary)
    assert [2, 2] == [stage.count for stage in summary.values()]
    assert summary["detection"].total_ms <= summary[ALL_STAGES].total_ms


def test_a_pass_that_fails_is_timed_as_well() -> None:
    """What was measured until then is kept, and the next pass starts at nothing."""
    times = StageTimes()
    clock = PassClock(times, ("detection",))
    with suppress(RuntimeError), clock, clock["detection"]:
        raise RuntimeError
    with clock:
        pass
    assert {"detection": 1, ALL_STAGES: 2} == {stage: found.count for stage, found in times.summary().items()}
