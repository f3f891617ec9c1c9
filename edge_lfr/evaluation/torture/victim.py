"""The parent's side of a kill: a child process runs a work, is let go, killed, and leaves the lines that it told."""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge_lfr.evaluation.processes import RehearsalError
from edge_lfr.evaluation.torture.teller import READY

MODULE: Final = "edge_lfr.evaluation.torture"

LIMIT_S: Final = 60.0
"""No work takes longer by itself; a loaded machine is given ten times what it takes. Chosen, not measured."""


class Victim:
    """One process; it ends with the block."""

    def __init__(self, words: Sequence[str], log: Path) -> None:
        """
        Start it.

        Args:
            words: Name of the work, and what it is told.

            log: Where its own words go.
        """
        self.is_killed = False
        self._log = log
        self._lines: list[str] = []
        self._last_ns = 0
        self._is_ready = threading.Event()
        with log.open("w", encoding="utf-8") as file:
            self._process = subprocess.Popen(  # noqa: S603 - this program itself
                [sys.executable, "-m", MODULE, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, name="victim", daemon=True)
        self._reader.start()

    def go(self) -> None:
        """Let it begin; it is ready."""
        if self._process.stdin is not None:
            self._process.stdin.write(b"g")
            self._process.stdin.flush()

    def wait_until_ready(self) -> None:
        """
        Wait until it has imported everything.

        Raises:
            RehearsalError: It does not come to that.
        """
        if not self._is_ready.wait(LIMIT_S) or READY not in self._lines:
            raise RehearsalError(f"a child does not begin:\n{self.last_words()}")

    def has_told(self, line: str) -> bool:
        """Whether it has told this, or tells nothing any more."""
        return line in self._lines or self._process.poll() is not None

    def kill(self) -> None:
        """End it as a power cut would, unless it has ended by itself."""
        self.is_killed = self._process.poll() is None
        self._process.kill()

    def wait_for_end(self) -> int:
        """
        Wait until it has ended by itself, and give when it told its last line: what follows is Python's own end.

        Raises:
            RehearsalError: It goes on for ever, or failed.
        """
        try:
            status = self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            status = None
        if status != 0:
            raise RehearsalError(f"a child that nobody killed ended with {status}:\n{self.last_words()}")
        self._reader.join()
        return self._last_ns

    def finish(self) -> tuple[str, ...]:
        """
        Wait until it has ended, and give every whole line that it told.

        Raises:
            RehearsalError: It goes on for ever.
        """
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise RehearsalError(f"a child does not end:\n{self.last_words()}") from None
        self._reader.join()
        return tuple(line for line in self._lines if line != READY)

    @property
    def has_failed(self) -> bool:
        """Whether it ended by an error of its own; a kill may come when it has ended, and before anybody noticed."""
        return self._process.returncode not in {0, -9}

    def last_words(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])

    def close(self) -> None:
        """Leave no process behind."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        if self._process.stdout is not None:
            for untrusted in self._process.stdout:
                if untrusted.endswith(b"\n"):
                    self._last_ns = time.monotonic_ns()
                    self._lines.append(untrusted.decode().strip())
                    self._is_ready.set()
        self._is_ready.set()
