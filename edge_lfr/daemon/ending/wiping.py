"""
The end of a watchlist in the running appliance, and the proof of it.

Order: fragments for the proof are taken; matching stops; the wipe is noted; the key is destroyed, then the files; the
matrix is zeroed; the cameras stop; then the process replaces itself, and the new one looks for the fragments and signs
what it found. Nothing that fails on the way, or does not end, keeps the next step from being done.
"""

from dataclasses import dataclass, field
from pathlib import Path

from edge_lfr.clock import Clock
from edge_lfr.daemon.ending.unsigned_wipes import UnsignedWipe, forget, try_to_leave
from edge_lfr.daemon.noting.chronicle import Chronicle
from edge_lfr.daemon.operation import Operation
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.watchlist.sealed.ending import Wiped
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause
from edge_lfr.watchlist.wiping.ended_list import EndedList, evidence_of, take_evidence


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

    wants_replacement: bool = field(default=False, init=False)
    """Whether the process shall begin anew now; decided once for each wipe."""

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
        begun = UnsignedWipe.about_to(self.store, cause, by, begun_at)
        wiped = self._destroy(begun)
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
            try_to_leave(begun.done(self.ended), self._mode_directory)
            self.chronicle.wiped(self.ended, by)
        else:
            forget(begun_at, self._mode_directory)
        # An alert that only memory holds is worth more than the copies that libraries made.
        self.wants_replacement = self.may_be_replaced and not self.operation.health.outbox.spooled
        return self.ended

    def stay(self) -> None:
        """The process does not begin anew: somebody ended it."""
        self.wants_replacement = False

    @property
    def _mode_directory(self) -> Path:
        return self.store.directory.parent

    def _destroy(self, begun: UnsignedWipe) -> Wiped:
        try:
            self.operation.loop.end_path()
            try_to_leave(begun, self._mode_directory)
        finally:
            try:
                wiped = self.store.wipe()
            finally:
                self.operation.fall_silent()
        return wiped
