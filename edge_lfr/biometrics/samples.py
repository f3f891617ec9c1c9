"""
What the cameras give: frames with faces in them, tracks of faces over time, and aligned samples of the good ones.

`Frame` and `AlignedFace` own pixels and are destroyed by leaving their `with` block. `Face`, `Track` and `Quality` hold
numbers only and may be kept.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.buffers import Slot
from edge_lfr.biometrics.geometry import BoxXYXY, PointsXY, SizeWH


@dataclass(slots=True, eq=False)
class Frame:
    """One picture of one camera, in a slot that this record owns until `destroy`."""

    camera_id: str
    sequence: int
    """Counts the frames that this camera handed over, from 0; restarts with the daemon."""

    arrived_ns: int
    """CLOCK_MONOTONIC when the decoder had the picture."""

    captured_at: datetime
    """Aware UTC of the same moment."""

    media_time_s: float | None
    """Position in the file or stream by its own time stamps; None when it has none."""

    pixels: NDArray[np.uint8]
    """uint8 (height, width, 3), BGR; a view of the slot."""

    on_destroy: Callable[[], None] = field(repr=False)
    """Zeroes the slot and returns it to its camera; called once."""

    _destroyed: bool = field(default=False, repr=False)

    @property
    def size(self) -> SizeWH:
        return SizeWH(width=self.pixels.shape[1], height=self.pixels.shape[0])

    def destroy(self) -> None:
        """Zero the pixels and return the slot; safe to call again."""
        if not self._destroyed:
            self._destroyed = True
            self.on_destroy()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A detected face in source pixels; no picture."""

    box_xyxy: BoxXYXY
    landmarks_xy: PointsXY
    """float32 (5, 2); order as in `geometry.LANDMARK_COUNT`."""

    detection_score: float
    """The detector's own 0 to 1; says 'face', not 'whose'."""

    @property
    def inter_eye_px(self) -> float:
        """Distance between the eyes' landmarks in source pixels."""
        return float(np.linalg.norm(self.landmarks_xy[1] - self.landmarks_xy[0]))


@dataclass(frozen=True, slots=True)
class Track:
    """One passage of one person before one camera, as of the present frame; no picture."""

    track_id: int
    """Unique within one run of the daemon, over all cameras; never reused."""

    camera_id: str
    face: Face
    """As detected in the present frame."""

    first_seen_ns: int
    last_seen_ns: int


class QualityReason(StrEnum):
    """Why a face is not worth a comparison."""

    SMALL = "small"
    POSE = "pose"
    BLURRED = "blurred"
    DARK = "dark"
    BRIGHT = "bright"
    FLAT = "flat"
    CLIPPED = "clipped"
    LOW_DETECTION_SCORE = "low-detection-score"
    OUTSIDE_ZONE = "outside-zone"


@dataclass(frozen=True, slots=True)
class Quality:
    """The measures of one face; a measure is None until the stage that can take it has run."""

    inter_eye_px: float
    yaw_share: float
    """Nose tip's sideways shift from the middle of the eyes, in inter-eye distances; 0 is frontal, sign is the side."""

    pitch_share: float
    """Nose tip's height between eye line and mouth line, 0 to 1; about 0.5 is level."""

    roll_deg: float
    """Turn of the eye line, degrees, clockwise positive."""

    inside_share: float
    """Share of the face's box that lies inside the picture, 0 to 1."""

    detection_score: float
    sharpness: float | None = None
    """Measured on the aligned crop, so that it does not depend on the size of the picture."""

    brightness: float | None = None
    """Mean luminance of the aligned crop, 0 to 255."""

    contrast: float | None = None
    """Standard deviation of the luminance of the aligned crop, 0 to 255."""

    value: float = 0.0
    """One number to rank the looks at a track by; higher is better; not comparable between packs."""

    reasons: tuple[QualityReason, ...] = ()
    """Why not, empty when the face is good enough."""

    @property
    def is_sufficient(self) -> bool:
        return not self.reasons


@dataclass(slots=True, eq=False)
class AlignedFace:
    """The canonical sample of one face, in an arena slot that this record owns until `destroy`."""

    track_id: int
    slot: Slot[np.uint8]

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """uint8 (side, side, 3), BGR, in the frame of the pack's alignment template."""
        return self.slot.array

    def destroy(self) -> None:
        self.slot.destroy()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()
