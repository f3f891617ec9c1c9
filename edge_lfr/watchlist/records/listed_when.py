"""
Was somebody on a list that day? Manifests and certificates enter, and a span of time for each list leaves.

A list was searched from its manifest's time until the next list of the same appliance became live, until a certificate
says that it was destroyed, or until its own end, whichever came first. Where none of them is known, its end is open: a
day after its beginning is then a day on which it may have been searched. Nothing makes a span shorter but the word of
the key that signed its manifest; whose key that is, the officer says, who names the appliances' keys. Nobody's id
leaves but the one that was asked for, and that one is never stored.
"""

import os
import stat
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias, TypeVar

from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.documents import (
    MAX_DOCUMENT_BYTES,
    Document,
    DocumentRefusal,
    DocumentRefusedError,
    Kind,
    read_document,
)
from edge_lfr.watchlist.records.pseudonyms import SUFFIX, ListedManifest, PseudonymousManifest, read_manifest
from edge_lfr.watchlist.wiping.certificate import FOLDER as CERTIFICATES
from edge_lfr.watchlist.wiping.certificate import WipeCertificate

MAX_FILE_BYTES: Final = 16 << 20
"""A manifest has 4 MB at most; chosen, not measured."""

UNEXPECTED_KEY: Final = "watchlist.manifest-key"
"""The code of a manifest that none of the expected appliances signed."""

UNPROVED_CERTIFICATE: Final = "watchlist.certificate-key"
"""The code of a certificate that the appliance of the list did not sign."""

Found = TypeVar("Found")
Certificate: TypeAlias = Document[WipeCertificate]


class SpanEnd(StrEnum):
    """How it is known when a list was searched no more."""

    NEXT_LIST = "next-list"
    CERTIFICATE = "wipe-certificate"
    OWN_END = "own-end"
    """Nothing opened it after that; it may have ended before."""

    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one manifest says."""

    path: Path
    manifest: PseudonymousManifest
    signed_by: str
    """The fingerprint of the appliance's key, 64 hex digits."""

    until: datetime | None
    ended_by: SpanEnd
    was_live: bool
    """Whether the list was searched on the day that was asked for, or may have been."""

    is_listed: bool
    """Whether the reference was on it, on whatever day."""

    is_contested: bool
    """Whether another manifest says something else of the same list."""

    @property
    def is_yes(self) -> bool:
        return self.was_live and self.is_listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A file that says nothing."""

    path: Path
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Read:
    path: Path
    manifest: ListedManifest

    @property
    def of(self) -> tuple[str, str]:
        """Whose list, and which."""
        return self.manifest.content.device, self.manifest.content.list_id


def was_listed(
    reference_id: str, on: date, paths: Sequence[Path], identity: AgeIdentity, device_keys: Collection[str] = ()
) -> tuple[tuple[Answer, ...], tuple[Broken, ...]]:
    """
    Ask every manifest; in the order of time.

    Args:
        reference_id: Of the subject, as the force's records name it.

        on: The day, in UTC.

        paths: Manifests, or folders of them; certificates are looked for in `certificates` beside each.

        identity: The officer's key.

        device_keys: Fingerprints of the appliances, as `read_fingerprint` gives them: what others signed says nothing.
            Without any, every manifest is taken at its own word.

    Returns:
        What each says, and which files say nothing.
    """
    broken: list[Broken] = []
    found: list[_Read] = []
    files = _manifest_files(paths, broken)
    for path in files:
        manifest = _guarded(path, broken, lambda file: read_manifest(file, identity))
        if manifest is not None and device_keys and not manifest.signer.is_among(device_keys):
            reason = "signed by none of the keys that were named, so it does not count"
            broken.append(Broken(path=path, code=UNEXPECTED_KEY, reason=reason))
        # The same file may be given twice, from two sticks.
        elif manifest is not None and not any(one.manifest.is_same(manifest) for one in found):
            found.append(_Read(path, manifest))
    found.sort(key=lambda one: one.manifest.content.live_from)
    certificates = _certificates({path.parent for path in files}, found, broken)
    answers = []
    for one in found:
        content = one.manifest.content
        until, ended_by = _end_of(one, found, certificates)
        answers.append(
            Answer(
                path=one.path,
                manifest=content,
                signed_by=one.manifest.signer.fingerprint,
                until=until,
                ended_by=ended_by,
                was_live=_touches(on, content.live_from, until),
                is_listed=one.manifest.has(reference_id),
                is_contested=any(other.of == one.of for other in found if other is not one),
            )
        )
    return tuple(answers), tuple(broken)


def _touches(on: date, live_from: datetime, until: datetime | None) -> bool:
    """Whether a moment of that day, in UTC, lies in the span; nothing is added to a foreign time, which may be any."""
    begin, last = (datetime.combine(on, at, UTC) for at in (time.min, time.max))
    return live_from <= last and (until is None or until >= begin)


def _end_of(one: _Read, found: Sequence[_Read], certificates: Sequence[Certificate]) -> tuple[datetime | None, SpanEnd]:
    manifest = one.manifest
    ends = [
        (other.manifest.content.live_from, SpanEnd.NEXT_LIST)
        for other in found
        if other.manifest.signer == manifest.signer
        and other.manifest.content.device == manifest.content.device
        and other.of != one.of
        and other.manifest.content.live_from > manifest.content.live_from
    ]
    ends += [
        (certificate.content.begun_at, SpanEnd.CERTIFICATE)
        for certificate in certificates
        if _is_about(certificate, manifest) and manifest.signer.has_signed(certificate)
    ]
    if manifest.content.must_end_at is not None:
        ends.append((manifest.content.must_end_at, SpanEnd.OWN_END))
    return min(ends, default=(None, SpanEnd.UNKNOWN), key=lambda end: end[0])


def _is_about(certificate: Certificate, manifest: ListedManifest) -> bool:
    """Whether it claims the end of that list."""
    claimed, listed = certificate.content, manifest.content
    return claimed.device == listed.device and (
        claimed.list_id == listed.list_id or claimed.list_digest == listed.list_digest
    )


def _certificates(folders: Iterable[Path], found: Sequence[_Read], broken: list[Broken]) -> list[Certificate]:
    """Every certificate beside the manifests; of one that nobody signed who could, it is told that it ends nothing."""
    certificates: list[Certificate] = []
    for path in sorted({one for folder in folders for one in _certificate_files(folder)}):
        certificate = _guarded(path, broken, _read_certificate)
        if certificate is None:
            continue
        certificates.append(certificate)
        about = [one.manifest for one in found if _is_about(certificate, one.manifest)]
        if about and not any(manifest.signer.has_signed(certificate) for manifest in about):
            reason = "not signed by the appliance that signed the list's manifest, so it ends nothing"
            broken.append(Broken(path=path, code=UNPROVED_CERTIFICATE, reason=reason))
    return certificates


def _manifest_files(paths: Iterable[Path], broken: list[Broken]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        try:
            inside = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
        except OSError as error:
            inside = []
            broken.append(Broken(path=path, code="file", reason=f"cannot be read: {error.strerror}"))
        found.update(dict.fromkeys(inside))
    return list(found)


def _certificate_files(folder: Path) -> list[Path]:
    return sorted((folder / CERTIFICATES).glob("*.json"))


def _read_certificate(file: BinaryIO) -> Certificate | None:
    """None for a document of another kind, which may lie there."""
    try:
        return read_document(file.read(MAX_DOCUMENT_BYTES + 1), Kind.WIPE_CERTIFICATE, WipeCertificate)
    except DocumentRefusedError as error:
        if error.refusal is DocumentRefusal.WRONG_KIND:
            return None
        raise


def _guarded(path: Path, broken: list[Broken], read: Callable[[BinaryIO], Found | None]) -> Found | None:
    """Read a plain file of bounded size; what goes wrong is noted, and says nothing about its content."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
                broken.append(Broken(path=path, code="file", reason=f"no plain file of at most {MAX_FILE_BYTES} bytes"))
                return None
            return read(file)
    except OSError as error:
        broken.append(Broken(path=path, code="file", reason=f"cannot be read: {error.strerror}"))
    except EdgeLfrError as error:
        broken.append(Broken(path=path, code=error.code, reason=error.message))
    return None
