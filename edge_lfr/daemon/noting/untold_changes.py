"""
Loads and removals that have no line: whoever made the list the live one was killed before they could have it written.

The store notes each such change before it is one. Whoever has its line written takes the note away; what is left over
is told by the daemon's next start, by the timer, or by the next command that writes a line: in the daemon's name, since
nobody can say any more who asked for it, and with a code that says so.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import WATCHLIST_FOLDER
from edge_lfr.daemon.ending.unsigned_wipes import is_at_work
from edge_lfr.errors import WatchlistError
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.watchlist.sealed.changes import What, forget_change, made_changes
from edge_lfr.watchlist.sealed.storage import read_list_id
from edge_lfr.watchlist.sealed.store import CURRENT

log = structlog.get_logger()

AFTER_KILL: Final = "after-kill"
"""The code of a line that was written later, by somebody else than who did what it tells."""

EVENTS: Final[Mapping[What, LedgerEvent]] = {
    What.LOADED: LedgerEvent.WATCHLIST_LOADED,
    What.REMOVED: LedgerEvent.WATCHLIST_REMOVED,
    What.EXPIRED: LedgerEvent.WATCHLIST_EXPIRED,
}

Tell = Callable[[LedgerEvent, Mapping[str, Fact]], bool]
"""Writes a line; gives whether it is on the disk."""


def tell_untold(mode_directory: Path, tell: Tell, *, is_beginning: bool = False) -> int:
    """
    Have a line for every change of the live list that nobody told, and nobody is about to tell; gives how many.

    Args:
        mode_directory: The mode's state folder.

        tell: What it raises, or a False, leaves the rest for the next time.

        is_beginning: This process has changed nothing yet: what bears its number was another one's.
    """
    told = 0
    for path, change in made_changes(mode_directory, _live(mode_directory)):
        is_ours = is_beginning and change.writer == os.getpid()
        if not is_ours and is_at_work(change.writer, change.at, SystemClock().utc_now()):
            continue
        facts: dict[str, Fact] = {
            "references": change.references,
            "watchlist_sha256": change.digest,
            "code": AFTER_KILL,
        }
        log.warning("ledger.change-unnoted", what=change.what.value)
        if not tell(EVENTS[change.what], facts):
            break
        _forget(path)
        told += 1
    return told


def told_here(mode_directory: Path, event: LedgerEvent) -> None:
    """A line with this event is on the disk, about what this process has done."""
    if event not in EVENTS.values():
        return
    with suppress(OSError):  # what cannot be read is told once more, which is the lesser harm
        for path, change in made_changes(mode_directory, _live(mode_directory)):
            if change.writer == os.getpid() and EVENTS[change.what] is event:
                _forget(path)


def _live(mode_directory: Path) -> str | None:
    with suppress(WatchlistError):
        return read_list_id(mode_directory / WATCHLIST_FOLDER / CURRENT)
    return None


def _forget(path: Path) -> None:
    try:
        forget_change(path)
    except OSError as error:
        log.error("ledger.change-kept", file=path.name, reason=error.strerror)
