"""
The child's side of a kill: it says that it is ready, waits to be let go, and tells what is done.

A line is told when a call has returned: what the line says is done, whatever happens then. A line may be lost, and the
work it would have told of is not.
"""

import os
import select
from typing import Final

READY: Final = "ready"


class Teller:
    """Two pipes to the parent; standard output is given to the words of the program's own log."""

    def __init__(self) -> None:
        self._told = os.dup(1)
        os.dup2(2, 1)
        self._heard = 0

    def wait_for_go(self) -> None:
        """Everything is imported, and nothing is touched yet; return when the parent says so."""
        self.tell(READY)
        os.read(self._heard, 1)

    def tell(self, *words: str) -> None:
        """One line, whole or not at all: it is shorter than what a pipe takes at once."""
        os.write(self._told, (" ".join(words) + "\n").encode())

    def is_over(self) -> bool:
        """Whether the parent wants a work without end to end: it has closed its side."""
        readable, _, _ = select.select([self._heard], [], [], 0.0)
        return bool(readable) and not os.read(self._heard, 1)
