"""What must hold after a kill, and how a look at the remains says that it does not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Law(StrEnum):
    """Each is a row of the table: how often it was broken."""

    LIST = "lists that are neither the one before nor the whole new one"
    REMAINS = "remains of a list that is not live, after the next look"
    KEYS = "keys of destroyed lists that are found somewhere"
    WIPE = "wipes begun or done, and a list all the same"
    TOLD = "changes of a list that nobody can tell of, and wipes certified that were none"
    END = "lists alive past their end"
    CHAIN = "ledgers that do not verify"
    LINES = "ledger lines that were written, and are lost or doubled"
    TORN = "torn ends that nobody noted"
    ALERTS = "stored alerts that are lost or changed"
    DOUBLED = "alerts that are there twice"
    STATES = "alerts that went back, or further than anybody said"
    HOLDS = "legal holds lost, or alerts that they kept"
    SEEN = "ids of signed messages that were forgotten"
    PURGED = "alerts there after their time"
    DESK = "stored alerts that did not reach the desk"
    PLAIN = "files with a piece of a bundle's picture in clear"
    SELF = "processes that failed without being killed"


@dataclass(frozen=True, slots=True)
class Broken:
    """One law that did not hold, in words for whoever has to find out why."""

    law: Law
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the remains of one kill says."""

    found: str
    """What the next one finds, in two or three words: they are counted, and show what the kills hit."""

    broken: tuple[Broken, ...] = ()
    done: Mapping[str, int] = field(default_factory=dict)
    """What the children told that they had done; a work that does nothing breaks no law, either."""
