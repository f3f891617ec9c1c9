"""What the next process would tell of a killed one: each change of the live list, and each wipe, and nothing else."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from edge_lfr.clock import SystemClock
from edge_lfr.daemon.ending.unsigned_wipes import UnsignedWipe, certify_unsigned
from edge_lfr.evaluation.torture.laws import Broken, Law
from edge_lfr.governance.ledger.lines import Actor, Part
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.sealed.changes import made_changes
from edge_lfr.watchlist.sealed.noted_wipes import Noting
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause

DEVICE: Final = "made/box/training"


def noting(store: SealedStore) -> Noting:
    """The note of a wipe, as everybody leaves it who wipes."""
    by, now = Actor.of_part(Part.DAEMON), SystemClock().utc_now()
    return UnsignedWipe.about_to(store, WipeCause.COMMAND, by, now).noting(store)


def untold_in(store: SealedStore, before: Collection[str]) -> Iterator[Broken]:
    """
    Hold what is noted of changes to the list that is live.

    Args:
        store: After the look at it.

        before: Ids of the lists that were there before.
    """
    live, mode_directory = store.live_list_id(), store.directory.parent
    noted = {change.list_id for _, change in made_changes(mode_directory, live)}
    if live is not None and live not in before and live not in noted:
        yield Broken(Law.TOLD, "a list became the live one, and nobody can tell")
    if live is None or live in before:
        yield from (Broken(Law.TOLD, "a change that was not made") for _ in noted.difference(before))


def wipes_in(mode_directory: Path) -> int:
    """Certify them, and give how many there were."""
    return certify_unsigned(mode_directory, device=DEVICE, signing=SigningKey.generate(), note=lambda *_: None)
