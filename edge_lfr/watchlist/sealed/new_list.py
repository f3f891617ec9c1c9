"""A list in the making: it becomes the live one as a whole, or is destroyed; a wipe ends it at any time."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.clock import Clock
from edge_lfr.durable_files import overwrite_and_unlink, sync_folder
from edge_lfr.errors import WatchlistStorageError, WatchlistWipedError
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.sealed.list_writer import ListWriter
from edge_lfr.watchlist.sealed.sealed_list import Manifest

KEY_NAME: Final = "key.wrapped"
DATABASE_NAME: Final = "store.db"

Publish = Callable[[Path, Manifest], None]
"""Makes the list in this folder, of which this is sealed, the live one; the store's."""


class NewList:
    """Becomes the live one by `activate`, and otherwise is destroyed by the end of its block."""

    def __init__(self, folder: Path, writer: ListWriter, clock: Clock, publish: Publish) -> None:
        self.folder = folder
        self._writer = writer
        self._clock = clock
        self._publish = publish

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
        """
        Seal one reference; see `ListWriter.add`.

        Raises:
            WatchlistWipedError: Somebody wiped the store, and this list with it.
        """
        with self._unless_wiped():
            self._writer.add(entry, vectors, picture)

    def require_present(self) -> None:
        """
        See that nobody wiped this list; for a caller who has nothing to add for a while.

        Raises:
            WatchlistWipedError: Somebody did.
        """
        require_key(self.folder)

    def activate(self, *, lookalikes: Iterable[frozenset[str]] = ()) -> str:
        """
        Put the list on the disk, make it the live one, destroy the one before, and give its id.

        Raises:
            WatchlistStorageError: The disk is full or fails; the list before is still live.
            WatchlistWipedError: Somebody wiped the store, and this list with it.
            DaemonBusyError: Another process writes the store, and has not finished in time.
            ValueError: No reference was added (a caller's mistake).
        """
        with self._unless_wiped():
            manifest = self._writer.finish(self._clock.utc_now(), lookalikes)
            self._publish(self.folder, manifest)
        return self.list_id

    def close(self) -> None:
        """Let go of the file and the key."""
        self._writer.close()

    @contextmanager
    def _unless_wiped(self) -> Iterator[None]:
        """Say that a wipe took the list, and not how the disk looks after it."""
        require_key(self.folder)
        try:
            yield
        except WatchlistStorageError:
            require_key(self.folder)
            raise


def destroy_list(folder: Path) -> None:
    """Destroy the key of a list, then its files; the rows are left as they are, since nothing opens them any more."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    try:
        overwrite_and_unlink(folder / KEY_NAME)
    finally:  # what could not be overwritten is taken away all the same
        shutil.rmtree(folder)
        sync_folder(folder.parent)


def require_key(folder: Path) -> None:
    """
    See that the wrapped key of the list in *folder* is still there.

    Raises:
        WatchlistWipedError: It was overwritten or taken away.
    """
    try:
        is_there = any((folder / KEY_NAME).read_bytes())
    except FileNotFoundError:
        is_there = False
    except OSError as error:
        raise WatchlistStorageError(f"the key of the new list cannot be read: {error.strerror}") from None
    if not is_there:
        message = "the watchlist was wiped meanwhile; nothing was loaded"
        raise WatchlistWipedError(message)
