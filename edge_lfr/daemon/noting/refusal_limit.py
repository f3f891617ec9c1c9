"""How many lines of the ledger others can cause: whoever asks without end fills no disk, and hides nobody else."""

import threading
from dataclasses import dataclass, field
from typing import Final

from edge_lfr.clock import Clock
from edge_lfr.governance.ledger.lines import Actor

LINES_AN_HOUR: Final = 60
"""Each refusal of one source is told up to here; an honest day has a handful. Chosen, not measured."""

MAX_SOURCES: Final = 64
"""With a budget of their own; whoever comes after them shares one. More than a box has users. Chosen, not measured."""

SPAN_NS: Final = 3600 * 10**9


@dataclass(slots=True)
class _Budget:
    """Of one source, since its first refusal in the span."""

    begun_ns: int
    told: int = 0
    untold: int = 0


@dataclass(slots=True, eq=False)
class RefusalLimit:
    """
    Lets so many of each source through in a span, counts the others; any thread may call.

    A source is who the ledger names: a user of the box, a certificate, or the daemon for what the broker sends, whose
    sender is not known where his signature is not believed.
    """

    clock: Clock
    lines: int = LINES_AN_HOUR
    _budgets: dict[Actor | None, _Budget] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def admits(self, source: Actor) -> bool:
        """Whether this refusal gets its own line; otherwise it is counted."""
        with self._lock:
            budget = self._budget_of(source)
            if budget.told < self.lines:
                budget.told += 1
                return True
            budget.untold += 1
            return False

    def take_untold(self) -> dict[Actor | None, int]:
        """How many of each source had no line since the last time; None stands for those that share a budget."""
        with self._lock:
            untold = {source: budget.untold for source, budget in self._budgets.items() if budget.untold}
            now_ns = self.clock.monotonic_ns()
            for source, budget in list(self._budgets.items()):
                budget.untold = 0
                if now_ns - budget.begun_ns >= SPAN_NS:
                    del self._budgets[source]
            return untold

    def _budget_of(self, source: Actor) -> _Budget:
        """With the lock held."""
        known = source if source in self._budgets or len(self._budgets) < MAX_SOURCES else None
        now_ns = self.clock.monotonic_ns()
        budget = self._budgets.setdefault(known, _Budget(now_ns))
        if now_ns - budget.begun_ns >= SPAN_NS:
            budget.told, budget.begun_ns = 0, now_ns
        return budget
