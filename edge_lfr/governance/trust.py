"""
Whose signatures count: the public keys that this appliance trusts, one file each, each limited to one role and a time.

Nobody but root may be able to change them; in training the daemon's own user may, too.
"""

import base64
import binascii
import hashlib
import json
import os
import stat
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Self

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_lfr.clock import Clock
from edge_lfr.config.bounded_toml import read_toml
from edge_lfr.durable_files import create_durably
from edge_lfr.errors import KeyUnavailableError, TrustError
from edge_lfr.terms import Rank

MAX_TRUST_FILE_BYTES: Final = 4_096
MAX_TRUST_FILES: Final = 256

SHOWN_DIGITS: Final = 32
"""Of the 64 hex digits of a fingerprint, as people see it."""


class Role(StrEnum):
    """What a key may sign; one key, one role."""

    AUTHORISE = "authorise"
    ISSUE = "issue"
    REVOKE = "revoke"
    TRAIN = "train"
    CONTROL = "control"


def _printable(name: str) -> str:
    """A name stands in tables on terminals: nothing in it moves a cursor or turns the reading direction."""
    if not name.isprintable():
        raise ValueError
    return name


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:  # the first and the last day of the calendar, in another zone
        raise ValueError from None


Moment = Annotated[AwareDatetime, Field(strict=True), AfterValidator(_in_utc)]


class TrustFile(BaseModel):
    """What one file of the trust folder says."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    role: Role
    public_key: str
    not_before: Moment
    not_after: Moment
    name: Annotated[str, Field(max_length=128), AfterValidator(_printable)]
    rank: Rank | None = None
    """Of the officer who authorises; without one the key ratifies no urgent authority."""

    @model_validator(mode="after")
    def _only_officers_have_ranks(self) -> Self:
        if self.rank is not None and self.role is not Role.AUTHORISE:
            raise ValueError
        return self


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key, what it may sign, and when."""

    fingerprint: str
    role: Role
    not_before: datetime
    not_after: datetime
    name: str
    public: Ed25519PublicKey = field(repr=False)
    rank: Rank | None = None

    def is_valid(self, at: datetime) -> bool:
        """Whether *at* lies within its time."""
        return self.not_before <= at < self.not_after


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The public keys that this appliance trusts, by fingerprint."""

    keys: Mapping[str, TrustedKey] = field(default_factory=dict)

    @classmethod
    def load(cls, directory: Path, *, roots_alone: bool = False) -> Self:
        """
        Read every `*.toml` of *directory*; without the folder nobody is trusted.

        Args:
            directory: The trust folder.

            roots_alone: Refuse what the daemon's own user could change, too: as it must be in operation.

        Raises:
            TrustError: A file (or the folder) can be changed by others, is malformed, or repeats a key.
        """
        paths = trust_files(directory)
        if paths is None:
            return cls()
        owners = {0} if roots_alone else {0, os.geteuid()}
        _refuse_writable_by_others(directory, owners)
        if len(paths) > MAX_TRUST_FILES:
            raise TrustError(f"{directory}: at most {MAX_TRUST_FILES} keys, found {len(paths)}")
        keys: dict[str, TrustedKey] = {}
        for path in paths:
            _refuse_writable_by_others(path, owners)
            key = read_trust_file(path)
            if key.fingerprint in keys:
                raise TrustError(f"{path}: the key stands in two files", remedy="one key, one role, one file")
            keys[key.fingerprint] = key
        return cls(keys)

    def of_role(self, role: Role, at: datetime) -> tuple[TrustedKey, ...]:
        """Every key that may sign as *role* at that time."""
        return tuple(key for key in self.keys.values() if key.role is role and key.is_valid(at))


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of somebody whom appliances trust."""

    fingerprint: str
    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """A new key, in memory alone."""
        return cls._of(Ed25519PrivateKey.generate())

    @classmethod
    def from_raw(cls, secret: bytes) -> Self:
        """
        The key of these 32 bytes.

        Raises:
            ValueError: They are another number.
        """
        return cls._of(Ed25519PrivateKey.from_private_bytes(secret))

    @classmethod
    def load(cls, path: Path) -> Self:
        """
        Read a PEM file that only its owner can read.

        Raises:
            KeyUnavailableError: It is missing, readable by others, or no Ed25519 key.
        """
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            pem = path.read_bytes()
        except OSError as error:
            raise KeyUnavailableError(f"{path}: the signing key cannot be read: {error.strerror}") from error
        if mode & 0o077:
            raise KeyUnavailableError(f"{path}: others may read the signing key", remedy=f"chmod 600 {path}")
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise KeyUnavailableError(f"{path}: expected an unencrypted PEM private key") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyUnavailableError(f"{path}: expected an Ed25519 key")
        return cls._of(private)

    @classmethod
    def _of(cls, private: Ed25519PrivateKey) -> Self:
        return cls(fingerprint_of(private.public_key()), private)

    @property
    def public(self) -> Ed25519PublicKey:
        """The half that everybody may know."""
        return self._private.public_key()

    def raw(self) -> bytes:
        """The secret 32 bytes, to be sealed."""
        return self._private.private_bytes_raw()

    def pem(self) -> bytes:
        """The secret as a PEM file (PKCS #8) for its owner alone, as `load` reads it."""
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


def fingerprint_of(public: Ed25519PublicKey) -> str:
    """SHA-256 of the raw public key, hex: how messages and files name it."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()


def shown_fingerprint(fingerprint: str) -> str:
    """
    The form in which people compare a fingerprint: its first 128 bits, in eight groups of four.

    Half of it is enough: who wants another key of the same form must find a second preimage of 128 bits.
    """
    return "-".join(fingerprint[place : place + 4] for place in range(0, SHOWN_DIGITS, 4))


def create_key(
    role: Role,
    path: Path,
    trust_path: Path,
    *,
    name: str,
    clock: Clock,
    valid_days: int = 365,
    rank: Rank | None = None,
) -> SigningKey:
    """
    Make a key for one role: the private half into *path* (0600), the public half as a trust file (0644).

    Both or none: what no appliance would read is not written, and no private half stays without its public one.

    Raises:
        TrustError: The name cannot stand in a trust file, or only an officer who authorises has a rank.
        KeyUnavailableError: One of the files exists or cannot be written.
    """
    key = SigningKey.generate()
    begin = clock.utc_now().replace(microsecond=0)
    public_text = base64.b64encode(key.public.public_bytes_raw()).decode("ascii")
    if rank is not None and role is not Role.AUTHORISE:
        raise TrustError(f"rank: a key to {role} has none", remedy="leave --rank out")
    rank_line = "" if rank is None else f'rank = "{rank}"\n'
    trust_file = (
        f'role = "{role}"\n'
        f"name = {json.dumps(name, ensure_ascii=False)}\n"
        f'public_key = "{public_text}"\n'
        f"not_before = {begin.isoformat()}\n"
        f"not_after = {(begin + timedelta(days=valid_days)).isoformat()}\n"
        f"{rank_line}"
    ).encode("utf-8", "surrogatepass")  # as no reader takes it
    if not name.strip() or not _is_readable(trust_file, trust_path):
        message = "name: empty, too long, or with signs that do not show"
        raise TrustError(message, remedy="give another --name: one line of at most 128 letters, digits and signs")
    _write_new(path, key.pem(), 0o600)
    try:
        _write_new(trust_path, trust_file, 0o644)
    except BaseException:
        path.unlink(missing_ok=True)  # made just now
        raise
    structlog.get_logger().info("trust.key-created", role=role, key=shown_fingerprint(key.fingerprint))
    return key


def _is_readable(trust_file: bytes, path: Path) -> bool:
    try:
        trusted_key(trust_file, path)
    except TrustError:
        return False
    return True


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        create_durably(path, content, mode=mode)
    except OSError as error:
        remedy = "name a file that does not exist, in a folder that can be written"
        raise KeyUnavailableError(f"{path}: cannot be created: {error.strerror}", remedy=remedy) from error


def _refuse_writable_by_others(path: Path, owners: Collection[int]) -> None:
    try:
        status = path.stat()
    except OSError as error:  # a link that leads nowhere, or a disk that fails
        remedy = "correct or remove it"
        raise TrustError(f"{path}: cannot be read: {error.strerror}", remedy=remedy) from error
    if stat.S_IMODE(status.st_mode) & 0o022 or status.st_uid not in owners:
        raise TrustError(f"{path}: others may change whom we trust", remedy=f"chown root {path}; chmod go-w {path}")


def trust_files(directory: Path) -> list[Path] | None:
    """
    Every file of the trust folder that counts, in order; None where there is no folder.

    Raises:
        TrustError: The folder cannot be listed: that is not the same as an empty one.
    """
    try:
        paths = sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        remedy = "check the folder's mode, or ask as root"
        raise TrustError(f"{directory}: cannot be read: {error.strerror}", remedy=remedy) from error
    return [path for path in paths if path.name.endswith(".toml")]


def read_trust_file(path: Path) -> TrustedKey:
    """
    Read one file; whose it is, is the caller's to ask.

    Raises:
        TrustError: It cannot be read, or is no trust file.
    """
    return trusted_key(read_trust_bytes(path), path)


def read_trust_bytes(path: Path) -> bytes:
    """
    Read what may be a trust file, once; a longer one is none.

    Raises:
        TrustError: It cannot be read, or is too long.
    """
    try:
        with path.open("rb") as file:
            untrusted = file.read(MAX_TRUST_FILE_BYTES + 1)
    except OSError as error:
        raise TrustError(f"{path}: cannot be read: {error.strerror}", remedy="correct or remove it") from error
    if len(untrusted) > MAX_TRUST_FILE_BYTES:
        raise TrustError(f"{path}: at most {MAX_TRUST_FILE_BYTES} bytes", remedy="correct or remove the file")
    return untrusted


def trusted_key(untrusted: bytes, path: Path) -> TrustedKey:
    """
    The key that the bytes of a trust file speak of.

    Args:
        untrusted: What was read.

        path: From where, for whoever has to correct it.

    Raises:
        TrustError: They are no trust file.
    """
    try:
        entry = TrustFile.model_validate(read_toml(untrusted))
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(entry.public_key, validate=True))
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, fault["loc"])) or "rank" for fault in error.errors())
        raise TrustError(f"{path}: {fields}: missing or malformed", remedy="correct or remove the file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, binascii.Error, ValueError) as error:
        raise TrustError(f"{path}: not a trust file with an Ed25519 key", remedy="correct or remove it") from error
    return TrustedKey(
        fingerprint=fingerprint_of(public),
        role=entry.role,
        not_before=entry.not_before,
        not_after=entry.not_after,
        name=entry.name,
        public=public,
        rank=entry.rank,
    )
