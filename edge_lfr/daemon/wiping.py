"""
The end of a watchlist in the running appliance, and the proof of it.

Order: fragments for the proof are taken; matching stops; the key is destroyed, then the files; the matrix is zeroed;
the cameras stop; then the process replaces itself, and the new one looks for the fragments and signs what it found.
Nothing that fails on the way keeps the next step from being done.
"""

from dataclasses import dataclass, field

from edge_lfr.clock import Clock
from edge_lfr.daemon.chronicle import Chronicle
from edge_lfr.daemon.operation import Operation
from edge_lfr.governance.ledger_lines import Actor
from edge_lfr.watchlist.ended_list import EndedList, evidence_of, take_evidence
from edge_lfr.watchlist.ending import Wiped
from edge_lfr.watchlist.store import SealedStore
from edge_lfr.watchlist.wipe_certificate import WipeCause


@dataclass(slots=True, eq=False, kw_only=True)
class Wiping:
    """Destroys; the caller sees to it that one request does so at a time."""

    operation: Operation
    store: SealedStore
    clock: Clock
    chronicle: Chronicle
    may_be_replaced: bool
    """Whether this process may begin anew: the daemon by itself may, a program that runs one inside may not."""

    ended: EndedList | None = field(default=None, init=False)
    """The last one of this run."""

    def wipe(self, cause: WipeCause, by: Actor) -> EndedList:
        """
        Destroy every list, whatever fails; matching has stopped and nothing opens any more when this returns.

        Args:
            cause: Why.

            by: Who asked for it.

        Returns:
            What was done, to be certified.

        Raises:
            EdgeLfrError: The disk fails; what could be destroyed is destroyed.
        """
        begun_at, begun_ns = self.clock.utc_now(), self.clock.monotonic_ns()
        armament = self.operation.health.armament
        evidence = take_evidence(self.store) if armament is None else evidence_of(armament.watchlist, armament.gallery)
        wiped = self._destroy()
        self.ended = EndedList(
            cause=cause,
            by=str(by),
            begun_at=begun_at,
            begun_ns=begun_ns,
            evidence=evidence,
            lists=wiped.lists,
            keys=wiped.keys,
            destroyed_in_s=(self.clock.monotonic_ns() - begun_ns) / 1e9,
            list_id=wiped.live,
        )
        if wiped.lists or wiped.keys:
            self.chronicle.wiped(self.ended, by)
        return self.ended

    @property
    def wants_replacement(self) -> bool:
        """Whether the process shall begin anew now; an alert that only memory holds is worth more than its copies."""
        return self.may_be_replaced and self.ended is not None and not self.operation.health.outbox.spooled

    def _destroy(self) -> Wiped:
        try:
            self.operation.loop.swap(None)
        finally:
            try:
                wiped = self.store.wipe()
            finally:
                self.operation.fall_silent()
        return wiped
