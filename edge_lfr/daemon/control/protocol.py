"""
What goes over the local socket: a verb with arguments as one JSON line, and the answer or the refusal as another.

Everything that is read is untrusted until it is a `Request`; a line is bounded in length and in time.
"""

import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from edge_lfr.errors import ControlError, EdgeLfrError
from edge_lfr.governance.ledger.lines import Actor

MAX_LINE_BYTES: Final = 64 * 1024
"""The longest request removes some thousand references, the longest answer describes 32 cameras; chosen."""


TOO_SLOW: Final = "no whole line in time"
ENDED_EARLY: Final = "the line ended early"
NOTHING_SAID: Final = "nothing was asked"
"""A peer that only wanted to know whether somebody listens."""
NOT_AN_OBJECT: Final = "not one JSON object"


class Verb(StrEnum):
    """What can be asked of the daemon."""

    STATUS = "status"
    RELOAD = "reload"
    REMOVE = "remove"
    WIPE = "wipe"
    CERTIFICATE = "certificate"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    TEST_ALERT = "test-alert"
    CAMERAS = "cameras"
    HOLD = "hold"
    RELEASE = "release"
    RECHECK = "recheck"
    """Keys, revocations or the authority were changed by a command."""

    CLOCK_CONFIRM = "clock-confirm"


READING: Final = frozenset({Verb.STATUS, Verb.CAMERAS, Verb.CERTIFICATE})
"""Verbs that change nothing; a monitor may ask them every second, so they are not logged."""

PATIENCE_S: Final[Mapping[Verb, float]] = {
    Verb.RELOAD: 600.0,  # a graph over 60,000 templates takes some 200 s on one core
    Verb.REMOVE: 600.0,  # the store is rebuilt, and the index with it
    Verb.RESUME: 600.0,  # the list may have to be opened again
    Verb.RECHECK: 600.0,
    Verb.CLOCK_CONFIRM: 600.0,
    Verb.WIPE: 120.0,
    Verb.STOP: 60.0,
    Verb.TEST_ALERT: 90.0,
}
"""How long a client waits for the answer."""

PATIENCE_OTHERWISE_S: Final = 10.0
"""Likewise, for all other verbs."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question of one peer, its shape checked, its arguments not."""

    verb: Verb
    args: Mapping[str, object] = field(default_factory=dict)
    peer_uid: int = -1
    """From the kernel (SO_PEERCRED), not from the peer."""

    peer_pid: int = -1

    acting_uid: int | None = None
    """For whom the peer asks, as it says; None where it says nothing, or is nobody whose word is taken."""

    @property
    def caller_uid(self) -> int:
        """Who asked, as far as is known."""
        return self.peer_uid if self.acting_uid is None else self.acting_uid

    @property
    def who(self) -> Actor:
        """Who asked, and through whom."""
        return Actor.of_caller(self.caller_uid, through=self.peer_uid)

    def texts(self, name: str) -> tuple[str, ...]:
        """
        The argument *name*, which must be a list of texts that is not empty.

        Raises:
            ControlError: It is something else.
        """
        value = self.args.get(name)
        if not isinstance(value, list) or not value or not all(_is_text(item) for item in value):
            raise ControlError(f"{self.verb.value}: {name}: expected a list of texts", remedy="ask with `edge-lfr`")
        return tuple(value)

    def text(self, name: str) -> str:
        """
        The argument *name*, which must be a text.

        Raises:
            ControlError: It is something else.
        """
        value = self.args.get(name)
        if not isinstance(value, str) or not _is_text(value):
            raise ControlError(f"{self.verb.value}: {name}: expected a text", remedy="ask with `edge-lfr`")
        return value

    def seconds(self, name: str, default: float) -> float:
        """
        The argument *name*, 0 to what a client waits for an answer to this verb, or *default* where there is none.

        Raises:
            ControlError: It is something else.
        """
        value = self.args.get(name, default)
        longest_s = PATIENCE_S.get(self.verb, PATIENCE_OTHERWISE_S)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= longest_s:
            message = f"{self.verb.value}: {name}: expected 0 to {longest_s:g} seconds"
            raise ControlError(message, remedy="ask with `edge-lfr`")
        return float(value)


def _is_text(untrusted: object) -> bool:
    """Whether it can be encoded, too: JSON may say half a surrogate pair, which no file and no digest takes."""
    return isinstance(untrusted, str) and not any("\ud800" <= character <= "\udfff" for character in untrusted)


class RefusedError(ControlError):
    """What the daemon said no with: its own code, exit status and remedy, on this side of the socket."""

    def __init__(self, message: str, *, code: str, exit_status: int, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.code = code
        self.exit_status = exit_status


def read_line(peer: socket.socket, deadline_s: float) -> bytes:
    """
    Everything up to the line's end, which is left out.

    Raises:
        ControlError: Too long, too slow, or ended early.
    """
    untrusted = bytearray()
    while b"\n" not in untrusted:
        if len(untrusted) >= MAX_LINE_BYTES:
            raise ControlError(f"a line longer than {MAX_LINE_BYTES} bytes")
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise ControlError(TOO_SLOW)
        peer.settimeout(left_s)
        try:
            piece = peer.recv(min(MAX_LINE_BYTES + 1 - len(untrusted), 1 << 16))
        except TimeoutError:
            raise ControlError(TOO_SLOW) from None
        if not piece:
            raise ControlError(ENDED_EARLY if untrusted else NOTHING_SAID)
        untrusted += piece
    return bytes(untrusted[: untrusted.index(b"\n")])


def parsed(untrusted_line: bytes) -> dict[str, Any]:
    """
    The object that the line says.

    Raises:
        ControlError: It is no JSON object.
    """
    try:
        value = json.loads(untrusted_line)
    except (ValueError, RecursionError):
        raise ControlError(NOT_AN_OBJECT) from None
    if not isinstance(value, dict):
        raise ControlError(NOT_AN_OBJECT)
    return value


def line(value: Mapping[str, object]) -> bytes:
    """One object as the bytes of one line."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def refusal(error: EdgeLfrError) -> dict[str, object]:
    """The answer that says no, with everything that the other side needs to say it to a person."""
    return {
        "ok": False,
        "code": error.code,
        "message": error.message,
        "remedy": error.advice,
        "exit_status": error.exit_status,
    }
