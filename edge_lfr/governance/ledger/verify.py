"""
Is this the ledger that was written? Lines enter, as they are read; a report leaves; memory does not grow with the file.

(1) Every line is one, in the only form that there is; bytes that are none are sealed off by a `torn` line that names
them. (2) Every line has the next number and the digest of the line before. (3) The time does not go back without the
line saying so. (4) The first line names the device key, and it is the expected one. (5) Every head is that key's
signature over the line before it. (6) Every line of weight has its head. (7) Every published head is found.

A line of weight and its head are one write. A write that was cut off just between the two leaves the line alone at the
end, and so does somebody who adds a line without the key: the file cannot tell which. Such a line is noted, and not
taken for a break: a power cut breaks no ledger. Before it writes anything behind it, the ledger names it as unvouched,
under its signature, so that no head ever stands for it in silence. Anywhere else a line of weight without a head is a
finding; so is the beginning without its head, which has no name on the disk before both are there.

Whoever has the device key can write another history that passes (1) to (6); only (7) is stronger than that.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge_lfr.governance.ledger.events import LedgerEvent, is_weighty
from edge_lfr.governance.ledger.file import MAX_TORN_BYTES, Piece
from edge_lfr.governance.ledger.head import head_in, public_key_of
from edge_lfr.governance.ledger.lines import FIRST_PREVIOUS, LedgerLine, digest_of, read_line
from edge_lfr.governance.ledger.published import Published, PublishedHead
from edge_lfr.governance.ledger.report import Finding, LedgerReport, Note, Remarks
from edge_lfr.governance.trust import fingerprint_of, shown_fingerprint

OTHER_EVENTS: Final = "of-another-version"
"""Under which events that this version does not know are counted."""

_SEALS: Final = frozenset({LedgerEvent.TORN, LedgerEvent.UNVOUCHED})
"""They say in what state the end of the file was found."""

_KNOWN: Final = frozenset(event.value for event in LedgerEvent)


def verify_ledger(
    pieces: Iterable[Piece], *, expected_key: str | None = None, published: Iterable[PublishedHead] | None = None
) -> LedgerReport:
    """
    Verify a ledger from its first line to its end.

    Args:
        pieces: The file, as `ledger_file.pieces_of` or `split` gives it.

        expected_key: The device key's fingerprint, 64 hex digits or as it is shown; None takes the ledger's word.

        published: Heads that somebody else kept; None compares with none, and no head at all is a finding.

    Returns:
        Everything that was found; a broken ledger is a result, not an error.
    """
    verification = _Verification(expected_key, published)
    for piece in pieces:
        verification.take(piece)
    return verification.finish()


class _Junk:
    """Bytes that are no line, since the last one that was."""

    def __init__(self, row: int, before: bytes) -> None:
        self.row = row
        self.size = 0
        self.is_ended = True
        self._digest = sha256()
        self._chained = sha256(before)
        self._is_first = True

    def add(self, piece: Piece) -> None:
        if piece.begins:
            self._chained.update(b"\n")
            if not self._is_first:
                self._digest.update(b"\n")
                self.size += 1
        self._is_first = False
        self._digest.update(piece.untrusted)
        self._chained.update(piece.untrusted)
        self.size += len(piece.untrusted)
        self.is_ended = piece.ends

    def is_sealed_by(self, line: LedgerLine) -> bool:
        """Whether that line says that exactly these bytes were torn."""
        facts = {name: line.facts.get(name) for name in ("bytes", "sha256")}
        return (
            line.event == LedgerEvent.TORN
            and self.size <= MAX_TORN_BYTES
            and line.previous == self._chained.hexdigest()
            and facts == {"bytes": self.size, "sha256": self._digest.hexdigest()}
        )


class _Verification:
    """One pass over one ledger."""

    def __init__(self, expected_key: str | None, published: Iterable[PublishedHead] | None) -> None:
        self._expected_key = expected_key
        self._offered = published
        self._published = Published()
        self._findings = Remarks()
        self._notes = Remarks()
        self._events: Counter[str] = Counter()
        self._row = 0
        self._junk: _Junk | None = None
        self._begun: LedgerLine | None = None
        self._public: Ed25519PublicKey | None = None
        self._first_at: datetime | None = None
        self._last: LedgerLine | None = None
        self._last_bytes = b""
        self._last_row = 0
        self._last_n = 0
        self._heads = 0
        self._head: LedgerLine | None = None
        self._lines_after = 0
        self._unvouched = 0
        self._is_published = False

    def take(self, piece: Piece) -> None:
        """The next line, or the next piece of one that is too long."""
        self._row += piece.begins
        line = read_line(piece.untrusted) if piece.begins else None
        if line is None:
            if self._junk is None:
                self._junk = _Junk(self._row, self._last_bytes)
            self._junk.add(piece)
            return
        if not piece.ends:
            self._notes.add(self._row, Note.TORN_END, "the end of the last line is missing; it counts all the same")
        junk, self._junk = self._junk, None
        if self._last is None:
            self._begin(line, junk)
        elif not self._follows(line, self._last, junk):
            return
        self._count(line)
        self._last, self._last_bytes, self._last_row = line, piece.untrusted, self._row
        self._is_published = self._published.compare(
            self._row, self._last_n, digest_of(piece.untrusted), self._findings
        )

    def _begin(self, line: LedgerLine, junk: _Junk | None) -> None:
        """(4) The first line names the key."""
        if junk is not None:
            self._tell_junk(junk)
        if (line.n, line.previous, line.event) == (1, FIRST_PREVIOUS, LedgerEvent.BEGUN):
            self._begun = line
            self._public = public_key_of(line)
        if self._public is None:
            words = f"the first line is not the beginning of a ledger, but line {line.n}: no head can be checked"
            self._findings.add(self._row, Finding.NO_BEGINNING, words)
        elif self._expected_key is not None and not is_shown_as(fingerprint_of(self._public), self._expected_key):
            words = f"begun with the device key {shown_fingerprint(fingerprint_of(self._public))}, not the expected one"
            self._findings.add(self._row, Finding.WRONG_KEY, words)
        self._published.believe(self._offered, self._ledger_id, self._public, self._findings)
        self._last_n = line.n
        self._first_at = line.at

    def _follows(self, line: LedgerLine, last: LedgerLine, junk: _Junk | None) -> bool:
        """Whether the ledger goes on with this line; what does not fit is told."""
        # (1) bytes that are no line are sealed off
        is_chained = line.previous == digest_of(self._last_bytes)
        if line.event == LedgerEvent.TORN:
            seal = _Junk(self._row, self._last_bytes) if junk is None else junk
            if is_chained := seal.is_sealed_by(line):
                self._notes.add(self._row, Note.TORN, f"{seal.size} bytes of a write that was cut off")
                junk = None
        if junk is not None:
            self._tell_junk(junk)
        # (2) the next number and the digest of the line before
        if line.n <= self._last_n and not is_chained:
            words = f"line {line.n} stands behind line {self._last_n}: repeated, inserted, or moved here"
            self._findings.add(self._row, Finding.OUT_OF_PLACE, words)
            return False
        self._check_order(line, is_chained=is_chained, is_behind_junk=junk is not None)
        if is_chained:
            self._check_time(line, last)
            if is_weighty(last.event) and line.event != LedgerEvent.HEAD:
                named = (line.facts.get("line"), line.facts.get("line_sha256"))
                is_named = line.event in _SEALS and named == (last.n, digest_of(self._last_bytes))
                self._tell_unvouched(last, Note.UNVOUCHED if is_named else None)
        self._last_n = self._last_n + 1 if is_chained else line.n
        return True

    def _check_order(self, line: LedgerLine, *, is_chained: bool, is_behind_junk: bool) -> None:
        """(2) Number and digest, of a line that goes on from here."""
        expected_n = self._last_n + 1
        if line.n != expected_n and is_chained:
            self._findings.add(self._row, Finding.EDITED, f"it has the number {line.n}, expected {expected_n}")
        elif line.n != expected_n and not is_behind_junk:
            words = f"lines {expected_n} to {line.n - 1} are missing before line {line.n}"
            self._findings.add(self._row, Finding.REMOVED, words)
        elif line.n == expected_n and not is_chained:
            words = f"line {self._last_n} (row {self._last_row}) is not the one that line {line.n} was written behind"
            self._findings.add(self._row, Finding.EDITED, words)
        if line.event == LedgerEvent.BEGUN:
            self._findings.add(self._row, Finding.OUT_OF_PLACE, f"line {line.n} begins a ledger within this one")

    def _check_time(self, line: LedgerLine, last: LedgerLine) -> None:
        """(3) The time does not go back without the line saying so."""
        behind_us = max(0, (last.at - line.at) // timedelta(microseconds=1))
        if line.facts.get("clock_behind_us", 0) != behind_us or ("clock_behind_us" in line.facts) != (behind_us > 0):
            words = f"line {line.n} is {behind_us / 1e6:g} s earlier than the line before, and says something else"
            self._findings.add(self._row, Finding.TIME, words)
        elif behind_us:
            self._notes.add(self._row, Note.CLOCK_BACK, f"the clock had gone back by {behind_us / 1e6:g} s")

    def _tell_unvouched(self, last: LedgerLine, note: Note | None) -> None:
        """(6) Every line of weight has its head; one without is noted where a power cut can have left it so."""
        if note is None or last.event == LedgerEvent.BEGUN:
            words = f"line {last.n} ({last.event}) has no head behind it"
            self._findings.add(self._last_row, Finding.UNSIGNED, words)
            return
        self._unvouched += 1
        words = f"nobody vouches for line {last.n} ({last.event}): a write was cut off, or it was added without the key"
        self._notes.add(self._last_row, note, words)

    def _count(self, line: LedgerLine) -> None:
        self._events[line.event if line.event in _KNOWN else OTHER_EVENTS] += 1
        self._lines_after += 1
        if line.event != LedgerEvent.HEAD and "signature" not in line.facts:
            return
        # (5) the key's signature over the line before
        if self._public is not None and head_in(line, self._public, str(self._ledger_id)) is not None:
            self._heads += 1
            self._head = line
            self._lines_after = 0
        elif self._public is not None:
            words = f"line {line.n} is not the device key's signature over line {line.n - 1}"
            self._findings.add(self._row, Finding.BAD_HEAD, words)

    def finish(self) -> LedgerReport:
        """What the end of the file says, and (7) whether every published head was found."""
        junk = self._junk
        if self._last is None:
            self._findings.add(0, Finding.NO_BEGINNING, "there is no line in it")
            self._published.believe(self._offered, None, None, self._findings)
        elif junk is not None and (junk.is_ended or junk.size > MAX_TORN_BYTES):
            self._tell_junk(junk)
        elif junk is not None:
            words = f"{junk.size} bytes behind line {self._last_n} are no whole line; the next append seals them off"
            self._notes.add(junk.row, Note.TORN_END, words)
        if self._last is not None and is_weighty(self._last.event) and not self._is_published:
            self._tell_unvouched(self._last, Note.UNVOUCHED_END)
        self._published.finish(self._last_n, self._findings)
        return LedgerReport(
            ledger=self._ledger_id,
            device=None if self._begun is None else str(self._begun.facts.get("device")),
            key=None if self._public is None else shown_fingerprint(fingerprint_of(self._public)),
            lines=self._events.total(),
            events=self._events,
            first_at=self._first_at,
            last_at=None if self._last is None else self._last.at,
            heads=self._heads,
            signed_line=None if self._head is None else self._head.n - 1,
            signed_at=None if self._head is None else self._head.at,
            lines_after=self._lines_after,
            unvouched=self._unvouched,
            published=self._published.compared,
            published_line=self._published.last_n,
            findings=self._findings,
            notes=self._notes,
        )

    @property
    def _ledger_id(self) -> str | None:
        return None if self._begun is None else str(self._begun.facts.get("ledger"))

    def _tell_junk(self, junk: _Junk) -> None:
        self._findings.add(junk.row, Finding.NOT_A_LINE, f"{junk.size} bytes that are no line of a ledger")


def is_shown_as(fingerprint: str, named: str) -> bool:
    """Whether *named* (64 hex digits, or the form that people see) names that key."""
    return named in {fingerprint, shown_fingerprint(fingerprint)}
