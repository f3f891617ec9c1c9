"""
Whose time has come is taken out of the list, also where nobody is compared: a pause or a hold keeps nobody on it.

A list that is searched says itself who ends when. One that lies sealed is opened for that once, and again when the next
one's time has come; in between its id and that time are remembered, and nothing that is on it.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from edge_lfr.clock import Clock
from edge_lfr.daemon.arming.armament import Armament
from edge_lfr.daemon.arming.authority_notes import OVERSEER, Note
from edge_lfr.daemon.arming.listed import Listed
from edge_lfr.daemon.arming.mandate import Mandate
from edge_lfr.daemon.arming.standing import live_of
from edge_lfr.daemon.operation import Operation
from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.watchlist.wiping.certificate import WipeCause

log = structlog.get_logger()

AGAIN_NS: Final = 60_000_000_000
"""A sealed list that does not open is tried again after a minute: it may take seconds. Chosen."""


@dataclass(slots=True, eq=False, kw_only=True)
class Expiring:
    """Looks when the overseer does; goes by a clock that is trusted, and by no other."""

    mandate: Mandate
    operation: Operation
    clock: Clock
    end_list: Callable[[WipeCause, Actor], object]
    let_go: Callable[[], None]
    """Called where the list that is searched is not the live one."""

    note: Note
    _next: tuple[str, datetime] | None = field(default=None, init=False)
    """The live list as it was seen last, and when the next one on it ends."""

    _failure: tuple[int, EdgeLfrError] | None = field(default=None, init=False)
    """Why the sealed list did not open, and when it is tried again."""

    def look(self) -> None:
        """
        Take out whose time has come; with the last one the list ends.

        Raises:
            EdgeLfrError: The list does not open, or cannot be written; it is tried again.
        """
        if not self.mandate.time.is_trusted:
            return
        armament = self.operation.health.armament
        if armament is None:
            self._look_at_sealed()
        else:
            self._look_at_searched(armament)

    def _look_at_searched(self, armament: Armament) -> None:
        self._next = armament.watchlist.list_id, armament.listed.next_at
        expired = armament.listed.expired(self.mandate.time.now)
        if not expired:
            return
        if live_of(self.operation.store) != armament.watchlist.list_id:
            self.let_go()  # whoever is on the list that took its place has not expired by that
            return
        self._take_out(expired, armament.watchlist.references, self.operation.leave_out)

    def _look_at_sealed(self) -> None:
        live, now = live_of(self.operation.store), self.mandate.time.now
        if live is None or (self._next is not None and self._next[0] == live and now < self._next[1]):
            return
        if self._failure is not None and self.clock.monotonic_ns() < self._failure[0]:
            raise self._failure[1]
        try:
            self._expire_sealed(now)
        except EdgeLfrError as error:
            self._failure = self.clock.monotonic_ns() + AGAIN_NS, error
            raise
        self._failure = None

    def _expire_sealed(self, now: datetime) -> None:
        store, time = self.operation.store, self.mandate.time
        with store.open(time) as stored:
            listed, list_id, references = Listed.on(stored), stored.list_id, stored.references
        self._next = list_id, listed.next_at
        expired = listed.expired(now)
        if expired:

            def leave_out(found: Collection[str]) -> int:
                return store.remove(found, time, of_list=list_id, have_expired=True)

            self._take_out(expired, references, leave_out)

    def _take_out(self, expired: Collection[str], references: int, leave_out: Callable[[Collection[str]], int]) -> None:
        log.warning("watchlist.expired", references=len(expired))
        if len(expired) == references:
            self.end_list(WipeCause.EXPIRED, OVERSEER)
        else:
            leave_out(expired)
        self.note(LedgerEvent.WATCHLIST_EXPIRED, OVERSEER, references=len(expired))
