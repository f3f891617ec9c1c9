"""Holding an alert past its time, and letting it go, as technicians ask of the running appliance."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from edge_lfr.clock import Clock
from edge_lfr.daemon.control.local_socket import Handler
from edge_lfr.daemon.control.protocol import Request, Verb
from edge_lfr.daemon.noting.chronicle import Chronicle
from edge_lfr.errors import ControlError, OutboxError
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
        self.outbox.holds.place(alert_id, reason, note=note, held_by=request.caller_uid, at=at, by=request.who)
        self._note()
        return {"alert_id": alert_id, "reason": reason.value}

    def _release(self, request: Request) -> Mapping[str, object]:
        alert_id = request.text("alert_id")
        named = None if request.args.get("reason") is None else _reason_of(request.text("reason"))
        reason = self.outbox.holds.release(alert_id, named, by=request.who, at=self.clock.utc_now())
        self._note()
        return {"alert_id": alert_id, "reason": reason.value}

    def _note(self) -> None:
        with suppress(OutboxError):  # it is done, and the outbox has it: whoever tends that tells it within seconds
            self.outbox.deeds.tell(self.chronicle)


def _reason_of(untrusted: str) -> HoldReason:
    try:
        return HoldReason(untrusted)
    except ValueError:
        known = ", ".join(HoldReason)
        raise ControlError(f"reason: expected one of {known}", remedy="ask with `edge-lfr`") from None
