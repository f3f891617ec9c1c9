"""What control sends down: untrusted bytes become an acknowledged alert, or a counted refusal."""

from edge_lfr.clock import Clock
from edge_lfr.governance.signed import MessageRefusedError, Refusal, verify
from edge_lfr.governance.trust import Role, TrustStore
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.messages import ACK_KIND, AckMessage
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.topics import Topics


class Acknowledgements:
    """Believes acknowledgements that a trusted control key signed for this appliance, once each."""

    def __init__(self, topics: Topics, outbox: Outbox, trust: TrustStore, clock: Clock, counters: Counters) -> None:
        self._topics = topics
        self._outbox = outbox
        self._trust = trust
        self._clock = clock
        self._counters = counters

    def take(self, topic: str, untrusted_payload: bytes) -> Refusal | None:
        """Acknowledge the alert that the message names, or say why the message is not believed."""
        if topic != self._topics.ack:
            self._counters.count("down.unknown-topic")
            return None
        try:
            ack = verify(
                untrusted_payload,
                trust=self._trust,
                role=Role.CONTROL,
                kind=ACK_KIND,
                device=self._topics.identity.addressee,
                body=AckMessage,
                now=self._clock.utc_now(),
                seen=self._outbox,
            )
        except MessageRefusedError as error:
            self._counters.count("ack.refused")
            self._counters.count(f"ack.refused.{error.refusal}")
            return error.refusal
        is_known = self._outbox.acknowledge(ack.alert_id)
        self._counters.count("ack.accepted" if is_known else "ack.unknown-alert")
        return None
