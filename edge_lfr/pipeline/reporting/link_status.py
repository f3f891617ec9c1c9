"""How the link to the control room stands: records that the link writes and the daemon's status reads."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LinkState(StrEnum):
    """How the link is."""

    STOPPED = "stopped"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    UNREACHABLE = "unreachable"
    """No broker answers there."""

    REFUSED = "refused"
    """The broker answers, and does not want this client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """How delivery stands."""

    state: LinkState
    reason: str | None
    """In the broker's or the system's words; None while all is well."""

    since: datetime
    nobody_listening: bool
    in_flight: int
    complaints: tuple[str, ...]
    """Codes of what else is wrong: refused alerts, refused acknowledgements, an unreadable outbox."""
