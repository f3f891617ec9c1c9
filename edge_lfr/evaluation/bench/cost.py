"""
What the path costs beside its nets: held frames enter, CPU and wall time of both leave, measured in turns.

The bare time is that of the very runs that the passes asked for, of the same sessions in the same shapes and batches,
on arrays that are there already. The neutral runs that overwrite the last faces are the path's own cost: they come
where the daemon has them, by the time of the frames, and count on its side alone. A few frames by the path and then
their nets alone, over and over: what else the machine does meanwhile falls on both.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.samples import Frame
from edge_lfr.evaluation.bench.report import Row, Witness
from edge_lfr.evaluation.bench.speed_looks import HeldFrames
from edge_lfr.evaluation.bench.speed_stages import Bench, Call, CountingReporter
from edge_lfr.pipeline.path import Path
from edge_lfr.pipeline.stage_times import ALL_STAGES, StageSummary, StageTimes

BLOCK: Final = 4
"""Frames by the path before it is their nets' turn; some 200 ms."""

MAX_RATIO: Final = 1.15

INTERVAL_NS: Final = 40_000_000
"""Between two frames, for the planner of looks: 25 a second."""

CAPTURED: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Spent:
    """Time of one repetition, in nanoseconds."""

    path_cpu: int = 0
    """From frame in hand to verdict, and `Path.settle` after it."""

    settling_cpu: int = 0
    """Of it `Path.settle`."""

    bare_cpu: int = 0
    path_wall: int = 0
    bare_wall: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The repetitions, and how the path's own clocks divide its time."""

    repetitions: tuple[Spent, ...]
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
        return statistics.median(spent.path_cpu / spent.bare_cpu for spent in self.repetitions)

    def rows(self) -> Iterator[Row]:
        frames = self.frames * self.cameras
        yield Row.shown("cost: cameras in a pass", self.cameras)
        yield Row.shown("cost: people in view", self.people, "median")
        yield Row.shown("cost: embeddings", round(self.embeddings / frames, 3), "a frame")
        for name, measured in (
            ("bare nets, CPU", [spent.bare_cpu for spent in self.repetitions]),
            ("path, CPU", [spent.path_cpu for spent in self.repetitions]),
            ("of it overwriting the last faces, CPU", [spent.settling_cpu for spent in self.repetitions]),
            ("bare nets, wall", [spent.bare_wall for spent in self.repetitions]),
            ("path, wall", [spent.path_wall for spent in self.repetitions]),
        ):
            yield Row.shown(f"cost: {name}", round(statistics.median(measured) / frames / 1e6, 3), "ms a frame")
        yield Row.at_most("cost: path / bare nets, CPU", round(self.ratio, 4), MAX_RATIO)
        whole_ms = self.stages[ALL_STAGES].total_ms
        passes = self.stages[ALL_STAGES].count * self.cameras
        for stage, summary in self.stages.items():
            share = f"ms a frame, {summary.total_ms / whole_ms:.1%}"
            yield Row.shown(f"path: {stage}", round(summary.total_ms / passes, 3), share)


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
    measured: list[Spent] = []
    sequence = embeddings = 0
    path = Path(bench.stages(names), CountingReporter())
    for repetition in range(repetitions + 1):
        if repetition == 1:
            path = timed
        spent, embeddings = Spent(), 0
        for start in range(0, len(pictures), BLOCK):
            bench.calls.clear()
            for picture in pictures[start : start + BLOCK]:
                frames = [_frame(name, slot, picture, sequence) for name, slot in zip(names, slots, strict=True)]
                sequence += 1
                cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
                embeddings += path.identify(frames)
                asked, identified_ns = len(bench.calls), time.process_time_ns()
                path.settle(frames[0].arrived_ns)
                settled_ns = time.process_time_ns()
                spent.path_cpu += settled_ns - cpu_ns
                spent.settling_cpu += settled_ns - identified_ns
                spent.path_wall += time.perf_counter_ns() - wall_ns
                del bench.calls[asked:]  # neutral runs are no work of the nets' own
            _repeat(list(bench.calls), spent)
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


def _repeat(calls: Sequence[Call], spent: Spent) -> None:
    for call in calls:
        cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
        call.session.repeat(call)
        spent.bare_cpu += time.process_time_ns() - cpu_ns
        spent.bare_wall += time.perf_counter_ns() - wall_ns


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
