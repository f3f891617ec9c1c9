"""
From a sealed list on the disk to the first candidates: made templates enter; times, and a gallery that serves, leave.

The list is sealed through the store's own interface and taken into use by the daemon's own function, so that everything
between the two is in the time: reading and opening each row, the gallery's own copy, its locked pages, and one search.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.locking import TALLY
from edge_lfr.clock import SystemClock
from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.daemon.arming.armament import Armament, take_into_use
from edge_lfr.evaluation.bench.report import Witness
from edge_lfr.evaluation.made_entries import made_entry
from edge_lfr.evaluation.made_templates import make_templates
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.catalogue import PackEntry
from edge_lfr.watchlist.gallery.gallery import Gallery
from edge_lfr.watchlist.sealed.store import SealedStore

STARTS: Final = 3
"""The median of so many is told: the first one also waits for the disk cache and the allocator of this process."""

PICTURE_BYTES: Final = 4_000
"""What stands between the templates of two references, as their pictures do; nobody looks at it. A real one may be
longer, which would only take more of the disk here."""

TELL_EVERY: Final = 500
"""References between two words to whoever follows; chosen."""

SEED: Final = 1


@dataclass(frozen=True, slots=True)
class ListSize:
    """How long a watchlist is."""

    people: int
    pictures: int
    """Of each of them."""

    @property
    def templates(self) -> int:
        return self.people * self.pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A list in use, and how it got there."""

    gallery: Gallery
    """Ends with the block."""

    opening_s: float
    """`SealedStore.open`: the key, the manifest, and whether all rows are there."""

    first_s: float
    """From then to the first candidates."""

    size_mb: float
    """What the gallery holds."""


@contextmanager
def started(size: ListSize, pack: PackEntry, probe: NDArray[np.float32], witness: Witness) -> Iterator[Started]:
    """
    Seal a made list of *size*, and take it into use some times; the last one stays for the block.

    The file has just been written, and is read from the system's memory: what a disk takes is not in the times.

    Args:
        size: Of the list.

        pack: Whose templates they are said to be.

        probe: float32 (1, d), a unit row, for the first search.

        witness: Told how much is sealed.

    Raises:
        WatchlistStorageError: The disk is full or fails.
    """
    with TemporaryDirectory(prefix="edge-lfr-bench-") as name:
        store = SealedStore(Path(name) / "watchlist", KeyEncryptingKey.load(Path(name), create=True))
        seal_made_list(store, pack.digest, size, probe.shape[1], witness)
        times = []
        for _ in range(STARTS - 1):
            armament, spent = _start(store, pack, probe)
            armament.destroy()
            times.append(spent)
        armament, spent = _start(store, pack, probe)
        times.append(spent)
        try:
            yield Started(
                gallery=armament.gallery,
                opening_s=median(spent.opening_s for spent in times),
                first_s=median(spent.first_s for spent in times),
                size_mb=spent.held_bytes / 1e6,
            )
        finally:
            armament.destroy()


def seal_made_list(store: SealedStore, pack_digest: str, size: ListSize, dimension: int, witness: Witness) -> None:
    """
    Load a list of people who do not exist, in no order of their reference ids.

    Raises:
        WatchlistStorageError: The disk is full or fails.
    """
    vectors, owners = make_templates(size.people, pictures=size.pictures, dimension=dimension)
    by_owner = np.argsort(np.asarray(owners), kind="stable").reshape(size.people, size.pictures)
    at = SystemClock().utc_now()
    drawn = np.random.default_rng(SEED)
    shuffled = drawn.permutation(by_owner)
    with store.create(pack_digest=pack_digest, dimension=dimension) as new:
        for done, rows in enumerate(shuffled, start=1):
            reference_id = owners[rows[0]]
            new.add(
                made_entry(reference_id, at, label=f"made {reference_id}"), vectors[rows], drawn.bytes(PICTURE_BYTES)
            )
            if done % TELL_EVERY == 0:
                witness.count(done, size.people)
        new.activate()


@dataclass(frozen=True, slots=True)
class _Spent:
    """What one start took."""

    opening_s: float
    first_s: float
    held_bytes: int


def _start(store: SealedStore, pack: PackEntry, probe: NDArray[np.float32]) -> tuple[Armament, _Spent]:
    before_bytes = TALLY.locked_bytes + TALLY.unlocked_bytes
    began_s = time.perf_counter()
    watchlist = store.open()
    opened_s = time.perf_counter()
    try:
        armament = take_into_use(watchlist, pack, GalleryConfig(index=IndexChoice.EXACT), Conditions())
    except BaseException:
        watchlist.close()
        raise
    try:
        armament.gallery.search(probe)
    except BaseException:
        armament.destroy()
        raise
    first_s = time.perf_counter() - opened_s
    return armament, _Spent(opened_s - began_s, first_s, TALLY.locked_bytes + TALLY.unlocked_bytes - before_bytes)
