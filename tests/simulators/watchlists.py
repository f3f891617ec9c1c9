"""Watchlists without people: random unit vectors, numbered labels and pictures of one grey."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.terms import Category, ResponseCode
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.store import SealedStore

DIMENSION = 16
PACK_DIGEST = "0" * 64


def entry(number: int) -> WatchlistEntry:
    """The reference of that number."""
    return WatchlistEntry(f"REF-{number:05}", f"Subject {number}", Category.SUSPECT, ResponseCode.OBSERVE)


def templates(number: int, count: int = 2, dimension: int = DIMENSION) -> NDArray[np.float32]:
    """Its unit vectors; the same each time."""
    vectors = np.random.default_rng(number).standard_normal((count, dimension)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def picture(number: int) -> bytes:
    """Stands for its JPEG; the store never looks inside."""
    return b"\xff\xd8 picture of subject %d" % number


def new_store(directory: Path) -> SealedStore:
    """A store with a key file beside it."""
    kek = KeyEncryptingKey.load(directory, create=True)
    return SealedStore(directory / "watchlist", kek)


def load(store: SealedStore, numbers: range, *, lookalikes: tuple[tuple[int, int], ...] = ()) -> str:
    """Load the references of these numbers and give the id of the list."""
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        for number in numbers:
            new.add(entry(number), templates(number), picture(number))
        pairs = [frozenset({entry(first).reference_id, entry(second).reference_id}) for first, second in lookalikes]
        return new.activate(lookalikes=pairs)
