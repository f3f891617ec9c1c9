"""
The key-encrypting key of this appliance, and the data keys that it wraps.

It comes from a systemd credential where there is one (which a TPM can seal), else from a file that only the daemon's
user can read; then a stolen disk opens, and `edge-lfr doctor` says so. A data key never touches the disk unwrapped.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from edge_lfr.durable_files import write_durably
from edge_lfr.errors import KeyUnavailableError
from edge_lfr.governance.seal import KEY_BYTES, Seal, new_key

CREDENTIAL_NAME: Final = "edge-lfr.kek"
FILE_NAME: Final = "kek.key"


class KeyOrigin(StrEnum):
    """Where the key-encrypting key came from; what a stolen disk gives away depends on it."""

    CREDENTIAL = "credential"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class KeyEncryptingKey:
    """Wraps data keys; lives as long as the process."""

    origin: KeyOrigin
    _seal: Seal = field(repr=False)

    @classmethod
    def load(cls, directory: Path, *, create: bool = False) -> Self:
        """
        Read the key from the systemd credential, else from *directory*.

        Args:
            directory: The mode's state folder.

            create: Make a new key file when there is neither.

        Raises:
            KeyUnavailableError: There is no key and none can be made, it has the wrong size, or others can read it.
        """
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        if credentials is not None and (path := Path(credentials) / CREDENTIAL_NAME).exists():
            return cls(KeyOrigin.CREDENTIAL, Seal(_read_key(path)))
        path = directory / FILE_NAME
        if create and not path.exists():
            _write_key(path, new_key())
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            message = f"{path}: others may read the key-encrypting key"
            raise KeyUnavailableError(message, remedy=f"chmod 600 {path}, and wipe and load the watchlist again")
        return cls(KeyOrigin.FILE, Seal(_read_key(path)))

    def wrap(self, key: bytes, *, context: str) -> bytes:
        """Encrypt a data key for one place."""
        return self._seal.seal(key, context=f"key:{context}")

    def unwrap(self, untrusted_wrapped: bytes, *, context: str) -> bytes:
        """
        Give back a data key.

        Raises:
            SealBrokenError: It was wrapped by another key, for another place, or was changed.
        """
        return self._seal.open(untrusted_wrapped, context=f"key:{context}")


def _read_key(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except OSError as error:
        message = f"{path}: the key-encrypting key cannot be read: {error.strerror}"
        raise KeyUnavailableError(message, remedy="restore the key, or wipe and load the watchlist again") from error
    if len(key) != KEY_BYTES:
        message = f"{path}: expected a key of {KEY_BYTES} bytes, found {len(key)}"
        raise KeyUnavailableError(message, remedy="restore the key, or wipe and load the watchlist again")
    return key


@contextmanager
def folder_locked(folder: Path) -> Iterator[None]:
    """
    Let one process at a time make keys in *folder*: what the first one sealed, a second one's key would not open.

    Raises:
        OSError: The folder is not there.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_key(path: Path, key: bytes) -> None:
    """Have the file with its mode, its bytes and its name on the disk before anything depends on it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with folder_locked(path.parent):
            if not path.exists():
                write_durably(path, key)
    except OSError as error:
        message = f"{path}: the key-encrypting key cannot be written: {error.strerror}"
        raise KeyUnavailableError(message, remedy="check the disk and the owner of the state folder") from error
