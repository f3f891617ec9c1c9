"""A monitor beside the control room: hears one topic at the broker, and is no listener for alerts."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from simulators.broker import Broker

CONNECT_TIMEOUT_S = 10.0


class Listener:
    """Is subscribed from entering its block to leaving it."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self._port = broker.port
        self._topic = topic
        self._payloads: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._is_subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe

    def first(self, is_wanted: Callable[[bytes], bool], timeout_s: float) -> bytes:
        """
        Wait for the first payload that *is_wanted*.

        Raises:
            AssertionError: It did not come in time.
        """
        give_up_at = time.monotonic() + timeout_s
        payload = b""
        while (left_s := give_up_at - time.monotonic()) > 0:
            try:
                payload = self._payloads.get(timeout=left_s)
            except queue.Empty:
                break
            if is_wanted(payload):
                return payload
        raise AssertionError(f"this did not come; the last one was {payload!r}")

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self._client.subscribe(self._topic, qos=1)
        assert self._is_subscribed.wait(CONNECT_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self._payloads.put(bytes(message.payload))

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        if not any(reason.is_failure for reason in reasons):
            self._is_subscribed.set()
