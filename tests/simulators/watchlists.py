"""Watchlists without people: random unit vectors, numbered labels and pictures of one grey."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.terms import Category, Mode, ResponseCode
from edge_lfr.watchlist.enrolling.columns import Column, csv_fields
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.records.kept import Record, RecordKind, kept_records
from edge_lfr.watchlist.records.pseudonyms import ProtectionOfficer
from edge_lfr.watchlist.sealed.store import SealedStore

DIMENSION = 16
PACK_DIGEST = "0" * 64

EXPIRES_AT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=14)
"""The same in every process of one day."""

TAKEN_ON = date(2025, 1, 31)
CSV_HEADER = ",".join(Column)


def entry(number: int) -> WatchlistEntry:
    """The reference of that number."""
    return made_entry(f"REF-{number:05}", label=f"Subject {number}")


def made_entry(reference_id: str, **changes: Any) -> WatchlistEntry:
    """An entry that no rule forbids, with some fields of a test's own."""
    fields: dict[str, Any] = {
        "label": "Subject",
        "category": Category.SUSPECT,
        "response_code": ResponseCode.OBSERVE,
        "legal_basis": "s.24 PACE 1984",
        "requester": "DC 1234",
        "expires_at": EXPIRES_AT,
        "review_on": EXPIRES_AT.date() + timedelta(days=90),
        "born_on": date(1990, 1, 31),
        "why_here": "lives nearby",
    }
    return WatchlistEntry(reference_id=reference_id, **{**fields, **changes})


def csv_row(reference_id: str, picture: str, **changes: Any) -> str:
    """One line of a CSV with `CSV_HEADER`, without the line's end."""
    said = csv_fields(
        made_entry(reference_id, **changes), picture=picture, picture_source="custody suite", taken_on=TAKEN_ON
    )
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(said)
    return line.getvalue()


def templates(number: int, count: int = 2, dimension: int = DIMENSION) -> NDArray[np.float32]:
    """Its unit vectors; the same each time."""
    vectors = np.random.default_rng(number).standard_normal((count, dimension)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def picture(number: int) -> bytes:
    """Stands for its JPEG; the store never looks inside."""
    return b"\xff\xd8 picture of subject %d" % number


def new_store(directory: Path, officer: ProtectionOfficer | None = None, *, mode: Mode = Mode.TRAINING) -> SealedStore:
    """A store with a key file beside it."""
    kek = KeyEncryptingKey.load(directory, create=True)
    return SealedStore(directory / "watchlist", kek, mode=mode, officer=officer)


def load(store: SealedStore, numbers: range, *, lookalikes: tuple[tuple[int, int], ...] = ()) -> str:
    """Load the references of these numbers and give the id of the list."""
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        for number in numbers:
            new.add(entry(number), templates(number), picture(number))
        pairs = [frozenset({entry(first).reference_id, entry(second).reference_id}) for first, second in lookalikes]
        return new.activate(lookalikes=pairs)


def manifests_in(mode_directory: Path) -> list[Record]:
    """Every manifest of a list that was live there, oldest first."""
    return [record for record in kept_records(mode_directory) if record.kind is RecordKind.MANIFEST]
