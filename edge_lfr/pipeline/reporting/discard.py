"""Everything that is not alerted: it becomes a number, and nothing more."""

import threading
from collections import Counter

from edge_lfr.biometrics.outcomes import Discard


class Counters:
    """Numbers by name since the daemon started; any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def discard(self, discard: Discard) -> None:
        """Count one ending without an alert, in all and for its camera; the track is forgotten here."""
        name = f"discard.{discard.reason}"
        with self._lock:
            self._counts[name] += 1
            self._counts[f"{name}.{discard.camera_id}"] += 1

    def count(self, name: str, n: int = 1) -> None:
        with self._lock:
            self._counts[name] += n

    def snapshot(self) -> dict[str, int]:
        """A copy, ordered by name."""
        with self._lock:
            return dict(sorted(self._counts.items()))
