"""
The same work by the nets alone: calls are noted while the real thing runs, and now and then run again without it.

For such a moment all lanes are held at the door of a net, so that both are timed alone on the same machine, minutes or
seconds apart: a machine that others slow down slows both.
"""

import threading
from typing import Final

from edge_lfr.evaluation.bench.noted_nets import Call, noted, run_again
from edge_lfr.evaluation.bench.spent import Spent, Stopwatch
from edge_lfr.inference.packs import OpenPack

PARKING_LIMIT_S: Final = 5.0
"""A lane that reaches no net for so long has run out of work, or is busy with something else: no bare run then."""


class BareNets:
    """Notes every call of a pack's nets, and runs the last ones again without anything around them."""

    def __init__(self, lanes: int, *, parking_limit_s: float = PARKING_LIMIT_S) -> None:
        self._lanes = lanes
        self._parking_limit_s = parking_limit_s
        self._door = threading.Condition()
        self._is_closed = False
        self._parked = 0
        self._latest: list[Call] = []
        self.noted = 0
        """Detector passes so far: one for most pictures."""

        self.repeated = 0
        """Detector passes that were run again."""

        self.skipped = 0
        """Repeats that were left out, since a lane was not held."""

        self.paused = Spent()
        """While the lanes were held."""

        self.bare = Spent()
        """What the nets alone took for `repeated`."""

    def around(self, pack: OpenPack) -> OpenPack:
        """Give the pack with nets that are noted."""
        return noted(pack, self.note)

    def note(self, call: Call) -> None:
        """Note a call; waits at the door while it is closed."""
        with self._door:
            if self._is_closed:
                self._parked += 1
                self._door.notify_all()
                self._door.wait_for(lambda: not self._is_closed)
                self._parked -= 1
            self._latest.append(call)
            self.noted += call.out is None

    def repeat(self, pictures: int) -> None:
        """
        Hold the lanes, and run the calls of the last *pictures* detector passes again, on as many threads.

        Nothing is run where a lane is still busy after `PARKING_LIMIT_S`: it would be timed along. The lanes go on
        afterwards, whatever happened.

        Raises:
            InferenceError: A net failed.
        """
        try:
            with self._door:
                self._is_closed = True
                if not self._door.wait_for(lambda: self._parked == self._lanes, self._parking_limit_s):
                    self.skipped += 1
                    return
                calls, self._latest = self._last(pictures), []
            watch = Stopwatch()
            try:
                self.bare.add(run_again(calls, self._lanes))
                self.repeated += sum(call.out is None for call in calls)
            finally:
                self.paused.add(watch.read())
        finally:
            with self._door:
                self._is_closed = False
                self._door.notify_all()

    def whole(self) -> Spent | None:
        """What the nets alone take for everything that was noted; None where nothing was run again."""
        if not self.repeated:
            return None
        share = self.noted / self.repeated
        return Spent(self.bare.wall_s * share, self.bare.processor_s * share)

    def _last(self, pictures: int) -> list[Call]:
        starts = [number for number, call in enumerate(self._latest) if call.out is None]
        return self._latest[starts[-pictures] if len(starts) > pictures else 0 :]
