"""
One connection to a broker, by paho-mqtt: MQTT 5, QoS 1, TLS where there is a certificate authority.

A `Connection` lives from one CONNECT to its end and is never used again, so that the library has nothing of an earlier
one to send a second time. Its callbacks only put events into the owner's queue.
"""

import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from paho.mqtt.client import Client, DisconnectFlags, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_lfr.clock import Clock
from edge_lfr.config.reporting import BrokerConfig
from edge_lfr.errors import BrokerUnavailableError
from edge_lfr.pipeline.reporting.messages import MESSAGE_BYTES

CONNECT_TIMEOUT_S: Final = 5.0
"""For TCP and TLS together, and again for the broker's answer (chosen, not measured)."""

GOODBYE_TIMEOUT_S: Final = 1.0
"""For the broker to take what was published last (chosen, not measured)."""

NO_MATCHING_SUBSCRIBERS: Final = 16
"""PUBACK reason: the broker took the message and had nobody to give it to. MQTT 5.0, 3.4.2.1."""

PACKET_OVERHEAD_BYTES: Final = 256
"""Of a PUBLISH beside its payload: header, topic and properties of this project stay below."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says, retained, when this client vanishes."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker accepted this client."""

    max_packet_bytes: int
    receive_maximum: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is over, or never came to be."""

    reason: str
    is_refusal: bool
    """The broker answered, and did not want this client."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The broker's answer to a subscription; None is a yes."""

    refusal: str | None


@dataclass(frozen=True, slots=True)
class Published:
    """A PUBACK."""

    mid: int
    code: int
    reason: str
    at_ns: int

    @property
    def is_accepted(self) -> bool:
        return self.code == 0


@dataclass(frozen=True, slots=True)
class Received:
    """A message for us; nothing in it is checked."""

    topic: str
    untrusted_payload: bytes = field(repr=False)


Event = Connected | Disconnected | Subscribed | Published | Received


class Sink(Protocol):
    """Takes events of a connection, from its network thread; must return at once."""

    def __call__(self, connection: "Connection", event: Event, /) -> None: ...


class Connection:
    """From one CONNECT to its end."""

    def __init__(self, config: BrokerConfig, client_id: str, sink: Sink, clock: Clock, will: Will | None) -> None:
        """
        Begin to connect; the answer comes as an event.

        Raises:
            BrokerUnavailableError: Nobody listens there, or TLS does not come to be.
        """
        self._sink = sink
        self._clock = clock
        self._over = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTv5, reconnect_on_failure=False
        )
        self._client.connect_timeout = CONNECT_TIMEOUT_S
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=1, retain=True)
        try:
            _identify(self._client, config)
            properties = _properties(PacketTypes.CONNECT)
            properties.MaximumPacketSize = MESSAGE_BYTES + PACKET_OVERHEAD_BYTES
            self._client.connect(
                config.host, config.port, keepalive=config.keepalive_s, clean_start=True, properties=properties
            )
        except (OSError, ValueError) as error:
            raise BrokerUnavailableError(_words_of(error)) from error
        self._client.loop_start()

    def subscribe(self, *topic_filters: str) -> None:
        """All of them in one request; its answer is a refusal when one of them is refused."""
        self._client.subscribe([(topic_filter, 1) for topic_filter in topic_filters])

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        """Send with QoS 1; the number comes back in `Published`."""
        properties = _properties(PacketTypes.PUBLISH)
        properties.ContentType = "application/json"
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        return self._client.publish(topic, payload, qos=1, retain=retain, properties=properties).mid

    def close(self, *, is_graceful: bool) -> None:
        """End it; without grace the broker speaks the last will. Events may still come until this returns."""
        sock = self._client.socket()
        if is_graceful:
            self._client.disconnect()
            self._over.wait(GOODBYE_TIMEOUT_S)
        if not self._over.is_set() and isinstance(sock, socket.socket):
            # the library's own way out waits for a broker that may never read again
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def _on_connect(
        self, _client: Client, _userdata: object, _flags: object, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._end(str(reason), is_refusal=True)
            return
        self._sink(
            self,
            Connected(
                max_packet_bytes=getattr(properties, "MaximumPacketSize", 2**28),
                receive_maximum=getattr(properties, "ReceiveMaximum", 65_535),
            ),
        )

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        self._end(str(reason), is_refusal=bool(flags.is_disconnect_packet_from_server))

    def _end(self, reason: str, *, is_refusal: bool) -> None:
        """Say it once: the library tells of some ends twice."""
        if not self._over.is_set():
            self._over.set()
            self._sink(self, Disconnected(reason, is_refusal))

    def _on_subscribe(
        self, _client: Client, _userdata: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        refusals = [str(reason) for reason in reasons if reason.is_failure]
        self._sink(self, Subscribed(refusals[0] if refusals else None))

    def _on_publish(
        self, _client: Client, _userdata: object, mid: int, reason: ReasonCode, _properties: object
    ) -> None:
        self._sink(self, Published(mid, reason.value, str(reason), self._clock.monotonic_ns()))

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._sink(self, Received(message.topic, bytes(message.payload)))


def _properties(packet_type: int) -> Any:  # noqa: ANN401 - the library sets attributes that it declares nowhere
    return Properties(packet_type)  # type: ignore[no-untyped-call]  # the library's own


class _ClosingSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails; the library would leave that to chance."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature is the base class's
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _identify(client: Client, config: BrokerConfig) -> None:
    """TLS, client certificate and password, as far as they are configured."""
    if config.ca_file is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.sslsocket_class = _ClosingSocket
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(config.ca_file)
            if config.certificate_file is not None:
                context.load_cert_chain(config.certificate_file, config.key_file)
        except OSError as error:
            files = [str(path) for path in (config.ca_file, config.certificate_file, config.key_file) if path]
            raise BrokerUnavailableError(f"{', '.join(files)}: {_words_of(error)}") from error
        client.tls_set_context(context)
    if config.username is not None:
        client.username_pw_set(config.username, None if config.password is None else config.password.get_secret_value())


def _words_of(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_TIMEOUT_S:.0f} s"
    text = getattr(error, "strerror", None)
    return str(error) if text is None else str(text)
