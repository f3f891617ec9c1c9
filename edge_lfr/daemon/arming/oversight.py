"""
Ends what must end, and begins what may begin: time, authority, keys and list are looked at once a second.

What is seen is kept in the mandate; what follows from it is done by the parts that do it for technicians, too. A duty
that fails keeps no other one from being done, and is tried again at the next look; doing it twice changes nothing.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import structlog

from edge_lfr.clock import Clock
from edge_lfr.daemon.arming.authority_notes import OVERSEER, AuthorityNotes, Note
from edge_lfr.daemon.arming.expiring import Expiring
from edge_lfr.daemon.arming.mandate import Mandate
from edge_lfr.daemon.arming.seen_trust import SeenKey, keep_seen, read_seen, seen_in, tell_changes
from edge_lfr.daemon.arming.standing import Notice, age_of, bar_of, live_of, next_turn, notices_of, wipe_cause
from edge_lfr.daemon.operation import Operation
from edge_lfr.errors import ArmingRefusedError, EdgeLfrError, WatchlistReplacedError
from edge_lfr.governance.authority.judgement import VerifiedAuthority
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.governance.trust import TrustStore, shown_fingerprint
from edge_lfr.governance.trust_folder import folder_digest
from edge_lfr.governance.trusted_time import Doubt
from edge_lfr.watchlist.wiping.certificate import WipeCause

log = structlog.get_logger()

LOOK_EVERY_NS: Final = 1_000_000_000
"""How often the clocks are compared; chosen."""

KEYS_EVERY_NS: Final = 5_000_000_000
"""Between two looks at the trust folder; some milliseconds for the most keys that it may hold. Chosen."""

FOLLOW_AFTER_NS: Final = 10_000_000_000
"""So long a loader has to say itself that its list is live, which it does within parts of a second. Chosen."""

AUTHORITY_EVERY_NS: Final = 60_000_000_000
"""Between two verifications of the authority that nothing asked for: a key may end meanwhile. Chosen."""

WIPE_PATIENCE_NS: Final = 1_000_000_000
"""So long a list that must end waits for a request that is under way; with a look a second it is gone within two or
three. Chosen."""


@dataclass(slots=True, eq=False, kw_only=True)
class Overseer:
    """
    Looks, and lets the other parts do what follows.

    `look` belongs to the main thread; `recheck` and `confirm_clock` to a request that holds `one_at_a_time`; `revoke`
    to whoever receives a message.
    """

    mandate: Mandate
    operation: Operation
    clock: Clock
    one_at_a_time: threading.Lock
    """Held by whoever changes the appliance; while somebody else has it, matching is stopped and nothing more done."""

    ending: threading.Event
    end_list: Callable[[WipeCause, Actor], object]
    """Destroys every list, and sees to the proof."""

    note: Note
    on_trust: Callable[[TrustStore], None]
    """Whose signatures count from here on."""

    on_changed: Callable[[], None]
    """What the appliance says of itself is to be said anew."""

    _asked: threading.Event = field(default_factory=threading.Event, init=False)
    _seeing: threading.RLock = field(default_factory=threading.RLock, init=False)
    _next_look_ns: int = field(default=0, init=False)
    _next_keys_ns: int = field(default=0, init=False)
    _next_authority_ns: int = field(default=0, init=False)
    _keys_digest: str = field(init=False)
    _authority: AuthorityNotes = field(init=False)
    _expiring: Expiring = field(init=False)
    _must_end_since_ns: int | None = field(default=None, init=False)
    """Since when a list that must end waits for somebody else's request."""

    _doubt: Doubt | None = field(default=None, init=False)
    _bar: str | None = field(default=None, init=False)
    _wants_to_begin: bool = field(default=False, init=False)
    _is_muted: bool = field(default=False, init=False)
    _are_keys_changed: bool = field(default=False, init=False)
    _replaced_since_ns: int | None = field(default=None, init=False)
    _told_stale: set[tuple[str, Notice]] = field(default_factory=set, init=False)
    _failing: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._keys_digest = self.mandate.trust_digest
        self._authority = AuthorityNotes(self.mandate, self.note)
        self._expiring = Expiring(
            mandate=self.mandate,
            operation=self.operation,
            clock=self.clock,
            end_list=self.end_list,
            let_go=self._let_go,
            note=self.note,
        )

    def look(self) -> None:
        """See what has changed, about every second or as soon as somebody asked, and do what follows."""
        now_ns = self.clock.monotonic_ns()
        if not self._asked.is_set() and now_ns < self._next_look_ns:
            return
        self._asked.clear()
        self._next_look_ns = now_ns + LOOK_EVERY_NS
        self._see(OVERSEER)
        if self.one_at_a_time.acquire(blocking=False):
            self._must_end_since_ns = None
            try:
                self._act()
            finally:
                self.one_at_a_time.release()
        else:
            self._act_beside()
        self._tell()

    def begin(self) -> None:
        """Before anything opens the list: see what holds, and destroy what must not exist any more."""
        self._do(self._look_back)
        self._see(OVERSEER)
        self._do(self._end)
        self._tell()

    def recheck(self, who: Actor) -> None:
        """Read keys, revocations and the authority anew at once, and do what follows; *who* changed them."""
        self._next_keys_ns = self._next_authority_ns = 0
        self._wants_to_begin = True
        self._see(who)
        self._act()
        self._tell()

    def confirm_clock(self, who: Actor) -> None:
        """
        Take a technician's word that the time is right, and begin where that was all that was missing.

        Raises:
            ClockError: It cannot be.
            ClockNoteError: It cannot be kept, so that the time is doubted as before.
        """
        with self._seeing:
            self.mandate.confirm_clock()
            self._doubt = None
            self.note(LedgerEvent.CLOCK_CONFIRMED, who)
        self.recheck(who)

    def revoke(self, untrusted: bytes) -> None:
        """
        Take a revocation; nobody is compared any more under what it ended when this returns.

        Raises:
            TrustError, AuthorityError: It is not to be believed. What the disk does not take counts all the same.
        """
        with self._seeing:
            taken = self.mandate.take_revocation(untrusted)
            self._bar = self._bar_now()
        if self._bar is not None and self.operation.health.armament is not None:
            self._mute()
        log.warning("authority.revocation-taken", key=shown_fingerprint(taken.signer.fingerprint))
        self._asked.set()
        self._do(lambda: self._authority.tell_revoked(taken), "tell-revoked")
        self._keep_revocations()

    # What is seen -----------------------------------------------------------------------------------------------

    def _see(self, who: Actor) -> None:
        with self._seeing:
            self._do(self._keep_revocations)
            self._do(self._look_at_clock)
            self._do(lambda: self._look_at_keys(who), "look-at-keys")
            self._do(lambda: self._look_at_authority(who), "look-at-authority")
            before, self._bar = self._bar, self._bar_now()
            if before is not None and self._bar is None:
                self._wants_to_begin = True

    def _keep_revocations(self) -> None:
        with self._seeing:
            self.mandate.keep_revocations()

    def _bar_now(self) -> str | None:
        if self._are_keys_changed:
            return Notice.TRUST_CHANGED
        return bar_of(self.mandate, self.operation.pack.entry, self.operation.health.armament)

    def _look_at_clock(self) -> None:
        verdict = self.mandate.look_at_clock()
        for step_s in self.mandate.take_steps_s():
            self.note(LedgerEvent.CLOCK_STEPPED, OVERSEER, seconds=round(step_s, 3))
        before, self._doubt = self._doubt, verdict.doubt
        if verdict.doubt is not None and before is not verdict.doubt:
            log.error("clock.untrusted", doubt=verdict.doubt.value)
            self.note(LedgerEvent.CLOCK_UNTRUSTED, OVERSEER, code=verdict.doubt.value)
        elif before is not None and verdict.doubt is None:
            log.warning("clock.trusted")
            self.note(LedgerEvent.CLOCK_TRUSTED, OVERSEER)

    def _look_at_keys(self, who: Actor) -> None:
        now_ns = self.clock.monotonic_ns()
        if now_ns < self._next_keys_ns:
            return
        self._next_keys_ns = now_ns + KEYS_EVERY_NS
        digest = folder_digest(self.mandate.config.trust.directory)
        if digest == self._keys_digest:
            return
        self._are_keys_changed = True  # first: whatever fails now, nobody is compared on the word of other keys
        before = self.mandate.read_trust()
        self._keys_digest = self.mandate.trust_digest
        self.on_trust(self.mandate.trust)
        self._tell_trust(seen_in(before), who)
        log.warning("trust.changed", keys=len(self.mandate.trust.keys))

    def _tell_trust(self, before: Collection[SeenKey], who: Actor) -> None:
        def tell(event: LedgerEvent, key: SeenKey) -> None:
            span = {"starts_at": key.starts_at, "ends_at": key.ends_at} if event is LedgerEvent.TRUST_ADDED else {}
            self.note(event, who, key=key.key, role=key.role, **span)

        after = seen_in(self.mandate.trust)
        tell_changes(before, after, tell)
        keep_seen(self.mandate.config.mode_directory, after)

    def _look_back(self) -> None:
        """Whom the folder makes us trust may have changed while no daemon ran: that holds, too."""
        if self.mandate.trust_fault is not None:
            return  # told by itself, and nobody is trusted
        before, after = read_seen(self.mandate.config.mode_directory), seen_in(self.mandate.trust)
        if before is not None and before != after:
            self.operation.begin_held(Notice.TRUST_CHANGED)
        self._tell_trust(after if before is None else before, OVERSEER)

    def _look_at_authority(self, who: Actor) -> None:
        now_ns, before = self.clock.monotonic_ns(), self.mandate.authority
        turn = next_turn(before) if isinstance(before, VerifiedAuthority) else None
        if now_ns < self._next_authority_ns and (turn is None or self.mandate.time.now < turn):
            return
        self._next_authority_ns = now_ns + AUTHORITY_EVERY_NS
        self.mandate.read_authority()
        self._authority.tell(who)

    # What follows -----------------------------------------------------------------------------------------------

    def _act(self) -> None:
        for duty in (self._end, self._warn, self._stop, self._follow, self._expiring.look, self._begin):
            if self.ending.is_set():
                return
            self._do(duty)

    def _act_beside(self) -> None:
        """While somebody else's request is under way, perhaps for minutes: do what cannot wait."""
        self._do(self._end_in_time)
        is_over = self._bar is not None or live_of(self.operation.store) is None  # what it opened may be gone meanwhile
        if is_over and self.operation.health.armament is not None:
            self._mute()

    def _end_in_time(self) -> None:
        """What must not exist any more waits for nobody for long; what the request does with it ends after that."""
        now_ns = self.clock.monotonic_ns()
        if wipe_cause(self.mandate, self.operation.store, self.operation.health.armament) is None:
            self._must_end_since_ns = None
        elif self._must_end_since_ns is None:
            self._must_end_since_ns = now_ns
        elif now_ns - self._must_end_since_ns >= WIPE_PATIENCE_NS and not self.ending.is_set():
            self._end()

    def _end(self) -> None:
        """What must not exist any more is destroyed, whatever else is the matter."""
        cause = wipe_cause(self.mandate, self.operation.store, self.operation.health.armament)
        if cause is not None:
            log.warning("watchlist.must-end", cause=cause.value)
            self.end_list(cause, OVERSEER)

    def _stop(self) -> None:
        """Nobody is compared, no frame held and no list open while something speaks against it."""
        bar = self._bar
        if bar is None:
            return
        if self._are_keys_changed:
            with self.operation.chronicle.acting(OVERSEER, bar):
                self.operation.hold(Notice.TRUST_CHANGED)
            self._are_keys_changed = False
        elif self.operation.health.armament is not None:
            log.warning("operation.stopped", reason=bar)
            with self.operation.chronicle.acting(OVERSEER, bar):
                self.operation.fall_silent()
        self._is_muted = False

    def _follow(self) -> None:
        """A list that another process destroyed is not searched on, nor for long one that it replaced."""
        armament, now_ns = self.operation.health.armament, self.clock.monotonic_ns()
        live = None if armament is None else live_of(self.operation.store)
        if armament is None or live == armament.watchlist.list_id:
            self._replaced_since_ns = None
            return
        since_ns = now_ns if self._replaced_since_ns is None else self._replaced_since_ns
        self._replaced_since_ns = since_ns
        if live is None or now_ns - since_ns >= FOLLOW_AFTER_NS:
            self._let_go()

    def _let_go(self) -> None:
        """The list that is searched is not the live one: what is live now is taken in its place, if it may be."""
        log.warning("watchlist.replaced")
        self._replaced_since_ns, self._wants_to_begin = None, True
        with self.operation.chronicle.acting(OVERSEER, WatchlistReplacedError.code):
            self.operation.fall_silent()

    def _begin(self) -> None:
        """What may begin begins by itself, once; a technician's pause is his to end."""
        armament, operation = self.operation.health.armament, self.operation
        is_other = armament is not None and armament.authority is not None and self._is_another(armament.authority)
        is_wanted = self._wants_to_begin and armament is None
        if self._bar is not None or not (is_wanted or is_other or self._is_muted):
            return
        self._wants_to_begin = self._is_muted = False
        if operation.store.is_empty() or operation.held_for is not None or (operation.is_paused and armament is None):
            return
        was_paused = operation.is_paused
        try:
            operation.take_watchlist()
        except ArmingRefusedError as error:
            log.warning("operation.refused", code=error.code, reason=error.message)
            return
        if not was_paused:
            operation.wake()

    def _is_another(self, searched: VerifiedAuthority) -> bool:
        installed = self.mandate.authority
        return isinstance(installed, VerifiedAuthority) and installed.digest != searched.digest

    def _warn(self) -> None:
        """A list that is too old, or soon will be, has its line in the ledger, once each."""
        armament = self.operation.health.armament
        age = age_of(self.mandate, armament)
        for notice in notices_of(self.mandate, armament):
            if armament is None or age is None or notice not in {Notice.STALE_SOON, Notice.STALE}:
                continue
            if (armament.watchlist.digest, notice) not in self._told_stale:
                self._told_stale.add((armament.watchlist.digest, notice))
                self._note_stale(age.total_seconds(), notice)

    def _note_stale(self, seconds: float, code: str) -> None:
        self.note(LedgerEvent.WATCHLIST_STALE, OVERSEER, seconds=seconds, code=code)

    # What is said -----------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        health, operation = self.operation.health, self.operation
        notices = list(notices_of(self.mandate, health.armament))
        if operation.held_for is not None:
            notices.append(Notice(operation.held_for))
        if self.mandate.unkept:
            notices.append(Notice.REVOCATION_NOT_KEPT)
        if self._failing:
            notices.append(Notice.OVERSIGHT_FAILED)
        bars: tuple[str, ...] = () if self._bar is None else (self._bar,)
        if not bars and health.armament is None and operation.refused is not None:
            bars = (operation.refused.reason,)
        said = (bars, tuple(notice.value for notice in notices), operation.has_list())
        if said != (health.bars, health.notices, health.has_list):
            health.bars, health.notices, health.has_list = said
            self.on_changed()

    def _mute(self) -> None:
        self._is_muted = True
        self.operation.mute()

    def _do(self, duty: Callable[[], None], name: str | None = None) -> None:
        """Do it, and tell once where it fails; the others are done all the same."""
        name = duty.__qualname__.rpartition(".")[2].strip("_") if name is None else name
        try:
            duty()
        except Exception as error:  # noqa: BLE001  # one duty that fails must not keep the others from being done
            if name not in self._failing:
                reason = error.code if isinstance(error, EdgeLfrError) else type(error).__name__  # a message has ids
                log.error("oversight.failed", duty=name, reason=reason)
            self._failing.add(name)
        else:
            self._failing.discard(name)
