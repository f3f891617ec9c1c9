"""Finding, following and judging faces."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from edge_lfr.config.section import Seconds, Section, Share

Luminance = Annotated[float, Field(ge=0.0, le=255.0)]

GAP_FACTOR: Final = 3.0
"""
How many times `max_lost_s` two frames of one camera may lie apart and still show one passage.

Many cameras on few cores take turns of more than a second, and a network stalls for as long: without it no track there
would live to a second look. Not more, since the longer nobody looked, the likelier another person stands in the same
place. Chosen, not measured: by default 3 s, less than the 4 s after which a silent camera is started anew.
"""


class DetectionConfig(Section):
    """Pixels to boxes."""

    working_size: tuple[Annotated[int, Field(ge=32, le=7680)], Annotated[int, Field(ge=32, le=4320)]] = (1280, 736)
    """Width and height that frames are fitted into for the detector (multiples of 32); a smaller one is faster and
    misses smaller faces. A pack with a fixed size ignores it."""

    min_detection_score: Share = 0.6
    """Detections below are ignored, except to continue a track (see `tracking.min_continuing_score`)."""

    nms_iou: Share = 0.3
    """Of two boxes that overlap more than this, the lower score is dropped."""


class TrackingConfig(Section):
    """Boxes over time to passages."""

    min_continuing_score: Share = 0.3
    """Detections down to this score may continue a track, never start one."""

    min_iou: Share = 0.2
    """Overlap of prediction and detection below which they are two faces."""

    max_lost_s: Seconds = 1.0
    """A track without a detection for this long has ended; where no frame came meanwhile, after three times as long."""

    @property
    def max_gap_s(self) -> float:
        """A camera silent for longer than this has nobody left to follow."""
        return GAP_FACTOR * self.max_lost_s


class QualityConfig(Section):
    """When a face is worth a comparison; the same measures judge watchlist pictures."""

    min_inter_eye_px: Annotated[float, Field(ge=4.0, le=500.0)] = 13.0
    """Distance between the eyes in source pixels; 13 is a face about 32 px wide, below which nothing is decided."""

    max_yaw_share: Annotated[float, Field(gt=0.0, le=2.0)] = 0.45
    """Sideways turn: the nose's shift from the middle of the eyes in inter-eye distances."""

    pitch_range: tuple[Share, Share] = (0.2, 0.85)
    """Nod: where the nose lies between eye line (0) and mouth line (1)."""

    max_roll_deg: Annotated[float, Field(gt=0.0, le=180.0)] = 40.0
    """Tilt of the eye line."""

    min_sharpness: Annotated[float, Field(ge=0.0)] = 0.22
    """Sharpness of the aligned crop, as `quality.sharpness` measures it. Measured on 24 portraits, faces 36 to 140 px
    wide: unblurred 0.39 and more; a Gaussian blur of 0.06 inter-eye distances leaves 0.24 to 0.43 (5 to 95 %) and a
    median mated cosine of 0.69 to 0.80 (pack `yunet-0095`), one of 0.12 leaves 0.16 to 0.33 and 0.39 to 0.45, which no
    threshold accepts."""

    brightness_range: tuple[Annotated[float, Field(ge=0, le=255)], Annotated[float, Field(ge=0, le=255)]] = (
        25.0,
        235.0,
    )
    """Mean luminance of the aligned crop."""

    min_contrast: Annotated[float, Field(ge=0.0, le=128.0)] = 10.0
    """Standard deviation of the luminance of the aligned crop."""

    min_inside_share: Share = 0.85
    """Share of the box that must lie inside the picture."""

    min_detection_score: Share = 0.6
    """The detector's own score."""

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> Self:
        for name in ("pitch_range", "brightness_range"):
            lowest, highest = getattr(self, name)
            if lowest > highest:
                message = f"{name}: the lower limit {lowest} is above the upper one {highest}"
                raise ValueError(message)
        return self


class LooksConfig(Section):
    """Which tracks are compared in a pass, and how often."""

    interval_s: Seconds = 0.5
    """Time after which a track without a hit is looked at again."""

    after_hit_s: Seconds = 0.2
    """Least time between a first hit and the look that may confirm it, also for another person on the same track."""

    quality_gain: Annotated[float, Field(gt=1.0, le=10.0)] = 1.2
    """A look is due at once when the quality value exceeds the best so far by this factor."""

    settled_interval_s: Seconds = 2.0
    """Time between looks at a track that has alerted already; it may have passed to another person."""

    max_looks: Annotated[int, Field(ge=1, le=100)] = 10
    """Comparisons of one track at most until it alerts; more than `decision.required_hits`, for the margin's look."""

    max_batch: Annotated[int, Field(ge=1, le=64)] = 16
    """Faces embedded in one pass at most; the rest is postponed and counted."""
