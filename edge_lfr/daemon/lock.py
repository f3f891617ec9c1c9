"""One process holds the state folder: the daemon while it runs, a command while the daemon is down."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_lfr.errors import ConfigError, DaemonBusyError


@contextmanager
def hold_state(directory: Path) -> Iterator[None]:
    """
    Hold the state folder of one mode, making it if need be; the kernel lets go when the process dies.

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
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"{directory}: another process holds this state folder"
            raise DaemonBusyError(message) from None
        yield
    finally:
        os.close(descriptor)
