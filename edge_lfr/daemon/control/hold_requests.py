"""Holding an alert past its time, and letting it go, as technicians ask of the running appliance."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from edge_lfr.clock import Clock
from edge_lfr.daemon.control.local_socket import Handler
from edge_lfr.daemon.control.protocol import Request, Verb
from edge_lfr.daemon.noting.chronicle import Chronicle
from edge_lfr.errors import ControlError
from edge_lfr.governance.ledger.events import Fact
from edge_lfr.pipeline.reporting.holds import HoldReason
from edge_lfr.pipeline.reporting.outbox import Outbox


@dataclass(frozen=True, slots=True)
class HoldRequests:
    """Whoever asked is who holds."""

    outbox: Outbox
    chronicle: Chronicle
    clock: Clock

    def handlers(self) -> Mapping[Verb, Handler]:
        return {Verb.HOLD: self._hold, Verb.RELEASE: self._release}

    def _hold(self, request: Request) -> Mapping[str, object]:
        alert_id, note, reason = request.text("alert_id"), request.text("note"), _reason_of(request.text("reason"))
        at = self.clock.utc_now()
        self.outbox.holds.place(alert_id, reason, note=note, held_by=request.caller_uid, at=at)
        self.chronicle.held(hold_facts(alert_id, reason, note), request.who)
        return {"alert_id": alert_id, "reason": reason.value}

    def _release(self, request: Request) -> Mapping[str, object]:
        alert_id = request.text("alert_id")
        named = None if request.args.get("reason") is None else _reason_of(request.text("reason"))
        reason = self.outbox.holds.release(alert_id, named)
        self.chronicle.released(alert_id, reason.value, request.who)
        return {"alert_id": alert_id, "reason": reason.value}


def hold_facts(alert_id: str, reason: HoldReason, note: str) -> dict[str, Fact]:
    """As the ledger has them: what a person wrote goes in as its digest."""
    digest = hashlib.sha256(note.strip().encode()).hexdigest()
    return {"alert": alert_id, "code": reason.value, "reason_sha256": digest}


def _reason_of(untrusted: str) -> HoldReason:
    try:
        return HoldReason(untrusted)
    except ValueError:
        known = ", ".join(HoldReason)
        raise ControlError(f"reason: expected one of {known}", remedy="ask with `edge-lfr`") from None
