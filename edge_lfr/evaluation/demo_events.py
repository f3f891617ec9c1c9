"""What the control-room terminal saw: its JSON lines enter, events that a truth file can be asked about leave."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Final, Literal

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.evaluation.demo_summary import Numbers, RunReport, TrackReport
from edge_lfr.evaluation.truth import Event


class SeenMessage(Numbers):
    """An alert or a sighting as the subscriber printed it; label and pictures are not read."""

    alert_id: str
    track_id: int
    camera: str
    score: float
    threshold: float
    reference_id: str | None = None
    """A sighting names its alert only."""

    media_time_s: float | None = None
    box_xyxy: tuple[float, float, float, float] | None = None
    is_ambiguous: bool = False

    @property
    def is_sighting(self) -> bool:
        return self.reference_id is None


class LinkLine(Numbers):
    """What the subscriber says about its own link to the broker."""

    event: Literal["link"]
    is_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One line for the person who watches the demo; a reference id, never a label."""

    reference_id: str
    camera: str
    media_time_s: float | None
    score: float
    threshold: float
    is_sighting: bool
    is_ambiguous: bool


class Subscriber:
    """Reads the lines of `edge-lfr alerts watch --json` in a thread and keeps the numbers among them."""

    def __init__(self, lines: IO[str], on_message: Callable[[Announcement], None]) -> None:
        """
        Start reading.

        Args:
            lines: The process's standard output; reading ends with it.

            on_message: Called from the reading thread for every alert and sighting.
        """
        self._lines = lines
        self._on_message = on_message
        self._is_listening = threading.Event()
        self._changed = threading.Condition()
        self._messages: list[SeenMessage] = []
        self._reference_of: dict[str, str] = {}
        self._thread = threading.Thread(target=self._read, name="subscriber", daemon=True)
        self._thread.start()

    def wait_until_listening(self, timeout_s: float) -> bool:
        """Whether the subscriber has reached the broker within the time."""
        return self._is_listening.wait(timeout_s)

    def wait_for(self, count: int, timeout_s: float) -> None:
        """Return when so many messages were read, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._messages) >= count, timeout_s)

    def messages(self) -> tuple[SeenMessage, ...]:
        with self._changed:
            return tuple(self._messages)

    def events(self, run: RunReport) -> tuple[Event, ...]:
        """
        Say for each message who was reported where.

        A match that was decided only after the face had gone carries no place; it takes that of its track's end.
        """
        ends = {track.track_id: track for track in run.track_ends}
        return tuple(
            Event(
                alert_id=message.alert_id,
                reference_id=self._name(message),
                media_time_s=place[0],
                box_xyxy=place[1],
                is_sighting=message.is_sighting,
            )
            for message in self.messages()
            for place in [_place_of(message, ends.get(message.track_id))]
        )

    def _read(self) -> None:
        for text in self._lines:
            record = json.loads(text)
            if record.get("event") == "link" and LinkLine.model_validate(record).is_up:
                self._is_listening.set()
            if not record["schema"].startswith(("lfr.alert/", "lfr.sighting/")):
                continue
            message = SeenMessage.model_validate(record)
            with self._changed:
                if message.reference_id is not None:
                    self._reference_of[message.alert_id] = message.reference_id
                self._messages.append(message)
                self._changed.notify_all()
            self._on_message(
                Announcement(
                    reference_id=self._name(message),
                    camera=message.camera,
                    media_time_s=message.media_time_s,
                    score=message.score,
                    threshold=message.threshold,
                    is_sighting=message.is_sighting,
                    is_ambiguous=message.is_ambiguous,
                )
            )

    def _name(self, message: SeenMessage) -> str:
        return self._reference_of.get(message.alert_id, "")


NOWHERE: Final = (-1.0, BoxXYXY(0.0, 0.0, 0.0, 0.0))
"""Before any clip begins: an event of which nothing is known belongs to nobody, and counts as false."""


def _place_of(message: SeenMessage, end: TrackReport | None) -> tuple[float, BoxXYXY]:
    if message.media_time_s is not None and message.box_xyxy is not None:
        return message.media_time_s, BoxXYXY(*message.box_xyxy)
    if end is not None and end.last_media_s is not None:
        return end.last_media_s, end.last_box_xyxy
    return NOWHERE
