"""What a control room learns from the broker; checked, and free of control characters."""

import unicodedata
from dataclasses import dataclass
from typing import Final, TypeAlias

from edge_lfr.pipeline.reporting.messages import AlertMessage, SightingMessage
from edge_lfr.pipeline.reporting.states import (
    CameraMessage,
    HealthMessage,
    LedgerHeadMessage,
    StatusMessage,
    TrustMessage,
    WatchlistMessage,
)

State: TypeAlias = StatusMessage | CameraMessage | HealthMessage | WatchlistMessage | TrustMessage | LedgerHeadMessage
"""What an appliance says about itself."""

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that move the cursor, turn the direction of writing or show nothing."""


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The link to the broker came up or went down."""

    is_up: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """An alert arrived."""

    message: AlertMessage
    is_repeat: bool
    """This message arrived before, by its run and number: show nothing new, but acknowledge again."""


@dataclass(frozen=True, slots=True)
class SightingSeen:
    """A subject of an earlier alert was matched again."""

    message: SightingMessage
    is_repeat: bool


@dataclass(frozen=True, slots=True)
class StateSeen:
    """The appliance says how it is."""

    message: State


@dataclass(frozen=True, slots=True)
class GapSeen:
    """Numbers of alerts or sightings that have not arrived; they may still come."""

    boot_id: str
    missing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MessageInvalid:
    """A message broke its schema or its bounds, or is of the other mode, and was not believed."""

    topic: str
    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The appliance was told that this control room has the alert, or could not be."""

    alert_id: str
    is_delivered: bool


ControlEvent = LinkChanged | AlertSeen | SightingSeen | StateSeen | GapSeen | MessageInvalid | Acknowledged


def plain(untrusted_text: str) -> str:
    """The text without characters that could do something to a terminal."""
    return "".join("\ufffd" if unicodedata.category(letter) in _HIDDEN else letter for letter in untrusted_text)
