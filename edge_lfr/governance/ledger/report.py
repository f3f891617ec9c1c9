"""What a verification of a ledger found: what is wrong, what is only to be known, and how far it is vouched for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

MAX_REMARKS: Final = 100
"""Of each kind that are told; the rest is counted (chosen, not measured)."""


class Finding(StrEnum):
    """What must not be in a ledger."""

    NO_BEGINNING = "no-beginning"
    """The first line is missing, or is another."""

    NOT_A_LINE = "not-a-line"
    """Bytes that are no line, and that no later line seals off as torn."""

    EDITED = "edited"
    """A line is not the one that was written."""

    REMOVED = "removed"
    """Lines are missing."""

    OUT_OF_PLACE = "out-of-place"
    """A line was inserted, repeated, or stands after later ones."""

    BAD_HEAD = "bad-head"
    """A head is not the device key's signature over what stands before it."""

    UNSIGNED = "unsigned"
    """A line of weight is followed neither by a head nor by a line that says that it was found without one."""

    TIME = "time"
    """The time goes back, and the line does not say so, or says so wrongly."""

    WRONG_KEY = "wrong-key"
    """The ledger was begun with another device key than the one expected."""

    TRUNCATED = "truncated"
    """Somebody has a head of a line that is no longer there."""

    OTHER_LEDGER = "other-ledger"
    """Somebody has a head of another ledger of the same key."""

    NO_HEADS = "no-heads"
    """Published heads were to be compared, and there is none among what is offered as such."""

    FOREIGN_HEAD = "foreign-head"
    """What is offered as a published head is not one that the ledger's key signed."""


class Note(StrEnum):
    """What may be in a ledger, and should be known."""

    TORN = "torn"
    """A write was cut off, and the next one sealed it off and noted it."""

    TORN_END = "torn-end"
    """The file ends within a line: a write was cut off, or the file was. The next append seals it off."""

    UNVOUCHED = "unvouched"
    """A line of weight had no head when the next was written, which says so: cut off, or added without the key."""

    UNVOUCHED_END = "unvouched-end"
    """The last line has weight and no head: cut off, or added without the key. The next append says so."""

    CLOCK_BACK = "clock-back"
    """The clock went back, and the line says by how much."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One finding or note."""

    row: int
    """Which line of the file, from 1; 0 where it is about none."""

    code: Finding | Note
    words: str

    def as_json(self) -> dict[str, object]:
        return {"row": self.row, "code": self.code.value, "words": self.words}

    def __str__(self) -> str:
        return f"row {self.row}: {self.code}: {self.words}" if self.row else f"{self.code}: {self.words}"


@dataclass(slots=True)
class Remarks:
    """The first ones, and how many there are."""

    told: list[Remark] = field(default_factory=list)
    count: int = 0

    def add(self, row: int, code: Finding | Note, words: str) -> None:
        self.count += 1
        if len(self.told) < MAX_REMARKS:
            self.told.append(Remark(row, code, words))


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerReport:
    """The result of a verification."""

    ledger: str | None
    """Its id; None where the first line names none."""

    device: str | None
    key: str | None
    """The device key's fingerprint as it is shown."""

    lines: int
    events: Mapping[str, int]
    """How many lines of each event."""

    first_at: datetime | None
    last_at: datetime | None
    heads: int
    """Heads that the device key really signed."""

    signed_line: int | None
    """The last line that a head of this ledger vouches for, and with it all before."""

    signed_at: datetime | None
    lines_after: int
    """Lines behind the last head: nothing but the chain vouches for them."""

    unvouched: int
    """
    Lines of weight that stand without the head of their own write.

    A write that was cut off in between leaves such a line, and so does whoever writes without the key: which of the two
    it was, the file cannot tell.
    """

    published: int
    """Published heads that were compared."""

    published_line: int | None
    """The last line that one of them vouches for, with all before; of what was cut off behind it they know nothing."""

    findings: Remarks
    notes: Remarks

    @property
    def is_whole(self) -> bool:
        return self.findings.count == 0

    def as_json(self) -> dict[str, object]:
        return {
            "is_whole": self.is_whole,
            "ledger": self.ledger,
            "device": self.device,
            "key": self.key,
            "lines": self.lines,
            "events": dict(self.events),
            "first_at": None if self.first_at is None else self.first_at.isoformat(),
            "last_at": None if self.last_at is None else self.last_at.isoformat(),
            "heads": self.heads,
            "signed_line": self.signed_line,
            "signed_at": None if self.signed_at is None else self.signed_at.isoformat(),
            "lines_after": self.lines_after,
            "unvouched": self.unvouched,
            "published": self.published,
            "published_line": self.published_line,
            "finding_count": self.findings.count,
            "findings": [remark.as_json() for remark in self.findings.told],
            "note_count": self.notes.count,
            "notes": [remark.as_json() for remark in self.notes.told],
        }
