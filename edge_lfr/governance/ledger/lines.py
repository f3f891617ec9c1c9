"""
One line of the ledger: canonical JSON in ASCII, keys sorted, no spaces, bounded.

There is one way to write a line, so a line that is written in any other way is none.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final, Self

from edge_lfr.governance.ledger.errors import LedgerFactError
from edge_lfr.governance.ledger.events import MAX_NUMBER, Fact
from edge_lfr.governance.trust import shown_fingerprint

MAX_LINE_BYTES: Final = 4_096
"""Without its end; the longest that is written has some 1,200 (chosen, not measured)."""

MAX_FACTS: Final = 32
"""Of one line; chosen, not measured."""

MAX_UID: Final = 2**32 - 2
"""uid_t has 32 bits, and the last value means nobody."""

FIRST_PREVIOUS: Final = "0" * 64
"""What the first line has in place of a digest."""

TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"

_KEYS: Final = frozenset({"at", "event", "facts", "n", "previous", "who"})
_BEGIN: Final = b'{"at":"'
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_EVENT: Final = re.compile(r"(?=.{1,48}$)[a-z]+(-[a-z]+)*")
_FACT_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_FACT_TEXT: Final = re.compile(r"[A-Za-z0-9._:+/=-]{1,200}")
"""Nothing in it moves a cursor or ends a line, whoever wrote it."""


class Part(StrEnum):
    """A part of the appliance that acts without being asked."""

    DAEMON = "daemon"
    TIMER = "timer"
    BOOT = "boot"
    LEDGER = "ledger"
    """What the ledger writes of itself: its beginning, its heads, and where it was torn."""


class ActorKind(StrEnum):
    """By what somebody is known."""

    UID = "uid"
    CALLER = "caller"
    """A user for whom another one's process asked: that process said for whom, and the kernel knows only its user."""

    KEY = "key"
    CERTIFICATE = "certificate"
    PART = "part"


_TEXTS: Final[Mapping[ActorKind, re.Pattern[str]]] = {
    ActorKind.CALLER: re.compile(r"(0|[1-9][0-9]{0,9}) through (0|[1-9][0-9]{0,9})"),
    ActorKind.KEY: re.compile(r"[0-9a-f]{4}(-[0-9a-f]{4}){7}"),
    ActorKind.CERTIFICATE: re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"),
    ActorKind.PART: re.compile("|".join(Part)),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a user of the box, the holder of a key or a certificate, or a part of the appliance."""

    kind: ActorKind
    value: int | str

    @classmethod
    def of_uid(cls, uid: int) -> Self:
        """The peer of the control socket as the kernel names it, or the caller of a command."""
        return cls._checked(ActorKind.UID, uid)

    @classmethod
    def of_caller(cls, uid: int, *, through: int) -> Self:
        """Whom a process of the user *through* asked for; itself where that is the same user."""
        if uid == through:
            return cls.of_uid(uid)
        for one in (uid, through):
            cls.of_uid(one)
        return cls._checked(ActorKind.CALLER, f"{uid} through {through}")

    @classmethod
    def of_key(cls, fingerprint: str) -> Self:
        """The holder of a key, by its whole fingerprint (64 hex digits)."""
        if _DIGEST.fullmatch(fingerprint) is None:
            message = "ledger: who: key: expected 64 hex digits"
            raise LedgerFactError(message)
        return cls._checked(ActorKind.KEY, shown_fingerprint(fingerprint))

    @classmethod
    def of_certificate(cls, name: str) -> Self:
        """The holder of a client certificate, by its common name."""
        return cls._checked(ActorKind.CERTIFICATE, name)

    @classmethod
    def of_part(cls, part: Part) -> Self:
        """The appliance itself."""
        return cls._checked(ActorKind.PART, part.value)

    @classmethod
    def _checked(cls, kind: ActorKind, value: int | str) -> Self:
        if not _is_actor(kind, value):
            raise LedgerFactError(f"ledger: who: {kind}: not one that can be named")
        return cls(kind, value)

    @classmethod
    def read(cls, untrusted: object) -> Self:
        """
        Whom a line names.

        Raises:
            ValueError: Nobody.
        """
        if not isinstance(untrusted, dict) or len(untrusted) != 1:
            raise ValueError
        [(untrusted_kind, untrusted_value)] = untrusted.items()
        kind = ActorKind(untrusted_kind)
        if not _is_actor(kind, untrusted_value):
            raise ValueError
        return cls(kind, untrusted_value)

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


def _is_actor(kind: ActorKind, value: object) -> bool:
    if kind is ActorKind.UID:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_UID
    return isinstance(value, str) and _TEXTS[kind].fullmatch(value) is not None


ITSELF: Final = Actor.of_part(Part.LEDGER)
"""Who begins, signs and mends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """What happened, when, who did it, and what stands before."""

    n: int
    """From 1; one more than the line before."""

    at: datetime
    event: str
    """A `LedgerEvent`, or the word of a later version."""

    who: Actor
    facts: Mapping[str, Fact]
    previous: str
    """SHA-256 of the bytes of the line before, hex, without its end; over torn bytes too where this line is `torn`."""

    def encoded(self) -> bytes:
        """The bytes of the line, without its end."""
        content = {
            "at": written_time(self.at),
            "event": self.event,
            "facts": dict(self.facts),
            "n": self.n,
            "previous": self.previous,
            "who": {self.who.kind.value: self.who.value},
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def written_time(at: datetime) -> str:
    """How the ledger writes a time, in lines and in facts."""
    return at.astimezone(UTC).strftime(TIME_FORMAT)


def read_time(untrusted: str) -> datetime:
    """
    The time that `written_time` wrote.

    Raises:
        ValueError: It is none.
    """
    at = datetime.fromisoformat(untrusted)
    # in UTC before anything is done with it: in another zone the first and the last day of the calendar have no UTC
    if at.utcoffset() != timedelta(0) or written_time(at) != untrusted:
        raise ValueError
    return at


def digest_of(line: bytes) -> str:
    """By which the next line names this one."""
    return sha256(line).hexdigest()


def read_line(untrusted: bytes) -> LedgerLine | None:
    """
    The line that these bytes are; None when they are none.

    Its facts are bounded and printable. Whether they suit the event is not asked: a later version may know more events.
    """
    if len(untrusted) > MAX_LINE_BYTES or not untrusted.startswith(_BEGIN):
        return None
    try:
        line = _line_of(json.loads(untrusted.decode("ascii")))
        return line if line.encoded() == untrusted else None
    except (ValueError, TypeError, RecursionError):
        return None


def _line_of(untrusted: object) -> LedgerLine:
    """
    The content of a line.

    Raises:
        ValueError: It is none; so is a TypeError.
    """
    if not isinstance(untrusted, dict) or untrusted.keys() != _KEYS:
        raise ValueError
    match untrusted:
        case {"at": str(at), "event": str(event), "facts": dict(facts), "n": int(n), "previous": str(previous)} if (
            not isinstance(n, bool)
            and 1 <= n <= MAX_NUMBER
            and _EVENT.fullmatch(event)
            and _DIGEST.fullmatch(previous)
            and len(facts) <= MAX_FACTS
            and all(_is_fact(name, fact) for name, fact in facts.items())
        ):
            who = Actor.read(untrusted["who"])
            return LedgerLine(n=n, at=read_time(at), event=event, who=who, facts=facts, previous=previous)
    raise ValueError


def _is_fact(name: str, fact: object) -> bool:
    if _FACT_NAME.fullmatch(name) is None:
        return False
    if isinstance(fact, str):
        return _FACT_TEXT.fullmatch(fact) is not None
    return isinstance(fact, bool) or (isinstance(fact, int | float) and abs(fact) <= MAX_NUMBER)
