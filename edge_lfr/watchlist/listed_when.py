"""
Was somebody on a list that day? Manifests and certificates enter, and a span of time for each list leaves.

A list was searched from its manifest's time until the next list of the same appliance became live, until a certificate
says that it was destroyed, or until its own end, whichever came first. Where none of them is known, its end is open: a
day after its beginning is then a day on which it may have been searched. Nobody's id leaves but the one that was asked
for, and that one is never stored.
"""

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.documents import MAX_DOCUMENT_BYTES, DocumentRefusal, DocumentRefusedError, Kind, read_document
from edge_lfr.watchlist.pseudonyms import SUFFIX, PseudonymousManifest, read_manifest
from edge_lfr.watchlist.wipe_certificate import FOLDER as CERTIFICATES
from edge_lfr.watchlist.wipe_certificate import WipeCertificate

MAX_FILE_BYTES: Final = 16 << 20
"""A manifest has 4 MB at most; chosen, not measured."""

Found = TypeVar("Found")


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
    until: datetime | None
    ended_by: SpanEnd
    was_live: bool
    """Whether the list was searched on the day that was asked for, or may have been."""

    is_listed: bool
    """Whether the reference was on it, on whatever day."""

    @property
    def is_yes(self) -> bool:
        return self.was_live and self.is_listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A file that says nothing."""

    path: Path
    code: str
    reason: str


def was_listed(
    reference_id: str, on: date, paths: Sequence[Path], identity: AgeIdentity
) -> tuple[tuple[Answer, ...], tuple[Broken, ...]]:
    """
    Ask every manifest; in the order of time.

    Args:
        reference_id: Of the subject, as the force's records name it.

        on: The day, in UTC.

        paths: Manifests, or folders of them; certificates are looked for in `certificates` beside each.

        identity: The officer's key.

    Returns:
        What each says, and which files could not be read.
    """
    broken: list[Broken] = []
    manifests: list[tuple[Path, PseudonymousManifest]] = []
    certificates: list[WipeCertificate] = []
    files = _manifest_files(paths, broken)
    for path in files:
        found = _guarded(path, broken, lambda file: read_manifest(file, identity))
        if found is not None:
            manifests.append((path, found))
    for path in sorted({one for folder in {path.parent for path in files} for one in _certificate_files(folder)}):
        certificate = _guarded(path, broken, _read_certificate)
        if certificate is not None:
            certificates.append(certificate)
    # The same file may be given twice, from two sticks.
    once = {(found.device, found.list_id): (path, found) for path, found in manifests}
    ordered = sorted(once.values(), key=lambda one: one[1].live_from)
    listed = [found for _, found in ordered]
    answers = []
    for path, manifest in ordered:
        until, ended_by = _end_of(manifest, listed, certificates)
        answers.append(
            Answer(
                path=path,
                manifest=manifest,
                until=until,
                ended_by=ended_by,
                was_live=_touches(on, manifest.live_from, until),
                is_listed=manifest.has(reference_id),
            )
        )
    return tuple(answers), tuple(broken)


def _touches(on: date, live_from: datetime, until: datetime | None) -> bool:
    """Whether a moment of that day, in UTC, lies in the span; nothing is added to a foreign time, which may be any."""
    begin, last = (datetime.combine(on, at, UTC) for at in (time.min, time.max))
    return live_from <= last and (until is None or until >= begin)


def _end_of(
    manifest: PseudonymousManifest, listed: Sequence[PseudonymousManifest], certificates: Sequence[WipeCertificate]
) -> tuple[datetime | None, SpanEnd]:
    ends = [
        (other.live_from, SpanEnd.NEXT_LIST)
        for other in listed
        if other.device == manifest.device and other.live_from > manifest.live_from
    ]
    ends += [
        (certificate.begun_at, SpanEnd.CERTIFICATE)
        for certificate in certificates
        if certificate.device == manifest.device
        and (certificate.list_id == manifest.list_id or certificate.list_digest == manifest.list_digest)
    ]
    if manifest.must_end_at is not None:
        ends.append((manifest.must_end_at, SpanEnd.OWN_END))
    return min(ends, default=(None, SpanEnd.UNKNOWN), key=lambda end: end[0])


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


def _read_certificate(file: BinaryIO) -> WipeCertificate | None:
    """None for a document of another kind, which may lie there."""
    try:
        return read_document(file.read(MAX_DOCUMENT_BYTES + 1), Kind.WIPE_CERTIFICATE, WipeCertificate).content
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
