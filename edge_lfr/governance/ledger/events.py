"""
What the ledger may say: a closed list of events, and for each a closed list of facts.

A fact is a number, a flag, or a text of one of the patterns below: an id, a digest, a code or a time. There is no room
for a sentence, an address or a vector, so a label, a camera's URL and a template cannot get in, whoever calls; nor is
there a fact for a reference id: no line is ever deleted. A reason that a person typed goes in as its SHA-256.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from edge_lfr.governance.ledger.errors import LedgerFactError

Fact: TypeAlias = bool | int | float | str
"""What one fact may be at all."""

MAX_NUMBER: Final = 2**53
"""Beyond it, programs that read JSON disagree about whole numbers (RFC 8259, section 6)."""


class LedgerEvent(StrEnum):
    """Everything that has its line; the docstrings say when."""

    BEGUN = "begun"
    """The first line of a ledger: whose it is, and the key that signs its heads."""

    HEAD = "head"
    """A signature over everything before it."""

    TORN = "torn"
    """The end of the file was no whole line, as after a power cut: its size and digest; and as `unvouched`, if due."""

    UNVOUCHED = "unvouched"
    """The line before was found without the head that is written with it: cut off, or added without the key."""

    UNRECORDED = "unrecorded"
    """So many events have no line: the disk refused, and there was no more room for them in memory."""

    STARTED = "started"
    """The daemon began to run."""

    STOPPED = "stopped"
    """The daemon ended in order."""

    ARMED = "armed"
    """Matching began: with what, under which authority."""

    DISARMED = "disarmed"
    """Matching ended, and why; what was counted meanwhile."""

    PAUSED = "paused"
    """Matching was suspended by somebody."""

    RESUMED = "resumed"
    """Matching went on after a pause."""

    REFUSED = "refused"
    """Somebody asked for something and did not get it."""

    CONFIGURED = "configured"
    """The configuration that holds from here on."""

    AUTHORITY_ACCEPTED = "authority-accepted"
    """A deployment authority is in force."""

    AUTHORITY_COUNTERSIGNED = "authority-countersigned"
    """An urgent authority got its second signature."""

    AUTHORITY_OVERDUE = "authority-overdue"
    """An urgent authority had no second signature at its deadline."""

    REVOKED = "revoked"
    """An authority was withdrawn before its end."""

    WATCHLIST_LOADED = "watchlist-loaded"
    """A watchlist was enrolled and is the one that is searched."""

    WATCHLIST_REFUSED = "watchlist-refused"
    """A watchlist was offered and not taken."""

    WATCHLIST_REMOVED = "watchlist-removed"
    """References were taken out of the watchlist."""

    WATCHLIST_EXPIRED = "watchlist-expired"
    """References, or the whole list, were taken out because their time had come."""

    WATCHLIST_STALE = "watchlist-stale"
    """The watchlist's extract is as old as it may become, or soon will be."""

    WATCHLIST_WIPED = "watchlist-wiped"
    """The watchlist was destroyed."""

    WIPE_PROVED = "wipe-proved"
    """What the search for remains found after a wipe."""

    CONSULTED = "consulted"
    """Somebody looked something up in the watchlist, its record or the holds."""

    THRESHOLD = "threshold"
    """The threshold from here on, and what it rests on."""

    PACK = "pack"
    """The model pack from here on."""

    INDEX_CHOSEN = "index-chosen"
    """How the watchlist is searched, and why so."""

    ALERT = "alert"
    """A match was reported."""

    SIGHTING = "sighting"
    """A further match under the same alert."""

    ACKNOWLEDGED = "acknowledged"
    """The control room has an alert."""

    ADJUDICATED = "adjudicated"
    """A person decided about an alert."""

    ALERT_EXPIRED_UNACKNOWLEDGED = "alert-expired-unacknowledged"
    """An alert's time was over before anybody acknowledged it."""

    ALERT_TESTED = "alert-tested"
    """A marked test alert was sent."""

    EXPORTED = "exported"
    """Something left the box as a file."""

    EXPORT_FAILED = "export-failed"
    """Takes back the `exported` line of that number: the copy failed, and what was written of it was deleted."""

    LOGIN = "login"
    """Somebody was let in."""

    LOGIN_REFUSED = "login-refused"
    """Somebody was not let in."""

    KEYS_MADE = "keys-made"
    """The box got keys of its own."""

    TRUST_ADDED = "trust-added"
    """A key is trusted from here on."""

    TRUST_REMOVED = "trust-removed"
    """A key is trusted no longer."""

    CLOCK_STEPPED = "clock-stepped"
    """The wall clock moved against the time since the boot."""

    CLOCK_UNTRUSTED = "clock-untrusted"
    """The time is not to be relied on; matching stops."""

    CLOCK_TRUSTED = "clock-trusted"
    """The time is to be relied on again, by synchronisation."""

    CLOCK_CONFIRMED = "clock-confirmed"
    """The time is to be relied on again, by a technician's word."""

    LEGAL_HOLD = "legal-hold"
    """An alert is kept beyond its time."""

    LEGAL_HOLD_RELEASED = "legal-hold-released"
    """An alert is no longer kept beyond its time."""

    PURGED = "purged"
    """What was kept long enough was destroyed."""

    @property
    def is_weighty(self) -> bool:
        """Whether a signed head follows in the same write; for all others within the minute."""
        return self not in _LIGHT


_LIGHT: Final = frozenset(
    {
        LedgerEvent.HEAD,  # is one
        LedgerEvent.REFUSED,  # anybody who may speak to the box can cause as many as they like, as with the next three
        LedgerEvent.LOGIN,
        LedgerEvent.LOGIN_REFUSED,
        LedgerEvent.CONSULTED,
        LedgerEvent.INDEX_CHOSEN,
        LedgerEvent.SIGHTING,
        LedgerEvent.ACKNOWLEDGED,
        LedgerEvent.ALERT_TESTED,
    }
)


def is_weighty(event: str) -> bool:
    """`LedgerEvent.is_weighty`, for the word in a line, which another version may have written."""
    return event in _WEIGHTY


_WEIGHTY: Final = frozenset(event.value for event in LedgerEvent if event.is_weighty)


@dataclass(frozen=True, slots=True)
class FactKind:
    """What the facts of one name are."""

    expected: str
    is_one: Callable[[Fact], bool]


def _text(expected: str, pattern: str) -> FactKind:
    compiled = re.compile(pattern)
    return FactKind(expected, lambda fact: isinstance(fact, str) and compiled.fullmatch(fact) is not None)


def _is_whole(fact: Fact) -> bool:
    return isinstance(fact, int) and not isinstance(fact, bool) and 0 <= fact <= MAX_NUMBER


def _is_number(fact: Fact) -> bool:
    return isinstance(fact, int | float) and not isinstance(fact, bool) and abs(fact) <= MAX_NUMBER  # nor NaN


_COUNT: Final = FactKind("a whole number from 0", _is_whole)
_NUMBER: Final = FactKind("a number", _is_number)
_FLAG: Final = FactKind("true or false", lambda fact: isinstance(fact, bool))
_DIGEST: Final = _text("64 hex digits", r"[0-9a-f]{64}")
_KEY: Final = _text("a fingerprint as it is shown", r"[0-9a-f]{4}(-[0-9a-f]{4}){7}")
_ALERT: Final = _text("an alert's id", r"[0-9A-HJKMNP-TV-Z]{26}")
_CODE: Final = _text("a code of this program", r"(?=.{1,48}$)[a-z0-9]+([.-][a-z0-9]+)*")
_LIST: Final = _text("an id of a list or an authority", r"[A-Za-z0-9._-]{1,64}")
_NAME: Final = _text("a name as in a topic", r"[a-z0-9][a-z0-9-]{0,62}")
_DEVICE: Final = _text("force/device/mode", r"[a-z0-9][a-z0-9-]{0,62}(/[a-z0-9][a-z0-9-]{0,62}){2}")
_TIME: Final = _text("a time in UTC", r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_VERSION: Final = _text("a version", r"[0-9][0-9A-Za-z.+-]{0,31}")

FACT_KINDS: Final[Mapping[str, FactKind]] = {
    "alert": _ALERT,
    "alerts": _COUNT,
    "authority": _LIST,
    "authority_sha256": _DIGEST,
    "bytes": _COUNT,
    "camera": _NAME,
    "cameras": _COUNT,
    "certificate_sha256": _DIGEST,
    "clock_behind_us": _COUNT,
    "code": _CODE,
    "compared": _COUNT,
    "config_sha256": _DIGEST,
    "deed": _text("32 hex digits", r"[0-9a-f]{32}"),
    "device": _DEVICE,
    "document_sha256": _DIGEST,
    "ends_at": _TIME,
    "entries": _COUNT,
    "faces_seen": _COUNT,
    "file_sha256": _DIGEST,
    "found": _COUNT,
    "index": _CODE,
    "is_ambiguous": _FLAG,
    "is_partial": _FLAG,
    "is_test": _FLAG,
    "key": _KEY,
    "keys": _COUNT,
    "late_s": _NUMBER,
    "ledger": _text("32 hex digits", r"[0-9a-f]{32}"),
    "line": _COUNT,
    "line_sha256": _DIGEST,
    "lines": _COUNT,
    "list": _LIST,
    "lists": _COUNT,
    "mode": _CODE,
    "outcome": _CODE,
    "pack_sha256": _DIGEST,
    "public_key": _text("the base64 of 32 bytes", r"[A-Za-z0-9+/]{43}="),
    "reason_sha256": _DIGEST,
    "recall": _NUMBER,
    "references": _COUNT,
    "refusals": _COUNT,
    "rejected": _COUNT,
    "removed_sha256": _DIGEST,
    "role": _CODE,
    "score": _NUMBER,
    "second_key": _KEY,
    "seconds": _NUMBER,
    "sequence": _COUNT,
    "sha256": _DIGEST,
    "signature": _text("the base64 of 64 bytes", r"[A-Za-z0-9+/]{86}=="),
    "starts_at": _TIME,
    "templates": _COUNT,
    "threshold": _NUMBER,
    "use_case": _CODE,
    "verb": _CODE,
    "version": _VERSION,
    "watchlist_sha256": _DIGEST,
    "what": _CODE,
}
"""Every name that a fact may have; it means the same thing in every event. Times of a span end in the unit."""

OF_THE_LEDGER: Final = frozenset({"clock_behind_us"})
"""Facts that any line may have and that the ledger alone adds."""

OF_ANY_LINE: Final = frozenset({"late_s"})
"""Facts that any event may have: how long after it its line was written, where the disk had refused."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which facts an event must have, and which it may."""

    must: frozenset[str] = field(default_factory=frozenset)
    may: frozenset[str] = field(default_factory=frozenset)


def _shape(must: str = "", may: str = "") -> _Shape:
    return _Shape(frozenset(must.split()), frozenset(may.split()))


SHAPES: Final[Mapping[LedgerEvent, _Shape]] = {
    LedgerEvent.BEGUN: _shape("device key ledger public_key version"),
    LedgerEvent.HEAD: _shape("signature"),
    LedgerEvent.TORN: _shape("bytes sha256", "line line_sha256"),
    LedgerEvent.UNVOUCHED: _shape("line line_sha256"),
    LedgerEvent.UNRECORDED: _shape("lines"),
    LedgerEvent.STARTED: _shape("version", "cameras config_sha256 mode pack_sha256"),
    LedgerEvent.STOPPED: _shape(may="alerts code compared faces_seen seconds"),
    LedgerEvent.ARMED: _shape(
        "watchlist_sha256",
        "authority authority_sha256 cameras ends_at list mode pack_sha256 references starts_at templates threshold"
        " use_case",
    ),
    LedgerEvent.DISARMED: _shape("code", "alerts authority_sha256 compared faces_seen seconds watchlist_sha256"),
    LedgerEvent.PAUSED: _shape(),
    LedgerEvent.RESUMED: _shape(may="seconds"),
    LedgerEvent.REFUSED: _shape("code", "authority_sha256 document_sha256 refusals verb"),
    LedgerEvent.CONFIGURED: _shape("config_sha256"),
    LedgerEvent.AUTHORITY_ACCEPTED: _shape("authority_sha256 key", "authority ends_at starts_at use_case"),
    LedgerEvent.AUTHORITY_COUNTERSIGNED: _shape("authority_sha256 key"),
    LedgerEvent.AUTHORITY_OVERDUE: _shape("authority_sha256"),
    LedgerEvent.REVOKED: _shape("code", "authority authority_sha256 document_sha256 key"),
    LedgerEvent.WATCHLIST_LOADED: _shape(
        "references",
        "certificate_sha256 code ends_at entries file_sha256 is_partial key list pack_sha256 rejected starts_at"
        " templates watchlist_sha256",
    ),
    LedgerEvent.WATCHLIST_REFUSED: _shape("code", "entries file_sha256 key list rejected"),
    LedgerEvent.WATCHLIST_REMOVED: _shape("references", "code removed_sha256 watchlist_sha256"),
    LedgerEvent.WATCHLIST_EXPIRED: _shape("references", "code removed_sha256 watchlist_sha256"),
    LedgerEvent.WATCHLIST_STALE: _shape("seconds", "code list watchlist_sha256"),
    LedgerEvent.WATCHLIST_WIPED: _shape("keys lists", "certificate_sha256 code references seconds watchlist_sha256"),
    LedgerEvent.WIPE_PROVED: _shape("found", "bytes certificate_sha256 seconds"),
    LedgerEvent.CONSULTED: _shape("what", "alert found reason_sha256"),
    LedgerEvent.THRESHOLD: _shape("threshold", "code pack_sha256 templates"),
    LedgerEvent.PACK: _shape("pack_sha256"),
    LedgerEvent.INDEX_CHOSEN: _shape("code index", "recall templates watchlist_sha256"),
    LedgerEvent.ALERT: _shape(
        "alert watchlist_sha256",
        "authority_sha256 camera is_ambiguous is_test pack_sha256 score sequence threshold",
    ),
    LedgerEvent.SIGHTING: _shape("alert", "camera score sequence threshold"),
    LedgerEvent.ACKNOWLEDGED: _shape("alert", "key seconds"),
    LedgerEvent.ADJUDICATED: _shape("alert outcome", "key reason_sha256 second_key seconds"),
    LedgerEvent.ALERT_EXPIRED_UNACKNOWLEDGED: _shape("alert", "deed seconds"),
    LedgerEvent.ALERT_TESTED: _shape("alert", "outcome"),
    LedgerEvent.EXPORTED: _shape("what", "bytes file_sha256 key"),
    LedgerEvent.EXPORT_FAILED: _shape("code line what"),
    LedgerEvent.LOGIN: _shape(may="key role"),
    LedgerEvent.LOGIN_REFUSED: _shape("code", "key role"),
    LedgerEvent.KEYS_MADE: _shape("key"),
    LedgerEvent.TRUST_ADDED: _shape("key role", "ends_at starts_at"),
    LedgerEvent.TRUST_REMOVED: _shape("key", "code role"),
    LedgerEvent.CLOCK_STEPPED: _shape("seconds"),
    LedgerEvent.CLOCK_UNTRUSTED: _shape("code", "seconds"),
    LedgerEvent.CLOCK_TRUSTED: _shape(may="code seconds"),
    LedgerEvent.CLOCK_CONFIRMED: _shape(),
    LedgerEvent.LEGAL_HOLD: _shape("alert reason_sha256", "code deed"),
    LedgerEvent.LEGAL_HOLD_RELEASED: _shape("alert", "code deed reason_sha256"),
    LedgerEvent.PURGED: _shape(may="alerts bytes code deed found seconds what"),
}
"""The facts of each event."""


def check_facts(event: LedgerEvent, facts: Mapping[str, Fact]) -> None:
    """
    Let nothing into the ledger but what its lists allow.

    Raises:
        LedgerFactError: A fact is missing, unknown to the event, or of another kind; says which, never what it was.
    """
    shape = SHAPES[event]
    missing = shape.must - facts.keys()
    if missing:
        raise LedgerFactError(f"ledger: {event}: without {', '.join(sorted(missing))}")
    for name, fact in facts.items():
        if name not in shape.must | shape.may | OF_ANY_LINE:
            raise LedgerFactError(f"ledger: {event}: has a fact that it may not have")
        if not FACT_KINDS[name].is_one(fact):
            raise LedgerFactError(f"ledger: {event}: {name}: expected {FACT_KINDS[name].expected}")
