"""
The sealed store: one live list or none; a new list is whole and on the disk before it becomes the live one.

    <directory>/lists/<list id>/key.wrapped     the data key, wrapped by the appliance's key-encrypting key
    <directory>/lists/<list id>/store.db        the sealed rows
    <directory>/current                         the id of the live list
    <directory>/lock                            held while something is written

A list ends with its wrapped key, which is overwritten before anything else is taken away; without it the rows are
noise. What `current` does not name is what an interruption left behind, and is destroyed by whoever opens the store.
"""

import re
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from edge_lfr.clock import Clock, SystemClock
from edge_lfr.errors import (
    DaemonBusyError,
    SealBrokenError,
    WatchlistMissingError,
    WatchlistReferenceError,
    WatchlistSealError,
)
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.seal import Seal, new_key
from edge_lfr.watchlist.durable_files import (
    exclusive_lock,
    overwrite_and_unlink,
    storage_errors,
    sync_folder,
    write_durably,
)
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.list_writer import ListWriter
from edge_lfr.watchlist.sealed_list import StoredWatchlist

LISTS: Final = "lists"
CURRENT: Final = "current"
LOCK: Final = "lock"
KEY_NAME: Final = "key.wrapped"
DATABASE_NAME: Final = "store.db"

LIST_ID_PATTERN: Final = re.compile(rb"[0-9a-f]{16}\n")
LIST_ID_BYTES: Final = 8
"""Random; it only has to differ from the few ids of one appliance."""

OPEN_ATTEMPTS: Final = 3
"""A list that is replaced while it is being opened is looked for again; chosen, not measured."""


@dataclass(frozen=True, slots=True)
class Wiped:
    """What a wipe destroyed; all zero when there was nothing."""

    keys: int
    lists: int


class NewList:
    """A list in the making; becomes the live one by `activate`, and otherwise is destroyed by the end of its block."""

    def __init__(self, store: "SealedStore", folder: Path, writer: ListWriter) -> None:
        self._store = store
        self._folder = folder
        self._writer = writer

    @property
    def list_id(self) -> str:
        return self._writer.list_id

    @property
    def references(self) -> int:
        return self._writer.references

    @property
    def templates(self) -> int:
        return self._writer.templates

    def add(self, entry: WatchlistEntry, vectors: NDArray[np.float32], picture: bytes) -> None:
        """Seal one reference; see `ListWriter.add`."""
        self._writer.add(entry, vectors, picture)

    def activate(self, *, lookalikes: Iterable[frozenset[str]] = ()) -> str:
        """
        Put the list on the disk, make it the live one, destroy the one before, and give its id.

        Raises:
            WatchlistStorageError: The disk is full or fails; the list before is still live.
            ValueError: No reference was added (a caller's mistake).
        """
        self._writer.finish(self._store.clock.utc_now(), lookalikes)
        self._store.make_current(self._folder)
        return self.list_id


class SealedStore:
    """The watchlist of one mode's state folder."""

    def __init__(self, directory: Path, kek: KeyEncryptingKey, *, clock: Clock | None = None) -> None:
        self.directory = directory
        self.clock = SystemClock() if clock is None else clock
        self._kek = kek
        self._log = structlog.get_logger()

    def is_empty(self) -> bool:
        """Whether no list is live."""
        return not (self.directory / CURRENT).exists()

    @contextmanager
    def create(self, *, pack_digest: str, dimension: int) -> Iterator[NewList]:
        """
        Begin a new list; the live one stays as it is until `NewList.activate`.

        Raises:
            DaemonBusyError: Another process is writing.
            WatchlistStorageError: The disk is full or fails.
        """
        with self._locked():
            self._clear_leftovers()
            with self._new_list(pack_digest=pack_digest, dimension=dimension) as new:
                yield new

    def open(self) -> StoredWatchlist:
        """
        Open the live list, and clear away what an interrupted load or wipe left.

        Raises:
            WatchlistMissingError: There is none.
            WatchlistSealError: It does not open: another key, changed bytes, or missing files.
        """
        self.clear_leftovers()
        for _ in range(OPEN_ATTEMPTS):
            list_id = self._current()
            if list_id is None:
                break
            try:
                return self._open(list_id)
            except WatchlistSealError:
                if self._current() == list_id:
                    raise
        message = "no watchlist is loaded"
        raise WatchlistMissingError(message)

    def remove(self, reference_ids: Collection[str]) -> int:
        """
        Rebuild the list without some references, under a new data key, and give the number that remain.

        The list before is destroyed with its key, so that the removed rows cannot be opened again by anybody. Removing
        the last reference is a wipe.

        Raises:
            WatchlistReferenceError: An id is not in the list; nothing has changed.
            WatchlistMissingError, WatchlistSealError, WatchlistStorageError, DaemonBusyError: As in `open`, `create`.
        """
        removed = frozenset(reference_ids)
        with self._locked():
            self._clear_leftovers()
            list_id = self._current()
            if list_id is None:
                message = "no watchlist is loaded"
                raise WatchlistMissingError(message)
            with self._open(list_id) as old:
                unknown = sorted(removed.difference(old.reference_ids))
                if unknown:
                    raise WatchlistReferenceError(f"not in the watchlist, nothing was removed: {', '.join(unknown)}")
                kept = [reference_id for reference_id in old.reference_ids if reference_id not in removed]
                if kept:
                    self._rebuild(old, kept)
                    return len(kept)
            self._wipe()
            return 0

    def wipe(self) -> Wiped:
        """
        Destroy every list: first all keys, then the files; may be called again.

        Raises:
            DaemonBusyError: Another process is writing.
        """
        if not self.directory.is_dir():
            return Wiped(keys=0, lists=0)
        with self._locked(), storage_errors():
            return self._wipe()

    def clear_leftovers(self) -> None:
        """Destroy what no live list needs, unless somebody is writing just now."""
        if not self.directory.is_dir():
            return
        with suppress(DaemonBusyError), self._locked(), storage_errors():
            self._clear_leftovers()

    def make_current(self, folder: Path) -> None:
        """Name the list in *folder* as the live one and destroy the others; for `NewList.activate`."""
        with storage_errors():
            sync_folder(folder)
            sync_folder(folder.parent)
            write_durably(self.directory / CURRENT, folder.name.encode() + b"\n")
            self._clear_leftovers()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with storage_errors():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive_lock(self.directory / LOCK):
            yield

    @contextmanager
    def _new_list(self, *, pack_digest: str, dimension: int) -> Iterator[NewList]:
        """Make the folder, its key and its file; destroy them unless they became the live list."""
        list_id = secrets.token_hex(LIST_ID_BYTES)
        folder = self.directory / LISTS / list_id
        data_key = new_key()
        try:
            with storage_errors():
                folder.parent.mkdir(mode=0o700, exist_ok=True)
                folder.mkdir(mode=0o700)
                write_durably(folder / KEY_NAME, self._kek.wrap(data_key, context=list_id))
            writer = ListWriter(
                folder / DATABASE_NAME, list_id, Seal(data_key), pack_digest=pack_digest, dimension=dimension
            )
            try:
                yield NewList(self, folder, writer)
            finally:
                writer.close()
        finally:
            if self._current() != list_id:
                _destroy(folder)

    def _open(self, list_id: str) -> StoredWatchlist:
        folder = self.directory / LISTS / list_id
        try:
            data_key = self._kek.unwrap((folder / KEY_NAME).read_bytes(), context=list_id)
        except OSError as error:
            raise WatchlistSealError(f"the data key of the live list cannot be read: {error.strerror}") from None
        except SealBrokenError:
            message = "the data key of the live list does not open"
            raise WatchlistSealError(
                message,
                remedy="restore the key-encrypting key it was made with, or wipe the store and load the list again",
            ) from None
        return StoredWatchlist(folder / DATABASE_NAME, list_id, Seal(data_key))

    def _rebuild(self, old: StoredWatchlist, kept: list[str]) -> None:
        matrix, owners = old.vectors()
        try:
            rows: dict[str, list[int]] = {reference_id: [] for reference_id in old.reference_ids}
            for row, owner in enumerate(owners):
                rows[owner].append(row)
            with self._new_list(pack_digest=old.pack_digest, dimension=old.dimension) as new:
                for reference_id in kept:
                    vectors = matrix[rows[reference_id]]
                    new.add(old.entry(reference_id), vectors, old.picture(reference_id))
                    vectors[...] = 0
                new.activate(lookalikes=[pair for pair in old.lookalikes if pair.issubset(kept)])
        finally:
            matrix[...] = 0

    def _wipe(self) -> Wiped:
        folders = self._list_folders()
        keys = 0
        for folder in folders:
            keys += (folder / KEY_NAME).exists()
            overwrite_and_unlink(folder / KEY_NAME)
        (self.directory / CURRENT).unlink(missing_ok=True)
        sync_folder(self.directory)
        for folder in folders:
            _destroy(folder)
        return Wiped(keys=keys, lists=len(folders))

    def _clear_leftovers(self) -> None:
        """Destroy lists that are not live; a live one whose key is gone was being wiped, and is wiped to the end."""
        list_id = self._current()
        if list_id is not None and _is_destroyed(self.directory / LISTS / list_id / KEY_NAME):
            self._log.warning("watchlist.wipe-completed")
            self._wipe()
            return
        leftovers = [folder for folder in self._list_folders() if folder.name != list_id]
        for folder in leftovers:
            _destroy(folder)
        (self.directory / f"{CURRENT}.partial").unlink(missing_ok=True)

    def _list_folders(self) -> list[Path]:
        lists = self.directory / LISTS
        return sorted(lists.iterdir()) if lists.is_dir() else []

    def _current(self) -> str | None:
        try:
            untrusted = (self.directory / CURRENT).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise WatchlistSealError(f"the store does not say which list is live: {error.strerror}") from None
        if LIST_ID_PATTERN.fullmatch(untrusted) is None:
            message = "the store does not say which list is live"
            raise WatchlistSealError(message)
        return untrusted.strip().decode()


def _is_destroyed(key: Path) -> bool:
    """Whether a wrapped key was overwritten; where its whole folder is missing, it was not a wipe that took it."""
    try:
        return not any(key.read_bytes())
    except FileNotFoundError:
        return key.parent.is_dir()


def _destroy(folder: Path) -> None:
    """Destroy the key of a list, then its files; the rows are left as they are, since nothing opens them any more."""
    if not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    overwrite_and_unlink(folder / KEY_NAME)
    shutil.rmtree(folder)
    sync_folder(folder.parent)
