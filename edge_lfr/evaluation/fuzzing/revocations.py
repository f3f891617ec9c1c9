"""Revocations: taken, kept and read again."""

from datetime import datetime
from pathlib import Path
from random import Random
from typing import Final

from edge_lfr.errors import EdgeLfrError
from edge_lfr.evaluation.fuzzing.authorities import changed_document
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, of_signed, refused
from edge_lfr.evaluation.fuzzing.made import APPLIANCE, DEVICE, FORCE, KEYS, NOW, made_trust
from edge_lfr.governance.authority.revocation import (
    Revocation,
    RevocationReason,
    Revocations,
    sign_revocation,
    take_revocation,
)
from edge_lfr.governance.documents import Kind
from edge_lfr.governance.trust import Role

_REVOKER: Final = KEYS[Role.REVOKE]


class RevocationFiles:
    """One for every appliance of the force, by who may revoke, and one for this alone, by an officer."""

    name = "revocation"

    def __init__(self, now: datetime = NOW) -> None:
        general = Revocation(
            authority_id="AT-2026-014", force=FORCE, revoked_at=now, reason_code=RevocationReason.MISTAKE
        )
        ours = general.model_copy(update={"device": "van-1", "reason_code": RevocationReason.INCIDENT})
        self.specimens = (sign_revocation(general, _REVOKER), sign_revocation(ours, KEYS[Role.AUTHORISE]))
        self._sound = (general, ours)
        self._now = now
        self._trust = made_trust(now)

    def structured(self, drawn: Random) -> Mutant:
        key = drawn.choice((_REVOKER, KEYS[Role.AUTHORISE]))
        return changed_document(drawn, self.specimens, Kind.REVOCATION, key)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        try:
            taken = take_revocation(
                folder,
                mutant.untrusted,
                trust=self._trust,
                device=DEVICE,
                device_fingerprint=APPLIANCE.fingerprint,
                now=self._now,
            )
        except EdgeLfrError as error:
            return refused(error)
        (kept,) = Revocations.load(folder).items
        if kept != taken.revocation:
            message = "what was kept is not what was taken"
            raise AssertionError(message)
        return of_signed(mutant, is_same=kept in self._sound)

    def close(self) -> None:
        """Nothing was prepared."""
