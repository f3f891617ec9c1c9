"""
The street that speed is measured on: an order enters; a clip, its truth and its watchlist leave, and then its frames.

Frames come out of the daemon's own decoder process, every one of them, with the clip's own time for a clock: a slow
machine sees what a fast one does.
"""

import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

import edge_lfr
from edge_lfr.biometrics.samples import Frame
from edge_lfr.clock import SystemClock
from edge_lfr.config.capture import CameraConfig, Playback
from edge_lfr.evaluation.bench.ground import BenchError, Ground
from edge_lfr.evaluation.bench.report import Row
from edge_lfr.evaluation.truth import Truth
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.capture.source import CameraState

WAIT_S: Final = 0.25
"""How often it is asked whether the clip has ended, while no frame comes."""


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
    """A folder that `watchlist load` takes: those of the clip who are listed. A clip of one's own has neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingCost:
    """What a frame costs until it is in hand, mean over a clip; milliseconds."""

    frames: int
    decoder_cpu_ms: float
    """In the decoder's process, its start and its end included."""

    handover_cpu_ms: float
    """In this process: receive, check, hand over, zero, give the slot back."""

    handover_wall_ms: float
    """Median from the decoder's time stamp to the frame in hand."""

    def rows(self) -> Iterator[Row]:
        yield Row.shown("decoding: CPU", round(self.decoder_cpu_ms, 3), "ms a frame")
        yield Row.shown("hand-over: CPU", round(self.handover_cpu_ms, 3), "ms a frame")
        yield Row.shown("hand-over: wall", round(self.handover_wall_ms, 3), "ms a frame, median")


def made_street(ground: Ground, name: str, order: StreetOrder) -> Street:
    """
    Draw a clip, as `scripts/make_walkby` does; its watchlist holds those alone who walk by.

    Raises:
        BenchError: There is no such script or no portraits.
    """
    script = Path(edge_lfr.__file__).parents[1] / "scripts" / "make_walkby"
    if not script.is_file():
        message = "clips are made by a script of the checkout, and this is an installed package"
        raise BenchError(message, remedy="run it in a checkout, or name a clip with --clip")
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
        [sys.executable, str(script), *(str(part) for pair in options.items() for part in pair)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise BenchError(f"the clip could not be made (status {made.returncode}): {made.stderr[-500:]}")
    return Street(clip=clip, truth=Truth.load(clip.with_suffix(".json")), watchlist=watchlist)


def played(clip: Path) -> Iterator[Frame]:
    """
    Give every frame of *clip*, in its order and stamped with its media time; each is the caller's to destroy.

    Raises:
        BenchError: The decoder could not read it.
    """
    waiting = threading.Event()
    config = CameraConfig(id="street", source=SecretStr(str(clip)), playback=Playback.EVERY_FRAME)
    camera = Camera(config, on_frame=waiting.set, on_discard=lambda _: None, clock=SystemClock())
    camera.start()
    try:
        while True:
            waiting.clear()
            frame = camera.take_newest()
            if frame is not None:
                yield frame
            elif camera.status.state is CameraState.ENDED:
                break
            else:
                waiting.wait(WAIT_S)
        if camera.status.error_code is not None:
            raise BenchError(f"the clip could not be decoded: {camera.status.error_code}", remedy="name another clip")
    finally:
        camera.stop()


def decoding_cost(clip: Path) -> DecodingCost:
    """Play *clip* as fast as it goes, and look at nothing."""
    child_before_s, own_before_ns = _children_cpu_s(), time.process_time_ns()
    waits_ns: list[int] = []
    for frame in played(clip):
        waits_ns.append(time.monotonic_ns() - frame.arrived_ns)
        frame.destroy()
    if not waits_ns:
        message = "the clip has no frames"
        raise BenchError(message, remedy="name another clip")
    return DecodingCost(
        frames=len(waits_ns),
        decoder_cpu_ms=1e3 * (_children_cpu_s() - child_before_s) / len(waits_ns),
        handover_cpu_ms=(time.process_time_ns() - own_before_ns) / 1e6 / len(waits_ns),
        handover_wall_ms=statistics.median(waits_ns) / 1e6,
    )


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
