"""The signals that end the daemon in order, as something that the main thread looks at."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

ENDING: Final = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True, eq=False)
class StopSignals:
    """Only a plain attribute changes: a handler may interrupt its very thread inside an event's own lock."""

    were_sent: bool = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Within the block they end nothing by themselves; only where this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        old = {number: signal.signal(number, self._note) for number in ENDING}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    def _note(self, *_: object) -> None:
        self.were_sent = True
