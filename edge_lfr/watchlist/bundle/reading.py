"""
A bundle on its way in: an encrypted file of hostile origin enters, a signed manifest and verified pictures leave.

No plain byte touches a disk, and of the pictures one at a time is in memory. A cut or changed file gives most of its
bytes before that is noticed: whoever takes pictures activates nothing before `BundleReader.pictures` has ended.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from edge_lfr.config.policy import WatchlistPolicy
from edge_lfr.governance.age_files import AgeIdentity, AgeReader
from edge_lfr.governance.detached import SIGNATURE_BYTES, signer_of
from edge_lfr.governance.trust import Role, TrustedKey, TrustStore
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.archive import ArchiveMember, ArchiveReader
from edge_lfr.watchlist.bundle.manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    SIGNATURE_NAME,
    BundleManifest,
    ManifestPicture,
    parse_manifest,
)
from edge_lfr.watchlist.bundle.refusals import BundleRefusal, BundleRefusedError
from edge_lfr.watchlist.bundle.rules import POLICY, ExtractReason, stale
from edge_lfr.watchlist.enrolling.pictures import MAX_FILE_BYTES

SIGNING_ROLES: Final = {Mode.OPERATIONAL: Role.ISSUE, Mode.TRAINING: Role.TRAIN}
"""Who signs a bundle for which mode."""

_STALE: Final = {
    ExtractReason.TOO_OLD: BundleRefusal.EXTRACT_OLD,
    ExtractReason.IN_FUTURE: BundleRefusal.EXTRACT_FUTURE,
}

_ANY_BYTES: Final = 8**11
"""More than a head can say: what is not looked into needs no bound."""


def open_bundle(path: Path) -> BinaryIO:
    """
    Open a plain file; neither wait on a pipe nor follow a link.

    Raises:
        BundleRefusedError: It is none, or cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BundleRefusedError(BundleRefusal.FILE, f"{path}: cannot be opened: {error.strerror}") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise BundleRefusedError(BundleRefusal.FOLDER, f"{path}: is a folder, and no bundle")
        raise BundleRefusedError(BundleRefusal.FILE, f"{path}: is no plain file")
    return os.fdopen(descriptor, "rb")


@dataclass(frozen=True, slots=True)
class BundlePicture:
    """A picture of exactly the size and digest that the signed manifest says; still not to be believed beyond that."""

    entry_number: int
    """The place of its entry in the manifest, from 0."""

    picture_number: int
    """Its own place in the bundle, from 1."""

    untrusted: bytes = field(repr=False)


class OpenedBundle:
    """What stands before the pictures, read and not yet believed; closing it ends the decryption."""

    def __init__(self, untrusted_file: BinaryIO, identity: AgeIdentity) -> None:
        """
        Read (1) the head of the age file, (2) the manifest's bytes and (3) its signature's, each within its bound.

        Raises:
            AgeFileError: It is no age file for this identity, or was changed or cut off.
            BundleRefusedError: It does not begin with the two.
        """
        # (1) an age file for this appliance
        self._age = AgeReader(untrusted_file, identity)
        try:
            self.archive = ArchiveReader(self._age)
            # (2) manifest.json, in pieces
            self.untrusted_manifest = self.expect(MANIFEST_NAME, MAX_MANIFEST_BYTES).read_all()
            # (3) manifest.sig, of one size only
            self.untrusted_signature = _signature(self.expect(SIGNATURE_NAME, _ANY_BYTES))
        except BaseException:
            self.close()
            raise

    @property
    def manifest_digest(self) -> str:
        """SHA-256 of the manifest's bytes, hex: by this name receipts and ledgers call a bundle."""
        return hashlib.sha256(self.untrusted_manifest).hexdigest()

    def signer(self, trust: TrustStore, mode: Mode, *, device_fingerprint: str | None, now: datetime) -> TrustedKey:
        """
        Say who signed the manifest's exact bytes, and require (4) a key that may sign bundles for *mode* now.

        Raises:
            BundleRefusedError: No trusted key did, or one that may not, or not now.
        """
        role = SIGNING_ROLES[mode]
        keys = [key for key in trust.keys.values() if key.fingerprint != device_fingerprint]
        keys.sort(key=lambda key: (key.role is not role, not key.is_valid(now)))
        signer = signer_of(self.untrusted_manifest, self.untrusted_signature, keys)
        if signer is None:
            raise BundleRefusedError(BundleRefusal.ISSUER_UNKNOWN, "no key that is trusted here signed this manifest")
        if signer.role is not role:
            message = f"signed with a key for `{signer.role}`; a bundle for {mode} needs one for `{role}`"
            raise BundleRefusedError(BundleRefusal.ISSUER_ROLE, message)
        if not signer.is_valid(now):
            message = f"signed with a key that is valid from {signer.not_before} until {signer.not_after}"
            raise BundleRefusedError(BundleRefusal.ISSUER_NOT_VALID, message)
        return signer

    def expect(self, name: str, most_bytes: int) -> ArchiveMember:
        """
        The next member, if it is the one of that name.

        Raises:
            BundleRefusedError: Another stands here, or none.
        """
        member = self.archive.next_member(most_bytes=most_bytes)
        if member is None:
            raise BundleRefusedError(BundleRefusal.MEMBER_ORDER, f"expected {name}, found the end of the archive")
        if member.name != name:
            raise BundleRefusedError(BundleRefusal.MEMBER_ORDER, f"{member.place}: expected {name}, found another name")
        return member

    def close(self) -> None:
        self._age.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _signature(member: ArchiveMember) -> bytes:
    if member.size != SIGNATURE_BYTES:
        raise BundleRefusedError(BundleRefusal.SIGNATURE_SIZE, f"{member.place}: expected {SIGNATURE_BYTES} bytes")
    return member.read_all()


class BundleReader:
    """
    A bundle that is believed step by step.

    (1) An age file with a bounded head, for this appliance's identity. (2) Its first member is the manifest, of bounded
    size, (3) the second a signature. (4) A trusted key that may sign bundles for this mode now made it over the
    manifest's exact bytes. (5) Only then the manifest is parsed. (6) It is for this mode and this appliance, drawn less
    than a day ago, and the list that was asked for. (7) Each picture has the name, place, size and digest that the
    manifest says, before it is given. (8) After the last one the archive ends, and with it the age file, genuine to its
    last byte.

    The caller must activate nothing before `pictures` has ended, must ask the rules and the authority about the
    entries, and decodes pictures as what they are: bytes of somebody whom the issuer believed.
    """

    def __init__(
        self,
        untrusted_file: BinaryIO,
        identity: AgeIdentity,
        trust: TrustStore,
        *,
        mode: Mode,
        device: str,
        device_fingerprint: str | None,
        now: datetime,
        list_id: str | None = None,
        policy: WatchlistPolicy = POLICY,
    ) -> None:
        """
        Take the steps (1) to (6).

        Args:
            untrusted_file: The bundle; the caller closes it.

            identity: Of this appliance.

            trust: Whose signatures count.

            mode: Of this appliance.

            device: This appliance, as `force/device`.

            device_fingerprint: The appliance's own key, which never counts as an issuer's; None where it has none.

            now: Aware.

            list_id: The list that is wanted; None takes any.

            policy: How old the extract may be, and how far two clocks may differ.

        Raises:
            AgeFileError: It is no age file for this identity, or was changed or cut off.
            BundleRefusedError: Something else is wrong; its `refusal` says what.
            WatchlistFormatError: The manifest breaks its format.
        """
        # (1), (2), (3) manifest and signature, within bounds
        self._opened = OpenedBundle(untrusted_file, identity)
        try:
            # (4) the signature, before anything is parsed
            self.issuer = self._opened.signer(trust, mode, device_fingerprint=device_fingerprint, now=now)
            self.digest = self._opened.manifest_digest
            # (5) the manifest
            self.manifest: BundleManifest = parse_manifest(self._opened.untrusted_manifest)
            del self._opened.untrusted_manifest
            # (6) for us, now
            _require_mode(self.manifest, mode)
            _require_device(self.manifest, device)
            _require_fresh(self.manifest, now, policy)
            _require_list(self.manifest, list_id)
        except BaseException:
            self.close()
            raise
        self._has_begun = False

    def pictures(self) -> Iterator[BundlePicture]:
        """
        Take the steps (7) and (8): give every picture once, and end only when the whole file was genuine.

        Raises:
            AgeFileError: The file was changed or cut off.
            BundleRefusedError: A picture, the order or the end is not as it must be.
            RuntimeError: It was called before (a caller's mistake).
        """
        if self._has_begun:
            message = "the pictures of a bundle pass once"
            raise RuntimeError(message)
        self._has_begun = True
        # (7) every picture, as the manifest says
        picture_number = 0
        for entry_number, entry in enumerate(self.manifest.entries):
            for expected in entry.pictures:
                picture_number += 1
                yield BundlePicture(entry_number, picture_number, self._picture(expected))
        # (8) the end of the archive, and the end of the age file
        if self._opened.archive.next_member(most_bytes=_ANY_BYTES) is not None:
            message = f"expected the end after {picture_number} pictures, found one more member"
            raise BundleRefusedError(BundleRefusal.MEMBER_ORDER, message)

    def close(self) -> None:
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _picture(self, expected: ManifestPicture) -> bytes:
        member = self._opened.expect(expected.name, MAX_FILE_BYTES)
        if member.size != expected.bytes:
            message = f"{expected.name}: expected {expected.bytes} bytes, as the manifest says, found {member.size}"
            raise BundleRefusedError(BundleRefusal.PICTURE_SIZE, message)
        untrusted = member.read_all()
        if hashlib.sha256(untrusted).hexdigest() != expected.sha256:
            message = f"{expected.name}: is not the picture that the manifest names by its SHA-256"
            raise BundleRefusedError(BundleRefusal.PICTURE_DIGEST, message)
        return untrusted


def _require_mode(manifest: BundleManifest, mode: Mode) -> None:
    if manifest.mode is not mode:
        message = f"issued for {manifest.mode}, and this appliance is in {mode}"
        raise BundleRefusedError(BundleRefusal.MODE, message)


def _require_device(manifest: BundleManifest, device: str) -> None:
    if device not in manifest.devices:
        message = f"issued for {len(manifest.devices)} appliances, and {device} is none of them"
        raise BundleRefusedError(BundleRefusal.DEVICE, message)


def _require_fresh(manifest: BundleManifest, now: datetime, policy: WatchlistPolicy) -> None:
    reason = stale(manifest.extracted_at, now, policy)
    if reason is not None:
        hours = policy.max_extract_age / timedelta(hours=1)
        message = (
            f"drawn at {manifest.extracted_at.isoformat(timespec='seconds')}, and here it is "
            f"{now.isoformat(timespec='seconds')}; it may be up to {hours:g} hours old"
        )
        raise BundleRefusedError(_STALE[reason], message)


def _require_list(manifest: BundleManifest, list_id: str | None) -> None:
    if list_id is not None and manifest.list_id != list_id:
        message = f"it is the list {manifest.list_id}, wanted is {list_id}"
        raise BundleRefusedError(BundleRefusal.LIST_ID, message)
