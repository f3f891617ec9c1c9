"""What control sends down: untrusted bytes become an acknowledged alert or a revocation, or a counted refusal."""

from collections.abc import Callable, Mapping
from typing import Final, Never, TypeAlias

from edge_lfr.clock import Clock
from edge_lfr.errors import AuthorityError, RevocationError, TrustError
from edge_lfr.governance.documents import DocumentRefusedError
from edge_lfr.governance.signed import MessageRefusedError, signer_of, verify
from edge_lfr.governance.trust import Role, TrustStore
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.messages import ACK_KIND, AckMessage
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.topics import Topics
from edge_lfr.pipeline.reporting.witness import Witness

ACK_REFUSED: Final = "ack.refused"
REVOCATION_REFUSED: Final = "revocation.refused"
"""Codes of complaints, and counters; each refusal is counted by its reason, too."""

OnRevocation: TypeAlias = Callable[[bytes], None]
"""
Gets a revocation as it came, the same signed document as in a file; returns when it was verified and is in force.

Raises a `TrustError` or `AuthorityError` for one that is not to be believed or could not be taken. Called from the
link's thread. The same one comes again with each connection, and after a restart: to take one twice must be like taking
it once, so that neither a full memory of ids nor a crash between remembering and doing can keep a revocation away.
"""


def refuse_revocation(untrusted: bytes) -> Never:
    """
    Where there is no authority, nobody has to stop; control learns that nothing did.

    Raises:
        RevocationError: Always.
    """
    del untrusted
    message = "nothing here can be revoked"
    raise RevocationError(message, remedy="ask which appliance the revocation is meant for")


class DownMessages:
    """Believes what a trusted key signed for this appliance; one handler a topic."""

    def __init__(
        self,
        topics: Topics,
        outbox: Outbox,
        trust: TrustStore,
        clock: Clock,
        *,
        counters: Counters,
        on_revocation: OnRevocation,
        witness: Witness | None = None,
    ) -> None:
        self._topics = topics
        self._outbox = outbox
        self._trust = trust
        self._clock = clock
        self._counters = counters
        self._on_revocation = on_revocation
        self._witness = Witness() if witness is None else witness
        self._handlers: Mapping[str, tuple[str, Callable[[bytes], None]]] = {
            topics.ack: (ACK_REFUSED, self._acknowledge),
            topics.revocation: (REVOCATION_REFUSED, self._revoke),
        }

    def believe(self, trust: TrustStore) -> None:
        """Whose signatures count from the next message on."""
        self._trust = trust

    @property
    def topics(self) -> tuple[str, ...]:
        """What to subscribe to."""
        return tuple(self._handlers)

    def take(self, topic: str, untrusted_payload: bytes) -> tuple[str, str | None] | None:
        """
        Do what the message asks, or refuse it.

        Returns:
            The code of the complaint about this topic, and why it holds now (None: it does not); None altogether for a
            topic that nobody asked for.
        """
        found = self._handlers.get(topic)
        if found is None:
            self._counters.count("down.unknown-topic")
            return None
        complaint, handle = found
        try:
            handle(untrusted_payload)
        except (TrustError, AuthorityError) as error:
            refusal = _refusal_of(error)
            self._counters.count(complaint)
            self._counters.count(f"{complaint}.{refusal}")
            self._witness.refused(complaint.partition(".")[0], refusal)
            return complaint, refusal
        return complaint, None

    def _acknowledge(self, untrusted_payload: bytes) -> None:
        ack = verify(
            untrusted_payload,
            trust=self._trust,
            role=Role.CONTROL,
            kind=ACK_KIND,
            device=self._topics.identity.addressee,
            device_fingerprint=self._topics.identity.own_key,
            body=AckMessage,
            now=self._clock.utc_now(),
            seen=self._outbox,
        )
        is_known = self._outbox.acknowledge(ack.alert_id)
        self._counters.count("ack.accepted" if is_known else "ack.unknown-alert")
        if is_known:
            self._witness.acknowledged(ack.alert_id, signer_of(untrusted_payload))

    def _revoke(self, untrusted_payload: bytes) -> None:
        self._on_revocation(untrusted_payload)
        self._counters.count("revocation.accepted")


def _refusal_of(error: TrustError | AuthorityError) -> str:
    """Why, as a code."""
    return error.refusal if isinstance(error, MessageRefusedError | DocumentRefusedError) else error.code
