"""What control sends down."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.governance.authority.revocation import (
    Revocation,
    RevocationReason,
    Revocations,
    sign_revocation,
    take_revocation,
)
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.signed import sign
from edge_lfr.governance.trust import Role, TrustStore, create_key
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.down import DownMessages, OnRevocation, refuse_revocation
from edge_lfr.pipeline.reporting.messages import ACK_KIND, AckMessage
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.topics import Topics
from simulators.appliance import AUTHORITY_ID, LIVE_IDENTITY, LIVE_TOPICS
from simulators.clock import StoppedClock


class Office:
    """An operational appliance's ear, with a key of every role that is trusted there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = StoppedClock()
        self.keys = {
            role: create_key(
                role, folder / f"{role}.key", folder / "trust.d" / f"{role}.toml", name="n", clock=self.clock
            )
            for role in Role
        }
        reporting = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})
        self.outbox = Outbox(folder / "outbox.db", KeyEncryptingKey.load(folder, create=True), reporting, self.clock)
        self.trust = TrustStore.load(folder / "trust.d")
        self.listen(self.take)

    def listen(self, on_revocation: OnRevocation, topics: Topics = LIVE_TOPICS) -> None:
        """As the daemon does: nothing taken and nothing counted yet."""
        self.counters = Counters()
        self.down = DownMessages(
            topics, self.outbox, self.trust, self.clock, counters=self.counters, on_revocation=on_revocation
        )

    def take(self, untrusted: bytes) -> None:
        device = f"{LIVE_IDENTITY.force}/{LIVE_IDENTITY.device}"
        now = self.clock.now
        take_revocation(self.folder, untrusted, trust=self.trust, device=device, device_fingerprint=None, now=now)

    def revocation(self, role: Role = Role.REVOKE, device: str = LIVE_IDENTITY.device) -> bytes:
        content = Revocation(
            authority_id=AUTHORITY_ID,
            force=LIVE_IDENTITY.force,
            device=device,
            revoked_at=self.clock.now,
            reason_code=RevocationReason.PURPOSE_ENDED,
        )
        return sign_revocation(content, self.keys[role])

    def ack(self) -> bytes:
        return sign(
            self.keys[Role.CONTROL],
            kind=ACK_KIND,
            device=LIVE_IDENTITY.addressee,
            body=AckMessage(alert_id="01J", by="desk"),
            issued_at=self.clock.now,
            lifetime=timedelta(minutes=1),
        )

    def revoke(self, wire: bytes) -> tuple[str, str | None] | None:
        return self.down.take(LIVE_TOPICS.revocation, wire)

    @property
    def revoked(self) -> list[str]:
        return [item.authority_id for item in Revocations.load(self.folder).items]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.outbox.close()


def test_a_revocation_is_taken(office: Office) -> None:
    """The very file that could have come on a stick; counted, and no complaint."""
    assert ("revocation.refused", None) == office.revoke(office.revocation())
    assert [AUTHORITY_ID] == office.revoked
    assert {"revocation.accepted": 1} == office.counters.snapshot()


def test_a_revocation_may_come_again(office: Office) -> None:
    """It lies retained at the broker and comes with every connection; nothing keeps the second one away."""
    wire = office.revocation()
    assert [("revocation.refused", None)] * 2 == [office.revoke(wire), office.revoke(wire)]
    assert [AUTHORITY_ID] == office.revoked


@pytest.mark.parametrize(
    ("role", "device", "refusal"),
    [
        (Role.CONTROL, LIVE_IDENTITY.device, "wrong-role"),
        (Role.ISSUE, LIVE_IDENTITY.device, "wrong-role"),
        (Role.TRAIN, LIVE_IDENTITY.device, "wrong-role"),
        (Role.REVOKE, "van-2", "authority.revocation"),
    ],
)
def test_a_revocation_that_is_not_believed_is_counted_by_its_reason(
    office: Office, role: Role, device: str, refusal: str
) -> None:
    """Neither of a key of another role nor for another appliance; and status complains."""
    assert ("revocation.refused", refusal) == office.revoke(office.revocation(role, device))
    assert [] == office.revoked
    assert {"revocation.refused": 1, f"revocation.refused.{refusal}": 1} == office.counters.snapshot()


def test_the_appliances_own_key_is_no_control_room(office: Office) -> None:
    """Whatever the trust folder says: who has the box must not acknowledge the box's alerts."""
    own = replace(LIVE_IDENTITY, own_key=office.keys[Role.CONTROL].fingerprint)
    office.listen(refuse_revocation, Topics(own))
    assert ("ack.refused", "device-key") == office.down.take(LIVE_TOPICS.ack, office.ack())
    assert {"ack.refused": 1, "ack.refused.device-key": 1} == office.counters.snapshot()
    office.listen(refuse_revocation, Topics(replace(LIVE_IDENTITY, own_key=office.keys[Role.ISSUE].fingerprint)))
    assert ("ack.refused", None) == office.down.take(LIVE_TOPICS.ack, office.ack())


def test_where_nobody_takes_revocations_they_are_refused(office: Office) -> None:
    """Control must not believe that an appliance has stopped which has not."""
    office.listen(refuse_revocation)
    assert ("revocation.refused", "authority.revocation") == office.revoke(office.revocation())


def test_what_is_signed_for_one_topic_is_not_believed_on_the_other(office: Office) -> None:
    """An acknowledgement revokes nothing, and a revocation acknowledges nothing."""
    assert ("revocation.refused", "malformed") == office.revoke(office.ack())
    assert ("ack.refused", "malformed") == office.down.take(LIVE_TOPICS.ack, office.revocation())
    assert ("ack.refused", None) == office.down.take(LIVE_TOPICS.ack, office.ack())
    assert [] == office.revoked


def test_an_acknowledgement_for_training_is_not_believed_in_operation(office: Office) -> None:
    """The addressee of a signed message names the mode, whatever topic somebody put it on."""
    wire = sign(
        office.keys[Role.CONTROL],
        kind=ACK_KIND,
        device=LIVE_IDENTITY.addressee.replace("operational", "training"),
        body=AckMessage(alert_id="01J", by="desk"),
        issued_at=office.clock.now,
        lifetime=timedelta(minutes=1),
    )
    assert ("ack.refused", "wrong-device") == office.down.take(LIVE_TOPICS.ack, wire)


def test_a_topic_that_nobody_asked_for_is_counted(office: Office) -> None:
    """A broker that is mistaken gets no answer and does no harm."""
    assert office.down.take(LIVE_TOPICS.status, office.ack()) is None
    assert {"down.unknown-topic": 1} == office.counters.snapshot()


@given(
    st.binary(min_size=1, max_size=60),
    st.integers(0, 10_000),
    st.sampled_from([LIVE_TOPICS.ack, LIVE_TOPICS.revocation]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_bytes_are_refused_with_a_code(office: Office, noise: bytes, place: int, topic: str) -> None:
    """Whatever is laid over a genuine message: no traceback, nothing done, one reason."""
    wire = (office.ack() if topic == LIVE_TOPICS.ack else office.revocation()).rstrip()
    place %= len(wire)
    damaged = wire[:place] + noise + wire[place + len(noise) :]
    complaint = office.down.take(topic, damaged)
    assert complaint is not None
    if complaint[1] is None:  # only where the noise did not change what it says
        assert b"".join(damaged.split()) == b"".join(wire.split())
    else:
        assert office.counters.snapshot()[f"{complaint[0]}.{complaint[1]}"] >= 1
