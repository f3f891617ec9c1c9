"""Change whom this appliance trusts: one file in, or one file out, on the disk when it is done; and see changes."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from edge_lfr.durable_files import create_durably, sync_folder
from edge_lfr.errors import TrustError
from edge_lfr.governance.trust import (
    MAX_TRUST_FILE_BYTES,
    MAX_TRUST_FILES,
    SHOWN_DIGITS,
    TrustedKey,
    TrustStore,
    read_trust_bytes,
    read_trust_file,
    shown_fingerprint,
    trust_files,
    trusted_key,
)

MODE: Final = 0o644
FOLDER_MODE: Final = 0o755


class TrustPermissionError(TrustError):
    """In operation nobody but root says whom the appliance trusts."""

    code = "trust.permission"
    exit_status = os.EX_NOPERM
    remedy = "do it as root, with sudo: what anybody else may change is not trusted in operation"


@dataclass(frozen=True, slots=True)
class OfferedTrust:
    """A trust file as it was read once: what a person is asked about is what is kept, whatever becomes of the file."""

    key: TrustedKey
    content: bytes

    @classmethod
    def read(cls, path: Path) -> Self:
        """
        Read what somebody brings.

        Raises:
            TrustError: It cannot be read, or is no trust file.
        """
        untrusted = read_trust_bytes(path)
        return cls(trusted_key(untrusted, path), untrusted)


@dataclass(frozen=True, slots=True)
class FoundTrust:
    """A key of the trust folder, and where it stands there."""

    key: TrustedKey
    paths: tuple[Path, ...]
    """One; two where somebody copied a file: then both have to go."""

    unreadable: tuple[TrustError, ...]
    """Files that are no trust files: they let nobody be trusted until somebody looks at them."""


def require_root(directory: Path, *, roots_alone: bool) -> None:
    """
    Refuse to change in operation what root alone may change: nobody would be trusted by what another user laid there.

    Raises:
        TrustPermissionError: This user is not root.
    """
    if roots_alone and os.geteuid() != 0:
        raise TrustPermissionError(f"{directory}: in operation only root changes whom we trust")


def add_trust(directory: Path, offered: OfferedTrust, *, roots_alone: bool = False) -> TrustedKey:
    """
    Keep what was offered in the trust folder, which is made where it is missing, named by role and key.

    Args:
        directory: The trust folder.

        offered: As it was read.

        roots_alone: As it must be in operation.

    Raises:
        TrustError: The key is trusted already, this user may not change the folder, or others may.
    """
    require_root(directory, roots_alone=roots_alone)
    key = offered.key
    if key.fingerprint in TrustStore.load(directory, roots_alone=roots_alone).keys:
        raise TrustError(f"{shown_fingerprint(key.fingerprint)}: this key is trusted already", remedy="nothing to do")
    try:
        _make_readable(directory)
        create_durably(directory / f"{key.role}-{key.fingerprint[:SHOWN_DIGITS]}.toml", offered.content, mode=MODE)
    except OSError as error:
        raise _not_changed(directory, error) from None
    return key


def find_trust(directory: Path, fingerprint: str) -> FoundTrust:
    """
    Look for a key in the trust folder; what cannot be read there is passed over, so that it keeps nobody trusted.

    Args:
        directory: The trust folder.

        fingerprint: As people see it, with or without its dashes, or all 64 digits.

    Raises:
        TrustError: No such key is trusted, or the file that has it cannot be read.
    """
    digits = fingerprint.replace("-", "").lower()
    found: dict[Path, TrustedKey] = {}
    unreadable: list[TrustError] = []
    for path in trust_files(directory) or ():
        try:
            key = read_trust_file(path)
        except TrustError as error:
            unreadable.append(error)
        else:
            if digits in {key.fingerprint, key.fingerprint[:SHOWN_DIGITS]}:
                found[path] = key
    if found:
        return FoundTrust(next(iter(found.values())), tuple(found), tuple(unreadable))
    message = f"{fingerprint}: no trusted key has this fingerprint"
    if unreadable:
        raise TrustError(f"{message}, and not every file can be read: {unreadable[0].message}", remedy="look at it")
    raise TrustError(message, remedy="`edge-lfr keys show` lists them")


def remove_trust(directory: Path, found: FoundTrust, *, roots_alone: bool = False) -> TrustedKey:
    """
    Take a key out of the trust folder, in every file that has it.

    Raises:
        TrustError: This user may not change the folder.
    """
    require_root(directory, roots_alone=roots_alone)
    try:
        for path in found.paths:
            path.unlink(missing_ok=True)
        sync_folder(directory)
    except OSError as error:
        raise _not_changed(directory, error) from None
    return found.key


def folder_digest(directory: Path) -> str:
    """
    SHA-256 over everything that decides whom the folder makes us trust: names, contents, owners and modes.

    What cannot be read is told from what can; a folder that is missing has a digest, too.
    """
    digest = hashlib.sha256()
    try:
        files = trust_files(directory) or []
    except TrustError:
        digest.update(b"not listed")
        files = []
    for path in [directory, *files[: MAX_TRUST_FILES + 1]]:
        try:
            status = path.stat()
            content = b"" if path == directory else _beginning_of(path)
        except OSError as error:
            said = f"{path.name}: {error.errno}".encode()
        else:
            said = f"{path.name}: {status.st_mode:o} {status.st_uid} {hashlib.sha256(content).hexdigest()}".encode()
        digest.update(len(said).to_bytes(4, "big") + said)
    return digest.hexdigest()


def _make_readable(directory: Path) -> None:
    """Make a folder that everybody can read, and what is missing above it, whatever the umask is."""
    try:
        directory.mkdir(mode=FOLDER_MODE)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_readable(directory.parent)
        directory.mkdir(mode=FOLDER_MODE)
    directory.chmod(FOLDER_MODE)


def _beginning_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_TRUST_FILE_BYTES + 1)


def _not_changed(directory: Path, error: OSError) -> TrustError:
    remedy = "do it as root" if os.geteuid() != 0 else "check the disk"
    return TrustError(f"{directory}: cannot be changed: {error.strerror}", remedy=remedy)
