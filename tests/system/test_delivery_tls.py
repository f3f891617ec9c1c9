"""TLS with certificates on both sides, as a deployment has it."""

from pathlib import Path

from edge_lfr.config.reporting import BrokerConfig
from edge_lfr.pipeline.reporting.link_status import LinkState
from edge_lfr.pipeline.reporting.topics import Topics
from simulators.appliance import IDENTITY, Appliance, eventually
from simulators.broker import Broker
from simulators.certificates import Authority, Certificate

ACL = f"user van\ntopic write {Topics(IDENTITY).base}/up/#\ntopic read {Topics(IDENTITY).base}/down/#\n"


def tls_broker(folder: Path, authority: Authority) -> Broker:
    own = authority.issue("broker")
    options = "\n".join(
        (
            f"cafile {authority.ca_file}",
            f"certfile {own.certificate_file}",
            f"keyfile {own.key_file}",
            "require_certificate true",
            "use_identity_as_username true",
            "tls_version tlsv1.3",
        )
    )
    return Broker(folder, options=options, acl=ACL)


def config_of(broker: Broker, ca_file: Path, client: Certificate | None) -> BrokerConfig:
    changes = {} if client is None else {"certificate_file": client.certificate_file, "key_file": client.key_file}
    return broker.config().model_copy(update={"ca_file": ca_file, **changes})


def test_certificates_on_both_sides_deliver(tmp_path: Path) -> None:
    """The certificate's name is the user of the broker's access list, and the alert gets through."""
    authority = Authority(tmp_path, "ca")
    with tls_broker(tmp_path, authority) as broker:
        van = Appliance(tmp_path, config_of(broker, authority.ca_file, authority.issue("van")))
        van.link.start()
        van.alert("r1")
        assert eventually(lambda: van.link.status.nobody_listening)
        assert LinkState.CONNECTED is van.link.status.state
        van.end()


def test_a_client_without_a_certificate_is_told(tmp_path: Path) -> None:
    """The broker ends the handshake, and status does not say connected."""
    authority = Authority(tmp_path, "ca")
    with tls_broker(tmp_path, authority) as broker:
        van = Appliance(tmp_path, config_of(broker, authority.ca_file, None))
        van.link.start()
        assert eventually(lambda: van.link.status.state in {LinkState.UNREACHABLE, LinkState.REFUSED})
        assert van.link.status.reason
        van.end()


def test_a_broker_of_another_authority_is_not_trusted(tmp_path: Path) -> None:
    """A stranger at the broker's address gets no alert, and status names the reason."""
    authority, stranger = Authority(tmp_path, "ca"), Authority(tmp_path, "stranger")
    with tls_broker(tmp_path, authority) as broker:
        van = Appliance(tmp_path, config_of(broker, stranger.ca_file, authority.issue("van")))
        van.link.start()
        assert eventually(lambda: van.link.status.state is LinkState.UNREACHABLE)
        assert van.link.status.reason is not None
        assert "certificate is not trusted" in van.link.status.reason
        van.end()


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    """A wrong path is not an absent broker: the reason names the file."""
    authority = Authority(tmp_path, "ca")
    with tls_broker(tmp_path, authority) as broker:
        van = Appliance(tmp_path, config_of(broker, tmp_path / "absent.pem", None))
        van.link.start()
        assert eventually(lambda: van.link.status.state is LinkState.UNREACHABLE)
        assert van.link.status.reason is not None
        assert "absent.pem: No such file" in van.link.status.reason
        van.end()
