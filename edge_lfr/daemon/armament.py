"""What a loaded watchlist turns into before it can be searched: a gallery, a threshold, and who looks like whom."""

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

import structlog

from edge_lfr.config.identification import GalleryConfig
from edge_lfr.errors import WatchlistModelError
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.catalogue import CalibrationRow, PackEntry
from edge_lfr.watchlist.gallery import Gallery
from edge_lfr.watchlist.sealed_list import StoredWatchlist
from edge_lfr.watchlist.store import SealedStore

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


def arm(store: SealedStore, entry: PackEntry, gallery: GalleryConfig, conditions: Conditions) -> Armament:
    """
    Open the sealed watchlist and make it searchable, exactly and at once; `Armament.begin_index` may do the rest.

    Args:
        store: Where it lies.

        entry: The pack that it must have been enrolled with.

        gallery: How it is searched.

        conditions: Of the whole configuration: where they are laxer than the calibration's, the floor has no bound.

    Raises:
        WatchlistMissingError: None is loaded.
        WatchlistSealError: It does not open.
        WatchlistModelError: It was enrolled with another pack.
        ConfigError: The configured threshold lies below the floor.
    """
    watchlist = store.open()
    try:
        return take_into_use(watchlist, entry, gallery, conditions)
    except BaseException:
        watchlist.close()
        raise


def take_into_use(
    watchlist: StoredWatchlist, entry: PackEntry, gallery: GalleryConfig, conditions: Conditions
) -> Armament:
    """
    Make an opened list searchable; it stays the caller's to close where this fails.

    Raises:
        WatchlistSealError, WatchlistModelError, ConfigError: As in `arm`.
    """
    if watchlist.pack_digest != entry.digest:
        message = (
            f"the watchlist was enrolled with pack {watchlist.pack_digest[:12]}, configured is {entry.digest[:12]}"
        )
        raise WatchlistModelError(message)
    floor = conditions.floor(entry, watchlist.templates)
    threshold = floor.threshold_for(conditions.decision.threshold)
    vectors, reference_ids = watchlist.vectors()
    try:
        built = Gallery(vectors, reference_ids, pack_digest=entry.digest, config=gallery, threshold=threshold)
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
    return Armament(watchlist, built, threshold, floor)
