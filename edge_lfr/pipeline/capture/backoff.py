"""How long to wait before a camera is tried again."""

import secrets

JITTER_SHARE = 0.2
"""Cameras that a switch took down together do not all come back in the same instant. Chosen, not measured."""


class Backoff:
    """
    Waits that double from the first to the longest, give or take the jitter.

    They begin anew only when a camera stayed up for longer than the wait before it: one that comes up for a blink at
    every try is tried ever more rarely.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._wait_s = first_s

    def next_wait_s(self, was_up_s: float) -> float:
        """The wait after a camera that delivered frames for *was_up_s*, 0 when it never came up."""
        if was_up_s > self._wait_s:
            self._wait_s = self._first_s
        wait_s = self._wait_s
        self._wait_s = min(wait_s * 2, self._longest_s)
        jittered_s = wait_s * secrets.SystemRandom().uniform(1 - JITTER_SHARE, 1 + JITTER_SHARE)
        return min(max(jittered_s, self._first_s), self._longest_s)
