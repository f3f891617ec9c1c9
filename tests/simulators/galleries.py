"""A gallery whose index is chosen before anybody searches: what the daemon does in a thread, done at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_lfr.config.identification import GalleryConfig
from edge_lfr.watchlist.gallery.gallery import Gallery


def settled_gallery(
    vectors: NDArray[np.float32],
    reference_ids: Sequence[str],
    *,
    config: GalleryConfig,
    threshold: float,
    pack_digest: str = "pack",
) -> Gallery:
    """The gallery with the index that will serve it."""
    gallery = Gallery(vectors, reference_ids, pack_digest=pack_digest, config=config, threshold=threshold)
    gallery.choose_index()
    return gallery
