import os

import pytest

from edge_lfr.evaluation.bench.ground import BenchError
from edge_lfr.evaluation.bench.memory import Sample, memory_rows, sample_of


def sample(frames: int, resident_mb: float, descriptors: int = 30) -> Sample:
    return Sample(
        frames=frames, resident_mb=resident_mb, children_mb=80.0, descriptors=descriptors, threads=12, children=1
    )


def course(*resident_mb: float) -> list[Sample]:
    """Samples from frame 2,000 on, one every 4,000."""
    return [sample(2_000 + 4_000 * number, value) for number, value in enumerate(resident_mb)]


def test_what_was_held_while_warming_up_does_not_count() -> None:
    """Only from the first frame on is the resident set to be flat."""
    rows = memory_rows([sample(10, 90.0), *course(200.0, 201.0, 202.0, 200.0, 203.0)], 2_000, 20_000)
    assert [] == [row.name for row in rows if not row.ok]


def test_growth_misses_the_target_wherever_it_shows() -> None:
    """A peak in the middle is growth, too, and so is one descriptor."""
    samples = [*course(200.0, 200.0, 200.0, 200.0), sample(19_000, 205.0, descriptors=31), sample(20_000, 200.0)]
    missed = [row.name for row in memory_rows(samples, 2_000, 20_000) if not row.ok]
    assert ["daemon's resident set, range", "descriptors beyond those at first"] == missed


def test_nothing_seen_is_no_result() -> None:
    """A run in which nobody looked proves nothing."""
    with pytest.raises(BenchError):
        list(memory_rows([sample(10, 90.0)], 2_000, 20_000))


@pytest.mark.parametrize(
    "samples",
    [
        [(2_000, 200.0)],
        [(2_000, 200.0), (8_000, 200.0), (14_000, 200.0), (20_000, 200.0)],
        [(2_000 + 100 * number, 200.0) for number in range(80)],
    ],
)
def test_too_few_looks_reach_no_target(samples: list[tuple[int, float]]) -> None:
    """One sample, four of them, and many within less than half of the course: flat, and no result all the same."""
    rows = [row for row in memory_rows([sample(*one) for one in samples], 2_000, 20_000) if row.target is not None]
    assert [(None, False)] * 5 == [(row.value, row.ok) for row in rows]


def test_a_short_course_shows_growth_without_a_target() -> None:
    """Within the first frames everything still warms up: what grows is told, and is no miss."""
    rows = list(memory_rows(course(200.0, 210.0, 220.0, 230.0, 240.0), 2_000, 20_000, has_targets=False))
    assert {None} == {row.target for row in rows}
    assert 20.0 == next(row.value for row in rows if row.name == "daemon's resident set, range")


def test_a_process_is_read_from_outside() -> None:
    """This very process has memory, a thread and standard streams."""
    seen = sample_of(os.getpid(), 7)
    assert 7 == seen.frames
    assert seen.resident_mb > 1.0
    assert seen.threads >= 1
    assert seen.descriptors >= 3
