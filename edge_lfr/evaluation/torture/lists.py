"""Made watchlists, and a look into a store as the next process takes it: what is live, and what else lies about."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_lfr.config.appliance import WATCHLIST_FOLDER
from edge_lfr.errors import WatchlistEndedError, WatchlistMissingError, WatchlistSealError
from edge_lfr.evaluation.made_entries import made_entry
from edge_lfr.evaluation.made_templates import make_templates
from edge_lfr.evaluation.torture.laws import Broken, Law
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.seal import KEY_BYTES
from edge_lfr.terms import Mode
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.sealed.ending import has_key
from edge_lfr.watchlist.sealed.new_list import KEY_NAME
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist, entry_to_bytes
from edge_lfr.watchlist.sealed.store import CURRENT, LISTS, SealedStore

DIMENSION: Final = 64
PACK_DIGEST: Final = "0" * 64

AT: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""Entries are made for the same day in every process, and none of them expires while they are looked at."""

PICTURE_BYTES: Final = 6_000
"""As a stored picture has; the store never looks inside."""

Content: TypeAlias = Mapping[str, bytes]
"""For each reference id a digest of its entry, its templates and its picture."""


@dataclass(frozen=True, slots=True)
class MadeList:
    """A list of so many references of nobody; the same in every process."""

    seed: int
    count: int

    def references(self) -> Iterator[tuple[WatchlistEntry, NDArray[np.float32], bytes]]:
        vectors, owners = make_templates(self.count, dimension=DIMENSION, seed=self.seed)
        for owner in sorted(set(owners)):
            rows = vectors[[number for number, name in enumerate(owners) if name == owner]]
            reference_id = f"{self.seed}-{owner}"
            picture = hashlib.shake_256(reference_id.encode()).digest(PICTURE_BYTES)
            yield made_entry(reference_id, AT, label=f"made {reference_id}"), rows, picture

    def content(self) -> Content:
        return {entry.reference_id: _digest(entry, rows, picture) for entry, rows, picture in self.references()}


def store_in(state_directory: Path, *, create: bool = False) -> SealedStore:
    """The store of the training mode below a state folder."""
    directory = state_directory / Mode.TRAINING.value
    return SealedStore(directory / WATCHLIST_FOLDER, KeyEncryptingKey.load(directory, create=create))


def load(
    store: SealedStore, made: MadeList, wipe_at: datetime | None = None, *, on_sealed: Callable[[], None] = lambda: None
) -> str:
    """Make it the live list; *on_sealed* is called when every row is, before anything is live."""
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=wipe_at) as new:
        for entry, rows, picture in made.references():
            new.add(entry, rows, picture)
        on_sealed()
        return new.activate()


@dataclass(frozen=True, slots=True)
class Look:
    """What the next process finds."""

    content: Content | None
    """None: no list is live; empty: there is one that does not open."""

    wipe_at: datetime | None
    is_ended: bool
    """There is a list, and it is not opened, because its end has come."""

    was_wiped: bool
    """Before the look: a list was named as the live one and had no key any more."""

    broken: tuple[Broken, ...]


def look_into(store: SealedStore, further_keys: Mapping[str, bytes] | None = None) -> Look:
    """
    Open the store as the next process does, read all of it, and search for what must not be there any more.

    Args:
        store: To look into.

        further_keys: Wrapped keys, by list id, that were there before the kill.
    """
    was_wiped = _is_wiped(store)
    keys = {**keys_in(store), **(further_keys or {})}
    content: Content | None = None
    wipe_at = live = None
    is_ended = False
    broken: list[Broken] = []
    try:
        with store.open() as stored:
            live, wipe_at = stored.list_id, stored.wipe_at
            content = content_of(stored)
    except WatchlistMissingError:
        pass
    except WatchlistEndedError:
        is_ended = True
        live = (store.directory / CURRENT).read_text(encoding="ascii").strip()
    except WatchlistSealError as error:
        content, live = {}, (store.directory / CURRENT).read_text(encoding="ascii").strip()
        broken.append(Broken(Law.LIST, f"it does not open: {error.message}"))
    broken += (*_remains(store, live), *_found_keys(store, {name: key for name, key in keys.items() if name != live}))
    return Look(content, wipe_at, is_ended, was_wiped, tuple(broken))


def content_of(stored: StoredWatchlist) -> Content:
    """Open every row."""
    vectors, owners = stored.vectors()
    rows: dict[str, list[int]] = {}
    for number, owner in enumerate(owners):
        rows.setdefault(owner, []).append(number)
    return {
        reference_id: _digest(
            stored.entry(reference_id), vectors[rows.get(reference_id, [])], stored.picture(reference_id)
        )
        for reference_id in stored.reference_ids
    }


def keys_in(store: SealedStore) -> dict[str, bytes]:
    """The wrapped key of every list that has one, by list id; torn and overwritten ones left out."""
    found = {}
    for path in (store.directory / LISTS).glob(f"*/{KEY_NAME}*"):
        if any(wrapped := path.read_bytes()) and len(wrapped) >= KEY_BYTES:
            found[path.parent.name] = wrapped
    return found


def _is_wiped(store: SealedStore) -> bool:
    current = store.directory / CURRENT
    if not current.exists():
        return False
    folder = store.directory / LISTS / current.read_text(encoding="ascii").strip()
    return folder.is_dir() and not has_key(folder)


def _remains(store: SealedStore, live: str | None) -> Iterator[Broken]:
    lists = store.directory / LISTS
    folders = {path.name for path in lists.iterdir()} if lists.is_dir() else set()
    if folders != ({live} if live else set()):
        yield Broken(Law.REMAINS, f"folders of lists: {len(folders)}, live: {live is not None}")
    partial = sorted(path.name for path in store.directory.rglob("*.partial"))
    if partial:
        yield Broken(Law.REMAINS, f"half-written files: {', '.join(partial)}")


def _found_keys(store: SealedStore, destroyed: Mapping[str, bytes]) -> Iterator[Broken]:
    """No file below the state folder holds the wrapped key of a destroyed list."""
    if not destroyed:
        return
    for path in store.directory.parent.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for list_id, wrapped in destroyed.items():
                if wrapped in content:
                    yield Broken(Law.KEYS, f"that of the list {list_id} in {path.relative_to(store.directory.parent)}")


def _digest(entry: WatchlistEntry, rows: NDArray[np.float32], picture: bytes) -> bytes:
    told = hashlib.sha256(entry_to_bytes(entry))
    told.update(np.ascontiguousarray(rows).tobytes())
    told.update(picture)
    return told.digest()
