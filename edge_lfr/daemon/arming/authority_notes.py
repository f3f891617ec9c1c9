"""What the ledger is told of deployment authorities: which one counts, who signed it too, and who ended which one."""

from dataclasses import dataclass, field
from typing import Protocol

from edge_lfr.daemon.arming.mandate import Mandate
from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.authority.judgement import VerifiedAuthority
from edge_lfr.governance.authority.revocation import TakenRevocation
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.lines import Actor, Part, written_time
from edge_lfr.governance.trust import shown_fingerprint

OVERSEER = Actor.of_part(Part.DAEMON)


class Note(Protocol):
    """Has a line written into the ledger; never raises."""

    def __call__(self, event: LedgerEvent, who: Actor, **facts: Fact | None) -> None: ...


@dataclass(slots=True, eq=False)
class AuthorityNotes:
    """Tells each thing once; a process that begins knows what lies there then, and says nothing of it."""

    mandate: Mandate
    note: Note
    _known: VerifiedAuthority | None = field(default=None, init=False)
    """The authority as it was noted last."""

    _overdue: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if isinstance(self.mandate.authority, VerifiedAuthority):
            self._known = self.mandate.authority

    def tell(self, who: Actor) -> None:
        """Of the installed authority, as it was read last: what is new of it."""
        before, after = self._known, self.mandate.authority
        if isinstance(after, EdgeLfrError):
            overdue = self.mandate.overdue_digest()
            if overdue is not None and overdue != self._overdue:
                self.note(LedgerEvent.AUTHORITY_OVERDUE, OVERSEER, authority_sha256=overdue)
                self._overdue = overdue
            return  # what else it keeps from running is told there
        self._known = after
        is_new = before is None or before.digest != after.digest
        if is_new:
            self.note(
                LedgerEvent.AUTHORITY_ACCEPTED,
                who,
                authority=after.authority.authority_id,
                authority_sha256=after.digest,
                key=shown_fingerprint(after.signer.fingerprint),
                use_case=after.authority.use_case.value,
                starts_at=written_time(after.authority.begins_at),
                ends_at=written_time(after.authority.ends_at),
            )
        if after.countersigner is not None and (is_new or before is None or before.countersigner is None):
            key = shown_fingerprint(after.countersigner.fingerprint)
            self.note(LedgerEvent.AUTHORITY_COUNTERSIGNED, who, authority_sha256=after.digest, key=key)

    def tell_revoked(self, taken: TakenRevocation) -> None:
        """Of a revocation that came as a message; one that comes as a file is noted by the command that takes it."""
        if taken.is_new:
            self.note(LedgerEvent.REVOKED, Actor.of_key(taken.signer.fingerprint), **revoked_facts(taken))


def revoked_facts(taken: TakenRevocation) -> dict[str, Fact]:
    """Which authority, for which reason, by whose signature; whether it is installed here or not."""
    return {
        "authority": taken.revocation.authority_id,
        "code": taken.revocation.reason_code.value,
        "document_sha256": taken.digest,
        "key": shown_fingerprint(taken.signer.fingerprint),
    }
