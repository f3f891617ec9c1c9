"""
Where a pack's files come from: each source offers untrusted bytes, and a collection keeps those that the pack lists.

Names, lengths and links of a source are never believed: a member is looked at only if it is a plain file of a listed
length, and it is kept only if its digest is listed.
"""

import gzip
import hashlib
import io
import os
import stat
import tarfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO, Final, TypeAlias
from urllib.parse import urlsplit

from edge_lfr.errors import ModelDigestError, ModelSourceError
from edge_lfr.inference.catalogue import MAX_MODEL_BYTES, FileSpec

CHUNK_BYTES: Final = 1 << 20
"""One step of copying, hashing and reporting."""

MAX_MEMBERS: Final = 64
"""Members of an archive, folders included; a pack has at most three files (chosen, not measured)."""

MAX_ENTRIES: Final = 10_000
"""Files of a folder that are looked at (chosen, not measured)."""

MAX_ARCHIVE_BYTES: Final = 3 * MAX_MODEL_BYTES
"""What an archive may unpack to: a pack has at most three files."""

TIMEOUT_S: Final = 30.0
"""Silence of a publisher's server after which the next address is tried (chosen, not measured)."""

Progress: TypeAlias = Callable[[str, int, int], None]
"""Is told a file's name, the bytes so far and the bytes in all."""


class Collection:
    """What has been found of a pack so far, in its staging folder."""

    def __init__(self, files: Sequence[FileSpec], staging: Path, progress: Progress | None) -> None:
        self._staging = staging
        self._progress = progress
        self._missing = {spec.sha256: spec for spec in files}
        self.files = tuple(files)

    def lists_length(self, length: int) -> bool:
        """Whether some file of the pack has this length."""
        return any(spec.bytes == length for spec in self.files)

    def lists_name(self, name: str) -> FileSpec | None:
        """The pack's file of this name; a name proves nothing, it only makes a better message."""
        return next((spec for spec in self.files if spec.name == name), None)

    def lacks(self, spec: FileSpec) -> bool:
        """Whether this file has not been found yet."""
        return spec.sha256 in self._missing

    def offer(self, untrusted: IO[bytes], length: int, name: str) -> bool:
        """
        Read *length* bytes and keep them if their digest is listed; says whether it is.

        Raises:
            ModelSourceError: The source ended early or cannot be read.
        """
        staged = self._staging / "incoming"
        digest = hashlib.sha256()
        done = 0
        with staged.open("wb") as file:
            while done < length:
                chunk = untrusted.read(min(CHUNK_BYTES, length - done))
                if not chunk:
                    raise ModelSourceError(f"{name}: ends after {done} of {length} bytes")
                digest.update(chunk)
                file.write(chunk)
                done += len(chunk)
                if self._progress is not None:
                    self._progress(name, done, length)
            file.flush()
            os.fsync(file.fileno())
        spec = next((spec for spec in self.files if spec.sha256 == digest.hexdigest()), None)
        if spec is None:
            staged.unlink()
            return False
        staged.replace(self._staging / spec.name)
        self._missing.pop(spec.sha256, None)
        return True

    def require_complete(self) -> None:
        """
        End the collection.

        Raises:
            ModelSourceError: A file of the pack was not found.
        """
        if self._missing:
            wanted = "; ".join(f"{spec.name} (sha256 {spec.sha256})" for spec in self._missing.values())
            raise ModelSourceError(f"the source lacks {wanted}", remedy="provide a folder or archive that has it")


def collect_folder(folder: Path, collection: Collection) -> None:
    """
    Take what is listed from *folder* and the folders in it; everything else there is left alone, links too.

    Raises:
        ModelDigestError: A file has a listed name and is another file, and no other file is the listed one.
    """
    impostors: list[FileSpec] = []
    seen = 0
    for parent, _, names in os.walk(folder, followlinks=False):
        for name in sorted(names):
            seen += 1
            if seen > MAX_ENTRIES:
                raise ModelSourceError(
                    f"folder {folder}: more than {MAX_ENTRIES} files", remedy="name the pack's folder"
                )
            path = Path(parent) / name
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                continue
            namesake = collection.lists_name(name)
            if collection.lists_length(status.st_size):
                with path.open("rb") as untrusted:
                    if collection.offer(untrusted, status.st_size, name):
                        continue
            if namesake is not None:
                impostors.append(namesake)
    _refuse_impostors(impostors, collection)


def collect_archive(archive: Path, collection: Collection) -> None:
    """
    Take what is listed from a .zip, .tar or .tar.gz; an archive with anything else in it is refused.

    Raises:
        ModelSourceError: It is no such archive, is broken, or has a member that is unlisted, too large, a link, or
            that points outside.
    """
    try:
        if zipfile.is_zipfile(archive):
            _collect_zip(archive, collection)
        else:
            _collect_tar(archive, collection)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelSourceError(f"archive {archive.name}: broken or of an unknown kind ({error})") from error
    except OSError as error:
        raise ModelSourceError(f"archive {archive.name}: cannot be read ({error})") from error


def _collect_zip(archive: Path, collection: Collection) -> None:
    with zipfile.ZipFile(archive) as untrusted:
        members = untrusted.infolist()
        _check_count(len(members))
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            _check_name(member.filename)
            if member.is_dir():
                continue
            if kind not in {0, stat.S_IFREG}:
                raise _refused(member.filename, "is a link or a device")
            _check_length(member.filename, member.file_size, collection)
            with untrusted.open(member) as stream:
                _take(stream, member.file_size, member.filename, collection)


def _collect_tar(archive: Path, collection: Collection) -> None:
    with archive.open("rb") as raw:
        is_gzip = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        plain: IO[bytes] = gzip.GzipFile(fileobj=raw) if is_gzip else raw  # type: ignore[assignment]  # GzipFile reads like a file and is not typed as one
        with tarfile.open(fileobj=_Bounded(plain), mode="r|") as untrusted:
            for count, member in enumerate(untrusted, start=1):
                _check_count(count)
                _check_name(member.name)
                if member.isdir():
                    continue
                if not member.isreg():
                    raise _refused(member.name, "is a link or a device")
                _check_length(member.name, member.size, collection)
                stream = untrusted.extractfile(member)
                if stream is not None:
                    _take(stream, member.size, member.name, collection)


class _Bounded(io.RawIOBase):
    """A stream that may unpack to `MAX_ARCHIVE_BYTES` and no more, headers included."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MAX_ARCHIVE_BYTES

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise ModelSourceError(f"the archive unpacks to more than {MAX_ARCHIVE_BYTES} bytes")
        return content


def _take(stream: IO[bytes], length: int, name: str, collection: Collection) -> None:
    if not collection.offer(stream, length, PurePosixPath(name).name):
        namesake = collection.lists_name(PurePosixPath(name).name)
        if namesake is not None:
            raise ModelDigestError(f"model {namesake.name}: its digest is not {namesake.sha256}")
        raise _refused(name, "is not a file of this pack")


def _check_count(count: int) -> None:
    if count > MAX_MEMBERS:
        raise ModelSourceError(f"the archive has more than {MAX_MEMBERS} members")


def _check_name(name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name:
        raise _refused(name, "points outside the archive")


def _check_length(name: str, length: int, collection: Collection) -> None:
    if length > MAX_MODEL_BYTES:
        raise _refused(name, f"has {length} bytes, allowed are {MAX_MODEL_BYTES}")
    if not collection.lists_length(length):
        namesake = collection.lists_name(PurePosixPath(name).name)
        if namesake is not None:
            raise ModelDigestError(f"model {namesake.name}: expected {namesake.bytes} bytes, found {length}")
        raise _refused(name, "is not a file of this pack")


def _refused(name: str, why: str) -> ModelSourceError:
    return ModelSourceError(
        f"archive member {name!r} {why}; nothing was installed", remedy="make an archive of the pack's files alone"
    )


def _refuse_impostors(impostors: Sequence[FileSpec], collection: Collection) -> None:
    for spec in impostors:
        if collection.lacks(spec):
            raise ModelDigestError(f"model {spec.name}: a file has this name, and its digest is not {spec.sha256}")


def collect_addresses(collection: Collection) -> None:
    """
    Fetch every file of the pack from its addresses, in order, until one gives the right bytes.

    Raises:
        ModelSourceError: A file has no address, or none of them gave it.
    """
    opener = _https_only()
    for spec in collection.files:
        failures = []
        for address in spec.addresses:
            host = urlsplit(address).hostname
            try:
                with opener.open(address, timeout=TIMEOUT_S) as untrusted:
                    if collection.offer(untrusted, spec.bytes, spec.name):
                        break
                failures.append(f"{host}: another file")
            except (OSError, HTTPException, ModelSourceError) as error:
                failures.append(f"{host}: {error}")
        else:
            why = "; ".join(failures) or "the catalogue has no address for it"
            raise ModelSourceError(
                f"model {spec.name}: could not be fetched ({why})",
                remedy="install from a folder or archive: `edge-lfr models install SOURCE`",
            )


def _https_only() -> urllib.request.OpenerDirector:
    """An opener that knows https and nothing else, so that a publisher's redirect cannot leave it either."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
