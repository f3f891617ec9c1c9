"""What the mandate means for a list that is searched, or shall be: whether it must stop, end, or only be warned of."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from edge_lfr.daemon.arming.armament import Armament
from edge_lfr.daemon.arming.facts import ArmingRefusal, ArmingStep
from edge_lfr.daemon.arming.judgement import issuer_fault, judge_arming
from edge_lfr.daemon.arming.mandate import Mandate
from edge_lfr.errors import WatchlistSealError
from edge_lfr.governance.authority.content import StaleList
from edge_lfr.governance.authority.judgement import AuthorityState, VerifiedAuthority
from edge_lfr.governance.trust import Role
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.inference.catalogue import PackEntry
from edge_lfr.watchlist.sealed.ending import SEALED_IN_DOUBT
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause

STALE_SOON: Final = timedelta(hours=1)
"""So long before a list is too old somebody is told: a new one takes half an hour to load. Chosen."""

ENDS_SOON: Final = timedelta(minutes=30)
ENDS_NOW: Final = timedelta(minutes=5)
"""Before the end of the window: time to tell everybody, and time to finish what is under way. Chosen."""

LASTING: Final = frozenset({ArmingStep.INSTALLED, ArmingStep.AUTHORITY, ArmingStep.WINDOW, ArmingStep.CLOCK})
"""Steps of the arming that must go on to hold; the others cannot change under a list that is searched."""


class Notice(StrEnum):
    """What somebody should know, and what stops nothing."""

    ENDS_SOON = "authority-ends-in-30-min"
    ENDS_NOW = "authority-ends-in-5-min"
    COUNTERSIGN_DUE = "authority-countersign-due"
    STALE_SOON = "watchlist-stale-soon"
    STALE = "watchlist-stale"
    """Too old, and the authority lets it go on."""

    TRUST_CHANGED = "trust-changed"
    """Somebody changed whom we trust; it goes on when a technician says so."""

    REVOCATION_NOT_KEPT = "revocation-not-kept"
    """It counts, and the disk has not taken it yet."""

    OVERSIGHT_FAILED = "oversight-failed"
    """A duty of the overseer fails, and is tried again."""


def bar_of(mandate: Mandate, entry: PackEntry, armament: Armament | None) -> str | None:
    """Why nobody may be compared now, as a code; None where nothing speaks against it."""
    if mandate.time.doubt is not None:
        return ArmingRefusal.CLOCK
    bar = None if armament is None else _bar_of_list(mandate, armament)
    if bar is not None or not mandate.is_needed:
        return bar
    for found in judge_arming(mandate.facts(entry)).steps:
        if found.step in LASTING and found.refusal is not None:
            return found.refusal
    age = age_of(mandate, armament)
    if age is not None and age > _oldest(mandate) and _authorised(mandate).authority.stale_list is StaleList.STOP:
        return ArmingRefusal.WATCHLIST_STALE
    return None


def _bar_of_list(mandate: Mandate, armament: Armament) -> ArmingRefusal | None:
    """Why the list that is open may not be, whatever became of its files."""
    stored, origin = armament.watchlist, armament.watchlist.origin
    if _is_over(stored, mandate.time):
        return ArmingRefusal.WATCHLIST_ENDED
    if origin is None:
        return None
    if origin.authority_id in mandate.revoked:
        return ArmingRefusal.REVOKED
    role = Role.ISSUE if mandate.is_needed else Role.TRAIN
    is_trusted = issuer_fault(origin, role, mandate.trust, mandate.time.now) is None
    return None if is_trusted else ArmingRefusal.WATCHLIST_NOT_TRUSTED


def _is_over(stored: StoredWatchlist, time: TimeVerdict) -> bool:
    """Whether an open list is past its end, or nobody has known for a day what time it is."""
    if stored.wipe_at is None:
        return False
    return time.now >= stored.wipe_at if time.is_trusted else timedelta(seconds=time.doubted_s) >= SEALED_IN_DOUBT


def _oldest(mandate: Mandate) -> timedelta:
    return mandate.config.policy.watchlist.max_extract_age


def age_of(mandate: Mandate, armament: Armament | None) -> timedelta | None:
    """How old the extract is that is searched; None where nobody says, or none is."""
    if armament is None or armament.watchlist.origin is None or not mandate.is_needed:
        return None
    return mandate.time.now - armament.watchlist.origin.extracted_at


def wipe_cause(mandate: Mandate, store: SealedStore, armament: Armament | None) -> WipeCause | None:
    """Why the list must not exist any more; None where it may, or there is none."""
    time, verified = mandate.time, mandate.authority
    if isinstance(verified, VerifiedAuthority) and (armament is not None or not store.is_empty()):
        if verified.state is AuthorityState.REVOKED:
            return WipeCause.REVOKED
        if time.is_trusted and time.now >= verified.wipe_at:
            return WipeCause.WINDOW_ENDED
    if store.is_revoked(mandate.revoked):
        return WipeCause.REVOKED
    if store.due(time) or (armament is not None and _is_over_alone(armament.watchlist, store, time)):
        return WipeCause.WINDOW_ENDED if time.is_trusted else WipeCause.CLOCK
    return None


def _is_over_alone(stored: StoredWatchlist, store: SealedStore, time: TimeVerdict) -> bool:
    """Whether the open list is over and no other one is live, which a wipe would take with it."""
    return _is_over(stored, time) and live_of(store) in {None, stored.list_id}


def live_of(store: SealedStore) -> str | None:
    """The list that is live on the disk; None also where nobody can say which."""
    try:
        return store.live_list_id()
    except WatchlistSealError:
        return None


def notices_of(mandate: Mandate, armament: Armament | None) -> Iterator[Notice]:
    """What is to be said of a deployment that runs."""
    verified = mandate.authority
    if armament is None or not isinstance(verified, VerifiedAuthority):
        return
    left = verified.runs_until - mandate.time.now
    if timedelta(0) < left <= ENDS_SOON:
        yield Notice.ENDS_NOW if left <= ENDS_NOW else Notice.ENDS_SOON
    if verified.state is AuthorityState.COUNTERSIGN_DUE:
        yield Notice.COUNTERSIGN_DUE
    age = age_of(mandate, armament)
    if age is not None and age >= _oldest(mandate) - STALE_SOON:
        yield Notice.STALE if age > _oldest(mandate) else Notice.STALE_SOON


def next_turn(verified: VerifiedAuthority) -> datetime | None:
    """When the state of an authority changes by itself, so that it must be read anew; None: never again."""
    if verified.state is AuthorityState.NOT_YET:
        return verified.authority.begins_at
    return verified.runs_until if verified.state.lets_run else None


def _authorised(mandate: Mandate) -> VerifiedAuthority:
    if isinstance(mandate.authority, VerifiedAuthority):
        return mandate.authority
    raise mandate.authority
