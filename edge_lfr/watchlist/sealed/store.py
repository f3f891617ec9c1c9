"""
The sealed store: one live list or none; a new list is whole and on the disk before it becomes the live one.

    <directory>/lists/<list id>/key.wrapped     the data key, wrapped by the appliance's key-encrypting key
    <directory>/lists/<list id>/store.db        the sealed rows
    <directory>/lists/<list id>/end.json        in clear: after which time the list must not exist
    <directory>/current                         the id of the live list
    <directory>/lock                            held for the moment in which lists begin, become live or end
    <directory>/loading                         held by a loader, for as long as it makes its list

A list ends with its wrapped key, which is overwritten before anything else is taken away; without it the rows are
noise. What `current` does not name, and nobody is loading, is what an interruption left behind, and is destroyed by
whoever opens the store. A wipe destroys every list, also the one that is being made, and waits for no loader.

A list with an end is opened only before it, by a clock that is trusted, and destroyed after it by whoever looks.
"""

import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from edge_lfr.clock import Clock, SystemClock
from edge_lfr.durable_files import sync_folder, write_durably, write_partial
from edge_lfr.errors import (
    WatchlistEndedError,
    WatchlistMissingError,
    WatchlistReferenceError,
    WatchlistReplacedError,
    WatchlistSealError,
)
from edge_lfr.governance.clock_note import glance
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.seal import Seal, new_key
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.terms import Mode
from edge_lfr.watchlist.records.pseudonyms import ProtectionOfficer
from edge_lfr.watchlist.sealed.changes import What, begin_change
from edge_lfr.watchlist.sealed.ending import write_end
from edge_lfr.watchlist.sealed.list_writer import ListWriter
from edge_lfr.watchlist.sealed.lists import CURRENT, LISTS, LOADING, Lists
from edge_lfr.watchlist.sealed.new_list import DATABASE_NAME, KEY_NAME, NewList, Publish, destroy_list, require_key
from edge_lfr.watchlist.sealed.opening import open_list
from edge_lfr.watchlist.sealed.origin import Origin
from edge_lfr.watchlist.sealed.rebuilding import copy_some
from edge_lfr.watchlist.sealed.sealed_list import ListHead, Manifest, StoredWatchlist, key_context
from edge_lfr.watchlist.sealed.storage import exclusive_lock, storage_errors

__all__ = ["CURRENT", "LISTS", "SealedStore"]

LIST_ID_BYTES: Final = 8
"""Random; it only has to differ from the few ids of one appliance."""

OPEN_ATTEMPTS: Final = 3
"""A list that is replaced while it is being opened is looked for again; chosen, not measured."""


class SealedStore(Lists):
    """The watchlist of one mode's state folder: what is made, opened and rebuilt with its key."""

    def __init__(
        self,
        directory: Path,
        kek: KeyEncryptingKey,
        *,
        mode: Mode = Mode.TRAINING,
        clock: Clock | None = None,
        officer: ProtectionOfficer | None = None,
    ) -> None:
        """*mode* is what lists' keys are wrapped for: an operational one opens for nobody who does not say so."""
        super().__init__(directory)
        self.mode = mode
        self.clock = SystemClock() if clock is None else clock
        self._kek = kek
        self._officer = officer

    @contextmanager
    def create(
        self, *, pack_digest: str, dimension: int, wipe_at: datetime | None = None, origin: Origin | None = None
    ) -> Iterator[NewList]:
        """
        Begin a new list; the live one stays as it is until `NewList.activate`.

        Only other loaders are kept out for the whole block: a wipe or a removal may come at any time.

        Args:
            pack_digest: Of the pack whose templates it will hold.

            dimension: Of these templates.

            wipe_at: After this time (aware) the list must not exist; None for a list without an end.

            origin: The bundle that it is loaded from; None for a folder.

        Raises:
            WatchlistEndedError: That time has come already.
            DaemonBusyError: Another process is loading a list, or writes for longer than it should.
            WatchlistStorageError: The disk is full or fails.
        """
        if wipe_at is not None and self.clock.utc_now() >= wipe_at:
            raise WatchlistEndedError(f"the list must not exist after {wipe_at.isoformat()}, which has come already")
        with ExitStack() as held:
            with self._locked():
                # Whoever clears leftovers holds both locks, so that under the first one only a loader has the second.
                held.enter_context(exclusive_lock(self.directory / LOADING, doing="loading a watchlist"))
                with storage_errors():
                    self._finish_wipe()
                    self._destroy_others()
                head = ListHead(pack_digest=pack_digest, dimension=dimension, wipe_at=wipe_at, origin=origin)
                new = self._begin(partial(self._publish, self._root()), head)
            try:
                yield new
            finally:
                new.close()
                if self._current() != new.list_id:
                    with self._locked(), storage_errors():
                        self._settle_notes()
                        destroy_list(new.folder)

    def open(self, verdict: TimeVerdict | None = None) -> StoredWatchlist:
        """
        Open the live list, and clear away what an interrupted load or wipe left.

        Args:
            verdict: What a watch over the time thinks of it; without, a glance at its note decides.

        Raises:
            WatchlistMissingError: There is none.
            WatchlistEndedError: The time after which it must not exist has come.
            WatchlistClockError: It has an end, and the clock is not trusted.
            WatchlistSealError: It does not open: another key, changed bytes, or missing files.
        """
        self.clear_leftovers()
        for _ in range(OPEN_ATTEMPTS):
            list_id = self._current()
            if list_id is None:
                break
            try:
                return self._open(list_id, verdict)
            except WatchlistSealError:
                if self._current() == list_id:
                    raise
        message = "no watchlist is loaded"
        raise WatchlistMissingError(message)

    def remove(
        self,
        reference_ids: Collection[str],
        verdict: TimeVerdict | None = None,
        *,
        of_list: str | None = None,
        have_expired: bool = False,
    ) -> int:
        """
        Rebuild the list without some references, under a new data key, and give the number that remain.

        The list before is destroyed with its key, so that the removed rows cannot be opened again by anybody. Removing
        the last reference is a wipe. Where the list came from, and its end, stay as they are.

        Args:
            reference_ids: Who shall be on the list no more.

            verdict: As in `open`.

            of_list: The list that is meant; without, the live one.

            have_expired: Nobody asked for it: their time is over. A load that has begun goes on; its list has times
                of its own, while one that somebody was removed from by request must not come back by a load.

        Raises:
            WatchlistReplacedError: Another list than the one that is meant is live; nothing has changed.
            WatchlistReferenceError: An id is not in the list; nothing has changed.
            WatchlistError, DaemonBusyError: As in `open`, `create`.
        """
        removed = frozenset(reference_ids)
        with self._locked():
            with storage_errors():
                self._clear_leftovers()
            list_id = self._current()
            if list_id is None:
                message = "no watchlist is loaded"
                raise WatchlistMissingError(message)
            if of_list not in {None, list_id}:
                message = "another list has become the live one"
                raise WatchlistReplacedError(message)
            with self._open(list_id, verdict) as old:
                unknown = sorted(removed.difference(old.reference_ids))
                if unknown:
                    raise WatchlistReferenceError(f"not in the watchlist, nothing was removed: {', '.join(unknown)}")
                kept = [reference_id for reference_id in old.reference_ids if reference_id not in removed]
                if kept:
                    self._rebuild(old, kept, What.EXPIRED if have_expired else What.REMOVED)
                    return len(kept)
            self._settle_notes()
            self._wipe()
            return 0

    def _begin(self, publish: Publish, head: ListHead, root: str | None = None) -> NewList:
        """Make the folder, its key and its file: all the names that it will ever have, so that a wipe sees them."""
        list_id = secrets.token_hex(LIST_ID_BYTES)
        folder = self.directory / LISTS / list_id
        data_key = new_key()
        try:
            with storage_errors():
                folder.parent.mkdir(mode=0o700, exist_ok=True)
                folder.mkdir(mode=0o700)
                write_end(folder, head.wipe_at, None if head.origin is None else head.origin.authority_id, root)
                write_durably(folder / KEY_NAME, self._kek.wrap(data_key, context=key_context(self.mode, list_id)))
            writer = ListWriter(folder / DATABASE_NAME, list_id, Seal(data_key), head)
        except BaseException:
            destroy_list(folder)
            raise
        return NewList(folder, writer, self.clock, publish)

    def _publish(self, root_before: str | None, folder: Path, manifest: Manifest) -> None:
        """Make a loader's list the live one, unless a wipe has come or begun, or a removal that it knows nothing of."""
        with self._locked():
            with storage_errors():
                self._finish_wipe()
            require_key(folder)
            if self._root() not in {None, root_before}:
                message = "somebody was removed from the live list meanwhile; nothing was loaded"
                raise WatchlistReplacedError(message, remedy="load the watchlist again, without who was removed")
            references = len(manifest.reference_ids)
            self._make_current(folder, manifest, What.LOADED, references, self._destroy_others)

    def _make_current(
        self, folder: Path, manifest: Manifest, what: What, references: int, clear: Callable[[], None]
    ) -> None:
        """Name the list in *folder* as the live one, destroy the one before, and clear away the rest."""
        now = self.clock.utc_now()
        with storage_errors():
            before = self._current()
            self._settle_notes()
            sync_folder(folder)
            sync_folder(folder.parent)
            if self._officer is not None:
                self._officer.note(self._manifests, folder.name, manifest, now)
            digest = manifest.digest
            begin_change(self.directory.parent, what, folder.name, references=references, digest=digest, at=now)
            write_partial(self.directory / CURRENT, folder.name.encode() + b"\n").replace(self.directory / CURRENT)
        # From here on the new list is the live one, and no error may say anything else.
        with self._leftovers_logged():
            sync_folder(self.directory)
            if before is not None:
                destroy_list(self.directory / LISTS / before)
            self._settle(folder.name)
            clear()

    def _open(self, list_id: str, verdict: TimeVerdict | None) -> StoredWatchlist:
        folder = self.directory / LISTS / list_id
        return open_list(
            folder, self._kek, self.mode, lambda: verdict or glance(self.directory.parent, clock=self.clock)
        )

    def _rebuild(self, old: StoredWatchlist, kept: list[str], what: What) -> None:
        removed = len(old.reference_ids) - len(kept)

        def publish(folder: Path, manifest: Manifest) -> None:  # holds the lock already, and may run beside a loader
            self._make_current(folder, manifest, what, removed, self._clear_leftovers)

        new = self._begin(publish, old.head, self._root() if what is What.EXPIRED else None)
        try:
            copy_some(old, kept, new)
        finally:
            new.close()
            if self._current() != new.list_id:
                with storage_errors():
                    destroy_list(new.folder)
