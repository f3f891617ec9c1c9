"""What the path asks of anything that gives frames, and what such a thing says about itself."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.biometrics.samples import Frame


class CameraState(StrEnum):
    """Where a camera is in its life."""

    STARTING = "starting"
    """No frame yet since the start."""

    UP = "up"
    DOWN = "down"
    """It is tried again after a wait."""

    ENDED = "ended"
    """A file or folder whose last frame was taken."""

    STOPPED = "stopped"
    """Not started, paused, or stopped: nothing is decoded and no frame is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStatus:
    """One camera, counted since it was made."""

    camera_id: str
    state: CameraState
    frames_decoded: int
    """Decoded pictures; each was handed over, superseded, found no slot, was dropped at a pause, or waits."""

    frames_handed_over: int
    frames_superseded: int
    """A newer frame came before the path took this one."""

    frames_no_slot: int
    """The path held every slot when this picture was decoded."""

    size: SizeWH | None
    """Of the latest frame."""

    pictures_per_second: float | None
    """Measured over the last fifty decoded frames; None while the camera is not up."""

    last_frame_ns: int | None
    """CLOCK_MONOTONIC of the latest decoded frame."""

    error_code: str | None
    """A `protocol.Fault`: why it is down or ended early; None while all is well."""

    restarts: int
    """Decoders started after the first."""

    landlock_version: int | None = None
    """What confines the decoder; 0: the kernel has no Landlock; None: no decoder has reported yet."""

    is_memory_locked: bool | None = None
    """Whether the slots can never be swapped out; None while there are none."""


class FrameSource(Protocol):
    """A camera, or a simulator that keeps a camera's promises."""

    @property
    def status(self) -> CameraStatus: ...

    def start(self) -> None: ...

    def stop(self) -> None:
        """End it; afterwards nothing is decoded and no frame waits."""
        ...

    def pause(self) -> None:
        """Stop decoding and hold no frame, until `resume`."""
        ...

    def resume(self) -> None: ...

    def take_newest(self) -> Frame | None:
        """Hand a frame over to its new owner; None when nothing waits."""
        ...
