"""References are taken out of the live list: the next one finds all of them, or the rest; of a last one, nothing."""

import random
from collections.abc import Sequence
from pathlib import Path

from edge_lfr.evaluation.torture.laws import Law
from edge_lfr.evaluation.torture.listed import LAWS, ListCase, begin, keys_below
from edge_lfr.evaluation.torture.lists import store_in
from edge_lfr.evaluation.torture.teller import Teller


class Removal:
    """One who removes, killed."""

    name = "remove"
    laws: tuple[Law, ...] = (*LAWS, Law.WIPE)
    span_s = None
    mark = None

    def prepare(self, folder: Path, chance: random.Random) -> ListCase:
        has_end = chance.random() < 1 / 2
        old = begin(folder, chance, has_end=has_end)
        before = {} if old is None else dict(old.content())
        wants_all = chance.random() < 1 / 8
        count = len(before) if wants_all else chance.randint(1, max(1, len(before) // 2))
        removed = chance.sample(sorted(before), count)
        rest = {reference_id: digest for reference_id, digest in before.items() if reference_id not in removed}
        return ListCase(
            folder=folder,
            children=((self.name, str(folder), *removed),),
            before=before,
            after=rest or None,
            done="removed",
            keys=keys_below(folder),
            has_end=has_end,
        )


def work(teller: Teller, words: Sequence[str]) -> None:
    """The child."""
    folder, *removed = words
    teller.wait_for_go()
    teller.tell("removed", str(store_in(Path(folder)).remove(removed)))
