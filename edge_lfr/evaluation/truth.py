"""
What really happened in a clip: who walked by, when and where; and whose passage an alert belongs to.

A truth file enters, or the events of a run do; counts leave. No picture is read here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.errors import EdgeLfrError

SCHEMA: Final = "lfr.truth/1"

TIME_TOLERANCE_FRAMES: Final = 1.5
"""An event this many frames away from a truth box may still be it (time stamps are rounded); chosen, not measured."""

MIN_EVENT_IOU: Final = 0.1
"""Below this an event's box and a truth box are two faces; detectors disagree on the height, hence the low value."""


class TruthFileError(EdgeLfrError):
    """A truth file is missing, broken or of another version."""

    code = "truth"
    exit_status = 65
    remedy = "make the clip and its truth file again with `scripts/make_walkby`"


class TruthRecord(BaseModel):
    """A frozen part of a truth file; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TruthBox(TruthRecord):
    """Where one face is in one frame; pixels of the clip, and it may reach outside the picture."""

    frame: Annotated[int, Field(ge=0)]
    time_s: Annotated[float, Field(ge=0.0)]
    x0: float
    y0: float
    x1: float
    y1: float
    hidden_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Share of the box that lies behind something or outside the picture, or has not faded in yet."""

    @property
    def box_xyxy(self) -> BoxXYXY:
        return BoxXYXY(self.x0, self.y0, self.x1, self.y1)


class Passage(TruthRecord):
    """One person walking by once."""

    passage_id: str
    reference_id: str | None
    """The person's entry on the watchlist made with the clip; None: not on the list, a non-mated passage."""

    person: str
    """Which portrait walked; the same in all passages of one person."""

    starts_s: float
    ends_s: float
    boxes: tuple[TruthBox, ...]
    """In order of time; frames in which less than a quarter of the face is inside the picture are left out."""

    @property
    def is_mated(self) -> bool:
        return self.reference_id is not None

    @cached_property
    def box_by_frame(self) -> dict[int, TruthBox]:
        return {box.frame: box for box in self.boxes}


class Truth(TruthRecord):
    """Everything that is known about one clip."""

    schema_: Annotated[str, Field(alias="schema", pattern="^lfr\\.truth/1$")] = SCHEMA
    clip: str
    """File name of the clip, without a folder."""

    fps: Annotated[float, Field(gt=0.0)]
    size: tuple[int, int]
    """Width and height."""

    passages: tuple[Passage, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """
        Read a truth file.

        Raises:
            TruthFileError: It is missing, unreadable or not in this format.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise TruthFileError(f"cannot read the truth file {path.name}: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise TruthFileError(f"{path.name} is no truth file: {place}: {first['msg']}") from error

    def save(self, path: Path) -> None:
        path.write_text(self.model_dump_json(by_alias=True, indent=None), encoding="utf-8")

    def passage_at(self, media_time_s: float, box_xyxy: BoxXYXY) -> Passage | None:
        """
        Find the person whose face was at this place at this time.

        Of several the greatest overlap counts, of equal ones the nearest in time; None when nobody's face was there.
        """
        tolerance_s = TIME_TOLERANCE_FRAMES / self.fps
        nearest = round(media_time_s * self.fps)
        best: tuple[float, float] = (MIN_EVENT_IOU, float("-inf"))
        found = None
        for passage in self.passages:
            if not passage.starts_s - tolerance_s <= media_time_s <= passage.ends_s + tolerance_s:
                continue
            for frame in range(nearest - 2, nearest + 3):
                box = passage.box_by_frame.get(frame)
                if box is None or abs(box.time_s - media_time_s) > tolerance_s:
                    continue
                rank = (box.box_xyxy.iou(box_xyxy), -abs(box.time_s - media_time_s))
                if rank > best:
                    best, found = rank, passage
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An alert or a sighting as it came out of the appliance."""

    alert_id: str
    reference_id: str
    media_time_s: float
    """Position in the clip of the frame that completed the decision."""

    box_xyxy: BoxXYXY
    """The face in that frame, in pixels of the clip."""

    is_sighting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Which passage each event belongs to."""

    by_passage: dict[str, tuple[Event, ...]] = field(default_factory=dict)
    """Passage id of a mated passage to the events that name its reference, in order of arrival."""

    false: tuple[Event, ...] = ()
    """Events that name somebody who was not there: another reference, a person who is not listed, or no face at all."""

    missed: tuple[Passage, ...] = ()
    """Mated passages without an event."""

    doubled: tuple[Passage, ...] = ()
    """Mated passages with more than one alert id: the officers were called twice for one passage."""

    @property
    def false_alerts(self) -> int:
        """False alert ids; a sighting repeats an id and is not a second one."""
        return len({event.alert_id for event in self.false})

    @property
    def true_alerts(self) -> int:
        """Mated passages with at least one event."""
        return len(self.by_passage)


def assign(truth: Truth, events: Iterable[Event]) -> Assignment:
    """Give every alert and sighting to the passage it belongs to, by place and time and then by reference."""
    by_passage: dict[str, list[Event]] = {}
    false: list[Event] = []
    for event in events:
        passage = truth.passage_at(event.media_time_s, event.box_xyxy)
        if passage is None or passage.reference_id != event.reference_id:
            false.append(event)
        else:
            by_passage.setdefault(passage.passage_id, []).append(event)
    mated = [passage for passage in truth.passages if passage.is_mated]
    return Assignment(
        by_passage={passage_id: tuple(found) for passage_id, found in by_passage.items()},
        false=tuple(false),
        missed=tuple(passage for passage in mated if passage.passage_id not in by_passage),
        doubled=tuple(
            passage
            for passage in mated
            if len({event.alert_id for event in by_passage.get(passage.passage_id, [])}) > 1
        ),
    )
