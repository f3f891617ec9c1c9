"""Files that must be on the disk, or off it, when a function returns: a power cut may come after any line."""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edge_lfr.errors import DaemonBusyError, WatchlistStorageError

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


def write_durably(path: Path, data: bytes) -> None:
    """Replace *path* as a whole: a reader sees the old bytes or the new ones, also after a power cut."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    partial.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Wait until the bytes of *path* are on the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Wait until the names in *path* are on the disk."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def overwrite_and_unlink(path: Path) -> None:
    """
    Overwrite a small file in place, wait until that is on the disk, and take it away; nothing happens to a missing one.

    Flash may keep the old block until it reuses it: what lies there must itself be encrypted, as a wrapped key is.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.pwrite(descriptor, bytes(os.fstat(descriptor).st_size), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """
    Hold *path* as a lock; the kernel gives it back when this process ends, however it ends.

    Raises:
        DaemonBusyError: Somebody holds it.
        WatchlistStorageError: It cannot be opened.
    """
    with storage_errors():
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = "another process is writing the watchlist"
            raise DaemonBusyError(message) from None
        yield
    finally:
        os.close(descriptor)
