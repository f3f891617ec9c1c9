"""
What was done to stored alerts: held, released, deleted, lost; kept beside them until the ledger has its line.

It is written in the very change that does it, so that no kill, no full disk and no missing key leaves one without its
line. Its id stands in the line, too: who comes after a kill sees that it is told already.
"""

import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.lines import Actor, Part

DAEMON: Final = Actor.of_part(Part.DAEMON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One line of the ledger that is to be written; ids, numbers and codes, as there."""

    id: str
    """32 hex digits."""

    event: LedgerEvent
    who: Actor
    facts: Mapping[str, Fact]
    at: datetime
    """When it was done, by the wall time of whoever did it."""

    @classmethod
    def read(cls, row: tuple[str, str, str, str, float]) -> Self:
        """
        As the file has it.

        Raises:
            ValueError: Nobody wrote that.
        """
        deed_id, event, who, facts, at_s = row
        return cls(
            id=deed_id,
            event=LedgerEvent(event),
            who=Actor.read(json.loads(who)),
            facts=json.loads(facts),
            at=datetime.fromtimestamp(at_s, UTC),
        )

    def line_facts(self, now: datetime, *, late_from_s: float) -> dict[str, Fact]:
        """The facts of its line: with its id, and how late the line comes, where that is *late_from_s* or more."""
        late_s = (now - self.at).total_seconds()
        late: dict[str, Fact] = {} if late_s < late_from_s else {"late_s": round(late_s, 3)}
        return {**self.facts, **late, "deed": self.id}


def note_deed(db: sqlite3.Connection, event: LedgerEvent, who: Actor, facts: Mapping[str, Fact], at: datetime) -> None:
    """Write it down; in the transaction that does it."""
    db.execute(
        "INSERT INTO deeds (id, event, who, facts, at) VALUES (?, ?, ?, ?, ?)",
        (secrets.token_hex(16), event, json.dumps({who.kind.value: who.value}), json.dumps(facts), at.timestamp()),
    )
