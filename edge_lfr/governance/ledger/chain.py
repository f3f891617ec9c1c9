"""Lines on their way into the ledger: numbered, timed, chained to the last one that is there, and signed."""

from collections.abc import Mapping
from datetime import timedelta

from edge_lfr.clock import Clock
from edge_lfr.governance.ledger.errors import LedgerDamagedError, LedgerFactError
from edge_lfr.governance.ledger.events import MAX_NUMBER, Fact, LedgerEvent, check_facts
from edge_lfr.governance.ledger.file import Tail
from edge_lfr.governance.ledger.head import LedgerHead
from edge_lfr.governance.ledger.lines import FIRST_PREVIOUS, ITSELF, MAX_LINE_BYTES, Actor, LedgerLine, digest_of
from edge_lfr.governance.trust import SigningKey


class NewLines:
    """Lines on their way into the file, each chained to the one before."""

    def __init__(self, ledger_id: str, signing: SigningKey, clock: Clock, tail: Tail | None) -> None:
        self.written: list[bytes] = []
        self.head: LedgerHead | None = None
        self.last_event = "" if tail is None else tail.line.event
        self._ledger_id = ledger_id
        self._signing = signing
        self._now = clock.utc_now()
        self._n = 0 if tail is None else tail.line.n
        self._at = self._now if tail is None else tail.line.at
        self._previous = FIRST_PREVIOUS if tail is None else tail.digest

    def add(self, event: LedgerEvent, who: Actor, facts: Mapping[str, Fact], *, previous: str | None = None) -> None:
        """One line, and a head where the event has weight."""
        check_facts(event, facts)
        if previous is not None:
            self._previous = previous
        self._encode(event, who, facts)
        if event.is_weighty:
            self.add_head()

    def add_head(self) -> None:
        """Sign everything up to here."""
        head = LedgerHead.sign(self._signing, ledger=self._ledger_id, n=self._n, digest=self._previous, at=self._now)
        self._encode(LedgerEvent.HEAD, ITSELF, {"signature": head.signature})
        self.head = head

    def _encode(self, event: LedgerEvent, who: Actor, facts: Mapping[str, Fact]) -> None:
        behind = max(timedelta(0), self._at - self._now)
        noted = {"clock_behind_us": behind // timedelta(microseconds=1)} if behind else {}
        if self._n >= MAX_NUMBER:
            raise LedgerDamagedError(f"ledger: its last line has the number {self._n}, behind which there is none")
        self._n += 1
        line = LedgerLine(
            n=self._n, at=self._now, event=event.value, who=who, facts={**facts, **noted}, previous=self._previous
        )
        encoded = line.encoded()
        if len(encoded) > MAX_LINE_BYTES:
            raise LedgerFactError(f"ledger: {event}: a line of {len(encoded)} bytes, at most {MAX_LINE_BYTES}")
        self._at = self._now
        self._previous = digest_of(encoded)
        self.last_event = event.value
        self.written.append(encoded + b"\n")
