"""What the ledger's side of reporting is told: each alert, who acknowledged it, what was refused, what is gone."""

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from edge_lfr.config.reporting import BrokerConfig, ReportingConfig
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.signed import sign
from edge_lfr.governance.trust import Role, SigningKey, TrustStore, create_key
from edge_lfr.pipeline.reporting.alert import AlertWriter
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.down import DownMessages, refuse_revocation
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.messages import ACK_KIND, AckMessage, AlertMessage, SightingMessage
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.row_deed import Deed
from edge_lfr.pipeline.reporting.rows import RowKind
from edge_lfr.pipeline.reporting.topics import Topics
from edge_lfr.pipeline.reporting.witness import Witness
from simulators.appliance import IDENTITY, Appliance, basis, face_at, frame_of, match_of
from simulators.clock import StoppedClock
from simulators.retention import DAY

TOPICS = Topics(IDENTITY)


class Listening(Witness):
    """Keeps what it was told."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.told: list[tuple[object, ...]] = []

    def stored(self, message: AlertMessage | SightingMessage) -> None:
        assert message.alert_id in {row.alert_id for row in self.outbox.pending()}
        self.told.append(("stored", type(message), message.alert_id))

    def acknowledged(self, alert_id: str, key: str) -> None:
        self.told.append(("acknowledged", alert_id, key))

    def refused(self, what: str, code: str) -> None:
        self.told.append(("refused", what, code))

    def done(self, deed: Deed) -> None:
        self.told.append((deed.event.value, deed.facts.get("alert", deed.facts.get("alerts"))))


class Desk:
    """Reporting without a broker, with a control room's key."""

    def __init__(self, folder: Path) -> None:
        self.clock = StoppedClock()
        config = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})
        self.outbox = Outbox(folder / FILE_NAME, KeyEncryptingKey.load(folder, create=True), config, self.clock)
        self.witness = Listening(self.outbox)
        self.writer = AlertWriter(
            config, IDENTITY, self.outbox, self.clock, basis(), retention=DAY, witness=self.witness
        )
        trust = folder / "trust.d"
        self.key = create_key(Role.CONTROL, folder / "key", trust / "control.toml", name="desk", clock=self.clock)
        self.down = DownMessages(
            TOPICS,
            self.outbox,
            TrustStore.load(trust),
            self.clock,
            counters=Counters(),
            on_revocation=refuse_revocation,
            witness=self.witness,
        )

    def acknowledge(self, alert_id: str, key: SigningKey | None = None) -> None:
        wire = sign(
            self.key if key is None else key,
            kind=ACK_KIND,
            device=IDENTITY.addressee,
            body=AckMessage(alert_id=alert_id, by="desk"),
            issued_at=self.clock.now,
            lifetime=timedelta(minutes=1),
        )
        self.down.take(TOPICS.ack, wire)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.outbox.close()


def test_every_message_is_told_once_it_is_in_the_outbox(desk: Desk) -> None:
    """Alert, sighting and test; a match that is told to nobody is not told here either."""
    alert = desk.writer.write(match_of("r1"), frame_of(desk.clock), face_at(200, 100))
    assert alert is not None
    assert desk.writer.write(match_of("r1"), frame_of(desk.clock), face_at(200, 100)) is None
    desk.writer.write(match_of("r1", 2, camera_id="south"), frame_of(desk.clock, "south"), face_at(10, 10))
    test = desk.writer.write_test()
    expected = [
        ("stored", AlertMessage, alert.alert_id),
        ("stored", SightingMessage, alert.alert_id),
        ("stored", AlertMessage, test.alert_id),
    ]
    assert expected == desk.witness.told


def test_an_acknowledgement_is_told_with_its_key(desk: Desk) -> None:
    """Of an alert that is here; what nobody trusted signed is told as refused, and why."""
    alert = desk.writer.write_test()
    desk.acknowledge(alert.alert_id)
    desk.acknowledge("01J")
    desk.acknowledge(alert.alert_id, SigningKey.generate())
    desk.down.take(TOPICS.revocation, b"{}")
    assert [
        ("acknowledged", alert.alert_id, desk.key.fingerprint),
        ("refused", "ack", "unknown-key"),
        ("refused", "revocation", "authority.revocation"),
    ] == [(*told[:2], told[2]) for told in desk.witness.told[1:]]


def test_a_purge_names_the_alerts_that_nobody_acknowledged(desk: Desk) -> None:
    """Neither the acknowledged one, nor a sighting, nor a test; memory and disk alike."""
    known = desk.writer.write(match_of("r1"), frame_of(desk.clock), face_at(200, 100))
    lost = desk.writer.write(match_of("r2", 2), frame_of(desk.clock), face_at(200, 100))
    desk.writer.write(match_of("r1", 3, camera_id="south"), frame_of(desk.clock, "south"), face_at(10, 10))
    desk.writer.write_test()
    desk.outbox._file._db.execute("PRAGMA query_only = 1")
    spooled = desk.writer.write(match_of("r3", 4), frame_of(desk.clock), face_at(200, 100))
    desk.outbox._file._db.execute("PRAGMA query_only = 0")
    assert known is not None
    assert lost is not None
    assert spooled is not None
    assert desk.outbox.acknowledge(known.alert_id)
    desk.clock.advance(DAY.alert_lifetime.total_seconds())
    purged = desk.outbox.purge(believing(desk.clock))
    facts = [deed.facts for deed in desk.outbox.deeds.untold()]
    assert [{"alert": lost.alert_id}, {"alert": spooled.alert_id}, {"alerts": 5, "what": "outbox"}] == facts
    assert 5 == purged.deleted


def test_rows_in_time_are_alerts_and_sightings_newest_first(desk: Desk) -> None:
    """A test is none, and acknowledged ones are among them."""
    alert = desk.writer.write(match_of("r1"), frame_of(desk.clock), face_at(200, 100))
    desk.writer.write(match_of("r1", 2, camera_id="south"), frame_of(desk.clock, "south"), face_at(10, 10))
    desk.writer.write_test()
    assert alert is not None
    desk.outbox.acknowledge(alert.alert_id)
    rows = [desk.outbox.load(row_id) for row_id in desk.outbox.in_time()]
    assert [RowKind.SIGHTING, RowKind.ALERT] == [row.kind for row in rows if row is not None]


def test_the_link_tells_of_its_purges(tmp_path: Path) -> None:
    """Without any broker: what nobody took in time is told by id."""
    broker = BrokerConfig.model_validate({"host": "127.0.0.1", "port": 1})
    appliance = Appliance(tmp_path, broker)
    witness = Listening(appliance.outbox)
    appliance.link._witness = witness
    appliance.outbox.store(
        b"{}", alert_id="a", kind=RowKind.ALERT, seq=1, expires_at=appliance.clock.utc_now() - timedelta(seconds=1)
    )
    appliance.link.start()
    try:
        end_s = time.monotonic() + 10
        while [("alert-expired-unacknowledged", "a"), ("purged", 1)] != witness.told:
            assert time.monotonic() < end_s
            time.sleep(0.01)
    finally:
        appliance.link.stop()
        with suppress(Exception):
            appliance.outbox.close()
