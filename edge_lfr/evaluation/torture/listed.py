"""What the works on watchlists have in common: a case is a state folder and the lists that are allowed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from edge_lfr.clock import SystemClock
from edge_lfr.evaluation.torture.laws import Broken, Law, Verdict
from edge_lfr.evaluation.torture.lists import Content, Look, MadeList, keys_in, load, look_into, store_in
from edge_lfr.evaluation.torture.telling import untold_in, wipes_in

LAWS: Final = (Law.LIST, Law.REMAINS, Law.KEYS, Law.TOLD, Law.SELF)

LEAST_REFERENCES, MOST_REFERENCES = 150, 200
"""A load of so many takes a tenth of a second; nearly as many each time, so that the measured span holds. Chosen."""

FAR_END: Final = timedelta(days=14)

BEFORE: Final = "the list before"
AFTER: Final = "the new list"
NONE: Final = "no list"


@dataclass(frozen=True, slots=True)
class ListCase:
    """A store, the list before, and the one that may be there after."""

    folder: Path
    children: tuple[tuple[str, ...], ...]
    before: Content | None
    after: Content | None
    done: str
    """The word by which a child tells that the new state holds."""

    keys: dict[str, bytes]
    """Wrapped keys that were there before."""

    has_end: bool = False
    is_wipe: bool = False
    """A certificate is due where there is no list any more, and else none."""

    doomed: frozenset[int] = frozenset({0})
    goes_on: bool = False

    def judge(self, told: Sequence[Sequence[str]]) -> Verdict:
        store = store_in(self.folder)
        look = look_into(store, self.keys)
        is_done = any(line.split()[0] == self.done for lines in told for line in lines)
        broken = [*look.broken, *self._broken(look, is_done=is_done), *untold_in(store, self.keys)]
        wipes, due = wipes_in(store.directory.parent), int(self.is_wipe and look.content is None)
        if wipes != due:
            broken.append(Broken(Law.TOLD, f"{wipes} wipes are certified, of {due}"))
        return Verdict(self.name_of(look.content), tuple(broken))

    def name_of(self, content: Content | None) -> str:
        if content is None:
            return NONE
        return BEFORE if content == self.before else AFTER if content == self.after else "another list"

    def _broken(self, look: Look, *, is_done: bool) -> Iterator[Broken]:
        allowed = (self.after,) if is_done else (self.before, self.after)
        if look.content not in allowed:
            size = "none" if look.content is None else f"one of {len(look.content)} references"
            yield Broken(Law.LIST, f"found: {size}, {self.name_of(look.content)}; told that it was done: {is_done}")
        if look.content is not None and (look.wipe_at is not None) != self.has_end:
            yield Broken(Law.LIST, "its end is another one")
        if look.was_wiped and look.content is not None:
            yield Broken(Law.WIPE, "its key was gone, and a list is live")


def begin(folder: Path, chance: random.Random, *, is_empty: bool = False, has_end: bool = False) -> MadeList | None:
    """Make a state folder with a list in it, or without; give that list."""
    store = store_in(folder, create=True)
    made = None if is_empty else draw_list(chance)
    if made is not None:
        load(store, made, SystemClock().utc_now() + FAR_END if has_end else None)
    return made


def draw_list(chance: random.Random) -> MadeList:
    """A list of its own."""
    return MadeList(chance.randrange(1 << 30), chance.randint(LEAST_REFERENCES, MOST_REFERENCES))


def keys_below(folder: Path) -> dict[str, bytes]:
    """The wrapped keys in a state folder."""
    return keys_in(store_in(folder))
