"""What a work is to whoever kills it: made ready, run by children, and judged by what the children left."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from edge_lfr.evaluation.torture.laws import Law, Verdict


class Case(Protocol):
    """One kill: a folder as it is before, and the children that work in it."""

    @property
    def folder(self) -> Path:
        """All that the children touch."""
        ...

    @property
    def children(self) -> Sequence[Sequence[str]]:
        """The words of each child."""
        ...

    @property
    def doomed(self) -> frozenset[int]:
        """Which of the children are killed; the others go on."""
        ...

    @property
    def goes_on(self) -> bool:
        """Whether the next case begins with what this one left."""
        ...

    def judge(self, told: Sequence[Sequence[str]]) -> Verdict:
        """Look as the next process would, knowing what each child told."""
        ...


class Work(Protocol):
    """What can be interrupted."""

    @property
    def name(self) -> str: ...

    @property
    def laws(self) -> tuple[Law, ...]:
        """What a look at its remains holds it to."""
        ...

    @property
    def span_s(self) -> float | None:
        """How long it is let live at most; None where it ends by itself, and is measured."""
        ...

    @property
    def mark(self) -> str | None:
        """What a child tells just before its last steps: many moments are drawn from there; None: it has no such."""
        ...

    def prepare(self, folder: Path, chance: random.Random) -> Case:
        """Make the next case; *folder* is empty, and only this work's."""
        ...
