"""
One sealed list on the disk, as it is read: a key and the right place open its rows; `list_writer` made them.

Every row is sealed for its list, kind and number, so that rows cannot be exchanged, and the manifest row is sealed over
the reference ids and counts, so that rows cannot be added or taken away. The file shows the number of references and
the sizes of their rows, and nothing else.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.errors import SealBrokenError, WatchlistReferenceError, WatchlistSealError
from edge_lfr.governance.seal import OVERHEAD_BYTES, Seal
from edge_lfr.terms import Mode
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.sealed.entry_json import EntryFields, said_of
from edge_lfr.watchlist.sealed.origin import Origin

FORMAT: Final = 4
"""1 knew only id, label, category and response code of an entry; 2 did not say which bundle it came from, 3 not under
which authority, and its key was wrapped for every mode."""

LITTLE_FLOAT32: Final = np.dtype("<f4")

ROWS_A_QUESTION: Final = 64
"""Sealed rows that the database is asked for at once: a fifth of a megabyte of three templates each. Chosen."""


class RowKind(IntEnum):
    """What a row holds; the number of a row is the position of its reference, 0 for the manifest."""

    MANIFEST = 0
    ENTRY = 1
    TEMPLATES = 2
    PICTURE = 3


PER_REFERENCE: Final = (RowKind.ENTRY, RowKind.TEMPLATES, RowKind.PICTURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListHead:
    """What is settled about a list before the first reference is sealed, and stays when one is taken out."""

    pack_digest: str
    """Of the pack whose templates it holds."""

    dimension: int
    """Of these templates."""

    wipe_at: datetime | None = None
    """After this time (aware) the list must not exist; None for a list without an end."""

    origin: Origin | None = None
    """The bundle that it was loaded from; None for one from a folder."""


class Manifest(BaseModel):
    """What the list is, without who."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    format: int = Field(ge=FORMAT, le=FORMAT)
    pack_digest: str
    dimension: int = Field(ge=1, le=4096)
    created_at: AwareDatetime
    reference_ids: tuple[str, ...] = Field(min_length=1)
    templates: int = Field(ge=1)
    lookalikes: tuple[tuple[int, int], ...]
    """Pairs of positions in `reference_ids`."""

    wipe_at: AwareDatetime | None
    """When the list must not exist any more, as it stands in clear beside it; None for a list without an end."""

    origin: Origin | None
    """The bundle that it was loaded from; None for one from a folder."""

    digest: str


class StoredWatchlist:
    """
    An opened list; entries and pictures are opened one at a time, when an alert needs them.

    It stays readable after the store went on to another list, until `close`.
    """

    def __init__(self, path: Path, list_id: str, seal: Seal) -> None:
        """
        Open the file and check that it is whole.

        Raises:
            WatchlistSealError: Another key, changed bytes, or rows that are missing or too many.
        """
        self.list_id = list_id
        self._seal: Seal | None = seal
        self._lock = threading.Lock()
        with _seal_errors():
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro&immutable=1",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with _seal_errors():
                self._database.execute("PRAGMA trusted_schema=OFF").fetchall()
                self._manifest = Manifest.model_validate_json(self._get(RowKind.MANIFEST, 0))
                self._check_rows()
        except BaseException:
            self._database.close()
            raise
        self._number = {reference_id: number for number, reference_id in enumerate(self._manifest.reference_ids)}

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the sealed rows: the name of exactly these bytes, telling nothing about their content."""
        return self._manifest.digest

    @property
    def pack_digest(self) -> str:
        return self._manifest.pack_digest

    @property
    def dimension(self) -> int:
        return self._manifest.dimension

    @property
    def created_at(self) -> datetime:
        return self._manifest.created_at

    @property
    def wipe_at(self) -> datetime | None:
        """After this time the list must not exist; None for a list without an end."""
        return self._manifest.wipe_at

    @property
    def origin(self) -> Origin | None:
        """The bundle that it was loaded from; None for one from a folder."""
        return self._manifest.origin

    @property
    def head(self) -> ListHead:
        """All that a list keeps when a reference is taken out."""
        return ListHead(
            pack_digest=self.pack_digest, dimension=self.dimension, wipe_at=self.wipe_at, origin=self.origin
        )

    @property
    def references(self) -> int:
        return len(self._manifest.reference_ids)

    @property
    def templates(self) -> int:
        return self._manifest.templates

    @property
    def reference_ids(self) -> tuple[str, ...]:
        """All of them, in the order of the source."""
        return self._manifest.reference_ids

    @property
    def lookalikes(self) -> frozenset[frozenset[str]]:
        """Pairs of references that enrolment found too similar to tell apart at the threshold."""
        ids = self._manifest.reference_ids
        return frozenset(frozenset({ids[first], ids[second]}) for first, second in self._manifest.lookalikes)

    def vectors(self) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        """
        Open all templates into one new matrix of locked pages; they are in clear nowhere else.

        Returns:
            float32 (n, d), the caller's to zero, and the reference id of each row; the rows of one reference lie
            together, references in the order of `reference_ids`.

        Raises:
            WatchlistSealError: Changed bytes.
        """
        matrix: NDArray[np.float32] = locked_zeros((self.templates, self.dimension), LITTLE_FLOAT32)
        try:
            return matrix, self._fill(matrix)
        except BaseException:
            matrix[...] = 0
            raise

    def entry(self, reference_id: str) -> WatchlistEntry:
        """
        Who and why.

        Raises:
            WatchlistReferenceError: It is not in this list.
            WatchlistSealError: Changed bytes.
        """
        entry = _entry_from_bytes(self._opened(RowKind.ENTRY, self._position(reference_id)))
        if entry.reference_id != reference_id:
            message = "an entry belongs to another reference"
            raise WatchlistSealError(message)
        return entry

    def picture(self, reference_id: str) -> bytes:
        """
        JPEG of the reference's face.

        Raises:
            WatchlistReferenceError: It is not in this list.
            WatchlistSealError: Changed bytes.
        """
        return self._opened(RowKind.PICTURE, self._position(reference_id))

    def sealed_manifest(self) -> bytes:
        """The manifest's row as it lies on the disk, for whoever wants to see later that it opens no more."""
        with _seal_errors(), self._lock:
            return self._sealed(RowKind.MANIFEST, 0)

    def close(self) -> None:
        """Let go of the file and the data key."""
        with self._lock:
            self._seal = None
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _position(self, reference_id: str) -> int:
        number = self._number.get(reference_id)
        if number is None:
            message = "the reference is not in the watchlist"
            raise WatchlistReferenceError(message)
        return number

    def _fill(self, matrix: NDArray[np.float32]) -> tuple[str, ...]:
        owners: list[str] = []
        unfilled = matrix.data.cast("B")
        row_bytes = self.dimension * LITTLE_FLOAT32.itemsize
        for start in range(0, self.references, ROWS_A_QUESTION):
            reference_ids = self.reference_ids[start : start + ROWS_A_QUESTION]
            with _seal_errors(), self._lock:
                seal = self._held_seal()
                rows = self._sealed_templates(start, len(reference_ids))
                for number, (reference_id, untrusted_sealed) in enumerate(zip(reference_ids, rows, strict=True), start):
                    length = len(untrusted_sealed) - OVERHEAD_BYTES
                    if length % row_bytes or not 0 < length <= len(unfilled):
                        raise _other_templates()
                    context = row_context(self.list_id, RowKind.TEMPLATES, number)
                    seal.open_into(untrusted_sealed, unfilled[:length], context=context)
                    unfilled = unfilled[length:]
                    owners += [reference_id] * (length // row_bytes)
        if len(unfilled) > 0:
            raise _other_templates()
        return tuple(owners)

    def _sealed_templates(self, first: int, count: int) -> list[bytes]:
        """Read the rows of *count* references with one question: 20,000 of them took longer than opening the rows."""
        query = "SELECT number, sealed FROM row WHERE kind = ? AND number >= ? AND number < ? ORDER BY number"
        numbers = range(first, first + count)
        untrusted_rows = self._database.execute(query, (int(RowKind.TEMPLATES), first, numbers.stop)).fetchall()
        found = [sealed for _, sealed in untrusted_rows if isinstance(sealed, bytes)]
        if [number for number, _ in untrusted_rows] != list(numbers) or len(found) != count:
            message = "rows of templates of the sealed store are missing, or too many"
            raise WatchlistSealError(message)
        return found

    def _held_seal(self) -> Seal:
        if self._seal is None:
            message = "the list is closed"
            raise ValueError(message)
        return self._seal

    def _opened(self, kind: RowKind, number: int) -> bytes:
        with _seal_errors():
            return self._get(kind, number)

    def _get(self, kind: RowKind, number: int) -> bytes:
        with self._lock:
            return self._held_seal().open(self._sealed(kind, number), context=row_context(self.list_id, kind, number))

    def _sealed(self, kind: RowKind, number: int) -> bytes:
        query = "SELECT sealed FROM row WHERE kind = ? AND number = ?"
        rows = self._database.execute(query, (int(kind), number)).fetchall()
        if len(rows) != 1 or not isinstance(untrusted_sealed := rows[0][0], bytes):
            raise WatchlistSealError(f"row {kind}/{number} of the sealed store is missing")
        return untrusted_sealed

    def _check_rows(self) -> None:
        """See that there is one row of each kind for each reference, and none beyond."""
        count = len(self._manifest.reference_ids)
        if len(set(self._manifest.reference_ids)) != count:
            message = "the manifest names a reference twice"
            raise WatchlistSealError(message)
        if any(not 0 <= position < count for pair in self._manifest.lookalikes for position in pair):
            message = "the manifest pairs references that it does not name"
            raise WatchlistSealError(message)
        untrusted_rows = self._database.execute("SELECT kind, number FROM row ORDER BY kind, number").fetchall()
        expected: Sequence[tuple[int, int]] = [(int(RowKind.MANIFEST), 0)]
        expected = [*expected, *((int(kind), number) for kind in PER_REFERENCE for number in range(count))]
        if untrusted_rows != expected:
            message = "rows of the sealed store are missing, or too many"
            raise WatchlistSealError(message)


@contextmanager
def _seal_errors() -> Iterator[None]:
    """Whatever goes wrong while reading bytes that somebody may have changed is a broken seal."""
    try:
        yield
    except (sqlite3.Error, SealBrokenError, ValidationError, OverflowError, UnicodeDecodeError):
        message = "the sealed store does not open: another key, or changed bytes"
        raise WatchlistSealError(message) from None


def _other_templates() -> WatchlistSealError:
    message = "the templates are not as many as the manifest says"
    return WatchlistSealError(message)


def key_context(mode: Mode, list_id: str) -> str:
    """What a list's key is wrapped for: a folder that is carried into another mode does not open there."""
    return f"watchlist-key:{mode.value}:{list_id}"


def row_context(list_id: str, kind: RowKind, number: int) -> str:
    """The place that a row is sealed for."""
    return f"watchlist:{list_id}:{int(kind)}:{number}"


def entry_to_bytes(entry: WatchlistEntry) -> bytes:
    """An entry as it stands in its row."""
    return EntryFields.model_validate(said_of(entry)).model_dump_json().encode()


def _entry_from_bytes(opened: bytes) -> WatchlistEntry:
    try:
        return EntryFields.model_validate_json(opened).entry()
    except ValidationError:
        message = "an entry of the sealed store is of another format"
        raise WatchlistSealError(message) from None
