"""The street that speed is measured on: an order enters; a clip, its truth and its watchlist leave."""

import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_lfr.biometrics.samples import Frame
from edge_lfr.evaluation.bench.ground import BenchError, Ground
from edge_lfr.evaluation.bench.playing import played
from edge_lfr.evaluation.bench.report import Row
from edge_lfr.evaluation.bench.spent import children_cpu_s
from edge_lfr.evaluation.truth import Truth
from edge_lfr.evaluation.walkby.script import walkby_command

MIN_FACE_PX: Final = 32
"""Width of the smallest face that counts: one that could be embedded."""

BARE_FPS: Final = 25.0
"""Of a stream without times; chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetOrder:
    """What is to happen in a made clip of 1280 x 720."""

    fps: int
    seconds: float
    mated: int
    others: int
    near_px: int = 140
    """Width of a face where the picture ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """A clip and what is known about it."""

    clip: Path
    truth: Truth | None = None
    watchlist: Path | None = None
    """A folder that `watchlist build` takes: those of the clip who are listed. A clip of one's own has no truth, and a
    watchlist where the user gave one."""


def people_in_view(truth: Truth) -> float:
    """How many faces of `MIN_FACE_PX` and more a frame shows, median over the frames from the first to the last one."""
    seen = Counter(
        box.frame for passage in truth.passages for box in passage.boxes if box.box_xyxy.width >= MIN_FACE_PX
    )
    return statistics.median(seen[frame] for frame in range(min(seen), max(seen) + 1)) if seen else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingCost:
    """What a frame costs until it is in hand, mean over a clip; milliseconds."""

    frames: int
    seconds: float
    """When the last frame is shown, by the clip."""

    decoder_cpu_ms: float
    """In the decoder's process, its start and its end included."""

    handover_cpu_ms: float
    """In this process: receive, check, hand over, zero, give the slot back."""

    handover_wall_ms: float
    """Median from the decoder's time stamp to the frame in hand."""

    def rows(self) -> Iterator[Row]:
        yield Row.shown("decoding: CPU", round(self.decoder_cpu_ms, 3), "ms a frame")
        yield Row.shown("hand-over: CPU", round(self.handover_cpu_ms, 3), "ms a frame")
        yield Row.shown("hand-over: wall, median", round(self.handover_wall_ms, 3), "ms a frame")


def shown_at_s(frame: Frame, number: int) -> float:
    """When the clip shows its frame of this number, counted from 0; a bare stream does not say."""
    return number / BARE_FPS if frame.media_time_s is None else frame.media_time_s


def made_street(ground: Ground, name: str, order: StreetOrder) -> Street:
    """
    Draw a clip, as `scripts/make_walkby` does; its watchlist holds those alone who walk by.

    Raises:
        BenchError: It could not be drawn.
        WalkbyScriptError: Nothing can draw a clip here.
    """
    clip, watchlist = ground.folder / f"{name}.mp4", ground.folder / f"{name}-watchlist"
    options = {
        "--out": clip,
        "--watchlist-out": watchlist,
        "--data": ground.shared / "data",
        "--fps": order.fps,
        "--seconds": order.seconds,
        "--faces": f"24x{order.near_px}",
        "--mated": order.mated,
        "--non-mated": order.others,
        "--filler": 0,
    }
    made = subprocess.run(  # noqa: S603 - our own interpreter, script and options
        walkby_command(options),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise BenchError(f"the clip could not be made (status {made.returncode}): {made.stderr[-500:]}")
    return Street(clip=clip, truth=Truth.load(clip.with_suffix(".json")), watchlist=watchlist)


def decoding_cost(clip: Path) -> DecodingCost:
    """Play *clip* as fast as it goes, and look at nothing."""
    child_before_s, own_before_ns = children_cpu_s(), time.process_time_ns()
    waits_ns: list[int] = []
    last_s = 0.0
    for number, frame in enumerate(played(clip)):
        last_s = shown_at_s(frame, number)
        waits_ns.append(time.monotonic_ns() - frame.arrived_ns)
        frame.destroy()
    if not waits_ns:
        message = "the clip has no frames"
        raise BenchError(message, remedy="name another clip")
    return DecodingCost(
        frames=len(waits_ns),
        seconds=last_s,
        decoder_cpu_ms=1e3 * (children_cpu_s() - child_before_s) / len(waits_ns),
        handover_cpu_ms=(time.process_time_ns() - own_before_ns) / 1e6 / len(waits_ns),
        handover_wall_ms=statistics.median(waits_ns) / 1e6,
    )
