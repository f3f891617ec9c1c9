"""
The keys of this box: one that watchlists are encrypted to, and one that signs what the box itself has to say.

Both modes share them. They lie sealed by the key-encrypting key: where that is a credential of a TPM, a stolen disk
opens no bundle that somebody kept. The signing key vouches for ledger, receipts and certificates; it never stands for
an officer, an issuer or a control room, whatever a trust folder says.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from edge_lfr.durable_files import write_durably
from edge_lfr.errors import AgeFileError, KeyUnavailableError, SealBrokenError
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.keys import KeyEncryptingKey, folder_locked
from edge_lfr.governance.trust import SigningKey

FILE_NAME: Final = "keys.sealed"

MAX_FILE_BYTES: Final = 4_096
"""The sealed file has some 300 bytes; chosen, not measured."""

_CONTEXT: Final = "device-keys"
_SCHEMA: Final = "lfr.device-keys/1"
_LOST: Final = (
    "restore the file or the key-encrypting key it was sealed with; or remove both, and give the new keys to all"
)


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """Who this box is, to those who send it watchlists and to those who read what it signed."""

    signing: SigningKey
    receiving: AgeIdentity

    @property
    def fingerprint(self) -> str:
        """Of the signing key, 64 hex digits."""
        return self.signing.fingerprint

    @classmethod
    def exist(cls, directory: Path) -> bool:
        """Whether keys were made here."""
        return (directory / FILE_NAME).exists()

    @classmethod
    def load(cls, directory: Path, *, create: bool = False) -> Self:
        """
        Open the keys of *directory*, which is the state folder's `device`.

        Args:
            directory: Holds the sealed file, and the key-encrypting key where no credential brings it.

            create: Make keys where there are none.

        Raises:
            KeyUnavailableError: There are none, they do not open, or none can be made.
        """
        path = directory / FILE_NAME
        if create and not path.exists():
            _create(path, KeyEncryptingKey.load(directory, create=True))
        try:
            with path.open("rb") as file:
                untrusted_sealed = file.read(MAX_FILE_BYTES)
        except FileNotFoundError:
            message = f"{path}: this box has no keys of its own yet"
            raise KeyUnavailableError(message, remedy="make them with `edge-lfr keys init`") from None
        except OSError as error:
            raise KeyUnavailableError(f"{path}: cannot be read: {error.strerror}") from None
        try:
            opened = json.loads(KeyEncryptingKey.load(directory).unwrap(untrusted_sealed, context=_CONTEXT))
            if opened["schema"] != _SCHEMA:
                raise KeyUnavailableError(f"{path}: of another version", remedy="use the version that made it")
            return cls(SigningKey.from_raw(bytes.fromhex(opened["signing"])), AgeIdentity.parse(opened["receiving"]))
        except (SealBrokenError, AgeFileError, KeyError, ValueError):
            raise KeyUnavailableError(f"{path}: the keys of this box do not open", remedy=_LOST) from None


def _create(path: Path, kek: KeyEncryptingKey) -> None:
    keys = DeviceKeys(SigningKey.generate(), AgeIdentity.generate())
    plain = {"schema": _SCHEMA, "signing": keys.signing.raw().hex(), "receiving": keys.receiving.secret()}
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # a credential's key needs no folder before
        with folder_locked(path.parent):
            if not path.exists():  # else another process was faster, and its keys are the keys
                write_durably(path, kek.wrap(json.dumps(plain).encode(), context=_CONTEXT))
    except OSError as error:
        message = f"{path}: the keys of this box cannot be written: {error.strerror}"
        raise KeyUnavailableError(message, remedy="check the disk and the owner of the state folder") from None
