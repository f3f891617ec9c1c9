"""
A control room: subscribes to what one appliance says, believes only what fits the schemas, and acknowledges alerts.

An acknowledgement says that the message has arrived and is on the screen; what the officer decides is not said here.
"""

import os
import queue
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final, TypeVar

from edge_lfr.clock import Clock
from edge_lfr.config.reporting import BrokerConfig
from edge_lfr.console.events import (
    Acknowledged,
    AlertSeen,
    ControlEvent,
    GapSeen,
    LinkChanged,
    MessageInvalid,
    SightingSeen,
    State,
    StateSeen,
)
from edge_lfr.console.gaps import GapFinder
from edge_lfr.errors import BrokerUnavailableError, EdgeLfrError
from edge_lfr.governance.signed import sign
from edge_lfr.governance.trust import SigningKey
from edge_lfr.pipeline.reporting.messages import (
    ACK_KIND,
    AckMessage,
    AlertMessage,
    MessageFormatError,
    SightingMessage,
    UpMessage,
    parse,
)
from edge_lfr.pipeline.reporting.mqtt import (
    CONNECT_TIMEOUT_S,
    Connected,
    Connection,
    Disconnected,
    Event,
    Published,
    Received,
    Subscribed,
)
from edge_lfr.pipeline.reporting.states import (
    CameraMessage,
    HealthMessage,
    LedgerHeadMessage,
    StatusMessage,
    TrustMessage,
    WatchlistMessage,
)
from edge_lfr.pipeline.reporting.topics import Topics

ACK_LIFETIME: Final = timedelta(minutes=10)
"""An acknowledgement that is not believed by then is sent anew when the alert comes again (chosen, not measured)."""

MAX_REMEMBERED: Final = 10_000
"""Ids of messages that are known to be repeats when they come again."""

Said = TypeVar("Said", bound=UpMessage)

_Item = tuple[Connection, Event] | None


class NotShownError(EdgeLfrError):
    """An event could not be shown; the control room has left the broker, which now knows that nobody listens."""

    code = "console.not-shown"
    exit_status = os.EX_IOERR
    remedy = "make sure that the output can be written and start again: alerts wait at the appliance until then"


class ControlRoom:
    """
    Watches one appliance until stopped; its events are told in one thread, its own.

    A control room that cannot show what arrives must not look as if somebody saw it: it leaves the broker and says so.
    """

    def __init__(
        self,
        broker: BrokerConfig,
        topics: Topics,
        key: SigningKey | None,
        on_event: Callable[[ControlEvent], None],
        *,
        on_failure: Callable[[NotShownError], None],
        clock: Clock,
        name: str = "control-room",
    ) -> None:
        """
        Nothing is opened until `start`.

        Args:
            broker: Where the appliance publishes.

            topics: Of the appliance.

            key: Signs acknowledgements; None watches without acknowledging.

            on_event: Called for everything that happens; an alert is acknowledged after it returns.

            on_failure: Called once, with the connection closed, when an event could not be told: it is over.

            clock: For the validity of acknowledgements.

            name: Who acknowledges.
        """
        self._broker = broker
        self._topics = topics
        self._key = key
        self._on_event = on_event
        self._on_failure = on_failure
        self._clock = clock
        self._name = name
        self._client_id = f"edge-lfr/control/{secrets.token_hex(6)}"
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None
        self._tries = 0
        self._deadline_ns: int | None = None
        self._next_try_ns = 0
        self._is_up: bool | None = None
        self._known: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._gaps = GapFinder()
        self._acks: dict[int, str] = {}
        self._states: Mapping[str, type[State]] = {
            topics.status: StatusMessage,
            topics.health: HealthMessage,
            topics.watchlist: WatchlistMessage,
            topics.trust: TrustMessage,
            topics.ledger_head: LedgerHeadMessage,
        }

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="control-room", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._stopping.set()
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        failure: NotShownError | None = None
        try:
            self._watch()
        except Exception as error:  # noqa: BLE001 - whatever ends the thread, its owner is told
            failure = _as_failure(error)
        finally:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close(is_graceful=True)
        if failure is not None:
            self._on_failure(failure)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            now_ns = self._clock.monotonic_ns()
            if self._connection is None and now_ns >= self._next_try_ns:
                self._connect()
            if self._deadline_ns is not None and now_ns >= self._deadline_ns:
                self._lost("the broker does not answer")
            due_ns = self._next_try_ns if self._connection is None else self._deadline_ns
            timeout_s = None if due_ns is None else max(0.0, (due_ns - self._clock.monotonic_ns()) / 1e9)
            with suppress(queue.Empty):
                item = self._queue.get(timeout=timeout_s)
                if item is not None and item[0] is self._connection:
                    self._handle(item[1])

    def _connect(self) -> None:
        try:
            self._connection = Connection(
                self._broker,
                self._client_id,
                lambda connection, event: self._queue.put((connection, event)),
                self._clock,
                None,
            )
        except BrokerUnavailableError as error:
            self._lost(error.message)
        else:
            self._deadline_ns = self._clock.monotonic_ns() + round(CONNECT_TIMEOUT_S * 1e9)

    def _lost(self, reason: str) -> None:
        first_s, longest_s = self._broker.reconnect_s
        self._next_try_ns = self._clock.monotonic_ns() + round(min(longest_s, first_s * 2**self._tries) * 1e9)
        self._tries = min(self._tries + 1, 16)
        self._deadline_ns = None
        self._acks.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(is_graceful=False)
        if self._is_up is not False:
            self._is_up = False
            self._on_event(LinkChanged(is_up=False, reason=reason))

    def _handle(self, event: Event) -> None:
        match event:
            case Connected():
                self._tries = 0
                if self._connection is not None:
                    self._connection.subscribe(self._topics.everything_up)
            case Subscribed(refusal):
                if refusal is not None:
                    self._lost(f"subscription refused: {refusal}")
                    return
                self._deadline_ns = None
                self._is_up = True
                self._on_event(LinkChanged(is_up=True, reason=None))
            case Disconnected(reason):
                self._lost(reason)
            case Published():
                self._on_published(event)
            case Received(topic, untrusted_payload):
                self._on_received(topic, untrusted_payload)

    def _on_published(self, event: Published) -> None:
        alert_id = self._acks.pop(event.mid, None)
        if alert_id is not None:
            self._on_event(Acknowledged(alert_id, is_delivered=event.is_accepted))

    def _on_received(self, topic: str, untrusted_payload: bytes) -> None:
        try:
            event = self._read(topic, untrusted_payload)
        except MessageFormatError as error:
            event = MessageInvalid(topic, error.message)
        if isinstance(event, AlertSeen | SightingSeen):
            message = event.message
            missing = self._gaps.arrived(message.boot_id, message.seq)
            if missing:
                self._on_event(GapSeen(message.boot_id, missing))
        self._on_event(event)
        if isinstance(event, AlertSeen):
            self._acknowledge(event.message)

    def _read(self, topic: str, untrusted_payload: bytes) -> ControlEvent:
        """
        Believe a message, if it has the schema and the mode of its topic.

        Raises:
            MessageFormatError: It has not.
        """
        if topic == self._topics.alert:
            alert = self._parse(AlertMessage, untrusted_payload)
            return AlertSeen(alert, is_repeat=self._is_known(alert.boot_id, alert.seq))
        if topic == self._topics.sighting:
            sighting = self._parse(SightingMessage, untrusted_payload)
            return SightingSeen(sighting, is_repeat=self._is_known(sighting.boot_id, sighting.seq))
        is_camera = topic.startswith(self._topics.camera(""))
        state: type[State] | None = CameraMessage if is_camera else self._states.get(topic)
        if state is None:
            message = "unknown topic"
            raise MessageFormatError(message)
        return StateSeen(self._parse(state, untrusted_payload))

    def _parse(self, message_type: type[Said], untrusted_payload: bytes) -> Said:
        """Training must never pass for operation, nor the other way round: not even where both use one broker."""
        said = parse(message_type, untrusted_payload)
        mode = self._topics.identity.mode
        if said.mode is not mode:
            raise MessageFormatError(f"mode: expected {mode}, found {said.mode}")
        return said

    def _is_known(self, boot_id: str, seq: int) -> bool:
        key = (boot_id, seq)
        is_known = key in self._known
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return is_known

    def _acknowledge(self, alert: AlertMessage) -> None:
        """Also for a repeat: the earlier acknowledgement may not have arrived."""
        if self._key is None or self._connection is None:
            return
        wire = sign(
            self._key,
            kind=ACK_KIND,
            device=self._topics.identity.addressee,
            body=AckMessage(alert_id=alert.alert_id, by=self._name),
            issued_at=self._clock.utc_now(),
            lifetime=ACK_LIFETIME,
        )
        mid = self._connection.publish(self._topics.ack, wire, expiry_s=round(ACK_LIFETIME.total_seconds()))
        self._acks[mid] = alert.alert_id


def _as_failure(error: Exception) -> NotShownError:
    """In words that say nothing about a subject: of other errors only the kind is known to be harmless."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    failure = NotShownError(f"what arrives cannot be shown any more: {reason}")
    failure.__cause__ = error
    return failure
