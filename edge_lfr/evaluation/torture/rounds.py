"""The plan and its rounds: every work is measured once, then killed so many times at random moments, and judged."""

import random
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Final, Protocol

from edge_lfr.clock import SystemClock
from edge_lfr.evaluation.bench.report import Row
from edge_lfr.evaluation.torture.alerts import AlertStoring
from edge_lfr.evaluation.torture.ending import Ending
from edge_lfr.evaluation.torture.laws import Broken, Law, Verdict
from edge_lfr.evaluation.torture.ledger import LedgerWriting
from edge_lfr.evaluation.torture.loading import Loading
from edge_lfr.evaluation.torture.moments import FIRST_S, draw_moment, draw_soon
from edge_lfr.evaluation.torture.removal import Removal
from edge_lfr.evaluation.torture.victim import Victim
from edge_lfr.evaluation.torture.wipe_beside_load import WipeBesideLoad
from edge_lfr.evaluation.torture.wiping import Wiping
from edge_lfr.evaluation.torture.work import Case, Work

PLAN: Final[Mapping[str, tuple[int, int]]] = {
    Loading.name: (120, 8),
    Removal.name: (90, 6),
    Wiping.name: (70, 6),
    WipeBesideLoad.name: (70, 6),
    Ending.name: (50, 4),
    LedgerWriting.name: (50, 5),
    AlertStoring.name: (50, 5),
}
"""Kills of each work: in full, which are 500, and quickly, which are 40. Chosen: most where most files change names."""

MEASURED: Final = 3
MANY: Final = 20
"""Runs without a kill; the middle one tells how long a work takes; one, where there are not many kills. Chosen."""

TRIES: Final = 6
"""For each kill: a child that ended before its moment is none, and another one is begun. Chosen, not measured."""

KILLS_A_DEED: Final = 10
"""
Each thing that a work does, it does at least once in so many kills, and any of them in each; chosen.

In five kills of a loaded machine two alerts were held, the rarest of all (`scripts/torture --quick`).
"""

SURVIVAL_S: Final = 0.02
"""How long those who are not killed go on at least, where their work has no end; chosen, not measured."""


class Chronicler(Protocol):
    """Who takes down what was broken."""

    def broken(self, work: str, number: int, moment_s: float, broken: Broken, folder: Path) -> None: ...

    def count(self, done: int, total: int) -> None: ...


@dataclass(slots=True)
class Tally:
    """What the kills of one work came to."""

    name: str
    laws: tuple[Law, ...]
    wanted: int
    kills: int = 0
    missed: int = 0
    """The child had ended before its moment."""

    span_s: float = 0.0
    found: Counter[str] = field(default_factory=Counter)
    broken: Counter[Law] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)

    def rows(self) -> Iterator[Row]:
        yield Row.at_least(f"{self.name}: kills", self.kills, self.wanted, "kills")
        yield Row.shown(f"{self.name}: its span", round(1e3 * self.span_s), "ms")
        for found, count in sorted(self.found.items()):
            yield Row.shown(f"{self.name}: then found {found}", count, "times")
        for deed, count in self.done.items():
            yield Row.at_least(f"{self.name}: {deed}", count, self.wanted // KILLS_A_DEED, "times")
        if self.done:
            yield Row.at_least(f"{self.name}: done in all", self.done.total(), self.wanted, "times")
        for law in self.laws:
            yield Row.exactly(f"{self.name}: {law}", self.broken[law], 0)


def works() -> tuple[Work, ...]:
    """What needs nothing but this machine."""
    return Loading(), Removal(), Wiping(), WipeBesideLoad(), Ending(), LedgerWriting(), AlertStoring()


def torture(work: Work, folder: Path, kills: int, seed: int, chronicler: Chronicler) -> Tally:
    """
    Kill *work* so many times.

    Args:
        work: Whatever can be interrupted.

        folder: Empty, for this work.

        kills: How many.

        seed: Of every draw; the moment at which a signal arrives is the machine's all the same.

        chronicler: Told of what was broken.

    Raises:
        RehearsalError: A child does not begin, or does not end.
    """
    chance = random.Random(f"{seed} {work.name}")  # noqa: S311 - picks moments, not keys
    tally = Tally(work.name, work.laws, kills)
    folder.mkdir()
    if work.span_s is None:
        runs = MEASURED if kills >= MANY else 1
        tally.span_s = median(_measured(work, folder / f"measured-{number}", chance) for number in range(runs))
    else:
        tally.span_s = work.span_s
    number = 0
    while tally.kills < kills and number < kills * TRIES:
        number += 1
        own = folder / f"{number}"
        own.mkdir()
        case = work.prepare(own, chance)
        mark = work.mark if chance.randrange(3) == 0 else None
        moment_s = draw_moment(chance, tally.span_s) if mark is None else draw_soon(chance, tally.span_s)
        is_killed, verdict = _killed(case, mark, moment_s, folder)
        tally.kills += is_killed
        tally.missed += not is_killed
        if is_killed:
            tally.found[verdict.found] += 1
        tally.done.update(verdict.done)
        for broken in verdict.broken:
            tally.broken[broken.law] += 1
            chronicler.broken(work.name, number, moment_s, broken, case.folder)
        chronicler.count(tally.kills, kills)
        if not case.goes_on:
            shutil.rmtree(case.folder, ignore_errors=True)
    return tally


def _measured(work: Work, folder: Path, chance: random.Random) -> float:
    """How long a run takes that nobody kills."""
    folder.mkdir()
    case = work.prepare(folder, chance)
    clock = SystemClock()
    with ExitStack() as running:
        victims = _begun(running, case, folder)
        before_ns = clock.monotonic_ns()
        for victim in victims:
            victim.go()
        return (max([victim.wait_for_end() for victim in victims]) - before_ns) / 1e9


def _killed(case: Case, mark: str | None, moment_s: float, folder: Path) -> tuple[bool, Verdict]:
    clock = SystemClock()
    with ExitStack() as running:
        victims = _begun(running, case, folder)
        for victim in victims:
            victim.go()
        while mark is not None and not any(victim.has_told(mark) for victim in victims):
            clock.sleep(FIRST_S)
        clock.sleep(moment_s)
        for number in case.doomed:
            victims[number].kill()
        if len(case.doomed) < len(victims):
            clock.sleep(SURVIVAL_S)
        told = [victim.finish() for victim in victims]
        is_killed = all(victims[number].is_killed for number in case.doomed)
        failed = tuple(Broken(Law.SELF, victim.last_words()) for victim in victims if victim.has_failed)
        verdict = case.judge(told)
        return is_killed, replace(verdict, broken=(*failed, *verdict.broken))


def _begun(running: ExitStack, case: Case, folder: Path) -> list[Victim]:
    victims = [
        running.enter_context(closing(Victim(words, folder / f"child-{number}.log")))
        for number, words in enumerate(case.children)
    ]
    for victim in victims:
        victim.wait_until_ready()
    return victims
