"""
The real daemon as a process that destroys nothing: what a wipe's proof must find. `undestroying_daemon.py run ...`.

The list stays in memory and on the disk, and the process does not give its place to another one.
"""

from edge_lfr.cli import main as command
from edge_lfr.daemon.arming.armament import Armament
from edge_lfr.daemon.ending.wiping import Wiping
from edge_lfr.watchlist.sealed.ending import Wiped
from edge_lfr.watchlist.sealed.store import SealedStore

KEPT: list[Armament] = []


def keep(armament: Armament) -> None:
    """Instead of zeroing it."""
    KEPT.append(armament)


def wipe_nothing(_store: object, _noting: object = None) -> Wiped:
    """Instead of destroying anything."""
    return Wiped(keys=1, lists=1)


def destroy_nothing() -> None:
    """Switch destruction off."""
    Armament.destroy = keep  # type: ignore[method-assign, assignment]
    SealedStore.wipe = wipe_nothing  # type: ignore[method-assign, assignment]
    Wiping.wants_replacement = property(lambda _: False, lambda *_: None)  # type: ignore[assignment, misc]


if __name__ == "__main__":
    destroy_nothing()
    command.main()
