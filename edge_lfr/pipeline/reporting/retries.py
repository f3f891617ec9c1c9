"""When a connection is tried again: later after each failure, and soon again after one that was good for a while."""

from typing import Final

from edge_lfr.clock import Clock

STABLE_S: Final = 10.0
"""A connection that lasts this long was a good one: the next wait is the first again (chosen, not measured)."""

MAX_DOUBLINGS: Final = 16
"""More would only make a number larger that is cut to the longest wait anyway."""


class Retries:
    """One thread's own."""

    def __init__(self, wait_s: tuple[float, float], clock: Clock) -> None:
        """
        The first try is due at once.

        Args:
            wait_s: The first wait, which doubles, and the longest.

            clock: Whose monotonic time counts.
        """
        self._first_s, self._longest_s = wait_s
        self._clock = clock
        self._tries = 0
        self._connected_ns: int | None = None
        self.next_ns = 0
        """Monotonic time of the next try."""

    def connected(self) -> None:
        """The broker said yes."""
        self._connected_ns = self._clock.monotonic_ns()

    def failed(self) -> float:
        """A connection ended, or did not come to be; the wait until the next try, seconds."""
        now_ns = self._clock.monotonic_ns()
        if self._connected_ns is not None and now_ns - self._connected_ns >= STABLE_S * 1e9:
            self._tries = 0
        self._connected_ns = None
        wait_s: float = min(self._longest_s, self._first_s * 2**self._tries)
        self._tries = min(self._tries + 1, MAX_DOUBLINGS)
        self.next_ns = now_ns + round(wait_s * 1e9)
        return wait_s
