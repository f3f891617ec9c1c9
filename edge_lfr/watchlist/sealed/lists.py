"""
The lists of a store as they lie on the disk: what ends, and what is cleared away, without any key.

See `store` for the folders, and for what is made and opened there.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import structlog

from edge_lfr.durable_files import sync_folder
from edge_lfr.errors import DaemonBusyError, WatchlistError, WatchlistStorageError
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.watchlist.records.pseudonyms import FOLDER, settle
from edge_lfr.watchlist.sealed.changes import settle_changes
from edge_lfr.watchlist.sealed.destruction import destroy_lists
from edge_lfr.watchlist.sealed.ending import Wiped, has_key, is_due, is_revoked, root_of
from edge_lfr.watchlist.sealed.noted_wipes import Noting, note_nothing, settle_notes
from edge_lfr.watchlist.sealed.storage import exclusive_lock, read_list_id, storage_errors

LISTS: Final = "lists"
CURRENT: Final = "current"
LOCK: Final = "lock"
LOADING: Final = "loading"

PATIENCE_S: Final = 10.0
"""How long a writer waits for another one, who holds the lock for parts of a second, or for the seconds that a removal
takes; chosen, not measured."""


class Lists:
    """Those of one mode's state folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._manifests = directory.parent / FOLDER
        self._log = structlog.get_logger()

    def is_empty(self) -> bool:
        """Whether no list is live."""
        return not (self.directory / CURRENT).exists()

    def live_list_id(self) -> str | None:
        """The id of the list that is live now; None where none is; raises WatchlistSealError where nobody can say."""
        return self._current()

    def wipe(self, noting: Noting = note_nothing) -> Wiped:
        """
        Destroy every list, also one that is being made: first all keys, then the files; may be called again.

        Args:
            noting: Called before the first key ends, where there is anything; nobody else changes the store meanwhile.

        Raises:
            DaemonBusyError: Another process writes for longer than it should; a loader does not count.
            WatchlistStorageError: The disk fails.
        """
        if not self.directory.is_dir():
            return Wiped(keys=0, lists=0)
        with self._locked(), storage_errors():
            self._settle_notes()
            return self._wipe(noting=noting)

    def due(self, verdict: TimeVerdict) -> bool:
        """Whether there is a list whose time is over; asks for no key."""
        return any(is_due(folder, verdict) for folder in self._list_folders())

    def is_revoked(self, authority_ids: Collection[str]) -> bool:
        """Whether there is a list that was loaded under one of these authorities; asks for no key."""
        return any(is_revoked(folder, authority_ids) for folder in self._list_folders())

    def wipe_if_due(
        self, verdict: TimeVerdict, *, revoked: Collection[str] = (), noting: Noting = note_nothing
    ) -> Wiped:
        """
        Destroy the lists that must not exist any more, and leave the others; asks for no key.

        A list that is being made is left too, unless it is due itself: it may be the one for tomorrow.

        Args:
            verdict: What is to be thought of the time.

            revoked: Ids of authorities under which no list may exist.

            noting: As in `wipe`.

        Raises:
            DaemonBusyError, WatchlistStorageError: As in `wipe`.
        """
        if not self.due(verdict) and not self.is_revoked(revoked):
            return Wiped(keys=0, lists=0)
        with self._locked(), storage_errors():
            self._settle_notes()
            folders = self._list_folders()
            doomed = [each for each in folders if is_due(each, verdict) or is_revoked(each, revoked)]
            return self._wipe(doomed, noting)

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

    def _wipe(self, doomed: Sequence[Path] | None = None, noting: Noting = note_nothing) -> Wiped:
        """Destroy these lists, or all of them."""
        live = None
        with suppress(WatchlistError):
            live = self._current()
        everything = self._list_folders()
        # The live key first: from then on, whoever opens the store finishes the wipe.
        folders = sorted(everything if doomed is None else doomed, key=lambda folder: folder.name != live)

        def forget() -> None:
            with suppress(OSError):  # keeps nobody from destroying the rest
                self._settle(live)
            if live not in {folder.name for folder in everything if folder not in folders}:
                (self.directory / CURRENT).unlink(missing_ok=True)
                sync_folder(self.directory)

        if folders:
            noting([folder.name for folder in folders])
        lists = sum(folder.is_dir() and not folder.is_symlink() for folder in folders)
        keys = destroy_lists(folders, between=forget)
        ended = live if live in {folder.name for folder in folders} else None
        return Wiped(keys=keys, lists=lists, live=ended)

    def _finish_wipe(self) -> None:
        """A live list whose key is gone was being wiped, and is wiped to the end, with whatever is being made."""
        list_id = self._current()
        self._settle(list_id)
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
        self._settle_notes()
        destroy_lists([folder for folder in self._list_folders() if folder.name != live])
        (self.directory / f"{CURRENT}.partial").unlink(missing_ok=True)

    def _settle(self, live: str | None) -> None:
        """What was about to be said of a list that was about to be live."""
        settle(self._manifests, live)
        settle_changes(self.directory.parent, live)

    def _settle_notes(self) -> None:
        """Before anything but a wipe that was noted ends a list: only what such a wipe did is taken for its work."""
        settle_notes(self.directory.parent, self.directory / LISTS)

    def _root(self) -> str | None:
        """Of the live list; the same as before until somebody is removed by request, or another list is loaded."""
        list_id = self._current()
        return None if list_id is None else root_of(self.directory / LISTS / list_id)

    def _list_folders(self) -> list[Path]:
        lists = self.directory / LISTS
        return sorted(lists.iterdir()) if lists.is_dir() else []

    def _current(self) -> str | None:
        return read_list_id(self.directory / CURRENT)
