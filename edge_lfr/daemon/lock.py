"""One process holds the state folder: the daemon while it runs, a command while the daemon is down."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edge_lfr.errors import ConfigError, DaemonBusyError

START_PATIENCE_S: Final = 5.0
"""For whoever must not be kept out by the timer, which holds a folder for parts of a second; chosen with room."""

POLL_S: Final = 0.02
"""How often a lock that somebody holds is tried again; `flock` itself waits for ever or not at all."""


@contextmanager
def hold_state(directory: Path, *, patience_s: float = 0.0) -> Iterator[None]:
    """
    Hold the state folder of one mode, making it if need be; the kernel lets go when the process dies.

    Args:
        directory: The state folder.

        patience_s: How long to wait for somebody who holds it.

    Raises:
        DaemonBusyError: Another process holds it.
        ConfigError: It cannot be made or used.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        message = f"{directory}: the state folder cannot be used: {error.strerror}"
        raise ConfigError(message, remedy="make state_directory a folder that the daemon's user may write") from error
    try:
        deadline_s = time.monotonic() + patience_s
        while not _is_taken(descriptor):
            if time.monotonic() >= deadline_s:
                message = f"{directory}: another process holds this state folder"
                raise DaemonBusyError(message)
            time.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
