"""Somebody who watches a camera as the path does, takes its frames, and waits for what it says of itself."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge_lfr.biometrics.outcomes import Discard, DiscardReason
from edge_lfr.clock import SystemClock
from edge_lfr.config.capture import CameraConfig
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.capture.source import CameraState, CameraStatus


class Onlooker:
    """A real camera and what it called back; leaving the `with` block stops it."""

    def __init__(self, source: str, **settings: Any) -> None:
        self.has_frame = threading.Event()
        self.discards: list[Discard] = []
        self.camera = Camera(
            CameraConfig(id="camera-1", source=source, **settings),
            on_frame=self.has_frame.set,
            on_discard=self.discards.append,
            clock=SystemClock(),
        )

    @property
    def status(self) -> CameraStatus:
        return self.camera.status

    def count(self, reason: DiscardReason) -> int:
        return sum(discard.reason is reason for discard in self.discards)

    def wait_until(self, holds: Callable[[CameraStatus], bool], timeout_s: float = 20.0) -> CameraStatus:
        """
        Look until *holds* of the status.

        Raises:
            AssertionError: It did not come true in time.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            status = self.camera.status
            if holds(status):
                return status
            time.sleep(0.01)
        raise AssertionError(f"this did not come: {self.camera.status}")

    def wait_for_state(self, state: CameraState, timeout_s: float = 20.0) -> CameraStatus:
        return self.wait_until(lambda status: status.state is state, timeout_s)

    def watch_to_the_end(self, look: Callable[[Any], object], timeout_s: float = 30.0) -> list[Any]:
        """What *look* makes of every frame until the source has ended."""
        seen: list[Any] = []
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.has_frame.wait(0.2)
            self.has_frame.clear()
            while (frame := self.camera.take_newest()) is not None:
                with frame:
                    seen.append(look(frame))
            if self.camera.status.state is CameraState.ENDED:
                return seen
        raise AssertionError(f"it did not end: {self.camera.status}")

    def __enter__(self) -> Self:
        self.camera.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.camera.stop()


def decoder_pids() -> set[int]:
    """The decoders that this process runs, by what the kernel says."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue  # it has gone meanwhile
        if parent == os.getpid() and b"capture.decoder" in command:
            found.add(int(folder.name))
    return found
