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
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from edge_lfr.clock import Clock, SystemClock
from edge_lfr.durable_files import sync_folder, write_durably, write_partial
from edge_lfr.errors import (
    DaemonBusyError,
    WatchlistEndedError,
    WatchlistError,
    WatchlistMissingError,
    WatchlistReferenceError,
    WatchlistReplacedError,
    WatchlistSealError,
    WatchlistStorageError,
)
from edge_lfr.governance.clock_note import glance
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.seal import Seal, new_key
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.terms import Mode
from edge_lfr.watchlist.records.pseudonyms import FOLDER, ProtectionOfficer, settle
from edge_lfr.watchlist.sealed.destruction import destroy_lists
from edge_lfr.watchlist.sealed.ending import Wiped, has_key, is_due, is_revoked, write_end
from edge_lfr.watchlist.sealed.list_writer import ListWriter
from edge_lfr.watchlist.sealed.new_list import DATABASE_NAME, KEY_NAME, NewList, Publish, destroy_list, require_key
from edge_lfr.watchlist.sealed.opening import open_list
from edge_lfr.watchlist.sealed.origin import Origin
from edge_lfr.watchlist.sealed.sealed_list import ListHead, Manifest, StoredWatchlist, key_context
from edge_lfr.watchlist.sealed.storage import exclusive_lock, read_list_id, storage_errors

LISTS: Final = "lists"
CURRENT: Final = "current"
LOCK: Final = "lock"
LOADING: Final = "loading"

LIST_ID_BYTES: Final = 8
"""Random; it only has to differ from the few ids of one appliance."""

OPEN_ATTEMPTS: Final = 3
"""A list that is replaced while it is being opened is looked for again; chosen, not measured."""

PATIENCE_S: Final = 10.0
"""How long a writer waits for another one, who holds the lock for parts of a second, or for the seconds that a removal
takes; chosen, not measured."""


class SealedStore:
    """The watchlist of one mode's state folder."""

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
        self.directory = directory
        self.mode = mode
        self.clock = SystemClock() if clock is None else clock
        self._kek = kek
        self._officer = officer
        self._manifests = directory.parent / FOLDER
        self._log = structlog.get_logger()

    def is_empty(self) -> bool:
        """Whether no list is live."""
        return not (self.directory / CURRENT).exists()

    def live_list_id(self) -> str | None:
        """The id of the list that is live now; None where none is; raises WatchlistSealError where nobody can say."""
        return self._current()

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
                new = self._begin(partial(self._publish, self._current()), head)
            try:
                yield new
            finally:
                new.close()
                if self._current() != new.list_id:
                    with self._locked(), storage_errors():
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
        self, reference_ids: Collection[str], verdict: TimeVerdict | None = None, *, of_list: str | None = None
    ) -> int:
        """
        Rebuild the list without some references, under a new data key, and give the number that remain.

        The list before is destroyed with its key, so that the removed rows cannot be opened again by anybody. Removing
        the last reference is a wipe. Where the list came from, and its end, stay as they are.

        Args:
            reference_ids: Who shall be on the list no more.

            verdict: As in `open`.

            of_list: The list that is meant; without, the live one.

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
                    self._rebuild(old, kept)
                    return len(kept)
            self._wipe()
            return 0

    def wipe(self) -> Wiped:
        """
        Destroy every list, also one that is being made: first all keys, then the files; may be called again.

        Raises:
            DaemonBusyError: Another process writes for longer than it should; a loader does not count.
            WatchlistStorageError: The disk fails.
        """
        if not self.directory.is_dir():
            return Wiped(keys=0, lists=0)
        with self._locked(), storage_errors():
            return self._wipe()

    def due(self, verdict: TimeVerdict) -> bool:
        """Whether there is a list whose time is over; asks for no key."""
        return any(is_due(folder, verdict) for folder in self._list_folders())

    def is_revoked(self, authority_ids: Collection[str]) -> bool:
        """Whether there is a list that was loaded under one of these authorities; asks for no key."""
        return any(is_revoked(folder, authority_ids) for folder in self._list_folders())

    def wipe_if_due(self, verdict: TimeVerdict, *, revoked: Collection[str] = ()) -> Wiped:
        """
        Destroy the lists that must not exist any more, and leave the others; asks for no key.

        A list that is being made is left too, unless it is due itself: it may be the one for tomorrow.

        Args:
            verdict: What is to be thought of the time.

            revoked: Ids of authorities under which no list may exist.

        Raises:
            DaemonBusyError, WatchlistStorageError: As in `wipe`.
        """
        if not self.due(verdict) and not self.is_revoked(revoked):
            return Wiped(keys=0, lists=0)
        with self._locked(), storage_errors():
            folders = self._list_folders()
            return self._wipe([each for each in folders if is_due(each, verdict) or is_revoked(each, revoked)])

    def clear_leftovers(self) -> None:
        """Destroy what no live list needs and nobody is making, unless somebody is writing just now."""
        if not self.directory.is_dir():
            return
        with suppress(DaemonBusyError), self._locked(patience_s=0.0), self._leftovers_logged():
            self._clear_leftovers()

    @contextmanager
    def _locked(self, *, patience_s: float | None = None) -> Iterator[None]:
        with storage_errors():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive_lock(self.directory / LOCK, patience_s=PATIENCE_S if patience_s is None else patience_s):
            yield

    @contextmanager
    def _leftovers_logged(self) -> Iterator[None]:
        """What cannot be cleared away does not make the live list another one: it is tried again at an opening."""
        try:
            with storage_errors():
                yield
        except WatchlistStorageError as error:
            self._log.warning("watchlist.leftovers-kept", code=error.code, reason=error.message)

    def _begin(self, publish: Publish, head: ListHead) -> NewList:
        """Make the folder, its key and its file: all the names that it will ever have, so that a wipe sees them."""
        list_id = secrets.token_hex(LIST_ID_BYTES)
        folder = self.directory / LISTS / list_id
        data_key = new_key()
        try:
            with storage_errors():
                folder.parent.mkdir(mode=0o700, exist_ok=True)
                folder.mkdir(mode=0o700)
                write_end(folder, head.wipe_at, None if head.origin is None else head.origin.authority_id)
                write_durably(folder / KEY_NAME, self._kek.wrap(data_key, context=key_context(self.mode, list_id)))
            writer = ListWriter(folder / DATABASE_NAME, list_id, Seal(data_key), head)
        except BaseException:
            destroy_list(folder)
            raise
        return NewList(folder, writer, self.clock, publish)

    def _publish(self, before: str | None, folder: Path, manifest: Manifest) -> None:
        """Make a loader's list the live one, unless a wipe has come or begun, or a removal that it knows nothing of."""
        with self._locked():
            with storage_errors():
                self._finish_wipe()
            require_key(folder)
            if self._current() not in {None, before}:
                message = "somebody was removed from the live list meanwhile; nothing was loaded"
                raise WatchlistReplacedError(message, remedy="load the watchlist again, without who was removed")
            self._make_current(folder, manifest, self._destroy_others)

    def _make_current(self, folder: Path, manifest: Manifest, clear: Callable[[], None]) -> None:
        """Name the list in *folder* as the live one, destroy the one before, and clear away the rest."""
        with storage_errors():
            before = self._current()
            sync_folder(folder)
            sync_folder(folder.parent)
            if self._officer is not None:
                self._officer.note(self._manifests, folder.name, manifest, self.clock.utc_now())
            write_partial(self.directory / CURRENT, folder.name.encode() + b"\n").replace(self.directory / CURRENT)
        # From here on the new list is the live one, and no error may say anything else.
        with self._leftovers_logged():
            sync_folder(self.directory)
            if before is not None:
                destroy_list(self.directory / LISTS / before)
            settle(self._manifests, folder.name)
            clear()

    def _open(self, list_id: str, verdict: TimeVerdict | None) -> StoredWatchlist:
        folder = self.directory / LISTS / list_id
        return open_list(
            folder, self._kek, self.mode, lambda: verdict or glance(self.directory.parent, clock=self.clock)
        )

    def _rebuild(self, old: StoredWatchlist, kept: list[str]) -> None:
        matrix, owners = old.vectors()
        try:
            rows: dict[str, slice] = {}
            start = 0
            for reference_id, count in Counter(owners).items():
                rows[reference_id] = slice(start, start + count)
                start += count
            new = self._begin(self._publish_removal, old.head)
            try:
                for reference_id in kept:
                    new.add(old.entry(reference_id), matrix[rows[reference_id]], old.picture(reference_id))
                new.activate(lookalikes=[pair for pair in old.lookalikes if pair.issubset(kept)])
            finally:
                new.close()
                if self._current() != new.list_id:
                    with storage_errors():
                        destroy_list(new.folder)
        finally:
            matrix[...] = 0

    def _publish_removal(self, folder: Path, manifest: Manifest) -> None:
        """Likewise for a removal, which holds the lock already, and may run beside a loader."""
        self._make_current(folder, manifest, self._clear_leftovers)

    def _wipe(self, doomed: Sequence[Path] | None = None) -> Wiped:
        """Destroy these lists, or all of them."""
        live = None
        with suppress(WatchlistError):
            live = self._current()
        everything = self._list_folders()
        # The live key first: from then on, whoever opens the store finishes the wipe.
        folders = sorted(everything if doomed is None else doomed, key=lambda folder: folder.name != live)

        def forget() -> None:
            with suppress(OSError):  # keeps nobody from destroying the rest
                settle(self._manifests, live)
            if live not in {folder.name for folder in everything if folder not in folders}:
                (self.directory / CURRENT).unlink(missing_ok=True)
                sync_folder(self.directory)

        lists = sum(folder.is_dir() and not folder.is_symlink() for folder in folders)
        keys = destroy_lists(folders, between=forget)
        ended = live if live in {folder.name for folder in folders} else None
        return Wiped(keys=keys, lists=lists, live=ended)

    def _finish_wipe(self) -> None:
        """A live list whose key is gone was being wiped, and is wiped to the end, with whatever is being made."""
        list_id = self._current()
        settle(self._manifests, list_id)
        # Where the whole folder of the list is missing, it was not a wipe that took it.
        if list_id is not None and (folder := self.directory / LISTS / list_id).is_dir() and not has_key(folder):
            self._log.warning("watchlist.wipe-completed")
            self._wipe()

    def _clear_leftovers(self) -> None:
        """Finish a wipe, and destroy lists that are not live; while somebody is loading, they stay."""
        self._finish_wipe()
        with suppress(DaemonBusyError), exclusive_lock(self.directory / LOADING):
            self._destroy_others()

    def _destroy_others(self) -> None:
        """Destroy every list but the live one; only while holding the loader's lock."""
        live = self._current()
        destroy_lists([folder for folder in self._list_folders() if folder.name != live])
        (self.directory / f"{CURRENT}.partial").unlink(missing_ok=True)

    def _list_folders(self) -> list[Path]:
        lists = self.directory / LISTS
        return sorted(lists.iterdir()) if lists.is_dir() else []

    def _current(self) -> str | None:
        return read_list_id(self.directory / CURRENT)
