"""
What the daemon holds over time: a looped clip enters as fast as it is taken, growth of memory and handles leaves.

The daemon is a process of its own with broker and control room beside it; every alert, picture and message of the
clip comes again with every loop, so that whatever is kept by mistake adds up.
"""

import json
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_lfr.evaluation.bench.ground import PACK, BenchError, prepared_ground
from edge_lfr.evaluation.bench.report import Report, Row, Witness
from edge_lfr.evaluation.processes import RehearsalError, broker_program
from edge_lfr.evaluation.rehearsal import Rehearsal, Scenario, rehearsal
from edge_lfr.evaluation.walkby.script import walkby_script
from edge_lfr.process_figures import children_of, figures_of

MAX_GROWTH_PERCENT: Final = 2.0
MEBIBYTE: Final = 2**20
LOOK_EVERY_S: Final = 2.0

LEAST_SAMPLES: Final = 5
"""With fewer, or over less than half of the course, nothing is known about growth; both chosen."""

SMALL: Final = ("--size", "640x360", "--faces", "24x100")
"""Of the clip: what is kept by mistake does not depend on the size of a frame, and the time that 20,000 take does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """How long one measurement goes on."""

    first_frame: int
    """Until here everything warms up: buffers, caches, the allocator."""

    last_frame: int
    clip: tuple[str, ...]
    clip_frames: int
    look_every_s: float = LOOK_EVERY_S


FULL: Final = _Course(
    first_frame=2_000,
    last_frame=20_000,
    clip=(*SMALL, "--seconds", "60", "--mated", "9", "--non-mated", "23"),
    clip_frames=600,
)
QUICK: Final = _Course(
    first_frame=200, last_frame=1_200, clip=(*SMALL, "--quick"), clip_frames=150, look_every_s=LOOK_EVERY_S / 4
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the daemon held at one moment."""

    frames: int
    resident_mb: float
    children_mb: float
    descriptors: int
    threads: int
    children: int


def measure_memory(shared: Path, witness: Witness, *, is_quick: bool) -> Report:
    """
    Run the daemon over many loops of a clip, and watch it from outside.

    Raises:
        BenchError: There are no weights, or nothing could be read off the daemon.
        BrokerUnavailableError: There is no Mosquitto, or it does not listen.
        RehearsalError: A process did not do its work.
    """
    course = QUICK if is_quick else FULL
    broker_program()  # before anything is made
    with prepared_ground(shared) as ground, rehearsal(ground.folder) as staged:
        witness.stage("making a clip and its watchlist")
        once, looped = ground.folder / "once.h264", ground.folder / "looped.h264"
        watchlist = ground.folder / "watchlist"
        staged.script(
            walkby_script(),
            *("--out", str(once), "--watchlist-out", str(watchlist), "--data", str(ground.shared / "data")),
            *course.clip,
        )
        _join(once, looped, 1 + -(-course.last_frame // course.clip_frames))
        staged.configure(
            Scenario(
                pack=PACK, models_directory=ground.models_directory, cameras=(str(looped),), playback="every-frame"
            )
        )
        witness.stage("enrolling the watchlist")
        staged.load_watchlist(watchlist)
        staged.start_control_room(lambda _: None)
        witness.stage(f"running the daemon for {course.last_frame} frames")
        samples = _watch(staged, course, witness)
        return Report.of(memory_rows(samples, course.first_frame, course.last_frame, has_targets=not is_quick))


def memory_rows(
    samples: Sequence[Sample], first_frame: int, last_frame: int, *, has_targets: bool = True
) -> Iterator[Row]:
    """
    Compare what was held from *first_frame* on.

    Targets have no value, and are missed, where too few samples were taken or they lie too close together.

    Args:
        samples: In the order in which they were taken.

        first_frame: Until here everything warms up.

        last_frame: Where the course ends.

        has_targets: Whether the course is long enough for targets: a short one still warms up.

    Raises:
        BenchError: No sample was taken after the first frames.
    """
    warm = [sample for sample in samples if sample.frames >= first_frame]
    if not warm:
        message = "no sample was taken after the first frames"
        raise BenchError(message, remedy="run it on a machine that is less busy")
    first, last = warm[0], warm[-1]
    is_enough = len(warm) >= LEAST_SAMPLES and last.frames - first.frames >= (last_frame - first_frame) / 2

    def held(name: str, value: float, limit: float, unit: str) -> Row:
        if not has_targets:
            return Row.shown(name, value, unit)
        return Row.at_most(name, value if is_enough else None, limit, unit)

    yield Row.shown("from frame", first.frames, "frames")
    yield Row.shown("to frame", last.frames, "frames")
    yield Row.shown("samples", len(warm), "samples")
    yield Row.shown("daemon's resident set at first", round(first.resident_mb, 1), "MB")
    yield Row.shown("daemon's resident set at last", round(last.resident_mb, 1), "MB")
    yield held("daemon's resident set, range", _range_percent(warm, "resident_mb"), MAX_GROWTH_PERCENT, "%")
    yield Row.shown("decoder's resident set at last", round(last.children_mb, 1), "MB")
    yield held("decoder's resident set, range", _range_percent(warm, "children_mb"), MAX_GROWTH_PERCENT, "%")
    for name in ("descriptors", "threads", "children"):
        at_first = getattr(first, name)
        yield Row.shown(f"{name} at first", at_first, name)
        yield held(f"{name} beyond those at first", max(getattr(sample, name) for sample in warm) - at_first, 0, name)


def _range_percent(samples: Iterable[Sample], name: str) -> float:
    values = [getattr(sample, name) for sample in samples]
    return float(round(100.0 * (max(values) - min(values)) / max(min(values), 1e-9), 2))


def _join(once: Path, looped: Path, loops: int) -> None:
    """Bare H.264 streams are joined by joining their bytes."""
    with looped.open("wb") as target:
        for _ in range(loops):
            with once.open("rb") as source:
                shutil.copyfileobj(source, target)


def _watch(staged: Rehearsal, course: _Course, witness: Witness) -> list[Sample]:
    child = staged.start_daemon()
    daemon = child.process
    samples: list[Sample] = []
    while not samples or samples[-1].frames < course.last_frame:
        time.sleep(course.look_every_s)
        if daemon.poll() is not None:
            message = f"the daemon ended with status {daemon.returncode} before its time:\n{child.last_words()}"
            raise RehearsalError(message)
        frames = _frames(staged)
        if frames is not None:
            samples.append(sample_of(daemon.pid, frames))
            witness.count(min(frames, course.last_frame), course.last_frame)
    return samples


def _frames(staged: Rehearsal) -> int | None:
    """How many frames the path has taken; None while the daemon is still starting."""
    try:
        status = json.loads(staged.command("status", "--json"))
    except RehearsalError:
        return None
    return int(status["counters"].get("frames-processed.street", 0))


def sample_of(process_id: int, frames: int) -> Sample:
    """Read the process from outside; *frames* is how far it has come."""
    own = figures_of(str(process_id))
    children = children_of(str(process_id))
    return Sample(
        frames=frames,
        resident_mb=own.resident_bytes / MEBIBYTE,
        children_mb=sum(figures_of(child).resident_bytes for child in children) / MEBIBYTE,
        descriptors=own.descriptors,
        threads=own.threads,
        children=len(children),
    )
