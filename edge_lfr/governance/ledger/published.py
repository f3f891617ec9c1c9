"""
Heads that somebody else kept: one signed document a line, as the control room stores them.

They are believed when the ledger's own key signed them, and then every one must be found in the ledger.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge_lfr.errors import LedgerError, TrustError
from edge_lfr.governance.ledger.head import MAX_HEAD_BYTES, LedgerHead
from edge_lfr.governance.ledger.report import Finding, Remarks

MAX_PUBLISHED: Final = 100_000
"""A minute each of a year's deployments; chosen, not measured."""


@dataclass(frozen=True, slots=True)
class PublishedHead:
    """One line of the file; without a head where it is none."""

    row: int
    head: LedgerHead | None


def read_published(file: BinaryIO) -> Iterable[PublishedHead]:
    """
    Read every line that is not empty.

    Raises:
        LedgerError: There are too many.
    """
    row = 0
    while untrusted := file.readline(MAX_HEAD_BYTES + 1):
        row += 1
        if row > MAX_PUBLISHED:
            message = f"more than {MAX_PUBLISHED} published heads"
            raise LedgerError(message, remedy="give the newest ones: each vouches for everything before it")
        whole = untrusted
        while not whole.endswith(b"\n") and len(whole) > MAX_HEAD_BYTES:
            whole = file.readline(MAX_HEAD_BYTES + 1)  # too long to be one; its rest is no line of its own
        if not untrusted.strip():
            continue
        try:
            head = LedgerHead.read(untrusted.strip()) if len(untrusted) <= MAX_HEAD_BYTES else None
        except (TrustError, ValueError):
            head = None
        yield PublishedHead(row, head)


@dataclass(slots=True)
class Published:
    """What others know of this ledger, and what of it was found."""

    compared: int = 0
    last_n: int | None = None
    """The last line of which one was compared."""

    _expected: dict[int, set[str]] = field(default_factory=dict)

    def believe(
        self,
        heads: Iterable[PublishedHead] | None,
        ledger: str | None,
        public: Ed25519PublicKey | None,
        findings: Remarks,
    ) -> None:
        """
        Keep those of this ledger that its key signed; where the ledger names no key, none can be.

        None says that none are to be compared; whoever gives an empty file wanted them to be.
        """
        if heads is None:
            return
        is_empty = True
        for each in heads:
            is_empty = False
            if each.head is None or public is None or not each.head.is_signed_by(public):
                findings.add(0, Finding.FOREIGN_HEAD, f"published head {each.row}: not one of this ledger's key")
            elif each.head.content.ledger != ledger:
                findings.add(
                    0,
                    Finding.OTHER_LEDGER,
                    f"published head {each.row}: the same key signed line {each.head.content.n} of another ledger,"
                    f" {each.head.content.ledger}",
                )
            else:
                self.compared += 1
                self.last_n = max(self.last_n or 0, each.head.content.n)
                self._expected.setdefault(each.head.content.n, set()).add(each.head.content.digest)
        if is_empty:
            findings.add(0, Finding.NO_HEADS, "not one published head was given: what was cut off would not show")

    def compare(self, row: int, n: int, digest: str, findings: Remarks) -> bool:
        """Line *n* is here, with that digest; gives whether a head of it was published."""
        expected = self._expected.pop(n, set())
        if expected - {digest}:
            findings.add(row, Finding.EDITED, f"line {n} is another than the one of which a head was published")
        return digest in expected

    def finish(self, last_n: int, findings: Remarks) -> None:
        """Whatever was not found is missing."""
        missing = sorted(self._expected)
        for n in (n for n in missing if n <= last_n):
            findings.add(0, Finding.REMOVED, f"line {n} is missing, of which a head was published")
        beyond = [n for n in missing if n > last_n]
        if beyond:
            findings.add(
                0, Finding.TRUNCATED, f"truncated after line {last_n}: a head of line {beyond[-1]} is known elsewhere"
            )
