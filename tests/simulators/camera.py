"""A camera without a decoder: a test pushes pictures, and decides when it goes down, comes up and ends."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.outcomes import Discard, DiscardReason
from edge_lfr.biometrics.samples import Frame
from edge_lfr.clock import Clock
from edge_lfr.config.capture import CameraConfig, Playback
from edge_lfr.pipeline.capture.handover import Handover
from edge_lfr.pipeline.capture.protocol import Fault
from edge_lfr.pipeline.capture.source import CameraState, CameraStatus


class SimulatedCamera:
    """
    Satisfies `source.FrameSource`; takes the same arguments as `Camera`, and any clock.

    Pictures are pushed from the test's own thread, so that nothing has to be waited for.
    """

    def __init__(
        self,
        config: CameraConfig,
        *,
        on_frame: Callable[[], None],
        on_discard: Callable[[Discard], None],
        clock: Clock,
        slots: int = 3,
    ) -> None:
        self._config = config
        self._on_frame = on_frame
        self._on_discard = on_discard
        self._clock = clock
        self._handover = Handover(every_frame=config.playback is Playback.EVERY_FRAME)
        self._free = slots
        self._lock = threading.Lock()
        self._state = CameraState.STOPPED
        self._is_paused = False
        self._fault: Fault | None = None
        self.destroyed: list[NDArray[Any]] = []
        """The buffers of all destroyed frames, in order; all zeros, or the path read one after its end."""

    # What the path sees -------------------------------------------------------------------------------------------

    def start(self) -> None:
        if self._state is CameraState.STOPPED:
            self._state = CameraState.STARTING

    def stop(self) -> None:
        self._drop_waiting()
        self._state = CameraState.STOPPED

    def pause(self) -> None:
        self._is_paused = True
        self._drop_waiting()

    def resume(self) -> None:
        self._is_paused = False

    def take_newest(self) -> Frame | None:
        return self._handover.take()

    @property
    def waits_since_ns(self) -> int | None:
        return self._handover.waits_since_ns

    @property
    def status(self) -> CameraStatus:
        counts = self._handover
        state = self._state
        if self._is_paused and state is not CameraState.ENDED:
            state = CameraState.STOPPED
        if state is CameraState.ENDED and counts.waiting:
            state = CameraState.UP
        return CameraStatus(
            camera_id=self._config.id,
            state=state,
            frames_decoded=counts.decoded,
            frames_handed_over=counts.handed_over,
            frames_superseded=counts.superseded,
            frames_no_slot=counts.no_slot,
            size=counts.size,
            pictures_per_second=counts.pictures_per_second if state is CameraState.UP else None,
            last_frame_ns=counts.last_frame_ns,
            error_code=None if self._fault is None else self._fault.value,
            restarts=0,
        )

    # What the test does -------------------------------------------------------------------------------------------

    def push(self, picture: NDArray[np.uint8], *, media_time_s: float | None = None) -> bool:
        """Let the camera see *picture*, uint8 (height, width, 3) BGR; whether a slot was free for it."""
        if self._is_paused or self._state in {CameraState.STOPPED, CameraState.ENDED}:
            return False
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            has_slot = self._free > 0
            self._free -= int(has_slot)
        if not has_slot:
            self._handover.missed(now_ns)
            self._discard(DiscardReason.FRAME_NO_SLOT)
            return False
        pixels = picture.copy()
        frame = Frame(
            camera_id=self._config.id,
            sequence=-1,
            arrived_ns=now_ns,
            captured_at=self._clock.utc_now(),
            media_time_s=media_time_s,
            pixels=pixels,
            on_destroy=lambda: self._take_back(pixels),
        )
        superseded = self._handover.offer(frame)
        if superseded is not None:
            superseded.destroy()
            self._discard(DiscardReason.FRAME_SUPERSEDED)
        self._state = CameraState.UP
        self._fault = None
        self._on_frame()
        return True

    def go_down(self, fault: Fault = Fault.UNREACHABLE) -> None:
        """As when its cable is pulled; the next `push` brings it up again."""
        self._state = CameraState.DOWN
        self._fault = fault

    def end(self, fault: Fault | None = None) -> None:
        """As a file does after its last picture."""
        self._state = CameraState.ENDED
        self._fault = fault
        self._on_frame()

    def _take_back(self, pixels: NDArray[np.uint8]) -> None:
        pixels[...] = 0
        self.destroyed.append(pixels)
        with self._lock:
            self._free += 1

    def _drop_waiting(self) -> None:
        for frame in self._handover.drop_all():
            frame.destroy()
            self._discard(DiscardReason.FRAME_PAUSED)

    def _discard(self, reason: DiscardReason) -> None:
        self._on_discard(Discard(reason=reason, camera_id=self._config.id))
