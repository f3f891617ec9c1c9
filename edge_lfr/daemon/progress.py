"""
Whether every thread goes on: each counts its finished turns, and each has a limit for one turn.

A turn that waited in vain is a turn; what has nothing to wait for (a camera that is paused) is at rest and has no
limit. Only time in which the watching thread itself ran is counted, in small steps: a machine that was suspended, a
process that was stopped or a clock that leapt makes nobody late.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from typing import Final, Protocol

from edge_lfr.config.capture import CameraConfig
from edge_lfr.daemon.control.protocol import PATIENCE_OTHERWISE_S, PATIENCE_S, Verb
from edge_lfr.pipeline.capture.camera import START_ALLOWANCE_S

MAX_STEP_S: Final = 1.0
"""Of one check at most; the watching thread checks ten times a second."""

PATH_LIMIT_S: Final = 30.0
"""For one pass over all cameras, or one exchange of watchlists between two passes.

A pass takes tens of milliseconds (`edge-lfr status --all`, stages). While 60,000 templates were taken into use and
wiped, another thread was kept from running for 0.12 s at most (`pytest -rP tests/system/test_long_turns.py`, on a
machine under load). Chosen far above both."""

LINK_LIMIT_S: Final = 120.0
"""A turn may look up a name (three servers, twice 5 s each), connect (5 s an address, TLS in it) and wait for a disk
(5 s a question); chosen above their sum."""

CONTROL_LIMIT_S: Final = 30.0
"""The accepting thread looks up once a second; what it hands on runs in threads of its own."""

CAMERA_SLACK_S: Final = 30.0
"""Above the longest wait of a camera: starting and killing a decoder on a machine under load. Chosen."""

REQUEST_SLACK_S: Final = 60.0
"""Above the time that a client waits for its answer, 600 s for a reload and 120 s for a wipe. Of 60,000 templates they
took 0.7 s and 0.2 s at most, by the same test; the rest of the time is for disks that are slow. Chosen."""


def camera_limit_s(camera: CameraConfig) -> float:
    """The longest that a camera's thread waits: for the source to open, for a frame, or to try again."""
    longest_s = max(START_ALLOWANCE_S + camera.open_timeout_s, camera.stale_after_s, *camera.backoff_s)
    return longest_s + CAMERA_SLACK_S


def request_limit_s(verb: Verb) -> float:
    """How long a technician's request that changes the appliance may be at work."""
    return PATIENCE_S.get(verb, PATIENCE_OTHERWISE_S) + REQUEST_SLACK_S


class Turning(Protocol):
    """Something with a thread of its own."""

    @property
    def turns(self) -> int | None:
        """Finished turns; None while it is at rest. Must not block."""
        ...


@dataclass(slots=True)
class _Watched:
    what: Turning
    limit_s: float
    last: int | None = None
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _OneTurn:
    turns: int = 0


class Progress:
    """What is watched, and for how long each has not finished a turn; asked by one thread, registered by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._checked_ns: int | None = None

    def watch(self, name: str, what: Turning, limit_s: float) -> None:
        """
        Have a thread watched.

        Args:
            name: In log lines, reasons and metrics.

            what: Counts its turns.

            limit_s: Longest turn.
        """
        with self._lock:
            self._watched[name] = _Watched(what, limit_s)

    @contextmanager
    def span(self, name: str, limit_s: float) -> Iterator[None]:
        """One long turn that has a limit of its own; of several of one name the later ones get a number."""
        watched = _Watched(_OneTurn(), limit_s)
        with self._lock:
            names = chain([name], (f"{name}-{number}" for number in count(2)))
            key = next(each for each in names if each not in self._watched)
            self._watched[key] = watched
        try:
            yield
        finally:
            with self._lock:
                del self._watched[key]

    def check(self, now_ns: int) -> tuple[str, ...]:
        """
        Look at all of them; to be called about ten times a second.

        Args:
            now_ns: CLOCK_MONOTONIC.

        Returns:
            Names of those that are over their limit.
        """
        with self._lock:
            passed_s = 0.0 if self._checked_ns is None else (now_ns - self._checked_ns) / 1e9
            self._checked_ns = now_ns
            step_s = min(max(passed_s, 0.0), MAX_STEP_S)
            for watched in self._watched.values():
                turns = watched.what.turns
                watched.age_s = watched.age_s + step_s if turns is not None and turns == watched.last else 0.0
                watched.last = turns
            return tuple(name for name, watched in self._watched.items() if watched.age_s > watched.limit_s)

    def ages_s(self) -> dict[str, float]:
        """Since each finished its last turn, as of the last check."""
        with self._lock:
            return {name: round(watched.age_s, 1) for name, watched in self._watched.items()}
