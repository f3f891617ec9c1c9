"""
Destroys what must not exist any more, in place of a daemon that does not run: for the timer, and for the boot.

Of every mode, also of one that is not configured any more: lists that are over, and those that were loaded under an
authority which was revoked. Without any key, and beside a running daemon too, which notices at its next look. The note
of the clock is written only where no daemon holds the state folder and writes it.
What was destroyed is noted, to be certified by whoever has the device key.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from edge_lfr.clock import Clock, SystemClock
from edge_lfr.config.appliance import WATCHLIST_FOLDER
from edge_lfr.daemon.ending.unsigned_wipes import UnsignedWipe
from edge_lfr.daemon.lock import hold_state
from edge_lfr.errors import ConfigError, DaemonBusyError, EdgeLfrError, WatchlistStorageError
from edge_lfr.governance.authority.revocation import Revocations
from edge_lfr.governance.clock_note import FILE_NAME, Kernel, SystemKernel, TrustedTime, read_note
from edge_lfr.governance.keys import KeyEncryptingKey, KeyOrigin
from edge_lfr.governance.ledger.lines import Actor, Part
from edge_lfr.governance.seal import Seal, new_key
from edge_lfr.governance.trusted_time import TimeNote, TimeVerdict
from edge_lfr.terms import Mode
from edge_lfr.watchlist.sealed.ending import Wiped
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause
from edge_lfr.watchlist.wiping.ended_list import seconds_since


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAfter:
    """What was found in one mode's state folder, and destroyed."""

    mode: Mode
    verdict: TimeVerdict
    wiped: Wiped


def wipe_what_is_due(
    state_directory: Path, *, clock: Clock | None = None, kernel: Kernel | None = None
) -> tuple[LookedAfter, ...]:
    """
    Look after the lists of every mode below *state_directory*; what fails in one does not keep the others alive.

    Raises:
        EdgeLfrError: The first thing that failed, when everything else is done.
    """
    clock = SystemClock() if clock is None else clock
    kernel = SystemKernel() if kernel is None else kernel
    done: list[LookedAfter] = []
    failed: EdgeLfrError | None = None
    revoked: frozenset[str] = frozenset()
    try:  # what was taken here was for this appliance
        revoked = frozenset(each.authority_id for each in Revocations.load(state_directory).items)
    except EdgeLfrError as error:
        failed = error
    for mode in Mode:
        directory = state_directory / mode.value
        try:
            if directory.is_dir():
                done.append(_look_after(mode, directory, clock, kernel, revoked))
        except EdgeLfrError as error:
            failed = failed or error
        except OSError as error:
            failed = failed or WatchlistStorageError(f"{directory}: cannot be looked after: {error.strerror}")
    if failed is not None:
        raise failed
    return tuple(done)


def _look_after(mode: Mode, directory: Path, clock: Clock, kernel: Kernel, revoked: frozenset[str]) -> LookedAfter:
    with ExitStack() as held:
        is_held = True
        try:
            held.enter_context(hold_state(directory))
        except (DaemonBusyError, ConfigError):  # a full disk has no room for a lock, and what is due ends all the same
            is_held = False
        part = _part(directory, kernel)
        time = TrustedTime.begin(directory, clock=clock, kernel=kernel)
        verdict = time.look() if is_held else time.glance()
        begun_at, begun_ns = clock.utc_now(), clock.monotonic_ns()
        store = keyless_store(directory)
        is_revoked = store.is_revoked(revoked)
        begun = UnsignedWipe.about_to(store, _cause(verdict, is_revoked=is_revoked), Actor.of_part(part), begun_at)
        wiped = store.wipe_if_due(verdict, revoked=revoked, noting=begun.noting(store))
    if wiped.lists:
        structlog.get_logger().warning("watchlist.ended", mode=mode.value, doubt=verdict.doubt, lists=wiped.lists)
        UnsignedWipe(
            cause=_cause(verdict, is_revoked=is_revoked),
            part=part,
            begun_at=begun_at,
            list_id=wiped.live,
            lists=wiped.lists,
            keys=wiped.keys,
            destroyed_in_s=seconds_since(begun_ns, clock),
        ).leave(directory)
    return LookedAfter(mode=mode, verdict=verdict, wiped=wiped)


def _cause(verdict: TimeVerdict, *, is_revoked: bool) -> WipeCause:
    if is_revoked:
        return WipeCause.REVOKED
    return WipeCause.DEAD_MAN if verdict.is_trusted else WipeCause.CLOCK


def _part(directory: Path, kernel: Kernel) -> Part:
    """Whether this is the first look since the boot; where nobody looked before, that cannot be told."""
    noted = read_note(directory / FILE_NAME)
    return Part.BOOT if isinstance(noted, TimeNote) and noted.boot_id != kernel.boot_id() else Part.TIMER


def keyless_store(mode_directory: Path) -> SealedStore:
    """The store of a mode for whoever only destroys: that asks for no key, and ours may be lost."""
    return SealedStore(mode_directory / WATCHLIST_FOLDER, KeyEncryptingKey(KeyOrigin.FILE, Seal(new_key())))
