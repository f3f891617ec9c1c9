"""Somebody at a broker who tries things and is told what came of them; on the project's own connection."""

import queue
from types import TracebackType
from typing import Self

from edge_lfr.clock import SystemClock
from edge_lfr.config.reporting import BrokerConfig
from edge_lfr.pipeline.reporting.mqtt import Connected, Connection, Disconnected, Event, Published, Received, Subscribed

ANSWER_LIMIT_S = 10.0


class Party:
    """One connection; every call waits for the broker's answer."""

    def __init__(self, config: BrokerConfig, client_id: str = "party") -> None:
        self._events: queue.Queue[Event] = queue.Queue()
        self.heard: list[str] = []
        """Topics of what came while something else was waited for."""
        self._connection = Connection(config, client_id, lambda _, event: self._events.put(event), SystemClock(), None)
        self.welcome = self._next()

    def publish(self, topic: str, payload: bytes = b"{}") -> Published | Disconnected:
        """What the broker made of it: a PUBACK with its reason, or the end of the connection."""
        self._connection.publish(topic, payload)
        answer = self._next()
        assert isinstance(answer, Published | Disconnected)
        return answer

    def subscribe(self, topic_filter: str) -> None:
        self._connection.subscribe(topic_filter)
        assert isinstance(self._next(), Subscribed)

    def received(self, marker: str) -> list[str]:
        """Topics of everything that came until the message on topic *marker*, which comes last, inclusive."""
        while marker not in self.heard:
            event = self._events.get(timeout=ANSWER_LIMIT_S)
            assert isinstance(event, Received), event
            self.heard.append(event.topic)
        return list(self.heard)

    def __enter__(self) -> Self:
        assert isinstance(self.welcome, Connected), self.welcome
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close(is_graceful=True)

    def _next(self) -> Event:
        while True:
            event = self._events.get(timeout=ANSWER_LIMIT_S)
            if not isinstance(event, Received):
                return event
            self.heard.append(event.topic)
