"""
A bundle on its way out: a manifest and picture files enter, one signed and encrypted file leaves.

The archive is made while it is encrypted: no plain byte is written to any disk. The same manifest and pictures give the
same archive; age alone makes each file different.
"""

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final, cast

from edge_lfr.durable_files import sync_folder
from edge_lfr.errors import WatchlistError
from edge_lfr.governance.age_files import AgeRecipient, encrypt
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.bundle.manifest import (
    MANIFEST_NAME,
    MAX_DEVICES,
    SIGNATURE_NAME,
    BundleManifest,
    ManifestPicture,
    parse_manifest,
    picture_name,
)
from edge_lfr.watchlist.enrolling.pictures import PictureRefusedError, read_picture

SUFFIX: Final = ".lfrw"

END_BYTES: Final = 2 * tarfile.BLOCKSIZE
"""Two empty blocks end an archive (POSIX.1-1988, ustar)."""

Progress = Callable[[int, int], None]
"""Is told pictures done and pictures in all."""


class BundleWriteError(WatchlistError):
    """A watchlist bundle could not be written; nothing of it was left."""

    code = "watchlist.bundle-write"
    exit_status = os.EX_CANTCREAT
    remedy = "check the folder and the free space on its disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenBundle:
    """What the issuer notes down."""

    digest: str
    """SHA-256 (hex) of the manifest: what a receipt and an authority name the list by."""

    signer: str
    """Fingerprint of the key, 64 hex."""

    entries: int
    pictures: int
    size_bytes: int


def describe(path: Path, number: int, *, source: str, taken_on: date | None) -> ManifestPicture:
    """
    Read a picture and say what a manifest says of it.

    Args:
        path: May have any name.

        number: Its place among the pictures of the bundle, from 1.

        source: Where it comes from.

        taken_on: None where that is not known.

    Raises:
        PictureRefusedError: It is missing, too large, or no picture.
    """
    picture = read_picture(path)
    return ManifestPicture.model_validate(
        {
            "name": picture_name(number, picture.type),
            "sha256": hashlib.sha256(picture.untrusted).hexdigest(),
            "bytes": len(picture.untrusted),
            "type": picture.type,
            "source": source,
            "taken_on": "unknown" if taken_on is None else taken_on,
        }
    )


def write_bundle(
    out: Path,
    manifest: BundleManifest,
    pictures: Sequence[Path],
    *,
    issuer: SigningKey,
    recipients: Sequence[AgeRecipient],
    may_replace: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> WrittenBundle:
    """
    Sign a manifest and write the bundle that it describes.

    Args:
        out: What to write, for the owner alone; where anything fails it is as it was before.

        manifest: With pictures as `describe` gave them.

        pictures: One path for each picture of the manifest, in its order.

        issuer: Trusted by the appliances for the manifest's mode.

        recipients: The appliances; nobody else can read it, not even who made it.

        may_replace: Whether a file of that name is replaced.

        progress: Told after each picture.

    Raises:
        WatchlistFormatError: The manifest breaks its format, so that no appliance would take it.
        BundleWriteError: The file is there already or cannot be written, or a picture changed since it was described.
        ValueError: The counts of pictures differ, or there is no recipient, or too many (a caller's mistake).
    """
    if len(pictures) != manifest.picture_count:
        message = f"expected {manifest.picture_count} paths, found {len(pictures)}"
        raise ValueError(message)
    if not 1 <= len(recipients) <= MAX_DEVICES:
        message = f"expected 1 to {MAX_DEVICES} recipients, found {len(recipients)}"
        raise ValueError(message)
    signed = manifest.to_bytes()
    parse_manifest(signed)
    archive = _Archive(signed, issuer.sign(signed), tuple(manifest.pictures()), pictures, progress)
    with _replacing(out, may_replace=may_replace) as file:
        encrypt(cast("BinaryIO", archive), file, recipients)
        size_bytes = file.tell()
    return WrittenBundle(
        digest=hashlib.sha256(signed).hexdigest(),
        signer=issuer.fingerprint,
        entries=len(manifest.entries),
        pictures=len(pictures),
        size_bytes=size_bytes,
    )


class _Archive(io.RawIOBase):
    """The bytes of the archive, made as they are read; of the pictures one at a time is in memory."""

    def __init__(
        self,
        manifest: bytes,
        signature: bytes,
        described: Sequence[ManifestPicture],
        paths: Sequence[Path],
        progress: Progress,
    ) -> None:
        self._pieces = self._made(manifest, signature, described, paths, progress)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the base names a wider type
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    @staticmethod
    def _made(
        manifest: bytes,
        signature: bytes,
        described: Sequence[ManifestPicture],
        paths: Sequence[Path],
        progress: Progress,
    ) -> Iterator[bytes]:
        yield from _member(MANIFEST_NAME, manifest)
        yield from _member(SIGNATURE_NAME, signature)
        for done, (picture, path) in enumerate(zip(described, paths, strict=True), start=1):
            yield from _member(picture.name, _described_bytes(picture, path))
            progress(done, len(paths))
        yield bytes(END_BYTES)


def _described_bytes(picture: ManifestPicture, path: Path) -> bytes:
    """The file once more, if it still is the one that the manifest names."""
    try:
        found = read_picture(path).untrusted
    except PictureRefusedError:
        found = b""
    if hashlib.sha256(found).hexdigest() != picture.sha256:
        message = f"{picture.name}: the file was changed while the bundle was made"
        raise BundleWriteError(message, remedy="let nobody change the folder meanwhile, and build again")
    return found


def _member(name: str, content: bytes) -> Iterator[bytes]:
    """A plain file of nobody, of no time, and what fills its last block."""
    head = tarfile.TarInfo(name)
    head.size = len(content)
    head.mode = 0o600
    yield head.tobuf(format=tarfile.USTAR_FORMAT)
    yield content
    yield bytes(-len(content) % tarfile.BLOCKSIZE)


@contextmanager
def _replacing(out: Path, *, may_replace: bool) -> Iterator[BinaryIO]:
    """A file beside *out* that takes its place, on the disk, when the block ends well, and is gone when it does not."""
    with _writing_errors(out):
        require_free(out, may_replace=may_replace)
        descriptor, name = tempfile.mkstemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent)
    partial = Path(name)
    try:
        with _writing_errors(out), os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        with _writing_errors(out):
            require_free(out, may_replace=may_replace)  # pictures take their time
            partial.replace(out)
            sync_folder(out.parent)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def require_free(out: Path, *, may_replace: bool) -> None:
    """
    See, before the work, that a bundle may be written there.

    Raises:
        BundleWriteError: Something has that name.
    """
    if not may_replace and (out.exists() or out.is_symlink()):
        message = f"{out}: is there already"
        raise BundleWriteError(message, remedy="name another file, or replace it with --force")


@contextmanager
def _writing_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BundleWriteError(f"{out}: cannot be written: {error.strerror}") from None
