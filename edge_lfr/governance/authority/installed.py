"""The one authority that lies on this appliance: verified before it is kept, and again whenever it is asked for."""

from datetime import datetime
from pathlib import Path
from typing import Final

from edge_lfr.config.policy import AuthorityPolicy
from edge_lfr.durable_files import write_durably
from edge_lfr.errors import AuthorityMissingError, AuthorityStorageError
from edge_lfr.governance.authority.content import Authority
from edge_lfr.governance.authority.judgement import (
    AuthorityRefusal,
    AuthorityRefusedError,
    AuthorityState,
    VerifiedAuthority,
    check_authority,
)
from edge_lfr.governance.authority.revocation import Revocations
from edge_lfr.governance.documents import (
    MAX_DOCUMENT_BYTES,
    DocumentRefusedError,
    Envelope,
    Fault,
    Kind,
    read_document,
    read_envelope,
)
from edge_lfr.governance.trust import TrustedKey, TrustStore

FILE_NAME: Final = "authority.json"


def install_authority(
    mode_directory: Path,
    untrusted: bytes,
    *,
    trust: TrustStore,
    device: str,
    device_fingerprint: str | None,
    now: datetime,
    policy: AuthorityPolicy | None = None,
) -> VerifiedAuthority:
    """
    Verify an authority and keep it in place of the one before, which stays where this one is refused.

    A countersignature has no time of its own: it counts if it was here before its deadline. After it only the very file
    that is installed is taken again, whatever else was installed between. In time it is taken also after the end, so
    that a short deployment that could not wait is answered for; it lets nothing run any more.

    Args:
        mode_directory: The state folder of the mode, in that of the box, where revocations lie.

        untrusted: The file's bytes.

        trust: The keys of this appliance.

        device: `<force>/<device>`.

        device_fingerprint: The appliance's own key, which authorises nothing; None where it has none.

        now: The time.

        policy: What the force allows; the published practice when None.

    Raises:
        AuthorityRefusedError: It does not verify, has ended, was revoked, or its countersignature came too late.
        RevocationError: It cannot be said what was revoked.
        AuthorityStorageError: It cannot be kept.
    """
    verified = check_authority(
        untrusted,
        trust=trust,
        device=device,
        device_fingerprint=device_fingerprint,
        now=now,
        policy=policy,
        revocations=Revocations.load(mode_directory.parent),
    )
    require_in_time(mode_directory, verified, now)
    path = mode_directory / FILE_NAME
    try:
        mode_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(path, untrusted)
    except OSError as error:
        raise AuthorityStorageError(f"{path}: cannot be written: {error.strerror}") from error
    return verified


def require_in_time(mode_directory: Path, verified: VerifiedAuthority, now: datetime) -> None:
    """
    Refuse to install what has ended, was revoked, or brings its countersignature too late for what lies here.

    Raises:
        AuthorityRefusedError: It comes too late.
    """
    before = _same_before(mode_directory, verified)
    if verified.state is AuthorityState.ENDED and not _is_countersigned_now(verified, before):
        raise AuthorityRefusedError(
            AuthorityRefusal.ENDED, (Fault("ends_at", "has passed", "have a new one signed, and check the clock"),)
        )
    if verified.state is AuthorityState.REVOKED:
        raise AuthorityRefusedError(
            AuthorityRefusal.REVOKED, (Fault("authority_id", "was revoked here", "have a new one signed"),)
        )
    if _is_countersigned_late(verified, before, now):
        remedy = "end the deployment; have a new authority signed"
        fault = Fault("countersign_by", "it was not here with a countersignature before then", remedy)
        raise AuthorityRefusedError(AuthorityRefusal.COUNTERSIGN_OVERDUE, (fault,))


def read_installed(mode_directory: Path) -> bytes:
    """
    Read the installed file; nothing in it is believed yet.

    Raises:
        AuthorityMissingError: None is installed.
        AuthorityStorageError: It cannot be read.
    """
    path = mode_directory / FILE_NAME
    try:
        with path.open("rb") as file:
            return file.read(MAX_DOCUMENT_BYTES + 1)
    except FileNotFoundError:
        message = "no deployment authority is installed"
        raise AuthorityMissingError(message) from None
    except OSError as error:
        raise AuthorityStorageError(f"{path}: cannot be read: {error.strerror}") from error


def installed_content(mode_directory: Path) -> Authority | None:
    """
    Read what the installed file says, whoever signed it; None where there is none, or no authority.

    Raises:
        AuthorityStorageError: It cannot be read.
    """
    try:
        return read_document(read_installed(mode_directory), Kind.AUTHORITY, Authority).content
    except (AuthorityMissingError, DocumentRefusedError):
        return None


def installed_digest(mode_directory: Path) -> str:
    """
    SHA-256 of what was signed of the installed file, whoever signed it and whatever it says.

    Raises:
        AuthorityMissingError, AuthorityStorageError, DocumentRefusedError: There is none that can be read.
    """
    return read_envelope(read_installed(mode_directory), Kind.AUTHORITY).digest


def load_installed(
    mode_directory: Path,
    *,
    trust: TrustStore,
    device: str,
    device_fingerprint: str | None,
    now: datetime,
    policy: AuthorityPolicy | None = None,
    revocations: Revocations | None = None,
) -> VerifiedAuthority:
    """
    Verify the installed authority as of *now*; ended and revoked are states, not errors.

    Args:
        mode_directory: The state folder of the mode, in that of the box, where revocations lie.

        trust: The keys of this appliance.

        device: `<force>/<device>`.

        device_fingerprint: The appliance's own key, which authorises nothing; None where it has none.

        now: The time.

        policy: What the force allows; the published practice when None.

        revocations: What was revoked here; what lies on the disk when None.

    Raises:
        AuthorityMissingError: None is installed.
        AuthorityRefusedError: It does not verify.
        RevocationError: It cannot be said what was revoked.
        AuthorityStorageError: It cannot be read.
    """
    return check_authority(
        read_installed(mode_directory),
        trust=trust,
        device=device,
        device_fingerprint=device_fingerprint,
        now=now,
        policy=policy,
        revocations=Revocations.load(mode_directory.parent) if revocations is None else revocations,
    )


def _same_before(mode_directory: Path, verified: VerifiedAuthority) -> Envelope | None:
    """The installed file, if it is the same authority with whatever signatures; None where it is another, or none."""
    try:
        before = read_envelope(read_installed(mode_directory), Kind.AUTHORITY)
    except (AuthorityMissingError, DocumentRefusedError):
        return None
    return before if before.digest == verified.digest else None


def _is_countersigned_now(verified: VerifiedAuthority, before: Envelope | None) -> bool:
    """Whether it brings the countersignature to an authority that is here."""
    second = verified.countersigner
    return verified.authority.is_urgent and before is not None and second is not None and not _has(before, second)


def _is_countersigned_late(verified: VerifiedAuthority, before: Envelope | None, now: datetime) -> bool:
    deadline, second = verified.authority.countersign_by, verified.countersigner
    if deadline is None or now < deadline:
        return False
    return before is None or second is None or not _has(before, second)


def _has(before: Envelope, key: TrustedKey) -> bool:
    """Whether this key really signed it: a name without its signature was never one."""
    return any(each.key == key.fingerprint and before.is_signed_by(key.public, each) for each in before.signatures)
