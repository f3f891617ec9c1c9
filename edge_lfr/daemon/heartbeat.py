"""
The main thread's own turn: looks whether all others go on, and tells the service manager.

While one is over its limit the watchdog is not fed: the service manager kills this process and starts a fresh one.
"""

from collections.abc import Callable
from typing import Final

import structlog

from edge_lfr.clock import Clock
from edge_lfr.daemon.notify import Notifier
from edge_lfr.daemon.progress import Progress

log = structlog.get_logger()

FEEDS_A_LIMIT: Final = 3
"""How often the watchdog is fed within the silence that it bears; sd_watchdog_enabled(3) asks for two."""

WORDS_INTERVAL_S: Final = 5.0
"""Between two looks whether the line for `systemctl status` has changed; chosen."""


class Heartbeat:
    """To be called about ten times a second, from one thread."""

    def __init__(self, progress: Progress, notifier: Notifier, clock: Clock, words: Callable[[], str]) -> None:
        """*words* says in one line how the appliance is."""
        self._progress = progress
        self._notifier = notifier
        self._clock = clock
        self._words = words
        self._said = ""
        self._next_words_ns = 0
        self._next_feed_ns = 0
        self.stalled: tuple[str, ...] = ()
        """Who is over the limit, as of the last beat."""

    def ready(self) -> None:
        """Everything that may refuse has been proved, and the work has begun."""
        self._said = self._words()
        self._notifier.ready(self._said)

    def stopping(self) -> None:
        self._notifier.stopping()

    def beat(self) -> None:
        """Look, and tell."""
        now_ns = self._clock.monotonic_ns()
        self._look(now_ns)
        watchdog_s = self._notifier.watchdog_s
        if watchdog_s is not None and not self.stalled and now_ns >= self._next_feed_ns:
            self._next_feed_ns = now_ns + round(watchdog_s / FEEDS_A_LIMIT * 1e9)
            self._notifier.watchdog()
        if self._notifier.is_heard and now_ns >= self._next_words_ns:
            self._next_words_ns = now_ns + round(WORDS_INTERVAL_S * 1e9)
            self._say(self._words())

    def _look(self, now_ns: int) -> None:
        stalled = self._progress.check(now_ns)
        if stalled != self.stalled:
            for name in set(stalled) - set(self.stalled):
                log.error("daemon.thread-stalled", thread=name, watchdog="not fed until it goes on")
            for name in set(self.stalled) - set(stalled):
                log.warning("daemon.thread-goes-on", thread=name)
        self.stalled = stalled

    def _say(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._notifier.status(words)
