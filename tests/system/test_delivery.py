"""Delivery over a real Mosquitto: from the outbox to a control room and back."""

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.clock import SystemClock
from edge_lfr.config.reporting import BrokerConfig
from edge_lfr.console.events import Acknowledged, AlertSeen, ControlEvent, GapSeen, MessageInvalid
from edge_lfr.errors import OutboxError
from edge_lfr.governance.signed import sign
from edge_lfr.governance.trust import Role, SigningKey, TrustStore, create_key
from edge_lfr.pipeline.reporting.link_status import LinkState
from edge_lfr.pipeline.reporting.messages import ACK_KIND, AckMessage, parse
from edge_lfr.pipeline.reporting.mqtt import Connection, Event, Received
from edge_lfr.pipeline.reporting.outbox import MAX_SPOOLED
from edge_lfr.pipeline.reporting.rows import RowKind, RowState
from edge_lfr.pipeline.reporting.sending import WINDOW
from edge_lfr.pipeline.reporting.states import DeviceState, StatusMessage
from simulators.appliance import IDENTITY, TOPICS, Appliance, eventually
from simulators.broker import Broker
from simulators.desk import Desk
from simulators.retention import profile_of


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return create_key(
        Role.CONTROL, tmp_path / "control.key", tmp_path / "trust.d" / "control.toml", name="desk", clock=SystemClock()
    )


@pytest.fixture
def trust(tmp_path: Path, key: SigningKey) -> TrustStore:
    assert key is not None
    return TrustStore.load(tmp_path / "trust.d")


@contextmanager
def delivering(folder: Path, broker: BrokerConfig, **options: object) -> Iterator[Appliance]:
    appliance = Appliance(folder, broker, **options)  # type: ignore[arg-type]  # passed on as they are
    appliance.link.start()
    try:
        yield appliance
    finally:
        appliance.end()


def test_an_alert_is_acknowledged_all_the_way(tmp_path: Path, key: SigningKey, trust: TrustStore) -> None:
    """An alert reaches the control room, whose signed acknowledgement ends in the outbox."""
    with (
        Broker(tmp_path) as broker,
        Desk(broker, key) as desk,
        delivering(tmp_path, broker.config(), trust=trust) as van,
    ):
        alert_id = van.alert("r1")
        assert RowState.ACKNOWLEDGED is van.outbox.wait_acknowledged(alert_id, 10.0)
        assert {alert_id: 1} == desk.alert_counts
        assert 1 == len(van.latencies_ms)
        counted = {name: count for name, count in van.counters.snapshot().items() if count}
        assert {"alert.accepted": 1, "ack.accepted": 1} == counted
        assert eventually(lambda: any(isinstance(event, Acknowledged) and event.is_delivered for event in desk.events))


def test_a_test_alert_goes_the_same_way_without_a_watchlist(tmp_path: Path, key: SigningKey, trust: TrustStore) -> None:
    """`alerts test` needs nobody before a camera and no watchlist, and is marked."""
    with (
        Broker(tmp_path) as broker,
        Desk(broker, key) as desk,
        delivering(tmp_path, broker.config(), trust=trust) as van,
    ):
        alert = van.writer.write_test()
        assert RowState.ACKNOWLEDGED is van.outbox.wait_acknowledged(alert.alert_id, 10.0)
        seen = [event.message for event in desk.events if isinstance(event, AlertSeen)]
        assert [True] == [message.is_test for message in seen]
        assert [] == van.latencies_ms


def test_an_alert_waits_until_somebody_listens(tmp_path: Path, key: SigningKey, trust: TrustStore) -> None:
    """PUBACK 16 is not delivery: the row stays stored, status says so, and a later control room gets it once."""
    with Broker(tmp_path) as broker, delivering(tmp_path, broker.config(), trust=trust) as van:
        alert_id = van.alert("r1")
        assert eventually(lambda: van.link.status.nobody_listening)
        assert RowState.STORED is van.outbox.state_of(alert_id)
        with Desk(broker, key) as desk:
            assert RowState.ACKNOWLEDGED is van.outbox.wait_acknowledged(alert_id, 10.0)
            assert {alert_id: 1} == desk.alert_counts
            assert eventually(lambda: not van.link.status.nobody_listening)
            assert eventually(lambda: [True, False] == [status.nobody_listening for status in desk.statuses][:2])


class FullDesk(Desk):
    """Its disk is full when the first alert comes."""

    def show(self, event: ControlEvent) -> None:
        super().show(event)
        if isinstance(event, AlertSeen):
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_control_room_that_cannot_show_does_not_listen(tmp_path: Path, key: SigningKey, trust: TrustStore) -> None:
    """It leaves the broker, so that the appliance knows that nobody listens, and acknowledges nothing."""
    with (
        Broker(tmp_path) as broker,
        FullDesk(broker, key) as desk,
        delivering(tmp_path, broker.config(), trust=trust) as van,
    ):
        unseen = van.alert("r1")
        assert eventually(lambda: [] != desk.failures)
        waiting = van.alert("r2")
        assert eventually(lambda: van.link.status.nobody_listening)
        assert (RowState.ACCEPTED, RowState.STORED) == (van.outbox.state_of(unseen), van.outbox.state_of(waiting))


def test_rows_whose_time_is_over_hold_up_nothing(tmp_path: Path) -> None:
    """A disk that refuses to delete them keeps no newer alert from being sent."""
    with Broker(tmp_path) as broker, Desk(broker, None):
        van = Appliance(tmp_path, broker.config())
        for seq in range(2 * WINDOW):
            van.outbox.store(
                b"{}",
                alert_id=f"old-{seq}",
                kind=RowKind.ALERT,
                seq=van.outbox.next_seq(),
                expires_at=van.clock.utc_now() - timedelta(seconds=1),
            )
        van.outbox._file._db.execute("PRAGMA query_only = 1")
        alert_id = van.alert("r1")
        van.link.start()
        assert eventually(lambda: RowState.ACCEPTED is van.outbox.state_of(alert_id), 3.0)
        assert "outbox.unwritable" in van.link.status.complaints
        van.outbox._file._db.execute("PRAGMA query_only = 0")
        van.end()


def test_a_refused_alert_counts_as_lost(tmp_path: Path) -> None:
    """The counter and the status agree about what is lost: here nothing kept it."""
    van = Appliance(tmp_path, Broker(tmp_path).config())
    van.outbox._file._db.execute("PRAGMA query_only = 1")
    for number in range(MAX_SPOOLED):
        van.outbox.store(
            b"{}",
            alert_id=f"a{number}",
            kind=RowKind.ALERT,
            seq=van.outbox.next_seq(),
            expires_at=van.clock.utc_now() + timedelta(hours=1),
        )
    with pytest.raises(OutboxError):
        van.alert("r1")
    van.link.start()
    assert eventually(lambda: 1 == van.counters.snapshot().get("outbox.lost"))
    assert 1 == van.outbox.counts().lost
    van.outbox._file._db.execute("PRAGMA query_only = 0")
    van.end()


def test_an_absent_broker_costs_time_and_no_alert(tmp_path: Path, key: SigningKey, trust: TrustStore) -> None:
    """Alerts from before the broker is there are delivered when it comes."""
    broker = Broker(tmp_path)
    with delivering(tmp_path, broker.config(), trust=trust) as van:
        alert_ids = {van.alert(f"r{number}") for number in range(3)}
        assert eventually(lambda: van.link.status.state is LinkState.UNREACHABLE)
        assert "Connection refused" == van.link.status.reason
        with broker, Desk(broker, key) as desk:
            for alert_id in alert_ids:
                assert RowState.ACKNOWLEDGED is van.outbox.wait_acknowledged(alert_id, 10.0)
            assert dict.fromkeys(alert_ids, 1) == desk.alert_counts


def test_a_killed_broker_loses_and_doubles_nothing(tmp_path: Path, key: SigningKey, trust: TrustStore) -> None:
    """The broker dies twice in a stream of fifty alerts: every alert arrives, and none is shown twice."""
    broker = Broker(tmp_path)
    with delivering(tmp_path, broker.config(), trust=trust) as van, Desk(broker, key) as desk:
        broker.start()
        alert_ids = set()
        for number in range(50):
            alert_ids.add(van.alert(f"r{number}"))
            if number in {15, 35}:
                broker.kill()
            if number in {20, 40}:
                broker.start()
        assert eventually(lambda: 50 == van.outbox.counts().acknowledged, 30.0)
        assert dict.fromkeys(alert_ids, 1) == desk.alert_counts
        assert 0 == van.outbox.counts().lost
        gaps = {number for event in desk.events if isinstance(event, GapSeen) for number in event.missing}
        assert gaps <= set(range(1, 51))
        broker.kill()


def test_a_restarted_daemon_delivers_what_it_had_stored(tmp_path: Path, key: SigningKey, trust: TrustStore) -> None:
    """The outbox outlives the process: another run delivers under the first run's numbers."""
    broker = Broker(tmp_path)
    with delivering(tmp_path, broker.config(), trust=trust) as van:
        alert_id = van.alert("r1")
    with (
        broker,
        Desk(broker, key) as desk,
        delivering(tmp_path, broker.config(), trust=trust) as again,
    ):
        assert RowState.ACKNOWLEDGED is again.outbox.wait_acknowledged(alert_id, 10.0)
        assert {alert_id: 1} == desk.alert_counts


def test_a_frozen_broker_is_noticed_and_left(tmp_path: Path, key: SigningKey, trust: TrustStore) -> None:
    """A broker that keeps its sockets and does nothing is a dead one, and stopping does not wait for it."""
    with Broker(tmp_path) as broker, Desk(broker, key):
        with delivering(tmp_path, broker.config(), trust=trust) as van:
            assert eventually(lambda: van.link.status.state is LinkState.CONNECTED)
            broker.freeze()
            alert_id = van.alert("r1")
            began_ns = van.clock.monotonic_ns()
        assert 5e9 > van.clock.monotonic_ns() - began_ns
        broker.thaw()
        with delivering(tmp_path, broker.config(), trust=trust) as again:
            assert RowState.ACKNOWLEDGED is again.outbox.wait_acknowledged(alert_id, 10.0)


def test_a_refusing_broker_is_named_as_such(tmp_path: Path) -> None:
    """A wrong password is not an absent broker, and the alert stays."""
    broker = Broker(tmp_path, users={"van": "right"})
    with broker, delivering(tmp_path, broker.config(username="van", password="wrong")) as van:  # noqa: S106 - wrong on purpose
        alert_id = van.alert("r1")
        assert eventually(lambda: van.link.status.state is LinkState.REFUSED)
        assert "Not authorized" == van.link.status.reason
        assert RowState.STORED is van.outbox.state_of(alert_id)


def test_a_forbidden_topic_is_a_refusal(tmp_path: Path) -> None:
    """A broker whose access list forbids alerts refuses each one: counted, named, and kept."""
    acl = f"topic read {TOPICS.base}/#\ntopic write {TOPICS.status}\n"
    with Broker(tmp_path, acl=acl) as broker, delivering(tmp_path, broker.config()) as van:
        alert_id = van.alert("r1")
        assert eventually(lambda: "alert.refused" in van.link.status.complaints)
        assert RowState.STORED is van.outbox.state_of(alert_id)
        assert 1 == van.counters.snapshot()["alert.refused"]


@pytest.mark.parametrize("options", ["max_packet_size 8192", "message_size_limit 8192"])
def test_an_alert_that_is_too_large_for_the_broker_is_a_refusal(tmp_path: Path, options: str) -> None:
    """A limit of the broker below ours never ends in a circle of reconnections; smaller messages still pass."""
    with (
        Broker(tmp_path, options=options) as broker,
        Desk(broker, None) as desk,
        delivering(tmp_path, broker.config()) as van,
    ):
        alert_id = van.alert("r1")
        assert eventually(lambda: "alert.refused" in van.link.status.complaints)
        assert RowState.STORED is van.outbox.state_of(alert_id)
        assert eventually(lambda: LinkState.CONNECTED is van.link.status.state)
        assert eventually(lambda: [] != desk.statuses)


def test_the_last_will_says_offline(tmp_path: Path) -> None:
    """An appliance that vanishes is offline for whoever comes later; one that stops says so itself."""
    with Broker(tmp_path) as broker:
        van = Appliance(tmp_path, broker.config())
        van.link.start()
        assert eventually(lambda: van.link.status.state is LinkState.CONNECTED)
        with Desk(broker, None) as desk:
            assert eventually(lambda: [] != desk.statuses)
            connection = van.link._connection
            assert connection is not None
            connection.close(is_graceful=False)
            assert eventually(lambda: DeviceState.OFFLINE in {status.state for status in desk.statuses})
            assert eventually(lambda: DeviceState.RUNNING is desk.statuses[-1].state)
        van.end()


def test_what_breaks_the_schema_is_not_believed(tmp_path: Path) -> None:
    """A control room counts a malformed message and goes on."""
    with Broker(tmp_path) as broker, Desk(broker, None) as desk:
        assert eventually(lambda: [] != desk.events)
        sender = Connection(broker.config(), "stranger", lambda _connection, _event: None, SystemClock(), None)
        sender.publish(TOPICS.alert, b'{"schema": "lfr.alert/9"}')
        assert eventually(lambda: any(isinstance(event, MessageInvalid) for event in desk.events))
        sender.close(is_graceful=True)


class TestAcknowledgements:
    """What must not be believed is refused and counted; the alert stays unacknowledged."""

    @pytest.fixture
    def van(self, tmp_path: Path, trust: TrustStore) -> Iterator[Appliance]:
        with (
            Broker(tmp_path) as broker,
            Desk(broker, None),
            delivering(tmp_path, broker.config(), trust=trust) as van,
        ):
            self.alert_id = van.alert("r1")
            self.broker = broker.config()
            assert eventually(lambda: RowState.ACCEPTED is van.outbox.state_of(self.alert_id))
            yield van

    def send(self, wire: bytes) -> None:
        sender = Connection(self.broker, "control", lambda _connection, _event: None, SystemClock(), None)
        sender.publish(TOPICS.ack, wire)
        sender.close(is_graceful=True)

    def signed(self, van: Appliance, key: SigningKey, device: str = IDENTITY.addressee, age_s: float = 0.0) -> bytes:
        return sign(
            key,
            kind=ACK_KIND,
            device=device,
            body=AckMessage(alert_id=self.alert_id, by="desk"),
            issued_at=van.clock.utc_now() - timedelta(seconds=age_s),
            lifetime=timedelta(seconds=60),
        )

    def refusals(self, van: Appliance) -> dict[str, int]:
        return {name: count for name, count in van.counters.snapshot().items() if name.startswith("ack.refused.")}

    def test_a_replay_is_refused(self, van: Appliance, key: SigningKey) -> None:
        """The same signed message counts once."""
        wire = self.signed(van, key)
        self.send(wire)
        assert RowState.ACKNOWLEDGED is van.outbox.wait_acknowledged(self.alert_id, 10.0)
        self.send(wire)
        assert eventually(lambda: {"ack.refused.seen": 1} == self.refusals(van))

    def test_an_expired_one_is_refused(self, van: Appliance, key: SigningKey) -> None:
        """Old words do not count."""
        self.send(self.signed(van, key, age_s=61))
        assert eventually(lambda: {"ack.refused.expired": 1} == self.refusals(van))
        assert RowState.ACCEPTED is van.outbox.state_of(self.alert_id)

    def test_one_for_another_device_is_refused(self, van: Appliance, key: SigningKey) -> None:
        """Words for another van do not count here."""
        self.send(self.signed(van, key, device="testshire/van-2/training"))
        assert eventually(lambda: {"ack.refused.wrong-device": 1} == self.refusals(van))

    def test_one_of_an_unknown_key_is_refused(self, van: Appliance, tmp_path: Path) -> None:
        """A key that nobody put into the trust folder signs in vain."""
        stranger = create_key(Role.CONTROL, tmp_path / "s.key", tmp_path / "s.toml", name="s", clock=SystemClock())
        self.send(self.signed(van, stranger))
        assert eventually(lambda: {"ack.refused.unknown-key": 1} == self.refusals(van))

    def test_a_large_one_is_refused_unread(self, van: Appliance) -> None:
        """Size is checked before anything else."""
        self.send(b"[" * 100_000)
        assert eventually(lambda: {"ack.refused.too-large": 1} == self.refusals(van))


def test_an_alert_is_never_retained_and_ends_by_itself(tmp_path: Path) -> None:
    """Another program's subscriber sees an expiry of the profile's period at most, QoS 1, no retain flag, and JSON."""
    hour = profile_of(tmp_path, 3600)
    with Broker(tmp_path) as broker, delivering(tmp_path, broker.config(), retention=hour) as van:
        command = ["mosquitto_sub", "-V", "5", "-q", "1", "-C", "1", "-W", "10", "-p", str(broker.port)]
        subscriber = subprocess.Popen(
            [*command, "-t", TOPICS.alert, "-F", "%r %q %E %C"], stdout=subprocess.PIPE, text=True
        )
        van.alert("r1")
        printed, _ = subscriber.communicate(timeout=15)
        is_retained, qos, expiry_s, content_type = printed.split()
        assert ("0", "1", "application/json") == (is_retained, qos, content_type)
        assert 3500 < int(expiry_s) <= 3600


def test_retained_messages_say_nothing_about_a_subject(tmp_path: Path) -> None:
    """Who comes after the alert finds states and no alert, no label, no reference."""
    received: list[Received] = []

    def note(_connection: Connection, event: Event) -> None:
        if isinstance(event, Received):
            received.append(event)

    with Broker(tmp_path) as broker, Desk(broker, None), delivering(tmp_path, broker.config()) as van:
        alert_id = van.alert("r-secret")
        assert eventually(lambda: RowState.ACCEPTED is van.outbox.state_of(alert_id))
        late = Connection(broker.config(), "late", note, SystemClock(), None)
        late.subscribe("#")
        assert eventually(lambda: 3 <= len(received))
        topics = {event.topic for event in received}
        assert {TOPICS.status, TOPICS.camera("north"), TOPICS.watchlist} == topics
        for event in received:
            assert b"r-secret" not in event.untrusted_payload
            assert b"Subject" not in event.untrusted_payload
        status = parse(StatusMessage, next(e.untrusted_payload for e in received if e.topic == TOPICS.status))
        assert DeviceState.RUNNING is status.state
        late.close(is_graceful=True)
