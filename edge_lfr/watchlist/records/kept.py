"""
What tells of lists that ended, in one mode's state folder: listed, copied off the appliance, deleted in time.

    manifests/<UTC time>-<list id>.age     under pseudonyms, for the data protection officer
    certificates/wipe-<UTC time>.json      signed by the appliance
    receipts/load-<UTC time>.json          likewise
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from edge_lfr.config.appliance import WATCHLIST_FOLDER
from edge_lfr.config.retention import RetentionProfile
from edge_lfr.durable_files import create_durably, sync_folder
from edge_lfr.errors import WatchlistError
from edge_lfr.watchlist.records import pseudonyms
from edge_lfr.watchlist.records.receipt import FOLDER as RECEIPTS
from edge_lfr.watchlist.sealed.storage import read_list_id
from edge_lfr.watchlist.sealed.store import CURRENT
from edge_lfr.watchlist.wiping import certificate as wipe_certificate

TIME: Final = r"(?P<at>\d{8}T\d{6}\.\d{6}Z)"


class RecordKind(StrEnum):
    """What a record is, as its retention rule is called."""

    MANIFEST = "manifest"
    CERTIFICATE = "certificate"
    RECEIPT = "receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    folder: str
    name: re.Pattern[str]
    copied_to: str
    """Below the folder that somebody copies to: the officer's command looks for certificates there."""


PLACES: Final[Mapping[RecordKind, _Place]] = {
    RecordKind.MANIFEST: _Place(
        folder=pseudonyms.FOLDER, name=re.compile(TIME + r"-(?P<list_id>[0-9a-f]{16})\.age"), copied_to="."
    ),
    RecordKind.CERTIFICATE: _Place(
        folder=wipe_certificate.FOLDER, name=re.compile(rf"wipe-{TIME}\.json"), copied_to=wipe_certificate.FOLDER
    ),
    RecordKind.RECEIPT: _Place(folder=RECEIPTS, name=re.compile(rf"load-{TIME}\.json"), copied_to=RECEIPTS),
}


class RecordCopyError(WatchlistError):
    """A record could not be copied; it is still on the appliance."""

    code = "watchlist.record-copy"
    exit_status = os.EX_CANTCREAT
    remedy = "copy into another folder, and look whether the medium is full or write-protected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One file."""

    kind: RecordKind
    at: datetime
    path: Path
    size: int
    list_id: str | None
    """Of the sealed store; only a manifest says it."""


def kept_records(mode_directory: Path) -> tuple[Record, ...]:
    """Every record of the mode, oldest first."""
    found = [record for kind, place in PLACES.items() for record in _records_in(mode_directory, kind, place)]
    return tuple(sorted(found, key=lambda record: (record.at, record.path.name)))


def copy_records(mode_directory: Path, records: Iterable[Record], target: Path, *, delete: bool) -> tuple[int, int]:
    """
    Copy records into *target*; each was read back from the medium, and is the same, when this returns.

    Args:
        mode_directory: Whose they are.

        records: Which.

        target: A folder, made when it is missing; a file that has the same bytes there counts as copied.

        delete: Delete each here once all are there; a live list keeps its manifest.

    Returns:
        How many were copied, and deleted.

    Raises:
        RecordCopyError: Something there has a name of ours, or the medium does not take one, or gives back something
            else; nothing was deleted.
    """
    copied = [record for record in records if _copy(record, target / PLACES[record.kind].copied_to)]
    return len(copied), _delete(mode_directory, copied) if delete else 0


def delete_expired(mode_directory: Path, profile: RetentionProfile, now: datetime) -> int:
    """
    Delete the records whose period is over, but for the manifest of a list that is live; gives how many.

    Raises:
        OSError: The disk fails.
    """
    lifetimes = {
        RecordKind.MANIFEST: profile.manifest_lifetime,
        RecordKind.CERTIFICATE: profile.certificate_lifetime,
        RecordKind.RECEIPT: profile.certificate_lifetime,
    }
    over = [record for record in kept_records(mode_directory) if record.at + lifetimes[record.kind] <= now]
    return _delete(mode_directory, over)


def expires_next(mode_directory: Path, profile: RetentionProfile) -> datetime | None:
    """When the oldest manifest here is deleted, copied or not; None where there is none."""
    manifests = [one.at for one in kept_records(mode_directory) if one.kind is RecordKind.MANIFEST]
    return min(manifests) + profile.manifest_lifetime if manifests else None


def _delete(mode_directory: Path, records: Iterable[Record]) -> int:
    try:
        live = read_list_id(mode_directory / WATCHLIST_FOLDER / CURRENT)
    except WatchlistError:
        return 0  # nobody can say whose manifest is needed
    doomed = [record for record in records if record.list_id is None or record.list_id != live]
    for record in doomed:
        record.path.unlink(missing_ok=True)
    for folder in {record.path.parent for record in doomed}:
        sync_folder(folder)
    return len(doomed)


def _copy(record: Record, folder: Path) -> bool:
    copy = folder / record.path.name
    try:
        data = record.path.read_bytes()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            create_durably(copy, data)
        except FileExistsError:
            if _read_back(copy, len(data)) != data:
                raise RecordCopyError(f"{copy}: exists already, and is something else") from None
        else:
            _require_same(copy, data)
    except OSError as error:
        raise RecordCopyError(f"{copy}: cannot be made of {record.path}: {error.strerror}") from None
    return True


def _require_same(copy: Path, data: bytes) -> None:
    """See that what the medium took is what it has; what it spoiled is no copy, and goes."""
    if _read_back(copy, len(data)) != data:
        copy.unlink()
        message = f"{copy}: reads back as something else than was written"
        raise RecordCopyError(message, remedy="copy to another medium: this one spoils what it takes")


def _read_back(path: Path, expected_bytes: int) -> bytes:
    """What the medium has, not what the system remembers of the writing; of a longer file only that it is longer."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read(expected_bytes + 1)


def _records_in(mode_directory: Path, kind: RecordKind, place: _Place) -> Iterator[Record]:
    folder = mode_directory / place.folder
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        found = place.name.fullmatch(path.name)
        at = None if found is None else pseudonyms.time_in_name(found["at"])
        if found is None or at is None or path.is_symlink() or not path.is_file():
            continue
        list_id = found.groupdict().get("list_id")
        yield Record(kind=kind, at=at, path=path, size=path.stat().st_size, list_id=list_id)
