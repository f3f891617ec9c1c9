"""The example broker of the control van: who may do what, and every refusal as the refused one sees it."""

import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.clock import SystemClock
from edge_lfr.errors import BrokerUnavailableError
from edge_lfr.governance.trust import Role, TrustStore, create_key
from edge_lfr.pipeline.reporting.link_status import LinkState
from edge_lfr.pipeline.reporting.messages import MESSAGE_BYTES
from edge_lfr.pipeline.reporting.mqtt import PACKET_OVERHEAD_BYTES, Connected, Disconnected, Published
from simulators.appliance import LIVE_TOPICS, TOPICS, Appliance, eventually
from simulators.certificates import sign_client
from simulators.control_van import DEVICE, FORCE, NEIGHBOUR, ControlVan, make_ca, make_certificates
from simulators.desk import Desk
from simulators.party import Party

NOT_AUTHORIZED = 0x87
PACKET_TOO_LARGE = 0x95
"""Reason codes of MQTT 5."""

CONNECT = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x0c\x00\x00\x03one"
CONNACK, PUBLISH_QOS_1, DISCONNECT = 0x20, 0x32, 0xE0
"""First bytes of packets."""

UP = f"lfr/v1/{FORCE}/{DEVICE}/up/alert"
DOWN = f"lfr/v1/{FORCE}/{DEVICE}/down/ack"


@pytest.fixture(scope="module")
def van(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlVan]:
    folder = tmp_path_factory.mktemp("control-van")
    with ControlVan(folder, make_certificates(folder / "certificates")) as broker:
        yield broker


def reason_of(van: ControlVan, name: str, topic: str) -> int:
    """What the broker answers to the holder of certificate *name* who publishes on *topic*."""
    with Party(van.config_of(name)) as party:
        answer = party.publish(topic)
        assert isinstance(answer, Published)
        return answer.code


# What is allowed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic",
    [UP, TOPICS.alert, TOPICS.status, TOPICS.camera("north"), LIVE_TOPICS.ledger_head, TOPICS.trust, LIVE_TOPICS.trust],
)
def test_an_appliance_speaks_for_itself(van: ControlVan, topic: str) -> None:
    """It writes below its own `up`, operational and in training, and the control room hears it."""
    with Party(van.config_of("control-1")) as control:
        control.subscribe(f"lfr/v1/{FORCE}/+/up/#")
        control.subscribe(f"lfr/v1/{FORCE}/+/training/up/#")
        assert 0 == reason_of(van, DEVICE, topic)
        assert [topic] == control.received(topic)


@pytest.mark.parametrize("topic", [DOWN, TOPICS.ack, LIVE_TOPICS.revocation, TOPICS.revocation])
def test_the_control_room_answers(van: ControlVan, topic: str) -> None:
    """It writes below `down`, and the appliance hears it."""
    with Party(van.config_of(DEVICE)) as device:
        device.subscribe(topic)
        assert 0 == reason_of(van, "control-1", topic)
        assert [topic] == device.received(topic)


# What is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        pytest.param(DEVICE, DOWN, id="an appliance acknowledges its own alerts"),
        pytest.param(DEVICE, TOPICS.ack, id="an appliance acknowledges its own alerts in training"),
        pytest.param(DEVICE, LIVE_TOPICS.revocation, id="an appliance revokes its own authority"),
        pytest.param(DEVICE, f"lfr/v1/{FORCE}/van-2/up/alert", id="an appliance speaks for another one"),
        pytest.param(DEVICE, f"lfr/v1/{FORCE}/van-2/training/up/alert", id="likewise in training"),
        pytest.param(NEIGHBOUR, TOPICS.ledger_head, id="another appliance publishes heads of its ledger"),
        pytest.param(DEVICE, f"lfr/v1/elsewhere/{DEVICE}/up/alert", id="an appliance speaks for another force"),
        pytest.param(DEVICE, "anything", id="an appliance uses the broker for something else"),
        pytest.param("officer-1", UP, id="an officer's screen raises an alert"),
        pytest.param("officer-1", DOWN, id="an officer's screen acknowledges"),
        pytest.param("officer-1", LIVE_TOPICS.revocation, id="an officer's screen revokes"),
        pytest.param("officer-1", TOPICS.alert, id="an officer's screen raises an alert in training"),
        pytest.param("control-1", TOPICS.trust, id="a control room says whom an appliance trusts"),
        pytest.param("control-1", LIVE_TOPICS.ledger_head, id="a control room publishes heads of a ledger"),
        pytest.param("control-1", UP, id="a control room raises an alert"),
        pytest.param("van-2", f"lfr/v1/{FORCE}/van-2/up/alert", id="a name that the access list does not know"),
    ],
)
def test_a_publication_is_refused(van: ControlVan, name: str, topic: str) -> None:
    """The broker says `not authorized` in its PUBACK, so that the one who tried knows."""
    assert NOT_AUTHORIZED == reason_of(van, name, topic)


def test_a_stranger_hears_nothing(van: ControlVan) -> None:
    """
    A subscription brings only what its holder may read, whatever its filter says.

    The control room has the message, and the broker has answered the stranger since: nothing is on its way any more.
    """
    with Party(van.config_of("van-2")) as stranger, Party(van.config_of("control-1")) as control:
        stranger.subscribe("#")
        control.subscribe(UP)
        assert 0 == reason_of(van, DEVICE, UP)
        assert [UP] == control.received(UP)
        assert isinstance(stranger.publish("anything"), Published)
        assert [] == stranger.heard


def test_an_appliance_does_not_hear_alerts(van: ControlVan) -> None:
    """It hears what is addressed to it, and not what others, or it itself, tell the control room."""
    with Party(van.config_of(DEVICE)) as device, Party(van.config_of("control-1")) as control:
        device.subscribe("lfr/#")
        control.subscribe(UP)
        assert isinstance(device.publish(UP), Published)
        control.received(UP)
        assert isinstance(control.publish(DOWN), Published)
        assert [DOWN] == device.received(DOWN)


@pytest.mark.parametrize("topic", [DOWN, TOPICS.ack])
@pytest.mark.parametrize("name", ["officer-1", NEIGHBOUR])
def test_nobody_else_hears_what_is_said_to_an_appliance(van: ControlVan, name: str, topic: str) -> None:
    """
    Neither an officer's screen nor another appliance of the force reads an acknowledgement, by name or by wildcard.

    That appliance hears its own meanwhile; and what follows comes after what must not come.
    """
    with (
        Party(van.config_of(name)) as reader,
        Party(van.config_of(DEVICE)) as device,
        Party(van.config_of("control-1")) as control,
    ):
        reader.subscribe("#")
        reader.subscribe(topic)
        device.subscribe(topic)
        assert isinstance(control.publish(topic), Published)
        assert [topic] == device.received(topic)
        audible = UP if name == "officer-1" else DOWN.replace(DEVICE, NEIGHBOUR)
        sender = device if name == "officer-1" else control
        assert isinstance(sender.publish(audible), Published)
        assert {audible} == set(reader.received(audible))


def test_the_broker_tells_nobody_about_itself(van: ControlVan) -> None:
    """No statistics below `$SYS`, which would tell one client about the others."""
    with Party(van.config_of("control-1")) as control:
        control.subscribe("$SYS/#")
        control.subscribe(f"lfr/v1/{FORCE}/+/up/#")
        assert 0 == reason_of(van, DEVICE, UP)
        assert [UP] == control.received(UP)


def test_a_message_over_the_limit_is_refused(van: ControlVan) -> None:
    """The largest message of the project passes; a larger one ends the connection, with the reason."""
    with Party(van.config_of(DEVICE)) as device:
        assert isinstance(device.welcome, Connected)
        assert MESSAGE_BYTES + PACKET_OVERHEAD_BYTES == device.welcome.max_packet_bytes
        largest = device.publish(UP, b"x" * MESSAGE_BYTES)
        assert isinstance(largest, Published)
        assert NOT_AUTHORIZED > largest.code
    # Only the header of a larger one: what a broker that has hung up is still sent would hide its reason.
    larger = bytes((PUBLISH_QOS_1, *length_in_packet(MESSAGE_BYTES + PACKET_OVERHEAD_BYTES)))
    said = shake_hands(van, context_of(van, DEVICE), CONNECT + larger)
    welcome, ended = said[: 2 + said[1]], said[2 + said[1] :]
    assert (CONNACK, DISCONNECT) == (welcome[0], ended[0])
    assert PACKET_TOO_LARGE == ended[2]


def test_a_second_one_with_the_same_certificate_takes_over_only_its_own_session(van: ControlVan) -> None:
    """The certificate is the client's id: whoever claims the id of another keeps his own, and the other stays."""
    with Party(van.config_of("control-1"), "control-1") as control:
        control.subscribe(UP)
        with Party(van.config_of("officer-1"), "control-1"):
            assert 0 == reason_of(van, DEVICE, UP)
            assert [UP] == control.received(UP)


# Who does not get in -----------------------------------------------------------------------------------------------


def shake_hands(
    van: ControlVan, context: ssl.SSLContext, words: bytes = b"", *, ends_with_first: bool = False
) -> bytes:
    """
    TLS, then what comes back until the broker hangs up; in TLS 1.3 a client learns only then that it was refused.

    One that is refused says nothing: words sent to a broker that has closed already could hide its reason.
    """
    with (
        socket.create_connection(("127.0.0.1", van.port), timeout=5.0) as plain,
        context.wrap_socket(plain, server_hostname="control.van") as secured,
    ):
        secured.sendall(words)
        said = secured.recv(MESSAGE_BYTES)
        while not ends_with_first and (more := secured.recv(MESSAGE_BYTES)):
            said += more
        return said


def length_in_packet(length: int) -> tuple[int, ...]:
    """As MQTT writes it: seven bits a byte, the lowest first, the eighth says that more follow."""
    return (length,) if length < 0x80 else (0x80 | length & 0x7F, *length_in_packet(length >> 7))


def context_of(van: ControlVan, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=van.certificates / "ca.pem")
    if name is not None:
        context.load_cert_chain(van.certificates / f"{name}.pem", van.certificates / f"{name}.key")
    return context


def test_one_with_a_certificate_gets_in(van: ControlVan) -> None:
    """The positive control of the tests below: the same handshake, with nothing missing, is answered by a CONNACK."""
    assert CONNACK == shake_hands(van, context_of(van, "officer-1"), CONNECT, ends_with_first=True)[0]


def test_nobody_gets_in_without_a_certificate(van: ControlVan) -> None:
    """TLS alone is not enough."""
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        shake_hands(van, context_of(van, None))


def test_nobody_gets_in_with_an_older_tls(van: ControlVan) -> None:
    """TLS 1.2 is refused by the broker, not by the client."""
    context = context_of(van, "officer-1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        shake_hands(van, context)


def test_nobody_gets_in_with_a_certificate_of_another_authority(van: ControlVan, tmp_path: Path) -> None:
    """The right name in a certificate that somebody else has signed is worth nothing."""
    assert 0 == make_ca(tmp_path / "other", "--control", "control-1").returncode
    context = ssl.create_default_context(cafile=van.certificates / "ca.pem")
    context.load_cert_chain(tmp_path / "other" / "control-1.pem", tmp_path / "other" / "control-1.key")
    with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
        shake_hands(van, context)


def test_nobody_gets_in_with_the_brokers_own_certificate(van: ControlVan) -> None:
    """Whoever steals the van's key cannot pass for a screen or an appliance: the certificate is a server's only."""
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_CERTIFICATE"):
        shake_hands(van, context_of(van, "control.van"))


def test_nobody_gets_in_with_a_certificate_that_has_ended(van: ControlVan, tmp_path: Path) -> None:
    """The same authority and name: the one that is still valid is let in, the one that ended an hour ago is not."""

    def context(valid_for: timedelta) -> ssl.SSLContext:
        own = sign_client(tmp_path, van.certificates, "officer-1", valid_for=valid_for)
        context = context_of(van, None)
        context.load_cert_chain(own.certificate_file, own.key_file)
        return context

    assert CONNACK == shake_hands(van, context(timedelta(hours=1)), CONNECT, ends_with_first=True)[0]
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_EXPIRED"):
        shake_hands(van, context(-timedelta(hours=1)))


def test_nobody_gets_in_without_tls(van: ControlVan) -> None:
    """There is no second listener, and this one does not answer plain words."""
    plain = van.config().model_copy(update={"ca_file": None, "certificate_file": None, "key_file": None})
    assert isinstance(Party(plain).welcome, Disconnected)


def test_a_client_cannot_pass_for_the_broker(van: ControlVan, tmp_path: Path) -> None:
    """Whoever steals an appliance's key cannot stand in for the control van: the certificate is a client's only."""
    posing = ControlVan(tmp_path, van.certificates)
    posing._config.write_text(posing._config.read_text().replace("/control.van.", "/van-1."))
    with posing, pytest.raises(BrokerUnavailableError, match="purpose"), Party(posing.config_of("officer-1")):
        pass


# The project's own ends --------------------------------------------------------------------------------------------


def test_an_alert_goes_all_the_way(van: ControlVan, tmp_path: Path) -> None:
    """The appliance's link and the control room's, with a certificate each, deliver and acknowledge an alert."""
    key = create_key(
        Role.CONTROL, tmp_path / "control.key", tmp_path / "trust.d" / "control.toml", name="desk", clock=SystemClock()
    )
    with Desk(van, key) as desk:
        appliance = Appliance(tmp_path, van.config_of(DEVICE), trust=TrustStore.load(tmp_path / "trust.d"))
        appliance.link.start()
        alert_id = appliance.alert("r1")
        assert desk.wait_for_alerts(1)
        assert {alert_id: 1} == desk.alert_counts
        assert eventually(lambda: appliance.outbox.counts().acknowledged == 1)
        assert LinkState.CONNECTED is appliance.link.status.state
        appliance.end()
