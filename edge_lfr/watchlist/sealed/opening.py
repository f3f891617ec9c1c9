"""Opens a sealed list: its folder, a key and a trusted time enter, the list leaves, or why it stays shut."""

from collections.abc import Callable
from pathlib import Path

from edge_lfr.errors import SealBrokenError, WatchlistSealError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.seal import Seal
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.terms import Mode
from edge_lfr.watchlist.sealed.ending import require_before_end
from edge_lfr.watchlist.sealed.new_list import DATABASE_NAME, KEY_NAME
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist, key_context


def open_list(folder: Path, kek: KeyEncryptingKey, mode: Mode, judge: Callable[[], TimeVerdict]) -> StoredWatchlist:
    """
    Open the list in *folder*, which is named by its id.

    Args:
        folder: The list's own.

        kek: With which its key was wrapped.

        mode: For which it was.

        judge: Gives what is to be thought of the time; asked only where the list has an end.

    Raises:
        WatchlistEndedError: The time after which it must not exist has come.
        WatchlistClockError: It has an end, and the clock is not trusted.
        WatchlistSealError: Another key, another mode, changed bytes, or missing files.
    """
    end = require_before_end(folder, judge)
    try:
        data_key = kek.unwrap((folder / KEY_NAME).read_bytes(), context=key_context(mode, folder.name))
    except OSError as error:
        raise WatchlistSealError(f"the data key of the live list cannot be read: {error.strerror}") from None
    except SealBrokenError:
        message = "the data key of the live list does not open: another key, or a list of another mode"
        raise WatchlistSealError(
            message,
            remedy="restore the key-encrypting key it was made with, or wipe the store and load the list again",
        ) from None
    stored = StoredWatchlist(folder / DATABASE_NAME, folder.name, Seal(data_key))
    authority_id = None if stored.origin is None else stored.origin.authority_id
    if (stored.wipe_at, authority_id) != (end.wipe_at, end.authority_id):
        stored.close()
        message = "the end of the live list is not the one that it was sealed with"
        raise WatchlistSealError(message)
    return stored
