"""One alert per subject and passage: which alert a further match belongs to."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

BETTER_BY: Final = 0.02
"""Cosine by which a further look at the same track must be nearer to be told again (chosen, not measured)."""


class Kind(Enum):
    """What a match means to those who know of the subject already."""

    NEW = auto()
    """Nobody has been told: an alert."""

    FURTHER = auto()
    """The alert is fresh: a sighting under its id."""

    REPEATED = auto()
    """The same track was told already, and not worse: nothing to add."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A reference id, and whom it means: another list may give the id to another person."""

    reference_id: str
    watchlist_digest: str
    read_person: Callable[[], bytes | None] = field(repr=False)
    """A digest of what the list says and shows of the person; None when it cannot be read. Asked only when needed."""


@dataclass(slots=True)
class _Passage:
    alert_id: str
    watchlist_digest: str
    person: bytes | None
    last_seen_ns: int
    best_by_track: dict[int, float] = field(default_factory=dict)


class Passages:
    """The subjects whose alerts are fresh; by reference id, on all cameras together."""

    def __init__(self, gap_s: float) -> None:
        self._gap_ns = round(gap_s * 1e9)
        self._lock = threading.Lock()
        self._passages: dict[str, _Passage] = {}

    def assign(self, listing: Listing, track_id: int, score: float, now_ns: int, new_id: str) -> tuple[Kind, str]:
        """
        Say what this match is, and the id of its alert: *new_id* when it is the first of a passage.

        After another list was loaded, a passage goes on only if its person is certainly the same.
        """
        with self._lock:
            self._forget(now_ns)
            passage = self._passages.get(listing.reference_id)
            if passage is None or not _is_of(passage, listing):
                self._passages[listing.reference_id] = _Passage(
                    new_id, listing.watchlist_digest, listing.read_person(), now_ns, {track_id: score}
                )
                return Kind.NEW, new_id
            passage.last_seen_ns = max(passage.last_seen_ns, now_ns)
            best = passage.best_by_track.get(track_id)
            if best is not None and score < best + BETTER_BY:
                return Kind.REPEATED, passage.alert_id
            passage.best_by_track[track_id] = score
            return Kind.FURTHER, passage.alert_id

    def undo(self, reference_id: str, alert_id: str) -> None:
        """The alert could not be kept: the next match is new again."""
        with self._lock:
            passage = self._passages.get(reference_id)
            if passage is not None and passage.alert_id == alert_id:
                del self._passages[reference_id]

    def _forget(self, now_ns: int) -> None:
        for reference_id in [key for key, kept in self._passages.items() if now_ns - kept.last_seen_ns > self._gap_ns]:
            del self._passages[reference_id]


def _is_of(passage: _Passage, listing: Listing) -> bool:
    if passage.watchlist_digest == listing.watchlist_digest:
        return True
    if passage.person is None or passage.person != listing.read_person():
        return False
    passage.watchlist_digest = listing.watchlist_digest
    return True
