"""
For whom a command works: on an installed box `sudo` and a passing service of the daemon's user stand between.

The installed command (`systemd/edge-lfr`) says who sits before it, in a variable. It is the word of root or of the
daemon's own user, who could write anything else just as well, so it is noted beside theirs, and taken from nobody else.
"""

import os
from collections.abc import Mapping
from typing import Final

from edge_lfr.errors import ControlError
from edge_lfr.governance.ledger.lines import MAX_UID, Actor

VARIABLE: Final = "EDGE_LFR_CALLER_UID"
"""Set by the installed command for root alone."""

MAX_DIGITS: Final = len(str(MAX_UID))


def acting_uid(environ: Mapping[str, str]) -> int | None:
    """Whom the installed command works for; None where it said nothing, or nonsense."""
    untrusted = environ.get(VARIABLE, "")
    if not untrusted.isascii() or not untrusted.isdecimal() or len(untrusted) > MAX_DIGITS or int(untrusted) > MAX_UID:
        return None
    return int(untrusted)


def caller_uid() -> int:
    """The user for whom this process works, which may be its own."""
    acting = acting_uid(os.environ)
    return os.getuid() if acting is None else acting


def actor_here() -> Actor:
    """Who does what this process does, and through whom."""
    return Actor.of_caller(caller_uid(), through=os.getuid())


def checked_uid(untrusted: object) -> int:
    """
    A uid that came over the socket.

    Raises:
        ControlError: It is none.
    """
    if isinstance(untrusted, int) and not isinstance(untrusted, bool) and 0 <= untrusted <= MAX_UID:
        return untrusted
    message = "acting_uid: expected the number of a user"
    raise ControlError(message, remedy="ask with `edge-lfr`")
