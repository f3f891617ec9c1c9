"""Signed messages that control sends down: acknowledgements, believed once."""

import base64
import json
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, of_signed, refused
from edge_lfr.evaluation.fuzzing.made import ADDRESSEE, APPLIANCE, KEYS, NOW, made_trust
from edge_lfr.evaluation.fuzzing.tree_changes import changed_tree, json_bytes
from edge_lfr.governance.signed import MessageRefusedError, Refusal, SignedMessage, sign, verify
from edge_lfr.governance.trust import Role
from edge_lfr.pipeline.reporting.messages import ACK_KIND, AckMessage

CONTEXT = b"lfr.signed/1\n"
"""Of the protocol: stands in front of what is signed."""


class _Ids:
    """Remembers as an outbox does, in memory and for one case."""

    def __init__(self) -> None:
        self._until: dict[str, str] = {}

    def remember(self, message_id: str, expires_at: datetime) -> Refusal | None:
        if message_id in self._until:
            return Refusal.SEEN
        self._until[message_id] = expires_at.isoformat()
        return None


class SignedMessages:
    """An acknowledgement, and a second one."""

    name = "signed message"

    def __init__(self) -> None:
        self._key = KEYS[Role.CONTROL]
        self._trust = made_trust()
        self.specimens = tuple(
            sign(
                self._key,
                kind=ACK_KIND,
                device=ADDRESSEE,
                body=AckMessage(alert_id=f"01ARZ3NDEKTSV4RRFFQ69G5FA{number}", by="desk-1"),
                issued_at=NOW,
                lifetime=timedelta(minutes=10 + number),
            )
            for number in range(2)
        )
        self._sound = {SignedMessage.model_validate_json(each).canonical() for each in self.specimens}

    def structured(self, drawn: Random) -> Mutant:
        tree = json.loads(drawn.choice(self.specimens))
        signature = tree.pop("signature")
        changed, how = changed_tree(drawn, tree)
        if isinstance(changed, dict) and drawn.random() < 2 / 3:
            return Mutant(json_bytes(drawn, self._signed(changed)), f"{how}, signed anew", is_signed_anew=True)
        if isinstance(changed, dict):
            changed["signature"] = signature
        return Mutant(json_bytes(drawn, changed), how)

    def _signed(self, tree: dict[str, Any]) -> dict[str, Any]:
        """With the signature that the receiver would want to see, where it can read the rest."""
        try:
            content = SignedMessage.model_validate({**tree, "signature": ""}).canonical()
        except ValueError:
            content = CONTEXT + json.dumps(tree, sort_keys=True, separators=(",", ":")).encode("ascii")
        return {**tree, "signature": base64.b64encode(self._key.sign(content)).decode("ascii")}

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        del folder
        seen = _Ids()
        try:
            self._verified(mutant.untrusted, seen)
        except MessageRefusedError as error:
            return refused(error)
        try:
            self._verified(mutant.untrusted, seen)
        except MessageRefusedError as error:
            if error.refusal is not Refusal.SEEN:
                raise
        else:
            message = "believed twice"
            raise AssertionError(message)
        said = SignedMessage.model_validate_json(mutant.untrusted).canonical()
        return of_signed(mutant, is_same=said in self._sound)

    def _verified(self, untrusted: bytes, seen: _Ids) -> AckMessage:
        return verify(
            untrusted,
            trust=self._trust,
            role=Role.CONTROL,
            kind=ACK_KIND,
            device=ADDRESSEE,
            device_fingerprint=APPLIANCE.fingerprint,
            body=AckMessage,
            now=NOW,
            seen=seen,
        )

    def close(self) -> None:
        """Nothing was prepared."""
