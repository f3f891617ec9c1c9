"""What a loaded watchlist turns into before it can be searched: a gallery, a threshold, and who looks like whom."""

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from edge_lfr.config.identification import GalleryConfig
from edge_lfr.daemon.arming.facts import Permission
from edge_lfr.daemon.arming.judgement import arm_in_steps, judge_arming, require_training_list
from edge_lfr.daemon.arming.listed import Listed
from edge_lfr.daemon.arming.mandate import Mandate
from edge_lfr.errors import WatchlistError, WatchlistModelError
from edge_lfr.governance.authority.judgement import VerifiedAuthority
from edge_lfr.governance.trust import TrustStore
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.catalogue import CalibrationRow, PackEntry
from edge_lfr.watchlist.gallery.gallery import Gallery
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist
from edge_lfr.watchlist.sealed.store import SealedStore

log = structlog.get_logger()


TRIAL_NICENESS: Final = 10
"""The trial takes what the path leaves: Linux weighs such a thread about a tenth of one that is not nice."""

TRIAL_END_S: Final = 2.0
"""A trial ends within one step, a tenth of a second, more where it gets little of a core; nobody waits longer."""


@dataclass(slots=True, eq=False)
class Armament:
    """A watchlist in use; `destroy` ends its vectors."""

    watchlist: StoredWatchlist
    gallery: Gallery
    threshold: float
    floor: CalibrationRow
    """The pack's calibration for this number of templates: the threshold may not lie below it."""

    listed: Listed
    authority: VerifiedAuthority | None = None
    """Under which it is searched; None in training."""

    _trial: threading.Thread | None = field(default=None, init=False)

    def destroy(self) -> None:
        """End the vectors, those of a graph that is being built included: its thread has ended on return."""
        with ExitStack() as ends:  # each of them, whatever became of the one before
            ends.callback(self._end_trial)
            ends.callback(self.watchlist.close)
            ends.callback(self.gallery.destroy)

    def begin_index(self, on_chosen: Callable[["Armament"], None]) -> None:
        """
        Try the graph, if one is wanted, in a nice thread; exact search serves until it has won (large: minutes).

        *on_chosen* is called when that is over, in that thread.
        """
        trial = threading.Thread(target=self._choose_index, args=(on_chosen,), name="index", daemon=True)
        try:
            trial.start()
        except RuntimeError as error:  # no thread left: exact search is enough
            self.gallery.give_up_index(error)
            on_chosen(self)
        else:
            self._trial = trial

    def _choose_index(self, on_chosen: Callable[["Armament"], None]) -> None:
        # On Linux niceness belongs to a thread, and more of it needs no privilege.
        thread = threading.get_native_id()
        try:
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + TRIAL_NICENESS)
        except OSError as error:  # a sandbox may refuse it, and without it the trial would take from the path
            self.gallery.give_up_index(error)
        else:
            self.gallery.choose_index()
        on_chosen(self)

    def _end_trial(self) -> None:
        if self._trial is not None:
            self._trial.join(TRIAL_END_S)
            if self._trial.is_alive():
                log.warning("gallery.trial-lingers", waited_s=TRIAL_END_S)


def arm(
    store: SealedStore,
    entry: PackEntry,
    gallery: GalleryConfig,
    conditions: Conditions,
    verdict: TimeVerdict | None = None,
    *,
    trust: TrustStore | None = None,
) -> Armament:
    """
    Open the sealed watchlist and make it searchable, exactly and at once; `Armament.begin_index` may do the rest.

    For training: nobody's permission is asked.

    Args:
        store: Where it lies.

        entry: The pack that it must have been enrolled with.

        gallery: How it is searched.

        conditions: Of the whole configuration: where they are laxer than the calibration's, the floor has no bound.

        verdict: What a watch over the time thinks of it; without, a glance at its note decides.

        trust: Whose signatures count; without, only a list that nobody signed is searched.

    Raises:
        ArmingRefusedError: Its issuer is not trusted for training, or not any more.
        WatchlistMissingError: None is loaded.
        WatchlistEndedError, WatchlistClockError: It has an end, and that has come, or nobody can tell.
        WatchlistSealError: It does not open.
        WatchlistModelError: It was enrolled with another pack.
        ConfigError: The configured threshold lies below the floor.
    """
    watchlist = store.open(verdict)
    try:
        now = store.clock.utc_now() if verdict is None else verdict.now
        require_training_list(watchlist, TrustStore() if trust is None else trust, now)
        return take_into_use(watchlist, entry, gallery, conditions, now=now)
    except BaseException:
        watchlist.close()
        raise


def take_into_use(
    watchlist: StoredWatchlist,
    entry: PackEntry,
    gallery: GalleryConfig,
    conditions: Conditions,
    *,
    now: datetime | None = None,
    listed: Listed | None = None,
    permission: Permission | None = None,
) -> Armament:
    """
    Make an opened list searchable; it stays the caller's to close where this fails.

    Whose time has come is not searched from the first moment, although the list still has them.

    Args:
        watchlist: The list.

        entry: The pack that it must have been enrolled with.

        gallery: How it is searched.

        conditions: Of the whole configuration.

        now: The time; without, everybody on the list is searched, as where the search alone is measured.

        listed: What stands in its entries, where somebody has read them already.

        permission: For operation; its threshold is the one that is used.

    Raises:
        WatchlistSealError, WatchlistModelError, ConfigError: As in `arm`.
    """
    if watchlist.pack_digest != entry.digest:
        message = (
            f"the watchlist was enrolled with pack {watchlist.pack_digest[:12]}, configured is {entry.digest[:12]}"
        )
        raise WatchlistModelError(message)
    floor = conditions.floor(entry, watchlist.templates)
    threshold = floor.threshold_for(conditions.decision.threshold if permission is None else permission.threshold)
    listed = Listed.on(watchlist) if listed is None else listed
    expired = frozenset[str]() if now is None else frozenset(listed.expired(now))
    vectors, reference_ids = watchlist.vectors()
    try:
        searched, owners = _without(vectors, reference_ids, expired)
        built = Gallery(searched, owners, pack_digest=entry.digest, config=gallery, threshold=threshold)
    finally:
        vectors.fill(0)  # the gallery has its own copy
    log.info(
        "watchlist.armed",
        list_id=watchlist.list_id,
        references=built.references,
        templates=built.templates,
        threshold=threshold,
        evidence=floor.evidence,
        laxer_than_calibrated=conditions.laxer(),
    )
    return Armament(
        watchlist, built, threshold, floor, listed, authority=None if permission is None else permission.authority
    )


def _without(
    vectors: NDArray[np.float32], reference_ids: tuple[str, ...], expired: frozenset[str]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The rows of everybody else, moved together where they lie: no copy of a template is made."""
    if not expired:
        return vectors, reference_ids
    rows = [row for row, reference_id in enumerate(reference_ids) if reference_id not in expired]
    for place, row in enumerate(rows):
        vectors[place] = vectors[row]
    return vectors[: len(rows)], tuple(reference_ids[row] for row in rows)


def arm_in_operation(store: SealedStore, entry: PackEntry, gallery: GalleryConfig, mandate: Mandate) -> Armament:
    """
    Likewise for a deployment: nothing is opened before everything that needs no list holds.

    Args:
        store: Where it lies.

        entry: The pack that runs.

        gallery: How it is searched.

        mandate: Looked at and read just now.

    Raises:
        ArmingRefusedError: The first step of `arming.arm_in_steps` that was refused; the list is closed again.
        WatchlistModelError: It was enrolled with another pack than the authorised one.
    """
    judge_arming(mandate.facts(entry)).require_none_refused()
    try:
        watchlist = store.open(mandate.time)
    except WatchlistError as error:
        judge_arming(mandate.facts(entry, watchlist=error)).require_none_refused()
        raise
    try:
        listed = Listed.on(watchlist)
        permission = arm_in_steps(mandate.facts(entry, watchlist=watchlist, categories=listed.categories))
        conditions = Conditions.of(mandate.config)
        armed = take_into_use(
            watchlist, entry, gallery, conditions, now=mandate.time.now, listed=listed, permission=permission
        )
    except BaseException:
        watchlist.close()
        raise
    try:  # again: the list's own memory has been asked for meanwhile
        arm_in_steps(mandate.facts(entry, watchlist=watchlist, categories=listed.categories))
    except BaseException:
        armed.destroy()
        raise
    return armed
