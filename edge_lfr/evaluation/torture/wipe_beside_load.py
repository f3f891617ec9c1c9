"""
A wipe comes while another process loads a list; either is killed, or both, and who is left goes on to its end.

A wipe that has returned leaves no list, also not the one that was being made; one that was begun ends likewise, by
whoever comes next.
"""

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_lfr.clock import SystemClock
from edge_lfr.errors import WatchlistWipedError
from edge_lfr.evaluation.torture.laws import Broken, Law, Verdict
from edge_lfr.evaluation.torture.listed import LAWS, ListCase, begin, draw_list, keys_below
from edge_lfr.evaluation.torture.lists import MadeList, load, look_into, store_in
from edge_lfr.evaluation.torture.teller import Teller
from edge_lfr.evaluation.torture.telling import noting, untold_in, wipes_in
from edge_lfr.watchlist.sealed.new_list import DATABASE_NAME
from edge_lfr.watchlist.sealed.store import CURRENT, LISTS

LONGEST_PAUSE_S: Final = 0.05
"""Between the beginning of a list and the wipe, at most: about what a load takes. Chosen, not measured."""

POLL_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class BesideCase:
    """Two processes in one store."""

    alone: ListCase
    doomed: frozenset[int]
    goes_on: bool = False

    @property
    def folder(self) -> Path:
        return self.alone.folder

    @property
    def children(self) -> tuple[tuple[str, ...], ...]:
        return self.alone.children

    def judge(self, told: Sequence[Sequence[str]]) -> Verdict:
        store = store_in(self.folder)
        look = look_into(store, self.alone.keys)
        broken = [*look.broken, *untold_in(store, self.alone.keys)]
        if wipes_in(store.directory.parent) and look.content is not None:
            broken.append(Broken(Law.TOLD, f"a wipe is certified, and {self.alone.name_of(look.content)} is live"))
        _, by_wiper = told
        is_wiped = look.was_wiped or "wiped" in by_wiper
        if is_wiped and look.content is not None:
            broken.append(Broken(Law.WIPE, f"{self.alone.name_of(look.content)} is live; it told: {by_wiper}"))
        if look.content is not None and look.content not in (self.alone.before, self.alone.after):
            broken.append(Broken(Law.LIST, f"found one of {len(look.content)} references, neither of the two"))
        return Verdict(self.alone.name_of(look.content), tuple(broken))


class WipeBesideLoad:
    """A loader and one who wipes."""

    name = "wipe beside a load"
    laws: tuple[Law, ...] = (*LAWS, Law.WIPE)
    span_s = None
    mark = "wiping"

    def prepare(self, folder: Path, chance: random.Random) -> BesideCase:
        old = begin(folder, chance, is_empty=chance.random() < 1 / 4)
        new = draw_list(chance)
        pause_s = chance.uniform(0.0, LONGEST_PAUSE_S)
        loader = (self.name, "load", str(folder), str(new.seed), str(new.count))
        wiper = (self.name, "wipe", str(folder), str(pause_s))
        case = ListCase(
            folder=folder,
            children=(loader, wiper),
            before=None if old is None else old.content(),
            after=new.content(),
            done="",
            keys=keys_below(folder),
        )
        return BesideCase(case, chance.choice((frozenset({0}), frozenset({1}), frozenset({0, 1}))))


def work(teller: Teller, words: Sequence[str]) -> None:
    """One of the two children."""
    verb, folder, *rest = words
    teller.wait_for_go()
    if verb == "load":
        seed, count = rest
        with suppress(WatchlistWipedError):
            teller.tell("live", load(store_in(Path(folder)), MadeList(int(seed), int(count))))
        return
    store, clock = store_in(Path(folder)), SystemClock()
    current = store.directory / CURRENT
    live = current.read_text(encoding="ascii").strip() if current.exists() else None
    # a list that is begun after the wipe is nobody's fault: wait until there is one
    while not _has_begun(store.directory / LISTS, live) and not teller.is_over():
        clock.sleep(POLL_S)
    clock.sleep(float(rest[0]))
    teller.tell("wiping")
    store.wipe(noting(store))
    teller.tell("wiped")


def _has_begun(lists: Path, live: str | None) -> bool:
    return any(path.parent.name != live for path in lists.glob(f"*/{DATABASE_NAME}"))
