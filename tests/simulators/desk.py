"""A control room that writes down what it sees, and acknowledges when it has a key."""

import threading
from collections import Counter
from typing import Self

from edge_lfr.clock import SystemClock
from edge_lfr.console.control_room import ControlRoom, NotShownError
from edge_lfr.console.events import AlertSeen, ControlEvent, SightingSeen, StateSeen
from edge_lfr.governance.trust import SigningKey
from edge_lfr.pipeline.reporting.states import StatusMessage
from edge_lfr.pipeline.reporting.topics import Topics
from simulators.appliance import TOPICS, eventually
from simulators.broker import Broker


class Desk:
    """Watches from entering its block to leaving it."""

    def __init__(self, broker: Broker, key: SigningKey | None, topics: Topics = TOPICS) -> None:
        self._lock = threading.Lock()
        self._events: list[ControlEvent] = []
        self.failures: list[NotShownError] = []
        self._room = ControlRoom(
            broker.config(), topics, key, self.show, on_failure=self.failures.append, clock=SystemClock()
        )

    def show(self, event: ControlEvent) -> None:
        with self._lock:
            self._events.append(event)

    @property
    def events(self) -> list[ControlEvent]:
        with self._lock:
            return list(self._events)

    @property
    def alerts(self) -> list[AlertSeen]:
        return [event for event in self.events if isinstance(event, AlertSeen) and not event.is_repeat]

    @property
    def alert_counts(self) -> Counter[str]:
        """How often each alert was shown."""
        return Counter(alert.message.alert_id for alert in self.alerts)

    @property
    def references(self) -> list[str]:
        return [alert.message.reference_id for alert in self.alerts]

    @property
    def sightings(self) -> list[SightingSeen]:
        return [event for event in self.events if isinstance(event, SightingSeen)]

    @property
    def statuses(self) -> list[StatusMessage]:
        states = [event.message for event in self.events if isinstance(event, StateSeen)]
        return [message for message in states if isinstance(message, StatusMessage)]

    def wait_for_alerts(self, number: int, timeout_s: float = 30.0) -> bool:
        return eventually(lambda: len(self.alerts) >= number, timeout_s)

    def __enter__(self) -> Self:
        self._room.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._room.stop()
