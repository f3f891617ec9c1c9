"""
What the watchlist says and shows of a reference, as far as an alert tells it.

A broken store or picture takes words and picture from the alert, and never the alert.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import structlog

from edge_lfr.errors import EdgeLfrError
from edge_lfr.pipeline.reporting.pictures import enrolled_picture

TEXT_CHARACTERS: Final = 256
"""Longer words for an officer are cut; they never cost an alert."""

FAULTS: Final = (EdgeLfrError, LookupError, ArithmeticError, ValueError, OSError, cv2.error)
"""Of a broken store, picture or box: an alert without words or pictures beats no alert."""


class Entry(Protocol):
    """What the watchlist says about a reference."""

    @property
    def label(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def response_code(self) -> str: ...


class References(Protocol):
    """The watchlist, as far as an alert needs it."""

    def entry(self, reference_id: str) -> Entry: ...
    def picture(self, reference_id: str) -> bytes:
        """The enrolled picture, JPEG."""
        ...


class NoReferences:
    """Stands in while no watchlist is loaded: tests must work then too."""

    def entry(self, reference_id: str) -> Entry:
        raise KeyError(reference_id)

    def picture(self, reference_id: str) -> bytes:
        raise KeyError(reference_id)


@dataclass(frozen=True, slots=True, repr=False)
class Words:
    """What an alert says about a reference."""

    label: str
    category: str
    response_code: str
    picture: bytes | None


def words_on(reference_id: str, references: References, *, mark: str | None, max_bytes: int) -> Words:
    """What the watchlist says; as much of it as can be read."""
    label, category, response = "(not available)", "", ""
    picture = None
    try:
        entry = references.entry(reference_id)
        label, category, response = (
            str(text)[:TEXT_CHARACTERS] for text in (entry.label, entry.category, entry.response_code)
        )
        picture = enrolled_picture(references.picture(reference_id), mark=mark, max_bytes=max_bytes)
    except FAULTS as error:
        structlog.get_logger().error("alert.no-reference", reason=reason_of(error))
    return Words(label, category, response, picture)


def person_digest(reference_id: str, references: References) -> bytes | None:
    """A digest of all that the watchlist says and shows of a reference; None when it cannot be read."""
    try:
        entry = references.entry(reference_id)
        words = json.dumps([entry.label, entry.category, entry.response_code])
        picture = references.picture(reference_id)
    except FAULTS as error:
        structlog.get_logger().error("alert.no-reference", reason=reason_of(error))
        return None
    return hashlib.sha256(words.encode() + b"\0" + picture).digest()


def reason_of(error: Exception) -> str:
    """A stable code where there is one; never words, which could be about a subject."""
    return error.code if isinstance(error, EdgeLfrError) else type(error).__name__
