"""
The end of a watchlist in the running appliance, and the proof of it.

Order: fragments for the proof are taken; matching stops; the wipe is noted; the key is destroyed, then the files; the
matrix is zeroed; the cameras stop; then the process replaces itself, and the new one looks for the fragments and signs
what it found. Nothing that fails on the way, or does not end, keeps the next step from being done.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge_lfr.clock import Clock
from edge_lfr.daemon.ending.unsigned_wipes import UnsignedWipe, forget, try_to_leave
from edge_lfr.daemon.noting.chronicle import Chronicle
from edge_lfr.daemon.operation import CAMERAS_STOP_S, Operation
from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.watchlist.sealed.ending import Wiped
from edge_lfr.watchlist.sealed.noted_wipes import Noting
from edge_lfr.watchlist.sealed.store import LISTS, SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause
from edge_lfr.watchlist.wiping.ended_list import EndedList, evidence_of, take_evidence

OTHER_LIMIT_S: Final = CAMERAS_STOP_S + 2.0
"""How long a wipe waits for another one that is under way: until its cameras have stopped, and a moment more. Chosen;
the main thread may be the one that waits, and the service manager hears from it within 30 seconds."""


@dataclass(slots=True, eq=False, kw_only=True)
class Wiping:
    """Destroys, one wipe at a time."""

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

    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, init=False)

    def wipe(self, cause: WipeCause, by: Actor) -> EndedList:
        """
        Destroy every list, whatever fails; matching has stopped and nothing opens any more when this returns.

        Whoever comes while another wipe is under way waits for it, destroys what has come since, and gets its answer
        where that was nothing. One that does not end keeps no list alive.

        Args:
            cause: Why.

            by: Who asked for it.

        Returns:
            What was done, to be certified.

        Raises:
            EdgeLfrError: The disk fails; what could be destroyed is destroyed, and stands in `ended`.
        """
        before = self.ended
        has_waited = not self._one_at_a_time.acquire(blocking=False)
        is_alone = not has_waited or self._one_at_a_time.acquire(timeout=OTHER_LIMIT_S)
        try:
            ended, failure = self._wipe(cause, by)
            is_proof_due = self.wants_replacement or (has_waited and self.ended is not before)
            if not (ended.lists or ended.keys) and self.ended is not None and is_proof_due:
                ended = self.ended  # it has the proof of what there was
            elif failure is None or ended.lists or ended.keys:
                self.ended = ended
                # An alert or a revocation that only memory holds is worth more than the copies that libraries made.
                is_needed = bool(self.operation.health.outbox.spooled or self.operation.mandate.unkept)
                self.wants_replacement = self.may_be_replaced and not is_needed and failure is None
        finally:
            if is_alone:
                self._one_at_a_time.release()
        if failure is not None:
            raise failure
        return ended

    def stay(self) -> None:
        """The process does not begin anew: somebody ended it."""
        self.wants_replacement = False

    @property
    def _mode_directory(self) -> Path:
        return self.store.directory.parent

    def _wipe(self, cause: WipeCause, by: Actor) -> tuple[EndedList, EdgeLfrError | None]:
        """What was destroyed, and why that was not everything."""
        begun_at, begun_ns = self.clock.utc_now(), self.clock.monotonic_ns()
        armament = self.operation.health.armament
        evidence = take_evidence(self.store) if armament is None else evidence_of(armament.watchlist, armament.gallery)
        begun = UnsignedWipe.about_to(self.store, cause, by, begun_at)
        noted: list[UnsignedWipe] = []

        def note(names: Sequence[str]) -> None:
            noted.append(begun.of(self.store, names))
            try_to_leave(noted[0], self._mode_directory)

        failure = None
        try:
            wiped = self._destroy(note)
        except EdgeLfrError as error:
            failure, wiped = error, self._destroyed_of(noted)
        ended = EndedList(
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
            try_to_leave(begun.done(ended), self._mode_directory)
            self.chronicle.wiped(ended, by)
        elif noted:
            forget(begun_at, self._mode_directory)
        return ended, failure

    def _destroyed_of(self, noted: Sequence[UnsignedWipe]) -> Wiped:
        """What a wipe that failed has destroyed of what it noted; nothing where it did not come to that."""
        found = [each.as_found(self.store.directory / LISTS) for each in noted]
        return Wiped(
            keys=sum(each.keys for each in found),
            lists=sum(each.lists for each in found if each.keys),
            live=next((each.list_id for each in found), None),
        )

    def _destroy(self, noting: Noting) -> Wiped:
        try:
            self.operation.loop.end_path()
        finally:
            try:
                wiped = self.store.wipe(noting)
            finally:
                self.operation.fall_silent()
        return wiped
