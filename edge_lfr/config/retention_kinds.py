"""
What the program does with each kind of data, in its own words: what it is, where it lies, what begins and what ends it.

No document says any of this; one decides periods and gives reasons, so that no printed table promises an end or a
place that is not the program's.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Start(StrEnum):
    """What begins a period."""

    CAPTURE = "capture"
    """The instant the frame was taken; for a test alert, the instant it was written."""

    ISSUE = "issue"
    """The instant that a signed message names as its own."""

    LOAD = "load"
    EVENT = "event"


class Ending(StrEnum):
    """What is done at the end."""

    PURGE = "purge"
    """Data key destroyed and row deleted, overwritten in the file and in its log."""

    DELETE = "delete"
    """Row deleted; there was nothing to seal."""

    EXPIRE = "expire"
    """File deleted: at the end of the period, or before it by whoever copied it; there was nothing to seal."""

    WIPE = "wipe"
    """Data key destroyed, files deleted, memory overwritten."""

    KEPT = "kept"
    """The program never deletes it; the force does, by its own schedule."""

    NOT_MADE = "not-made"
    EXIT = "exit"
    """It is in memory only."""

    @property
    def has_period(self) -> bool:
        """Whether a document says when; every other end comes by itself."""
        return self in {Ending.PURGE, Ending.EXPIRE}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKind:
    """One kind of data, as the program treats it."""

    what: str
    where: str
    starts: Start
    ends: Ending
    until: str | None = None
    """What ends it, behind the word "until"; None where a period does."""


_OUTBOX: Final = "sealed in the outbox of the mode's folder; the message expires with the broker at the same time"

PROGRAM: Final[dict[str, DataKind]] = {
    "alert": DataKind(
        what="an alert: the face that was seen, the enrolled picture, label, place, time, score, and how far it was "
        "delivered",
        where=_OUTBOX,
        starts=Start.CAPTURE,
        ends=Ending.PURGE,
    ),
    "sighting": DataKind(
        what="a further match of the same passage: the face that was seen, place, time, score",
        where=_OUTBOX,
        starts=Start.CAPTURE,
        ends=Ending.PURGE,
    ),
    "test_alert": DataKind(
        what="an alert about nobody, to try the way", where=_OUTBOX, starts=Start.CAPTURE, ends=Ending.PURGE
    ),
    "acknowledgement": DataKind(
        what="the id of a signed message of the control room, so that it counts once; nothing about a person",
        where="the outbox of the mode's folder",
        starts=Start.ISSUE,
        ends=Ending.DELETE,
        until="the end of the message's own validity, 24 hours at most",
    ),
    "watchlist": DataKind(
        what="the watchlist: pictures, templates, labels",
        where="sealed in the mode's folder; opened in memory while it is searched",
        starts=Start.LOAD,
        ends=Ending.WIPE,
        until="the wipe after the deployment, which comes by itself when the authority's grace is over, in training 24 "
        "hours after the load",
    ),
    "ledger": DataKind(
        what="who did what, when: ids and numbers, no picture, no vector, no label",
        where="the ledger of the mode's folder; its signed heads with the control room",
        starts=Start.EVENT,
        ends=Ending.KEPT,
        until="the force's own schedule for audit records",
    ),
    "manifest": DataKind(
        what="who was on a list: a keyed digest of each reference id, encrypted to the data protection officer alone",
        where="the mode's folder, until it was copied for the officer; the officer keeps it by the force's own "
        "schedule",
        starts=Start.LOAD,
        ends=Ending.EXPIRE,
    ),
    "certificate": DataKind(
        what="receipts of loads and certificates of wipes: counts and digests, no identities",
        where="the mode's folder, until they were copied; whoever asked for them keeps them by the force's own "
        "schedule",
        starts=Start.EVENT,
        ends=Ending.EXPIRE,
    ),
    "recording": DataKind(
        what="recorded video", where="nowhere", starts=Start.CAPTURE, ends=Ending.NOT_MADE, until="recording is off"
    ),
    "health": DataKind(
        what="counters, times and states of the appliance; nothing about a person",
        where="memory; the broker keeps the latest state",
        starts=Start.EVENT,
        ends=Ending.EXIT,
        until="the end of the process",
    ),
}
"""Every kind that there is, in the order in which it is shown."""
