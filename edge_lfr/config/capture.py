"""Cameras: where the pictures come from and which part of them may be looked at."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from edge_lfr.biometrics.geometry import PolygonXY
from edge_lfr.config.section import Identifier, Seconds, Section, Share


class SourceKind(StrEnum):
    """What a source is; it decides between reconnecting and ending."""

    RTSP = "rtsp"
    FILE = "file"
    V4L2 = "v4l2"
    """The same path as the others; not tested on hardware yet."""

    PICTURES = "pictures"


class Playback(StrEnum):
    """How a file or a folder of pictures is played; live sources ignore it."""

    REALTIME = "realtime"
    """At the source's own pace; the newest frame wins, as with a camera."""

    EVERY_FRAME = "every-frame"
    """As fast as the path takes them, none dropped."""


Corner = tuple[Share, Share]
Polygon = Annotated[tuple[Corner, ...], Field(min_length=3, max_length=64)]


class CameraConfig(Section):
    """One camera."""

    id: Identifier
    """Name in messages, topics and logs."""

    source: SecretStr
    """Address of the stream (rtsp://...), device (/dev/video0; not tested on hardware yet), video
    file or folder of pictures; never logged."""

    playback: Playback = Playback.REALTIME
    """For files and folders: `realtime` or `every-frame`."""

    zone: Polygon | None = None
    """Zone of recognition, corners in shares of width and height; faces outside are not looked at. None: everywhere."""

    privacy_mask: tuple[Polygon, ...] = ()
    """Areas that are blackened before anything looks at the frame, as corners in shares of width and height."""

    frame_limit: tuple[Annotated[int, Field(ge=64, le=7680)], Annotated[int, Field(ge=64, le=4320)]] = (1920, 1080)
    """Largest width and height that enter the path; larger pictures are scaled down in the decoder."""

    pictures_per_second: Annotated[float, Field(gt=0.0, le=120.0)] = 5.0
    """Pace of a folder of pictures under `realtime`."""

    open_timeout_s: Seconds = 5.0
    """A camera that has not opened after this is given up and tried again."""

    read_timeout_s: Seconds = 4.0
    """The library's own limit for one read."""

    stale_after_s: Seconds = 4.0
    """No new frame for this long: the decoder is killed and started again."""

    backoff_s: tuple[Seconds, Seconds] = (1.0, 30.0)
    """First and longest wait before the next try; doubled each time, with jitter."""

    @property
    def kind(self) -> SourceKind:
        """Read off the source itself: a scheme, a device, a folder, else a file."""
        source = self.source.get_secret_value()
        if source.startswith(("rtsp://", "rtsps://")):
            return SourceKind.RTSP
        if source.startswith("/dev/"):
            return SourceKind.V4L2
        if source.endswith("/"):
            return SourceKind.PICTURES
        return SourceKind.FILE

    @property
    def zone_polygon(self) -> PolygonXY | None:
        return None if self.zone is None else PolygonXY(self.zone)

    @model_validator(mode="after")
    def _backoff_is_ordered(self) -> Self:
        if self.backoff_s[0] > self.backoff_s[1]:
            message = "backoff_s: the first wait is longer than the longest"
            raise ValueError(message)
        if "://" in self.source.get_secret_value() and self.kind is not SourceKind.RTSP:
            message = "source: only rtsp:// and rtsps:// addresses, devices, files and folders (ending in /) are read"
            raise ValueError(message)
        return self
