"""
The decoder: a child process, and the only code that touches the video library. Never imported by the daemon.

Enters: one order, a block of slots, the bytes of one source. Leaves: pictures in slots, and messages of one size. It
confines itself before it reads the first hostile byte; the parent believes nothing that it says.

    python -I -m edge_lfr.pipeline.capture.decoder CONTROL_DESCRIPTOR SLOTS_DESCRIPTOR
"""

import mmap
import os
import socket
import stat
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import av.logging
import av.video.reformatter
import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.pipeline.capture.confinement import LIBRARY_FOLDERS, RESOLVER_FILES, Allowance, confine, die_with
from edge_lfr.pipeline.capture.outlet import Outlet, ParentGoneError
from edge_lfr.pipeline.capture.pictures import names_in, read_pictures
from edge_lfr.pipeline.capture.protocol import MAX_ORDER_BYTES, MAX_PICTURE_PIXELS, Fault, Order
from edge_lfr.pipeline.capture.redaction import port_of

DECODER_THREADS = 1
"""Threads that decode frames ahead of one another add their number in frames of delay; 720p takes one 2 ms a frame."""

ANALYSE_US = 500_000
"""How much of a live stream is collected before it is open; 0.4 s on loopback, where the default took 1.1 s."""

MISSING_SHARE, MISSING_S = 0.05, 1.0
"""A file that ends earlier than it promised, by more than both, is truncated. Chosen, not measured."""

_FAULTS: tuple[tuple[type[BaseException], Fault], ...] = (
    (av.error.HTTPUnauthorizedError, Fault.UNAUTHORISED),
    (av.error.HTTPForbiddenError, Fault.UNAUTHORISED),
    (av.error.HTTPNotFoundError, Fault.NOT_FOUND),
    (FileNotFoundError, Fault.NOT_FOUND),
    (NotADirectoryError, Fault.NOT_FOUND),
    (PermissionError, Fault.REFUSED),
    (ConnectionRefusedError, Fault.REFUSED),
    (EOFError, Fault.BROKEN),
    (av.error.InvalidDataError, Fault.BROKEN),
    (OSError, Fault.UNREACHABLE),
    (av.error.FFmpegError, Fault.BROKEN),
)
"""First match wins; the text of an error may hold the address and stays here."""


def main() -> None:
    """Decode what the order says until it ends; the parent's death is an end too."""
    control = socket.socket(fileno=int(sys.argv[1]))
    order = Order.from_line(control.recv(MAX_ORDER_BYTES))
    die_with(order.parent_pid)
    av.logging.set_level(None)  # nothing of the library's own words leaves the child
    cv2.setNumThreads(1)
    limits = order.limits
    block = mmap.mmap(int(sys.argv[2]), limits.slots * limits.slot_bytes)
    os.close(int(sys.argv[2]))
    memory = np.frombuffer(block, dtype=np.uint8).reshape(limits.slots, limits.slot_bytes)
    outlet = Outlet(control, memory, order)
    landlock_version = confine(_allowance(order))
    with suppress(ParentGoneError):
        outlet.ended(_play(order, outlet, landlock_version))


def _allowance(order: Order) -> Allowance:
    # Libraries import parts of themselves when they are first needed; code folders hold no secrets.
    code = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    if order.kind == "rtsp":
        port = port_of(order.source, 322 if order.source.startswith("rtsps://") else 554)
        return Allowance(readable=(*code, *RESOLVER_FILES, *LIBRARY_FOLDERS), port=port)
    if order.kind == "v4l2":
        return Allowance(readable=(*code, "/sys/devices", "/sys/class/video4linux"), device=order.source)
    return Allowance(readable=(*code, order.source))


def _play(order: Order, outlet: Outlet, landlock_version: int) -> Fault | None:
    """Deliver all pictures of the source; why it ended, None for the plain end of a file."""
    if order.kind == "pictures":
        return _play_folder(order, outlet, landlock_version)
    if order.kind == "file" and (fault := _fault_of_file(Path(order.source))) is not None:
        return fault
    started = time.monotonic()
    try:
        container = av.open(order.source, mode="r", **open_arguments(order))
    except (TimeoutError, av.error.ExitError):
        return Fault.OPEN_TIMEOUT
    except (av.error.FFmpegError, OSError) as error:
        # An interrupted opening is often told as broken data.
        has_taken_too_long = order.is_live and time.monotonic() - started >= order.open_timeout_s
        return Fault.OPEN_TIMEOUT if has_taken_too_long else _fault_of(error)
    with container:
        if not container.streams.video:
            return Fault.NO_VIDEO
        container.streams.video[0].codec_context.thread_count = DECODER_THREADS
        outlet.opened(landlock_version)
        return _play_video(container, order, outlet)


def _fault_of_file(path: Path) -> Fault | None:
    """What is wrong before a byte is read; a pipe would block, and the library calls an empty file broken."""
    try:
        status = path.stat()
    except OSError as error:
        return _fault_of(error)
    if not stat.S_ISREG(status.st_mode):
        return Fault.BROKEN
    return Fault.EMPTY if status.st_size == 0 else None


def open_arguments(order: Order) -> dict[str, Any]:
    """What the video library is told: explicit time-outs, no protocol but the source's own, no giant pictures."""
    options = {"max_pixels": str(MAX_PICTURE_PIXELS), "threads": str(DECODER_THREADS)}
    arguments: dict[str, Any] = {"options": options}
    if order.kind == "rtsp":
        options |= {"rtsp_transport": "tcp", "allowed_media_types": "video", "protocol_whitelist": "tcp,tls,rtp"}
        options["analyzeduration"] = str(ANALYSE_US)
        arguments["timeout"] = (order.open_timeout_s, order.read_timeout_s)
    elif order.kind == "v4l2":
        arguments["format"] = "v4l2"
    else:
        options["protocol_whitelist"] = "file"  # a playlist in a film's clothes opens nothing else
    return arguments


def _play_video(container: av.container.InputContainer, order: Order, outlet: Outlet) -> Fault | None:
    reformatter = av.video.reformatter.VideoReformatter()
    last_s = order.after_s
    try:
        for frame in _frames(container, outlet, order.after_s):
            outlet.deliver(VideoPicture(frame, reformatter))
            time_s = _time_of(frame)
            last_s = last_s if time_s is None else time_s
    except (TimeoutError, av.error.ExitError):
        return Fault.READ_TIMEOUT
    except (av.error.FFmpegError, OSError) as error:
        return _fault_of(error)
    if order.is_live:
        return Fault.STREAM_ENDED
    if outlet.delivered == 0 and order.after_s is None:
        return Fault.EMPTY
    return Fault.TRUNCATED if last_s is not None and _ends_early(container, last_s) else None


def _frames(container: av.container.InputContainer, outlet: Outlet, after_s: float | None) -> Iterator[av.VideoFrame]:
    """All frames of the first video stream after *after_s*; packets that do not decode are said and passed over."""
    stream = container.streams.video[0]
    if after_s is not None and after_s > 0:
        container.seek(int(after_s * 1_000_000))  # to the key frame before it
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            outlet.skipped()
            continue
        for frame in frames:
            time_s = _time_of(frame)
            if after_s is None or time_s is None or time_s > after_s:
                yield frame


def _time_of(frame: av.VideoFrame) -> float | None:
    """Seconds by the source's own stamps; the library's annotations forget that there may be none."""
    return frame.time


def _ends_early(container: av.container.InputContainer, last_s: float) -> bool:
    """Whether the container promised clearly more than was in it."""
    stream = container.streams.video[0]
    if stream.duration is not None and stream.time_base is not None:
        promised_s = float((stream.duration + (stream.start_time or 0)) * stream.time_base)
    elif container.duration is not None and len(container.streams) == 1:
        promised_s = (container.duration + (container.start_time or 0)) / 1_000_000
    else:
        return False
    return promised_s - last_s > max(MISSING_S, MISSING_SHARE * promised_s)


def _play_folder(order: Order, outlet: Outlet, landlock_version: int) -> Fault | None:
    try:
        names = names_in(order.source)
    except OSError as error:
        return _fault_of(error)
    outlet.opened(landlock_version)
    for picture in read_pictures(order.source, names, order.pictures_per_second, order.after_s):
        if picture is None:
            outlet.skipped()
        else:
            outlet.deliver(picture)
    return Fault.EMPTY if outlet.delivered == 0 and order.after_s is None else None


def _fault_of(error: BaseException) -> Fault:
    return next((fault for kind, fault in _FAULTS if isinstance(error, kind)), Fault.DECODER_FAILED)


@dataclass(frozen=True, slots=True, eq=False)
class VideoPicture:
    """A decoded frame that still lies in the video library."""

    frame: av.VideoFrame
    reformatter: av.video.reformatter.VideoReformatter

    @property
    def size(self) -> SizeWH:
        return SizeWH(width=self.frame.width, height=self.frame.height)

    @property
    def media_time_s(self) -> float | None:
        return _time_of(self.frame)

    def draw_into(self, target: NDArray[np.uint8]) -> None:
        height, width, _ = target.shape
        converted = self.reformatter.reformat(self.frame, width=width, height=height, format="bgr24", threads=1)
        plane = converted.planes[0]
        rows = np.frombuffer(memoryview(plane), dtype=np.uint8)[: plane.line_size * height].reshape(
            height, plane.line_size
        )
        target[...] = rows[:, : width * 3].reshape(height, width, 3)


if __name__ == "__main__":
    main()
