"""
Two processes append to one ledger; one is killed, or both: the chain verifies, and what they had told of is there.

Where both are killed, the file is sometimes cut at a byte behind the last line that was told, as a power cut may leave
it: an append that returned is on the disk, and nothing else need be.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final

from edge_lfr.clock import SystemClock
from edge_lfr.evaluation.torture.laws import Broken, Law, Verdict
from edge_lfr.evaluation.torture.teller import Teller
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME, split
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.ledger.lines import Actor, Part, read_line
from edge_lfr.governance.ledger.report import LedgerReport, Note
from edge_lfr.governance.ledger.verify import verify_ledger
from edge_lfr.governance.trust import SigningKey

DEVICE: Final = "anytown/van-1/training"
ALERT: Final = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
DIGEST: Final = "ab" * 32
KEY_BYTES: Final = bytes([7]) * 32
"""The device key of every made ledger."""

KILLS_A_LEDGER: Final = 20
"""Then another one is begun; chosen, not measured."""

WRITERS: Final = 2

KILLED_TOGETHER: Final = frozenset(range(WRITERS))


def ledger_in(folder: Path) -> Ledger:
    """Open it, or begin it; what is torn is sealed off."""
    return Ledger.open(folder / FILE_NAME, SigningKey.from_raw(KEY_BYTES), SystemClock(), device=DEVICE)


def verified(folder: Path) -> LedgerReport:
    """Verify it as it lies there."""
    data = (folder / FILE_NAME).read_bytes()
    return verify_ledger(split(BytesIO(data), len(data)), expected_key=SigningKey.from_raw(KEY_BYTES).fingerprint)


def numbers_in(folder: Path) -> list[int]:
    """The number of every event that was appended, in the order of the file."""
    lines = (read_line(row) for row in (folder / FILE_NAME).read_bytes().splitlines())
    return [int(line.facts["sequence"]) for line in lines if line is not None and "sequence" in line.facts]


@dataclass(slots=True)
class History:
    """A ledger over some kills."""

    folder: Path
    told: set[int] = field(default_factory=set)
    kills: int = 0


@dataclass(frozen=True, slots=True)
class LedgerCase:
    """The next kill of a ledger."""

    history: History
    children: tuple[tuple[str, ...], ...]
    doomed: frozenset[int]
    cut: float | None
    """Where the file is cut, as a share of what nobody was told of; None leaves it."""

    is_opened: bool
    """Whether somebody opens the ledger before it is verified."""

    @property
    def folder(self) -> Path:
        return self.history.folder

    @property
    def goes_on(self) -> bool:
        return self.history.kills < KILLS_A_LEDGER

    def judge(self, told: Sequence[Sequence[str]]) -> Verdict:
        history = self.history
        history.kills += 1
        history.told.update(int(line) for lines in told for line in lines)
        if self.cut is not None:
            cut_behind(self.folder / FILE_NAME, history.told, self.cut)
        before = verified(self.folder)
        is_torn = any(remark.code is Note.TORN_END for remark in before.notes.told)
        found = "a torn end" if is_torn else "a whole end"
        broken = list(_broken(before))
        if self.is_opened:
            ledger_in(self.folder)
            after = verified(self.folder)
            broken += _broken(after)
            noted = sum(remark.code is Note.TORN for remark in after.notes.told)
            if noted < sum(remark.code is Note.TORN for remark in before.notes.told) + is_torn:
                broken.append(Broken(Law.TORN, f"{noted} notes after the ledger was opened"))
        there = numbers_in(self.folder)
        if lost := history.told - set(there):
            broken.append(Broken(Law.LINES, f"{len(lost)} of {len(history.told)} are lost"))
        if doubled := len(there) - len(set(there)):
            broken.append(Broken(Law.LINES, f"{doubled} are there twice"))
        if broken:
            history.kills = KILLS_A_LEDGER  # told once is enough
        return Verdict(found, tuple(broken), {"lines told of": sum(map(len, told))})


def cut_behind(path: Path, told: set[int], share: float) -> None:
    """Cut the file at some byte behind the last line that somebody was told of, and the head that came with it."""
    data = path.read_bytes()
    keep = at = 0
    is_needed = True  # the beginning
    for row in data.splitlines(keepends=True):
        line = read_line(row.rstrip(b"\n"))
        at += len(row)
        is_head = line is not None and line.event == LedgerEvent.HEAD
        is_needed = line is not None and (line.n == 1 or line.facts.get("sequence") in told or (is_head and is_needed))
        if is_needed:
            keep = at
    with path.open("r+b") as file:
        file.truncate(keep + round(share * (len(data) - keep)))


def _broken(report: LedgerReport) -> Iterator[Broken]:
    if not report.is_whole:
        yield Broken(Law.CHAIN, "; ".join(str(remark) for remark in report.findings.told[:3]))


class LedgerWriting:
    """Two writers."""

    name = "ledger"
    laws: tuple[Law, ...] = (Law.CHAIN, Law.LINES, Law.TORN, Law.SELF)
    span_s = 0.2
    mark = None

    def __init__(self) -> None:
        self._history: History | None = None

    def prepare(self, folder: Path, chance: random.Random) -> LedgerCase:
        if self._history is None or self._history.kills >= KILLS_A_LEDGER:
            self._history = History(folder)
            ledger_in(folder)
        history = self._history
        first = history.kills * 10**8
        doomed = chance.choice((frozenset({0}), frozenset({1}), KILLED_TOGETHER))
        is_cut = doomed == KILLED_TOGETHER and chance.random() < 1 / 2
        return LedgerCase(
            history=history,
            children=tuple((self.name, str(history.folder), str(first + writer * 10**7)) for writer in range(WRITERS)),
            doomed=doomed,
            cut=chance.random() if is_cut else None,
            is_opened=chance.random() < 1 / 2,
        )


def work(teller: Teller, words: Sequence[str]) -> None:
    """One writer: lines with and without weight, each with a number of its own."""
    folder, first = words
    number = int(first)
    daemon = Actor.of_part(Part.DAEMON)
    teller.wait_for_go()
    ledger = ledger_in(Path(folder))
    while not teller.is_over():
        if number % 2:
            ledger.append(LedgerEvent.SIGHTING, daemon, {"alert": ALERT, "sequence": number})
        else:
            ledger.append(LedgerEvent.ALERT, daemon, {"alert": ALERT, "watchlist_sha256": DIGEST, "sequence": number})
        teller.tell(str(number))
        number += 1
