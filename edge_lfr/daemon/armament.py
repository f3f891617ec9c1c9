"""What a loaded watchlist turns into before it can be searched: a gallery, a threshold, and who looks like whom."""

import threading
from dataclasses import dataclass

import structlog

from edge_lfr.config.identification import DecisionConfig, GalleryConfig
from edge_lfr.errors import WatchlistModelError
from edge_lfr.inference.catalogue import CalibrationRow, PackEntry
from edge_lfr.watchlist.gallery import Gallery
from edge_lfr.watchlist.sealed_list import StoredWatchlist
from edge_lfr.watchlist.store import SealedStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class Armament:
    """A watchlist in use; `destroy` ends its vectors."""

    watchlist: StoredWatchlist
    gallery: Gallery
    threshold: float
    floor: CalibrationRow
    """The pack's calibration for this number of templates: the threshold may not lie below it."""

    def destroy(self) -> None:
        """End the vectors; a graph that is still being built is given up."""
        self.gallery.destroy()
        self.watchlist.close()

    def begin_index(self) -> None:
        """Build the graph, if one is wanted, in a thread; exact search serves until it is adopted (large: minutes)."""
        threading.Thread(target=self._build_index, name="index", daemon=True).start()

    def _build_index(self) -> None:
        measured = self.gallery.build_index()
        if measured is not None:
            self.gallery.adopt(measured)


def arm(store: SealedStore, entry: PackEntry, gallery: GalleryConfig, decision: DecisionConfig) -> Armament:
    """
    Open the sealed watchlist and make it searchable, exactly and at once; `Armament.begin_index` may do the rest.

    Raises:
        WatchlistMissingError: None is loaded.
        WatchlistSealError: It does not open.
        WatchlistModelError: It was enrolled with another pack.
        ConfigError: The configured threshold lies below the floor.
    """
    watchlist = store.open()
    try:
        return _armed(watchlist, entry, gallery, decision)
    except BaseException:
        watchlist.close()
        raise


def _armed(watchlist: StoredWatchlist, entry: PackEntry, gallery: GalleryConfig, decision: DecisionConfig) -> Armament:
    if watchlist.pack_digest != entry.digest:
        message = (
            f"the watchlist was enrolled with pack {watchlist.pack_digest[:12]}, configured is {entry.digest[:12]}"
        )
        raise WatchlistModelError(message)
    floor = entry.floor(watchlist.templates)
    threshold = floor.threshold_for(decision.threshold)
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
    )
    return Armament(watchlist, built, threshold, floor)
