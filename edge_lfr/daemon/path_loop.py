"""The thread that owns inference: it takes the newest frame of every camera and runs one pass for all of them."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final

import structlog

from edge_lfr.biometrics.samples import Frame
from edge_lfr.clock import Clock
from edge_lfr.daemon.latency import LatencyLog, LatencyPart
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.path import Path

log = structlog.get_logger()

WAIT_S: Final = 0.25
"""Longest wait for a frame; a turn that waited in vain still counts as progress, and ends tracks of silent cameras."""

END_PATIENCE_S: Final = 1.0
"""Longest wait for the pass under way where nobody may be compared any more, and a wipe has two seconds; chosen."""

MAX_FAILURES_IN_A_ROW: Final = 10
"""One bad frame is one lost frame; so many failures in a row mean that the appliance no longer sees (chosen)."""


class PathLoop:
    """Runs passes until told to stop; without a path (no watchlist, paused) frames are destroyed unseen."""

    def __init__(
        self,
        cameras: Mapping[str, Camera],
        clock: Clock,
        latency: LatencyLog,
        *,
        warm_up: Callable[[], None],
        on_broken: Callable[[], None],
    ) -> None:
        """
        Nothing runs until `start`; both callables are called from the loop's thread.

        Args:
            cameras: By id.

            clock: Of every time.

            latency: Where the hand-over of frames is noted.

            warm_up: Called once, before the first turn.

            on_broken: Called after too many failures in a row; the loop has then ended.
        """
        self._cameras = cameras
        self._clock = clock
        self._latency = latency
        self._warm_up = warm_up
        self._warmed_up: Future[None] = Future()
        self._on_broken = on_broken
        self._frame_waits = threading.Event()
        self._stopping = threading.Event()
        self._between_passes = threading.Lock()
        self._path: Path | None = None
        self._thread = threading.Thread(target=self._run, name="path")
        self.frames_processed: dict[str, int] = dict.fromkeys(cameras, 0)
        self.failures = 0
        self.turns = 0
        """Finished turns, also those that waited in vain or failed."""

    def notify(self) -> None:
        """A camera has a new frame; called from the cameras' threads."""
        self._frame_waits.set()

    @property
    def is_alive(self) -> bool:
        """The loop's thread runs."""
        return self._thread.is_alive()

    @property
    def is_searching(self) -> bool:
        """Faces are compared with a list."""
        return self._path is not None

    def start(self) -> None:
        """Return once the loop is warm, and raise what kept it from that: then it has ended."""
        self._thread.start()
        self._warmed_up.result()

    def stop(self) -> None:
        """Finish the pass under way, end all tracks, and join."""
        self._stopping.set()
        self._frame_waits.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.swap(None)

    def swap(self, path: Path | None, meanwhile: Callable[[], None] = lambda: None) -> None:
        """
        Put another path in place between two passes.

        The tracks of the old one end first, and with it what they still have to tell; then *meanwhile* runs, whatever
        became of that: an exchange is never left half-way.
        """
        with self._between_passes:
            old, self._path = self._path, path
            try:
                if old is not None:
                    self._retire(old)
            finally:
                meanwhile()

    def end_path(self, patience_s: float = END_PATIENCE_S) -> bool:
        """
        Compare nobody from the next pass on, also where the pass under way does not end.

        Its tracks end like those of any path: now, or in the loop's thread as soon as that comes back from the pass.

        Returns:
            Whether it has ended.
        """
        if not self._between_passes.acquire(timeout=patience_s):
            self._path = None  # a name for the next pass, which one may set while this one runs
            log.error("path.lingers", waited_s=patience_s)
            return False
        try:
            old, self._path = self._path, None
            if old is not None:
                self._retire(old)
        finally:
            self._between_passes.release()
        return True

    def end_tracks(self) -> None:
        """Forget everybody who is being followed: the cameras are paused."""
        with self._between_passes:
            if self._path is not None:
                self._path.end_all()

    def _retire(self, old: Path) -> None:
        """End a path whose place is taken; what fails here is told, and decides nothing."""
        for end in (old.end_all, old.rest):
            try:
                end()
            except Exception as error:  # noqa: BLE001  # a net that broke must not keep a wipe or a new list out
                self.failures += 1
                log.error("path.end-failed", step=end.__name__, error=type(error).__name__)

    def _run(self) -> None:
        try:
            self._warm_up()
        except BaseException as error:  # noqa: BLE001  # the thread that starts the loop raises it
            self._warmed_up.set_exception(error)
            return
        self._warmed_up.set_result(None)
        self._run_turns()

    def _run_turns(self) -> None:
        failures_in_a_row = 0
        while not self._stopping.is_set():
            is_idle = not self._frame_waits.wait(WAIT_S)
            self._frame_waits.clear()  # before the frames are taken: one that comes meanwhile sets it again
            try:
                self._turn(is_idle=is_idle)
                failures_in_a_row = 0
            except Exception as error:  # noqa: BLE001  # the stage loop: one bad frame must not end the deployment
                self.failures += 1
                failures_in_a_row += 1
                log.error("path.failed", error=type(error).__name__, in_a_row=failures_in_a_row)
                if failures_in_a_row >= MAX_FAILURES_IN_A_ROW:
                    self._on_broken()
                    return
            self.turns += 1

    def _turn(self, *, is_idle: bool) -> None:
        """One pass over what waits; when nothing came for a while, what is left of the last frames is overwritten."""
        with self._between_passes:
            frames, path = self._newest_frames(), self._path
            if path is None:
                for frame in frames:
                    frame.destroy()
                return
            try:
                self._pass(path, frames, is_idle=is_idle)
            finally:
                path.settle(self._clock.monotonic_ns())
                if self._path is not path:  # its end came meanwhile, and did not wait
                    self._retire(path)

    def _pass(self, path: Path, frames: list[Frame], *, is_idle: bool) -> None:
        if frames:
            began_ns = self._clock.monotonic_ns()
            for frame in frames:
                self._latency.add(LatencyPart.HANDOVER, frame.arrived_ns, began_ns)
            path.identify(frames)
            for frame in frames:
                self.frames_processed[frame.camera_id] += 1
        path.expire(self._clock.monotonic_ns())
        if is_idle and not frames:
            path.rest()

    def _newest_frames(self) -> list[Frame]:
        return [frame for camera in self._cameras.values() if (frame := camera.take_newest()) is not None]
