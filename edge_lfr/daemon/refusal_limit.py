"""How many lines of the ledger others can cause: whoever asks without end fills no disk."""

import threading
from dataclasses import dataclass, field
from typing import Final

from edge_lfr.clock import Clock

LINES_AN_HOUR: Final = 60
"""Each refusal is told up to here; an honest day has a handful. Chosen, not measured."""

SPAN_NS: Final = 3600 * 10**9


@dataclass(slots=True, eq=False)
class RefusalLimit:
    """Lets so many through in a span, counts the others; any thread may call."""

    clock: Clock
    lines: int = LINES_AN_HOUR
    _begun_ns: int = field(init=False)
    _told: int = field(default=0, init=False)
    _untold: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._begun_ns = self.clock.monotonic_ns()

    def admits(self) -> bool:
        """Whether this refusal gets its own line; otherwise it is counted."""
        with self._lock:
            if self._told < self.lines:
                self._told += 1
                return True
            self._untold += 1
            return False

    def take_untold(self, *, at_once: bool = False) -> int:
        """How many had no line, once the span is over (or *at_once*); then a new one begins, and nothing is counted."""
        with self._lock:
            now_ns = self.clock.monotonic_ns()
            if not at_once and now_ns - self._begun_ns < SPAN_NS:
                return 0
            untold, self._untold = self._untold, 0
            self._told, self._begun_ns = 0, now_ns
            return untold
