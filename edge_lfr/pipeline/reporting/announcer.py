"""What the appliance says of itself: retained messages when they change, health at an interval, and its last will."""

from collections.abc import Callable
from dataclasses import dataclass

from edge_lfr.pipeline.reporting.messages import Message
from edge_lfr.pipeline.reporting.mqtt import Will
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.states import (
    CameraMessage,
    DeviceState,
    HealthMessage,
    LedgerHeadMessage,
    StatusMessage,
    TrustMessage,
    WatchlistMessage,
)
from edge_lfr.pipeline.reporting.topics import Topics


@dataclass(frozen=True, slots=True)
class SelfDescription:
    """Asked from the link's thread; each answers at once and from memory."""

    status: Callable[[], StatusMessage]
    """The link adds what the outbox and the broker say."""

    cameras: Callable[[], tuple[CameraMessage, ...]]
    watchlist: Callable[[], WatchlistMessage | None]
    health: Callable[[], HealthMessage]
    trust: Callable[[], TrustMessage | None] = lambda: None
    ledger_head: Callable[[], LedgerHeadMessage | None] = lambda: None
    """The newest signed head; None while there is none."""


class Announcer:
    """Remembers what was said last, and gives what is new; the link thread's own."""

    def __init__(self, topics: Topics, description: SelfDescription, outbox: Outbox) -> None:
        self._topics = topics
        self._description = description
        self._outbox = outbox
        self._said: dict[str, bytes] = {}

    def forget(self) -> None:
        """A new connection: say everything again."""
        self._said.clear()

    def will(self) -> Will:
        """What the broker says when the appliance vanishes."""
        lost = self._description.status().model_copy(update={"state": DeviceState.OFFLINE, "reasons": ()})
        return Will(self._topics.status, lost.to_json())

    def health(self) -> bytes:
        return self._description.health().to_json()

    def news(self, *, nobody_listening: bool) -> list[tuple[str, bytes]]:
        """Topic and payload of every retained message that differs from what was said last."""
        status = self._description.status().model_copy(
            update={
                "nobody_listening": nobody_listening,
                "last_seq": self._outbox.last_seq,
                "outbox": self._outbox.counts(),
            }
        )
        messages: list[tuple[str, Message]] = [(self._topics.status, status)]
        messages += [(self._topics.camera(camera.camera), camera) for camera in self._description.cameras()]
        perhaps: list[tuple[str, Message | None]] = [
            (self._topics.watchlist, self._description.watchlist()),
            (self._topics.trust, self._description.trust()),
            (self._topics.ledger_head, self._description.ledger_head()),
        ]
        messages += [(topic, message) for topic, message in perhaps if message is not None]
        news = [(topic, message.to_json()) for topic, message in messages]
        news = [(topic, payload) for topic, payload in news if self._said.get(topic) != payload]
        self._said.update(news)
        return news
