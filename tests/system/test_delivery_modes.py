"""Both modes over a real Mosquitto: what each one publishes, what a control room believes, and a revocation."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from edge_lfr.clock import SystemClock
from edge_lfr.console.events import AlertSeen, MessageInvalid, StateSeen
from edge_lfr.console.terminal import watch
from edge_lfr.governance.authority.revocation import (
    Revocation,
    RevocationReason,
    Revocations,
    sign_revocation,
    take_revocation,
)
from edge_lfr.governance.trust import Role, SigningKey, TrustStore, create_key
from edge_lfr.pipeline.reporting.messages import UpMessage, parse
from edge_lfr.pipeline.reporting.mqtt import Connection, Event, Received
from edge_lfr.pipeline.reporting.states import LedgerHeadMessage, TrustMessage
from edge_lfr.pipeline.reporting.topics import Identity, Topics
from edge_lfr.terms import Mode
from simulators.appliance import (
    AUTHORITY_ID,
    IDENTITY,
    LIVE_IDENTITY,
    LIVE_TOPICS,
    TOPICS,
    Appliance,
    eventually,
    face_at,
    frame_of,
    match_of,
)
from simulators.broker import Broker
from simulators.desk import Desk
from simulators.heads import head

both_modes = pytest.mark.parametrize("identity", [IDENTITY, LIVE_IDENTITY], ids=["training", "operational"])


@contextmanager
def hearing(broker: Broker) -> Iterator[list[Received]]:
    """Everything that anybody publishes."""
    heard: list[Received] = []

    def note(_connection: Connection, event: Event) -> None:
        if isinstance(event, Received):
            heard.append(event)

    connection = Connection(broker.config(), "everything", note, SystemClock(), None)
    connection.subscribe("#")
    try:
        yield heard
    finally:
        connection.close(is_graceful=True)


@contextmanager
def sending(broker: Broker) -> Iterator[Connection]:
    connection = Connection(broker.config(), "sender", lambda _connection, _event: None, SystemClock(), None)
    try:
        yield connection
    finally:
        connection.close(is_graceful=True)


class _AnyMessage(UpMessage):
    """What all messages share, whatever else they say."""

    model_config = UpMessage.model_config | {"extra": "ignore"}


@both_modes
def test_everything_that_is_published_says_its_mode(tmp_path: Path, identity: Identity) -> None:
    """Alert, sighting, test, status, last will, camera, health, watchlist, trust, ledger: in the topic and inside."""
    topics = Topics(identity)
    trusted = TrustMessage(mode=identity.mode, keys=())
    with Broker(tmp_path) as broker, hearing(broker) as heard:
        appliance = Appliance(
            tmp_path, broker.config(), identity=identity, trusted=trusted, ledger_head=head(1, identity.mode)
        )
        appliance.link.start()
        appliance.alert("r1")
        appliance.writer.write(match_of("r1", 2, camera_id="south"), frame_of(appliance.clock), face_at(9, 9))
        appliance.writer.write_test()
        expected = {
            topics.alert,
            topics.sighting,
            topics.status,
            topics.camera("north"),
            topics.health,
            topics.watchlist,
            topics.trust,
            topics.ledger_head,
        }
        assert eventually(lambda: expected == {message.topic for message in heard})
        assert eventually(lambda: [topics.alert] * 2 == [m.topic for m in heard if m.topic == topics.alert])
        appliance.end()
    assert {identity.mode} == {parse(_AnyMessage, message.untrusted_payload).mode for message in heard}
    assert {identity.mode is Mode.TRAINING} == {"/training/up/" in message.topic for message in heard}


@both_modes
def test_a_control_room_takes_no_message_of_the_other_mode(tmp_path: Path, identity: Identity) -> None:
    """Put on its topic by whomever: shown as an error, never as an alert; what is of its own mode is believed."""
    other = LIVE_IDENTITY if identity is IDENTITY else IDENTITY
    with Broker(tmp_path) as broker, hearing(broker) as heard, Desk(broker, None, Topics(identity)) as desk:
        appliance = Appliance(tmp_path, broker.config(), identity=other)
        appliance.link.start()
        appliance.alert("r1")
        assert eventually(lambda: Topics(other).alert in {message.topic for message in heard})
        alert = next(message for message in heard if message.topic == Topics(other).alert)
        assert [] == [event for event in desk.events if isinstance(event, AlertSeen | StateSeen)]
        with sending(broker) as sender:
            sender.publish(Topics(identity).alert, alert.untrusted_payload)
            assert eventually(lambda: any(isinstance(event, MessageInvalid) for event in desk.events))
        (invalid,) = [event for event in desk.events if isinstance(event, MessageInvalid)]
        assert f"mode: expected {identity.mode}, found {other.mode}" == invalid.reason
        assert [] == desk.alerts
        appliance.end()


def _is_told(desk: Desk, message: TrustMessage | LedgerHeadMessage) -> bool:
    return StateSeen(message) in desk.events


def test_trust_and_ledger_are_told_when_they_change(tmp_path: Path) -> None:
    """Retained, so that whoever comes later finds the newest; what has not changed is not said again."""
    with Broker(tmp_path) as broker, Desk(broker, None) as desk:
        appliance = Appliance(tmp_path, broker.config(), trusted=TrustMessage(mode=Mode.TRAINING, keys=()))
        appliance.link.start()

        def heads() -> list[LedgerHeadMessage]:
            said = [event.message for event in desk.events if isinstance(event, StateSeen)]
            return [message for message in said if isinstance(message, LedgerHeadMessage)]

        for n in (1, 2):
            appliance.ledger_head = head(n)
            appliance.link.changed()
            appliance.link.changed()
            assert eventually(partial(_is_told, desk, head(n)))
        assert [head(1), head(2)] == heads()
        with Desk(broker, None) as late:
            for message in (TrustMessage(mode=Mode.TRAINING, keys=()), head(2)):
                assert eventually(partial(_is_told, late, message))
        appliance.end()


def test_a_watch_keeps_the_heads_that_it_shows(tmp_path: Path) -> None:
    """Each is on the disk before it is on the screen."""
    path, stop, shown = tmp_path / "heads.jsonl", threading.Event(), io.StringIO()
    with Broker(tmp_path) as broker:
        options = {"clock": SystemClock(), "stop": stop, "json_to": shown, "heads": path}
        desk = threading.Thread(target=watch, args=(broker.config(), TOPICS, None), kwargs=options)
        desk.start()
        appliance = Appliance(tmp_path, broker.config(), ledger_head=head(1))
        appliance.link.start()
        assert eventually(lambda: '"n": 1,' in shown.getvalue())
        assert 1 == len(path.read_bytes().splitlines())
        appliance.ledger_head = head(2)
        appliance.link.changed()
        assert eventually(lambda: '"n": 2,' in shown.getvalue())
        assert 2 == len(path.read_bytes().splitlines())
        stop.set()
        desk.join()
        appliance.end()


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    trust = tmp_path / "trust.d" / "revoke.toml"
    return create_key(Role.REVOKE, tmp_path / "revoke.key", trust, name="duty officer", clock=SystemClock())


def revocation(key: SigningKey) -> bytes:
    content = Revocation(
        authority_id=AUTHORITY_ID,
        force=LIVE_IDENTITY.force,
        revoked_at=SystemClock().utc_now(),
        reason_code=RevocationReason.PURPOSE_ENDED,
    )
    return sign_revocation(content, key)


def _has_accepted(appliance: Appliance) -> bool:
    return appliance.counters.snapshot().get("revocation.accepted") == 1


def test_a_revocation_waits_for_an_appliance_that_is_away(tmp_path: Path, key: SigningKey) -> None:
    """Retained at the broker, it is the first thing that the appliance hears, and again with each connection."""
    trust = TrustStore.load(tmp_path / "trust.d")
    device = f"{LIVE_IDENTITY.force}/{LIVE_IDENTITY.device}"

    def take(untrusted: bytes) -> None:
        now = SystemClock().utc_now()
        take_revocation(tmp_path, untrusted, trust=trust, device=device, device_fingerprint=None, now=now)

    with Broker(tmp_path) as broker:
        with sending(broker) as sender:
            sender.publish(LIVE_TOPICS.revocation, revocation(key), retain=True)
        for _ in range(2):
            appliance = Appliance(tmp_path, broker.config(), identity=LIVE_IDENTITY, trust=trust, on_revocation=take)
            appliance.link.start()
            assert eventually(partial(_has_accepted, appliance))
            assert () == appliance.link.status.complaints
            appliance.end()
    assert [AUTHORITY_ID] == [item.authority_id for item in Revocations.load(tmp_path).items]


def test_without_anybody_to_take_it_a_revocation_is_refused_aloud(tmp_path: Path, key: SigningKey) -> None:
    """Counted, and among the reasons that the status gives."""
    with Broker(tmp_path) as broker, sending(broker) as sender:
        trust = TrustStore.load(tmp_path / "trust.d")
        appliance = Appliance(tmp_path, broker.config(), identity=LIVE_IDENTITY, trust=trust)
        appliance.link.start()
        sender.publish(LIVE_TOPICS.revocation, revocation(key), retain=True)
        assert eventually(lambda: "revocation.refused" in appliance.link.status.complaints)
        assert 1 == appliance.counters.snapshot()["revocation.refused"]
        appliance.end()
