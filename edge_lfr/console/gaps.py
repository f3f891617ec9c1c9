"""Which numbered messages are missing: `boot_id` and `seq` of what has arrived so far."""

from dataclasses import dataclass, field
from typing import Final

MAX_BOOTS: Final = 64
"""Runs of daemons that are followed; the oldest is forgotten."""

MAX_MISSING: Final = 1_000
"""Numbers that are remembered as missing in one run; a jump beyond that is told once and not followed."""


@dataclass(slots=True)
class _Run:
    newest: int
    missing: set[int] = field(default_factory=set)


class GapFinder:
    """Follows the numbers of each run from the first that was seen."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}

    def arrived(self, boot_id: str, seq: int) -> tuple[int, ...]:
        """Take a message's number; the numbers that are newly missing because of it."""
        run = self._runs.get(boot_id)
        if run is None:
            if len(self._runs) >= MAX_BOOTS:
                del self._runs[next(iter(self._runs))]
            self._runs[boot_id] = _Run(newest=seq)
            return ()
        run.missing.discard(seq)
        if seq <= run.newest:
            return ()
        missing = tuple(range(run.newest + 1, min(seq, run.newest + 1 + MAX_MISSING)))
        run.newest = seq
        run.missing.update(missing[: MAX_MISSING - len(run.missing)])
        return missing

    def missing(self, boot_id: str) -> tuple[int, ...]:
        """Numbers that have not arrived."""
        run = self._runs.get(boot_id)
        return () if run is None else tuple(sorted(run.missing))
