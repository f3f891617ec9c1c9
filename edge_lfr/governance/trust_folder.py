"""Change whom this appliance trusts: one file in, or one file out, on the disk when it is done; and see changes."""

import hashlib
import os
from pathlib import Path
from typing import Final

from edge_lfr.durable_files import create_durably, sync_folder
from edge_lfr.errors import TrustError
from edge_lfr.governance.trust import (
    MAX_TRUST_FILE_BYTES,
    MAX_TRUST_FILES,
    SHOWN_DIGITS,
    TrustedKey,
    TrustStore,
    read_trust_file,
    shown_fingerprint,
)

MODE: Final = 0o644


def add_trust(directory: Path, trusted: Path) -> TrustedKey:
    """
    Copy the trust file *trusted* into the trust folder, which is made where it is missing, named by role and key.

    Raises:
        TrustError: It is no trust file, the key is trusted already, or this user may not change the folder.
    """
    key = read_trust_file(trusted)
    if key.fingerprint in TrustStore.load(directory).keys:
        raise TrustError(f"{shown_fingerprint(key.fingerprint)}: this key is trusted already", remedy="nothing to do")
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        create_durably(directory / f"{key.role}-{key.fingerprint[:SHOWN_DIGITS]}.toml", trusted.read_bytes(), mode=MODE)
    except OSError as error:
        raise _not_changed(directory, error) from None
    return key


def remove_trust(directory: Path, fingerprint: str) -> TrustedKey:
    """
    Take a key out of the trust folder.

    Args:
        directory: The trust folder.

        fingerprint: As people see it, with or without its dashes, or all 64 digits.

    Raises:
        TrustError: No such key is trusted, or this user may not change the folder.
    """
    digits = fingerprint.replace("-", "").lower()
    for path in sorted(directory.glob("*.toml")):
        key = read_trust_file(path)
        if digits in {key.fingerprint, key.fingerprint[:SHOWN_DIGITS]}:
            try:
                path.unlink()
                sync_folder(directory)
            except OSError as error:
                raise _not_changed(directory, error) from None
            return key
    message = f"{fingerprint}: no trusted key has this fingerprint"
    raise TrustError(message, remedy="`edge-lfr keys show` lists them")


def folder_digest(directory: Path) -> str:
    """
    SHA-256 over everything that decides whom the folder makes us trust: names, contents, owners and modes.

    What cannot be read is told from what can; a folder that is missing has a digest, too.
    """
    digest = hashlib.sha256()
    for path in [directory, *sorted(directory.glob("*.toml"))[: MAX_TRUST_FILES + 1]]:
        try:
            status = path.stat()
            content = b"" if path == directory else _beginning_of(path)
        except OSError as error:
            said = f"{path.name}: {error.errno}".encode()
        else:
            said = f"{path.name}: {status.st_mode:o} {status.st_uid} {hashlib.sha256(content).hexdigest()}".encode()
        digest.update(len(said).to_bytes(4, "big") + said)
    return digest.hexdigest()


def _beginning_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_TRUST_FILE_BYTES + 1)


def _not_changed(directory: Path, error: OSError) -> TrustError:
    remedy = "do it as root" if os.geteuid() != 0 else "check the disk"
    return TrustError(f"{directory}: cannot be changed: {error.strerror}", remedy=remedy)
