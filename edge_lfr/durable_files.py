"""Files that must be on the disk, or off it, when a function returns: a power cut may come after any line."""

import os
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""For the owner alone."""


def write_durably(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Replace *path* as a whole: a reader sees the old bytes or the new ones, also after a power cut."""
    write_partial(path, data, mode=mode).replace(path)
    sync_folder(path.parent)


def write_partial(path: Path, data: bytes, *, mode: int = PRIVATE) -> Path:
    """
    Put beside *path*, and on the disk, what is to become it; for callers who rename it themselves.

    Returns:
        Where it lies: the same name with `.partial` at its end.
    """
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)  # of a process that was killed
    _create(partial, data, mode)
    return partial


def create_durably(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """
    Make *path*, which must not exist; nothing is left of it where that fails.

    No other name is used on the way, so it also works where there are no links (a stick).

    Raises:
        FileExistsError: Something has that name; it stays as it is.
    """
    _create(path, data, mode)
    sync_folder(path.parent)


def _create(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask is
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def give_to_folders_owner(path: Path) -> None:
    """
    Let a file that root made in the folder of somebody else be theirs.

    Raises:
        OSError: It is not ours to give.
    """
    owner, file = path.parent.stat(), path.lstat()
    if (owner.st_uid, owner.st_gid) != (file.st_uid, file.st_gid):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


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

    Raises:
        OSError: It could not be overwritten, and its name is gone all the same; or that could not be taken away either.
    """
    failure: OSError | None = None
    try:
        _overwrite(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:  # a disk that copies on write has no room, or the block is broken
        failure = error
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
    if failure is not None:
        raise failure


def _overwrite(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.pwrite(descriptor, bytes(os.fstat(descriptor).st_size), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
