"""What the store asks of the disk and of other processes: one error for a disk that fails, locks between writers."""

import errno
import fcntl
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edge_lfr.errors import DaemonBusyError, WatchlistSealError, WatchlistStorageError

LIST_ID: Final = re.compile(r"[0-9a-f]{16}")
LIST_ID_LINE: Final = re.compile(rb"[0-9a-f]{16}\n")

POLL_S: Final = 0.01
"""How often a lock that somebody holds is tried again; `flock` itself waits for ever or not at all."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn a disk that is full, or fails, into one clear error; `sqlite3` and `OSError` say it in many ways."""
    try:
        yield
    except sqlite3.Error as error:
        raise WatchlistStorageError(f"the sealed store cannot be written: {error}") from None
    except OSError as error:
        message = f"the sealed store cannot be read or written: {error.strerror}"
        remedy = None if error.errno in _FULL else "check the disk and the owner of the state folder, then try again"
        raise WatchlistStorageError(message, remedy=remedy) from None


@contextmanager
def exclusive_lock(path: Path, *, patience_s: float = 0.0, doing: str = "writing the watchlist") -> Iterator[None]:
    """
    Hold *path* as a lock; the kernel gives it back when this process ends, however it ends.

    Args:
        path: Made when it is missing.

        patience_s: How long to wait for somebody who holds it.

        doing: What a holder does, for the message.

    Raises:
        DaemonBusyError: Somebody holds it.
        WatchlistStorageError: It cannot be opened.
    """
    with storage_errors():
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline_s = time.monotonic() + patience_s
        while not _is_taken(descriptor):
            if time.monotonic() >= deadline_s:
                raise DaemonBusyError(f"another process is {doing}")
            time.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)


def read_list_id(path: Path) -> str | None:
    """
    Read which list the file at *path* names; None where there is no such file.

    Raises:
        WatchlistSealError: It cannot be read, or names none.
    """
    try:
        untrusted = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WatchlistSealError(f"the store does not say which list is live: {error.strerror}") from None
    if LIST_ID_LINE.fullmatch(untrusted) is None:
        message = "the store does not say which list is live"
        raise WatchlistSealError(message)
    return untrusted.strip().decode()


def _is_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
