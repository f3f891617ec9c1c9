"""
The link to the control room: sends what the outbox holds, says how the appliance is, takes what control says.

One thread owns the connection and the plan; everything reaches it as an event in one queue, so nothing is polled.
"""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog

from edge_lfr.clock import Clock
from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.errors import BrokerUnavailableError, OutboxError, SealBrokenError
from edge_lfr.governance.trust import TrustStore
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.pipeline.reporting.announcer import Announcer, SelfDescription
from edge_lfr.pipeline.reporting.complaints import Complaints
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.down import DownMessages, OnRevocation, refuse_revocation
from edge_lfr.pipeline.reporting.link_status import LinkState, LinkStatus
from edge_lfr.pipeline.reporting.mqtt import (
    CONNECT_TIMEOUT_S,
    NO_MATCHING_SUBSCRIBERS,
    PACKET_OVERHEAD_BYTES,
    Connected,
    Connection,
    Disconnected,
    Event,
    Published,
    Received,
    Subscribed,
)
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.retries import Retries
from edge_lfr.pipeline.reporting.rows import PendingRow, RowKind
from edge_lfr.pipeline.reporting.sending import WINDOW, SendingPlan
from edge_lfr.pipeline.reporting.topics import Topics
from edge_lfr.pipeline.reporting.witness import Witness

TICK_S: Final = 5.0
"""Between two rounds of housekeeping: expiry, and bringing the spool to the disk (chosen, not measured)."""

PUBACK_TIMEOUT_S: Final = 15.0
"""Without any answer while rows are under way, the connection is taken for dead (chosen, not measured)."""

_Item = tuple[Connection, Event] | None
"""An event of a connection, or None: something changed, look again."""


class MqttLink:
    """Delivers until stopped; start and stop from one thread."""

    def __init__(
        self,
        config: ReportingConfig,
        topics: Topics,
        outbox: Outbox,
        trust: TrustStore,
        clock: Clock,
        *,
        description: SelfDescription,
        counters: Counters,
        look_at_clock: Callable[[], TimeVerdict],
        on_accepted: Callable[[str, int, int], None] = lambda _alert_id, _arrived_ns, _accepted_ns: None,
        on_revocation: OnRevocation = refuse_revocation,
        witness: Witness | None = None,
    ) -> None:
        """
        Nothing is opened until `start`.

        *on_accepted* gets an alert's id, the monotonic arrival of its deciding frame and that of the PUBACK; once for
        an alert of this run, from the link's thread. *look_at_clock* says whether the wall time may end an alert.
        *on_revocation* verifies and takes revocations; without it they
        are refused and counted.
        """
        self._config = config
        self._topics = topics
        self._outbox = outbox
        self._clock = clock
        self._counters = counters
        self._look_at_clock = look_at_clock
        self._on_accepted = on_accepted
        self._announcer = Announcer(topics, description, outbox)
        self._plan = SendingPlan()
        self._counted: dict[str, int] = {}
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._connection: Connection | None = None
        self._max_packet_bytes = 0
        self._retries = Retries(config.broker.reconnect_s, clock)
        self._deadline_ns: int | None = None
        self._next_tick_ns = 0
        self._next_health_ns = 0
        self._complaints = Complaints()
        self._witness = Witness() if witness is None else witness
        self._down = DownMessages(
            topics, outbox, trust, clock, counters=counters, on_revocation=on_revocation, witness=self._witness
        )
        self._drain_until_ns = 0
        self._stopping = threading.Event()
        self._announce = threading.Event()
        self._thread: threading.Thread | None = None
        self.turns = 0
        """Finished turns of its thread, also those that waited in vain."""

        self._status = LinkStatus(
            state=LinkState.STOPPED,
            reason=None,
            since=clock.utc_now(),
            nobody_listening=False,
            in_flight=0,
            complaints=(),
        )
        self._log = structlog.get_logger()

    @property
    def status(self) -> LinkStatus:
        return self._status

    @property
    def is_alive(self) -> bool:
        """The link's thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to connect and to deliver; returns at once, whether there is a broker or not."""
        self._stopping.clear()
        self._outbox.on_stored(self._wake)
        self._thread = threading.Thread(target=self._run, name="reporting", daemon=True)
        self._thread.start()

    def stop(self, drain_s: float = 2.0) -> None:
        """Give what waits a moment to be delivered, say goodbye, and end; what remains is in the outbox."""
        if self._thread is None:
            return
        self._drain_until_ns = self._clock.monotonic_ns() + round(drain_s * 1e9)
        self._stopping.set()
        self._wake()
        self._thread.join()
        self._thread = None

    def believe(self, trust: TrustStore) -> None:
        """Take down messages on the word of these keys from now on; any thread may say so."""
        self._down.believe(trust)

    def changed(self) -> None:
        """Something that status, camera or watchlist messages say has changed: publish them anew."""
        self._announce.set()
        self._wake()

    def _wake(self) -> None:
        self._queue.put(None)

    # The thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._set_state(LinkState.CONNECTING)
        while True:
            self.turns += 1
            try:
                self._keep_connection()
                self._housekeep()
                self._send()
                if self._is_done():
                    break
                self._take_events(self._patience_s())
            except OutboxError as error:
                self._complain("outbox.unreadable", error.message)
                if self._stopping.wait(TICK_S):
                    break
            else:
                self._complain("outbox.unreadable", None)
        self._say_goodbye()
        self._set_state(LinkState.STOPPED)

    def _is_done(self) -> bool:
        """Stopping, and nothing more can be delivered in the time that is left."""
        if not self._stopping.is_set():
            return False
        now_ns = self._clock.monotonic_ns()
        return not self._is_connected or self._plan.in_flight == 0 or now_ns >= self._drain_until_ns

    def _patience_s(self) -> float:
        """Until something has to be done without news."""
        now_ns = self._clock.monotonic_ns()
        dues = [self._next_tick_ns, self._next_health_ns]
        if self._connection is None:
            dues.append(self._retries.next_ns)
        if self._deadline_ns is not None:
            dues.append(self._deadline_ns)
        if self._is_connected and (due := self._plan.next_due_ns(now_ns)) is not None:
            dues.append(due)
        if self._stopping.is_set():
            dues.append(self._drain_until_ns)
        return max(0.0, (min(dues) - now_ns) / 1e9)

    def _take_events(self, patience_s: float) -> None:
        """Wait for the first, then take all that are there."""
        with suppress(queue.Empty):
            item = self._queue.get(timeout=patience_s)
            while True:
                if item is not None and item[0] is self._connection:
                    self._handle(item[1])
                item = self._queue.get_nowait()

    def _handle(self, event: Event) -> None:
        match event:
            case Connected():
                self._on_connected(event)
            case Disconnected():
                self._on_disconnected(event)
            case Subscribed(refusal):
                self._complain("broker.no-acknowledgements", refusal)
            case Published():
                self._on_published(event)
            case Received(topic, untrusted_payload):
                complaint = self._down.take(topic, untrusted_payload)
                if complaint is not None:
                    self._complain(*complaint)

    # The connection ---------------------------------------------------------------------------------------------

    @property
    def _is_connected(self) -> bool:
        return self._status.state is LinkState.CONNECTED

    def _keep_connection(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if self._connection is not None:
            if self._deadline_ns is not None and now_ns >= self._deadline_ns:
                self._on_disconnected(Disconnected("the broker does not answer", is_refusal=False))
            return
        if now_ns < self._retries.next_ns or self._stopping.is_set():
            return
        identity = self._topics.identity
        try:
            self._connection = Connection(
                self._config.broker,
                f"edge-lfr/{identity.addressee}",
                lambda connection, event: self._queue.put((connection, event)),
                self._clock,
                self._announcer.will(),
            )
        except BrokerUnavailableError as error:
            self._on_disconnected(Disconnected(error.message, is_refusal=False))
        else:
            self._deadline_ns = self._clock.monotonic_ns() + round(CONNECT_TIMEOUT_S * 1e9)

    def _on_connected(self, event: Connected) -> None:
        self._retries.connected()
        self._deadline_ns = None
        self._max_packet_bytes = event.max_packet_bytes
        self._plan.window = max(1, min(WINDOW, event.receive_maximum - 2))
        self._set_state(LinkState.CONNECTED)
        self._log.info("broker.connected", host=self._config.broker.host, port=self._config.broker.port)
        if self._connection is not None:
            self._connection.subscribe(*self._down.topics)
        self._announcer.forget()
        self._announce.set()

    def _on_disconnected(self, event: Disconnected) -> None:
        """Let go of the connection; whatever was under way is stored and will be sent by the next one."""
        wait_s = self._retries.failed()
        self._deadline_ns = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(is_graceful=False)
        if self._plan.disconnected(self._clock.monotonic_ns()):
            self._complain("alert.refused", "connections end when an alert is sent")
        state = LinkState.REFUSED if event.is_refusal else LinkState.UNREACHABLE
        if (state, event.reason) != (self._status.state, self._status.reason):
            self._log.warning("broker.unavailable", state=state, reason=event.reason, retry_in_s=wait_s)
        self._set_state(state, event.reason)

    def _say_goodbye(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._is_connected:
                self._publish_news(connection)
            connection.close(is_graceful=self._is_connected)
            self._plan.disconnected(self._clock.monotonic_ns())

    def _set_state(self, state: LinkState, reason: str | None = None) -> None:
        if (state, reason) != (self._status.state, self._status.reason):
            self._status = replace(self._status, state=state, reason=reason, since=self._clock.utc_now())
        self._refresh_status()

    def _refresh_status(self) -> None:
        self._status = replace(
            self._status,
            nobody_listening=self._plan.nobody_listening,
            in_flight=self._plan.in_flight,
            complaints=self._complaints.codes,
        )

    # What goes up -----------------------------------------------------------------------------------------------

    def _housekeep(self) -> None:
        """Expiry, the spool, and what is said of the appliance."""
        now_ns = self._clock.monotonic_ns()
        connection = self._connection if self._is_connected else None
        if now_ns >= self._next_tick_ns:
            self._next_tick_ns = now_ns + round(TICK_S * 1e9)
            self._tend_outbox()
            self._announce.set()
        if now_ns >= self._next_health_ns:
            self._next_health_ns = now_ns + round(self._config.health_interval_s * 1e9)
            if connection is not None:
                connection.publish(self._topics.health, self._announcer.health())
        if connection is not None and self._announce.is_set():
            self._announce.clear()
            self._publish_news(connection)

    def _tend_outbox(self) -> None:
        if self._plan.in_flight == 0:  # else a row could be on its way under its old number
            self._outbox.flush()
        try:
            self._outbox.purge(self._look_at_clock())
            self._outbox.deeds.tell(self._witness)
        except OutboxError as error:
            self._complain("outbox.unwritable", error.message)
        else:
            self._complain("outbox.unwritable", None)
        self._outbox.counts()  # for those who may not wait for the disk: `latest_counts`
        for name, n in (("outbox.lost", self._outbox.lost), ("outbox.made-room", self._outbox.made_room)):
            self._counters.count(name, n - self._counted.get(name, 0))
            self._counted[name] = n

    def _publish_news(self, connection: Connection) -> None:
        for topic, payload in self._announcer.news(nobody_listening=self._plan.nobody_listening):
            connection.publish(topic, payload, retain=True)

    def _send(self) -> None:
        """Hand over as many rows as may be under way."""
        if self._connection is None or not self._is_connected:
            return
        now_ns = self._clock.monotonic_ns()
        for pending in self._plan.choose(self._outbox.pending(), now_ns):
            try:
                row = self._outbox.load(pending.row_id)
            except SealBrokenError as error:
                self._put_off(pending, "outbox.unsealable", error.message)
                continue
            if row is None:
                continue
            topic = self._topics.sighting if row.kind is RowKind.SIGHTING else self._topics.alert
            remaining_s = (row.expires_at - self._clock.utc_now()).total_seconds()
            if len(row.message) + PACKET_OVERHEAD_BYTES > self._max_packet_bytes:
                self._put_off(pending, "alert.refused", f"the broker takes at most {self._max_packet_bytes} bytes")
            elif remaining_s <= 0:  # its time is over and the disk keeps it: it must not stand before what is newer
                self._plan.postpone(pending, now_ns)
                self._wake()
            else:
                mid = self._connection.publish(topic, row.message, expiry_s=max(1, int(remaining_s)))
                self._plan.sent(mid, pending)
        if self._plan.in_flight == 0:
            self._deadline_ns = None
        elif self._deadline_ns is None:
            self._deadline_ns = now_ns + round(PUBACK_TIMEOUT_S * 1e9)
        self._refresh_status()

    def _on_published(self, event: Published) -> None:
        """Only reason 0 means that somebody gets it."""
        self._deadline_ns = None
        was_silent = self._plan.nobody_listening
        if event.is_accepted:
            row = self._plan.accepted(event.mid, event.at_ns)
            if row is not None:
                self._complain("alert.refused", None)
                self._take_acceptance(row, event.at_ns)
        elif event.code == NO_MATCHING_SUBSCRIBERS:
            if self._plan.no_subscriber(event.mid, event.at_ns) is not None:
                self._counters.count("alert.no-subscriber")
        elif self._plan.refused(event.mid, event.at_ns) is not None:
            self._counters.count("alert.refused")
            self._complain("alert.refused", event.reason)
        if self._plan.nobody_listening is not was_silent:
            self._announce.set()
            self._complain("alert.nobody-listening", None if was_silent else "the broker has no subscriber for alerts")

    def _take_acceptance(self, row: PendingRow, accepted_ns: int) -> None:
        arrived_ns = self._outbox.mark_accepted(row.row_id)
        self._counters.count("alert.accepted")
        if arrived_ns is not None:
            self._on_accepted(row.alert_id, arrived_ns, accepted_ns)

    def _put_off(self, row: PendingRow, complaint: str, reason: str) -> None:
        self._plan.postpone(row, self._clock.monotonic_ns())
        self._counters.count(complaint)
        self._complain(complaint, reason)

    def _complain(self, code: str, reason: str | None) -> None:
        if self._complaints.note(code, reason):
            self._announce.set()
            self._refresh_status()
