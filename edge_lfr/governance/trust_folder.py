"""Change whom this appliance trusts: one file in, or one file out, each on the disk when it is done."""

import os
from pathlib import Path
from typing import Final

from edge_lfr.durable_files import create_durably, sync_folder
from edge_lfr.errors import TrustError
from edge_lfr.governance.trust import SHOWN_DIGITS, TrustedKey, TrustStore, read_trust_file, shown_fingerprint

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


def _not_changed(directory: Path, error: OSError) -> TrustError:
    remedy = "do it as root" if os.geteuid() != 0 else "check the disk"
    return TrustError(f"{directory}: cannot be changed: {error.strerror}", remedy=remedy)
