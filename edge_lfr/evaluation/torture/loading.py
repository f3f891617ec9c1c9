"""A list is loaded, into an empty store or in another's place: the next one finds that other, or the whole new one."""

import random
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from edge_lfr.clock import SystemClock
from edge_lfr.evaluation.torture.laws import Law
from edge_lfr.evaluation.torture.listed import FAR_END, LAWS, ListCase, begin, draw_list, keys_below
from edge_lfr.evaluation.torture.lists import MadeList, load, store_in
from edge_lfr.evaluation.torture.teller import Teller


class Loading:
    """One loader, killed."""

    name = "load"
    laws: tuple[Law, ...] = LAWS
    span_s = None
    mark = "sealed"

    def prepare(self, folder: Path, chance: random.Random) -> ListCase:
        has_end = chance.random() < 1 / 2
        old = begin(folder, chance, is_empty=chance.random() < 1 / 4, has_end=has_end)
        new = draw_list(chance)
        end = (SystemClock().utc_now() + FAR_END).isoformat() if has_end else "never"
        return ListCase(
            folder=folder,
            children=((self.name, str(folder), str(new.seed), str(new.count), end),),
            before=None if old is None else old.content(),
            after=new.content(),
            done="live",
            keys=keys_below(folder),
            has_end=has_end,
        )


def work(teller: Teller, words: Sequence[str]) -> None:
    """The child."""
    folder, seed, count, end = words
    teller.wait_for_go()
    wipe_at = None if end == "never" else datetime.fromisoformat(end)
    made = MadeList(int(seed), int(count))
    teller.tell("live", load(store_in(Path(folder)), made, wipe_at, on_sealed=lambda: teller.tell("sealed")))
