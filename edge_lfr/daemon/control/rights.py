"""
Who may ask for what: one closed table over all verbs, asked before anything else is done.

What is searched, how long an alert is kept, and whether the clock is believed is decided by root and the daemon's own
user alone. Whom the socket admits besides, the technicians, may look, pause and stop; and destroy, which is the safe
side. What counts is the process that asks, as the kernel saw it, not whom it names.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from edge_lfr.daemon.control.protocol import Request, Verb
from edge_lfr.errors import PermissionRefusedError

ROOT_UID: Final = 0


class Asker(StrEnum):
    """Of whom a verb is taken."""

    ADMITTED = "admitted"
    """Everybody whom the socket's mode and group admit."""

    OWNER = "owner"
    """Root and the daemon's own user."""


WHO_MAY: Final[Mapping[Verb, Asker]] = {
    Verb.STATUS: Asker.ADMITTED,
    Verb.CAMERAS: Asker.ADMITTED,
    Verb.CERTIFICATE: Asker.ADMITTED,  # the proof of a wipe, in numbers, for whoever asked for the wipe
    Verb.PAUSE: Asker.ADMITTED,
    Verb.RESUME: Asker.ADMITTED,
    Verb.STOP: Asker.ADMITTED,
    Verb.TEST_ALERT: Asker.ADMITTED,
    Verb.WIPE: Asker.ADMITTED,  # a deadline must not wait for whoever knows root's password
    Verb.RELOAD: Asker.OWNER,  # whom the appliance looks for
    Verb.REMOVE: Asker.OWNER,  # whom it looks for no more, and the rest goes on
    Verb.HOLD: Asker.OWNER,  # keeps a person's pictures beyond their time
    Verb.RELEASE: Asker.OWNER,  # ends evidence, or what a complaint rests on
    Verb.RECHECK: Asker.OWNER,  # follows a change of keys or authority, which root and the daemon's user make
    Verb.CLOCK_CONFIRM: Asker.OWNER,  # a person's word in the place of the clock's, on which every end rests
}
"""A verb that is not here is answered to nobody."""


def require_right(request: Request, own_uid: int) -> None:
    """
    Let nobody ask for what is not his to ask for.

    Args:
        request: With the peer's uid from the kernel.

        own_uid: Of the user that the daemon runs as.

    Raises:
        PermissionRefusedError: Only root and the daemon's own user may.
    """
    if WHO_MAY[request.verb] is Asker.OWNER and request.peer_uid not in {ROOT_UID, own_uid}:
        message = f"{request.verb.value}: only root and the daemon's own user may ask for this"
        raise PermissionRefusedError(message, remedy="run the command as root: `sudo edge-lfr`")
