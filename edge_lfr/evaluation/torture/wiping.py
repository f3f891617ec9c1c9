"""The store is wiped: the next one finds nothing, or the whole list; a wipe that was begun is finished."""

import random
from collections.abc import Sequence
from pathlib import Path

from edge_lfr.evaluation.torture.laws import Law
from edge_lfr.evaluation.torture.listed import LAWS, ListCase, begin, keys_below
from edge_lfr.evaluation.torture.lists import store_in
from edge_lfr.evaluation.torture.teller import Teller
from edge_lfr.evaluation.torture.telling import noting


class Wiping:
    """One who wipes, killed."""

    name = "wipe"
    laws: tuple[Law, ...] = (*LAWS, Law.WIPE)
    span_s = None
    mark = None

    def prepare(self, folder: Path, chance: random.Random) -> ListCase:
        old = begin(folder, chance)
        return ListCase(
            folder=folder,
            children=((self.name, str(folder)),),
            before=None if old is None else old.content(),
            after=None,
            done="wiped",
            keys=keys_below(folder),
            is_wipe=True,
        )


def work(teller: Teller, words: Sequence[str]) -> None:
    """The child."""
    (folder,) = words
    teller.wait_for_go()
    store = store_in(Path(folder))
    store.wipe(noting(store))
    teller.tell("wiped")
