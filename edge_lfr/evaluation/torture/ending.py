"""
A list comes to its end while it is loaded, searched, or destroyed because of it: it is never opened after its end.

The child makes a list that ends in an instant, opens it for as long as it may, and then looks after it as the timer
does. Whoever comes after the kill does so too, and then there is nothing.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from edge_lfr.clock import SystemClock
from edge_lfr.daemon.ending.dead_man import wipe_what_is_due
from edge_lfr.errors import WatchlistEndedError, WatchlistMissingError
from edge_lfr.evaluation.torture.laws import Broken, Law, Verdict
from edge_lfr.evaluation.torture.listed import LAWS, begin, draw_list, keys_below
from edge_lfr.evaluation.torture.lists import Look, MadeList, load, look_into, store_in
from edge_lfr.evaluation.torture.teller import Teller

LONGEST_LIFE_S: Final = 0.15
"""Of a list, from its beginning; some end before they are live. Chosen, not measured."""

MARGIN: Final = timedelta(milliseconds=1)
"""Between asking for the time and opening; who opens just before the end is right to."""


@dataclass(frozen=True, slots=True)
class EndCase:
    """A list whose life is short."""

    folder: Path
    children: tuple[tuple[str, ...], ...]
    keys: dict[str, bytes]
    doomed: frozenset[int] = frozenset({0})
    goes_on: bool = False

    def judge(self, told: Sequence[Sequence[str]]) -> Verdict:
        clock, (lines,) = SystemClock(), told
        ends = [datetime.fromisoformat(line.split()[1]) for line in lines if line.startswith("ends ")]
        late = [Broken(Law.END, f"opened by the child {line}") for line in lines if line.startswith("late")]
        wipe_at = ends[0] if ends else None
        if wipe_at is not None:
            clock.sleep(max(0.0, (wipe_at - clock.utc_now()).total_seconds()))
        look = look_into(store_in(self.folder), self.keys)
        found = (
            "a list that is not opened"
            if look.is_ended
            else "no list"
            if look.content is None
            else "one without an end"
        )
        wiped = wipe_what_is_due(self.folder)
        after = look_into(store_in(self.folder), self.keys)
        kept = (
            [Broken(Law.END, "the clock is not trusted")] if any(not each.verdict.is_trusted for each in wiped) else []
        )
        return Verdict(
            found, (*late, *kept, *look.broken, *after.broken, *_alive(look, after, told_gone="gone" in lines))
        )


def _alive(look: Look, after: Look, *, told_gone: bool) -> Iterator[Broken]:
    # the list before has no end, and may be there where the new one was never made the live one
    for each in (look, after):
        if each.content is not None and each.wipe_at is not None:
            yield Broken(Law.END, f"opened after its end, {each.wipe_at.isoformat()}")
    if after.is_ended:
        yield Broken(Law.END, "still there after the timer's look")
    if told_gone and look.is_ended:
        yield Broken(Law.WIPE, "the timer's look had returned before the kill, and a list is there")


class Ending:
    """A list with a short life, and who looks after it."""

    name = "end of a list"
    laws: tuple[Law, ...] = (*(law for law in LAWS if law not in {Law.LIST, Law.TOLD}), Law.WIPE, Law.END)
    span_s = None
    mark = "ended"

    def prepare(self, folder: Path, chance: random.Random) -> EndCase:
        begin(folder, chance, is_empty=chance.random() < 1 / 2)
        new = draw_list(chance)
        life_s = chance.uniform(0.0, LONGEST_LIFE_S)
        words = (self.name, str(folder), str(new.seed), str(new.count), str(life_s))
        return EndCase(folder=folder, children=(words,), keys=keys_below(folder))


def work(teller: Teller, words: Sequence[str]) -> None:
    """The child."""
    folder, seed, count, life_s = words
    clock = SystemClock()
    teller.wait_for_go()
    store = store_in(Path(folder))
    wipe_at = clock.utc_now() + timedelta(seconds=float(life_s))
    teller.tell("ends", wipe_at.isoformat())
    with suppress(WatchlistEndedError):
        load(store, MadeList(int(seed), int(count)), wipe_at)
        teller.tell("live")
        while True:
            before = clock.utc_now()
            with store.open():
                if before > wipe_at + MARGIN:
                    teller.tell("late", before.isoformat())
    teller.tell("ended")
    with suppress(WatchlistMissingError):
        wipe_what_is_due(Path(folder))
    teller.tell("gone")
