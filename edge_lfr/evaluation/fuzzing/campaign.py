"""
Many mutants of every target, one after the other, and what came of them as rows.

The same seed gives the same changes: a case is named by target, seed and number. What must not be (an escape, a forged
thing that is accepted, a file left behind, a case that lasts) is kept with its bytes where somebody names a folder.
"""

import json
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from edge_lfr.errors import EdgeLfrError
from edge_lfr.evaluation.bench.report import Row, Witness
from edge_lfr.evaluation.fuzzing.byte_changes import changed_bytes
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, Target, Verdict
from edge_lfr.evaluation.fuzzing.watching import HungError, Watch, open_files, watched

LIMIT_S: Final = 2.0
"""No case of some kilobytes may last for longer, on a machine that has time for it."""

TRIES: Final = 3
"""A case over the limit is tried again: what a busy machine does to one, it does not do to all three. Chosen."""

TOLD_CODES: Final = 6
"""Of a target, the most frequent; the rest is counted. Chosen."""

SPARE_FILES: Final = 8
"""Descriptors that libraries open once and keep; chosen, not measured."""

KEPT_FAILURES: Final = 40
"""Of one target; more of them say nothing new. Chosen."""


@dataclass(slots=True)
class Tally:
    """What came of one target."""

    name: str
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    anew: int = 0
    """Cases that were signed anew, by a key that may."""

    escapes: Counter[str] = field(default_factory=Counter)
    """By exception and place."""

    left: int = 0
    slow: int = 0
    busy: int = 0
    without_code: int = 0
    longest_s: float = 0.0
    opened: int = 0
    limit_s: float = LIMIT_S

    @property
    def cases(self) -> int:
        return self.verdicts.total() + self.escapes.total()

    def rows(self) -> Iterator[Row]:
        """The counts, then what must be zero."""
        yield Row.shown(f"{self.name}: cases", self.cases, "cases")
        yield Row.shown(f"{self.name}: of them signed anew by a key that may", self.anew, "cases")
        yield Row.shown(f"{self.name}: refused", self.verdicts[Verdict.REFUSED], "cases")
        for code, count in self.codes.most_common(TOLD_CODES):
            yield Row.shown(f"{self.name}: refused: {code}", count, "cases")
        rest = self.codes.most_common()[TOLD_CODES:]
        if rest:
            others = sum(count for _, count in rest)
            yield Row.shown(f"{self.name}: refused: {len(rest)} other codes", others, "cases")
        yield Row.shown(f"{self.name}: accepted, says what a specimen says", self.verdicts[Verdict.UNCHANGED], "cases")
        words = "accepted, says what its writer may say"
        yield Row.shown(f"{self.name}: {words}", self.verdicts[Verdict.BELIEVED], "cases")
        yield Row.shown(f"{self.name}: longest case", round(self.longest_s, 3), "s")
        yield Row.shown(f"{self.name}: over {self.limit_s:g} s, but not again", self.busy, "cases")
        yield Row.exactly(f"{self.name}: accepted, and nobody signed it", self.verdicts[Verdict.FORGED], 0, "cases")
        yield Row.exactly(f"{self.name}: refused without a code", self.without_code, 0, "cases")
        yield Row.exactly(f"{self.name}: over {self.limit_s:g} s, {TRIES} times", self.slow, 0, "cases")
        yield Row.exactly(f"{self.name}: files left behind", self.left, 0, "cases")
        yield Row.at_most(f"{self.name}: descriptors left open", self.opened, SPARE_FILES)
        where = "; ".join(f"{place} ({count})" for place, count in self.escapes.most_common(TOLD_CODES))
        yield Row.exactly(f"{self.name}: escapes{f': {where}' if where else ''}", self.escapes.total(), 0, "cases")


@dataclass(frozen=True, slots=True)
class Campaign:
    """How it is drawn, and where failures are kept."""

    seed: int
    kept_in: Path | None
    """None: failures are counted and not kept."""

    def attack(self, target: Target, cases: int, witness: Witness) -> Tally:
        """The specimens themselves, which must be accepted, and then *cases* mutants."""
        tally = Tally(target.name, limit_s=getattr(target, "limit_s", LIMIT_S))
        with watched() as watch:
            opened_before = open_files()
            for number, specimen in enumerate(target.specimens):
                self._case(target, Mutant(specimen, "specimen"), -1 - number, watch, tally)
            if set(tally.verdicts) - {Verdict.UNCHANGED}:
                tally.escapes["a sound specimen was not accepted as it is"] += 1
            for number in range(cases):
                self._case(target, self._mutant(target, number), number, watch, tally)
                witness.count(number + 1, cases)
            tally.opened = max(0, open_files() - opened_before)
        return tally

    def _mutant(self, target: Target, number: int) -> Mutant:
        drawn = Random(f"{self.seed}/{target.name}/{number}")  # noqa: S311 - makes cases, not keys
        if drawn.random() < 1 / 2:
            return target.structured(drawn)
        return Mutant(*changed_bytes(drawn, target.specimens))

    def _case(self, target: Target, mutant: Mutant, number: int, watch: Watch, tally: Tally) -> None:
        tally.anew += mutant.is_signed_anew
        faults: list[str] = []
        seconds = []
        outcome: Outcome | None = None
        for _ in range(TRIES):
            watch.clear()
            began_s = time.monotonic()
            try:
                with watch.case():
                    outcome = target.attempt(mutant, watch.folder)
            except HungError as error:
                faults.append(_place_of(error))
            except Exception as error:  # noqa: BLE001 - to see what escapes is what this is for
                faults.append(_place_of(error))
            seconds.append(time.monotonic() - began_s)
            if seconds[-1] <= tally.limit_s or faults:
                break
        tally.longest_s = max(tally.longest_s, min(seconds))
        if min(seconds) > tally.limit_s:
            tally.slow += 1
            faults.append("slow")
        elif len(seconds) > 1:
            tally.busy += 1
        self._count(outcome, faults, watch, tally)
        if faults and self.kept_in is not None and tally.escapes.total() <= KEPT_FAILURES:
            self._keep(target, mutant, number, faults)

    def _count(self, outcome: Outcome | None, faults: list[str], watch: Watch, tally: Tally) -> None:
        faults += watch.elsewhere
        escaped = [fault for fault in faults if fault != "slow"]
        if escaped or outcome is None:
            tally.escapes[escaped[0] if escaped else "hung"] += 1
            return
        tally.verdicts[outcome.verdict] += 1
        if outcome.verdict is Verdict.FORGED:
            faults.append("forged")
        if outcome.verdict is Verdict.REFUSED:
            tally.codes[outcome.code] += 1
            if outcome.code in {"", EdgeLfrError.code}:
                tally.without_code += 1
                faults.append("refused without a code")
            left = watch.left_behind()
            tally.left += bool(left)
            faults += left

    def _keep(self, target: Target, mutant: Mutant, number: int, faults: Sequence[str]) -> None:
        """The bytes, and how to make them again; nothing in them is of anybody."""
        assert self.kept_in is not None  # noqa: S101 - asked by the caller
        self.kept_in.mkdir(parents=True, exist_ok=True)
        stem = f"{target.name.replace(' ', '-')}-{self.seed}-{number}"
        (self.kept_in / f"{stem}.bin").write_bytes(mutant.untrusted)
        facts = {
            "target": target.name,
            "seed": self.seed,
            "number": number,
            "how": mutant.how,
            "is_signed_anew": mutant.is_signed_anew,
            "faults": list(faults),
            "aid": getattr(target, "aid", ""),
        }
        (self.kept_in / f"{stem}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _place_of(error: BaseException) -> str:
    """Which exception, and the last line of ours that it came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "edge_lfr" in frame.filename]
    frame = frames[-1] if frames else None
    place = "" if frame is None else f" in {Path(frame.filename).name}, line {frame.lineno}"
    words = f": {error}" if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__}{place}{words}"
