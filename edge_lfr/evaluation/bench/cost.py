"""
What the path costs beside its nets: held frames enter, CPU and wall time of both leave, measured in turns.

The bare time is that of the very runs that the passes asked for, of the same sessions in the same shapes and batches,
on arrays that are there already. The neutral runs that overwrite the last faces are the path's own cost: they come
where the daemon has them, by the time of the frames, and count on its side alone. A few frames by the path and then
their nets alone, over and over: what else the machine does meanwhile falls on both.
"""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.samples import Frame
from edge_lfr.evaluation.bench.noted_nets import run_again
from edge_lfr.evaluation.bench.report import Row, Witness
from edge_lfr.evaluation.bench.speed_looks import HeldFrames
from edge_lfr.evaluation.bench.speed_stages import Bench, CountingReporter
from edge_lfr.evaluation.bench.spent import Spent, Stopwatch
from edge_lfr.pipeline.path import FLUSH, TIMED_STAGES, Path
from edge_lfr.pipeline.stage_times import ALL_STAGES, StageSummary, StageTimes

BLOCK: Final = 4
"""Frames by the path before it is their nets' turn; some 200 ms."""

MAX_RATIO: Final = 1.15

INTERVAL_NS: Final = 40_000_000
"""Between two frames, for the planner of looks: 25 a second."""

CAPTURED: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Repetition:
    """Time that all held pictures took once."""

    path: Spent = field(default_factory=Spent)
    """From frame in hand to verdict, and `Path.settle` after it."""

    settling: Spent = field(default_factory=Spent)
    """Of it `Path.settle`."""

    bare: Spent = field(default_factory=Spent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The repetitions, and how the path's own clocks divide its time."""

    repetitions: tuple[Repetition, ...]
    frames: int
    """Passes of one repetition."""

    cameras: int
    people: float
    """Median number of clear faces in a frame."""

    embeddings: int
    """Of one repetition."""

    stages: dict[str, StageSummary]

    @property
    def ratio(self) -> float:
        """Median over the repetitions."""
        return statistics.median(one.path.processor_s / one.bare.processor_s for one in self.repetitions)

    def rows(self) -> Iterator[Row]:
        frames = self.frames * self.cameras
        yield Row.shown("cost: cameras in a pass", self.cameras, "cameras")
        yield Row.shown("cost: people in view, median", self.people, "people")
        yield Row.shown("cost: embeddings a frame", round(self.embeddings / frames, 3), "embeddings")
        for name, measured in (
            ("bare nets, CPU", [one.bare.processor_s for one in self.repetitions]),
            ("path, CPU", [one.path.processor_s for one in self.repetitions]),
            ("of it overwriting the last faces, CPU", [one.settling.processor_s for one in self.repetitions]),
            ("bare nets, wall", [one.bare.wall_s for one in self.repetitions]),
            ("path, wall", [one.path.wall_s for one in self.repetitions]),
        ):
            yield Row.shown(f"cost: {name}", round(1e3 * statistics.median(measured) / frames, 3), "ms a frame")
        yield Row.at_most("cost: path / bare nets, CPU", round(self.ratio, 4), MAX_RATIO)
        yield from self._stage_rows()

    def _stage_rows(self) -> Iterator[Row]:
        """Every stage of the path in its order, whether it ran or not."""
        whole = self.stages[ALL_STAGES]
        for stage in (*TIMED_STAGES, ALL_STAGES, FLUSH):
            total_ms = self.stages[stage].total_ms if stage in self.stages else 0.0
            yield Row.shown(f"path: {stage}", round(total_ms / (whole.count * self.cameras), 3), "ms a frame")
            if stage in TIMED_STAGES:
                yield Row.shown(f"path: {stage}, share of the pass", round(100.0 * total_ms / whole.total_ms, 1), "%")


def measure_cost(bench: Bench, held: HeldFrames, witness: Witness, *, cameras: int, repetitions: int) -> Cost:
    """
    Take pictures from hand to verdict and run the bare nets for the same work, *repetitions* times.

    Args:
        bench: Whose path and nets.

        held: Some pictures, at least one, all of one size; they stay as they are.

        witness: Told of the progress.

        cameras: How many copies of a picture enter a pass, each as a camera's of its own.

        repetitions: After one more, whose times do not count.
    """
    names = [f"street-{number}" for number in range(cameras)]
    times = StageTimes()
    timed = Path(bench.stages(names), CountingReporter(), times)
    pictures = held.pictures
    slots = [np.empty_like(pictures[0]) for _ in names]
    measured: list[Repetition] = []
    sequence = embeddings = 0
    path = Path(bench.stages(names), CountingReporter())
    for repetition in range(repetitions + 1):
        if repetition == 1:
            path = timed
        spent, embeddings = Repetition(), 0
        for start in range(0, len(pictures), BLOCK):
            bench.calls.clear()
            for picture in pictures[start : start + BLOCK]:
                frames = [_frame(name, slot, picture, sequence) for name, slot in zip(names, slots, strict=True)]
                sequence += 1
                watch = Stopwatch()
                embeddings += path.identify(frames)
                asked, identified = len(bench.calls), watch.read()
                path.settle(frames[0].arrived_ns)
                settled = watch.read()
                spent.path.add(settled)
                spent.settling.add(settled.since(identified))
                del bench.calls[asked:]  # neutral runs are no work of the nets' own
            spent.bare.add(run_again(bench.calls))
        path.end_all()
        if repetition:
            measured.append(spent)
        witness.count(repetition, repetitions)
    return Cost(
        repetitions=tuple(measured),
        frames=len(pictures),
        cameras=cameras,
        people=statistics.median(held.people),
        embeddings=embeddings,
        stages=times.summary(),
    )


def _frame(camera: str, slot: NDArray[np.uint8], picture: NDArray[np.uint8], number: int) -> Frame:
    """A frame in a slot, as a camera hands it over; ending it zeroes the slot."""
    np.copyto(slot, picture)
    return Frame(
        camera_id=camera,
        sequence=number,
        arrived_ns=1_000_000_000 + number * INTERVAL_NS,
        captured_at=CAPTURED,
        media_time_s=None,
        pixels=slot,
        on_destroy=lambda: slot.fill(0),
    )
