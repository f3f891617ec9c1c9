"""One sealed list on the disk, as it is made: references enter and are encrypted row by row into a file of its own."""

import hashlib
import os
import sqlite3
import struct
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.durable_files import sync_file
from edge_lfr.governance.seal import Seal
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.sealed.sealed_list import (
    FORMAT,
    LITTLE_FLOAT32,
    ListHead,
    Manifest,
    RowKind,
    entry_to_bytes,
    row_context,
)
from edge_lfr.watchlist.sealed.storage import storage_errors

UNIT_TOLERANCE: Final = 1e-3
"""How far a template's length may be from 1: float32 rounding with room; chosen, not measured."""


class ListWriter:
    """Fills the file of a new list; until `finish` has returned, the file is nothing."""

    def __init__(self, path: Path, list_id: str, seal: Seal, head: ListHead) -> None:
        self.list_id = list_id
        self._path = path
        self._seal = seal
        self._head = head
        self._reference_ids: dict[str, int] = {}
        self._templates = 0
        self._digest = hashlib.sha256()
        with storage_errors():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        with storage_errors():
            # A file that a crash leaves behind is thrown away whole, so there is no journal to keep on the disk. One in
            # memory stays: without any, closing in the middle of a transaction is undefined.
            for pragma in ("journal_mode=MEMORY", "synchronous=OFF", "secure_delete=ON", "temp_store=MEMORY"):
                self._database.execute(f"PRAGMA {pragma}").fetchall()
            self._database.execute(
                "CREATE TABLE row (kind INTEGER, number INTEGER, sealed BLOB, UNIQUE (kind, number)) STRICT"
            )
            self._database.execute("BEGIN")

    @property
    def references(self) -> int:
        return len(self._reference_ids)

    @property
    def templates(self) -> int:
        return self._templates

    def add(self, entry: WatchlistEntry, vectors: NDArray[np.float32], picture: bytes) -> None:
        """
        Seal one reference.

        Args:
            entry: Who and why.

            vectors: float32 (k, d), k >= 1, unit rows; stays the caller's to zero.

            picture: JPEG of the reference's face.

        Raises:
            WatchlistStorageError: The disk is full or fails.
            ValueError: The id was added already, or the vectors are no templates (a caller's mistake).
        """
        if entry.reference_id in self._reference_ids:
            message = f"{entry.reference_id} was added already"
            raise ValueError(message)
        _check_templates(vectors, self._head.dimension)
        number = len(self._reference_ids)
        self._reference_ids[entry.reference_id] = number
        self._templates += len(vectors)
        self._put(RowKind.ENTRY, number, entry_to_bytes(entry))
        self._put(RowKind.TEMPLATES, number, np.ascontiguousarray(vectors, dtype=LITTLE_FLOAT32).data.cast("B"))
        self._put(RowKind.PICTURE, number, picture)

    def finish(self, created_at: datetime, lookalikes: Iterable[frozenset[str]]) -> Manifest:
        """Seal the manifest, wait until the file is on the disk, and give what was sealed."""
        pairs = sorted((sorted(self._reference_ids[one] for one in pair)) for pair in lookalikes)
        manifest = Manifest(
            format=FORMAT,
            pack_digest=self._head.pack_digest,
            dimension=self._head.dimension,
            created_at=created_at,
            reference_ids=tuple(self._reference_ids),
            templates=self._templates,
            lookalikes=tuple((first, second) for first, second in pairs),
            wipe_at=self._head.wipe_at,
            origin=self._head.origin,
            digest=self._digest.hexdigest(),
        )
        self._put(RowKind.MANIFEST, 0, manifest.model_dump_json().encode())
        with storage_errors():
            self._database.execute("COMMIT")
            self._database.close()
            sync_file(self._path)
        return manifest

    def close(self) -> None:
        """Let go of the file and the key; safe after `finish`."""
        self._database.close()

    def _put(self, kind: RowKind, number: int, plain: bytes | memoryview) -> None:
        sealed = self._seal.seal(plain, context=row_context(self.list_id, kind, number))
        self._digest.update(struct.pack("<BI", kind, number) + hashlib.sha256(sealed).digest())
        with storage_errors():
            self._database.execute("INSERT INTO row VALUES (?, ?, ?)", (int(kind), number, sealed))


def _check_templates(vectors: NDArray[np.float32], dimension: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != dimension or not len(vectors) or vectors.dtype != np.float32:  # noqa: PLR2004 - a matrix
        message = f"expected float32 (k, {dimension}), found {vectors.dtype} {vectors.shape}"
        raise ValueError(message)
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.all(np.abs(lengths - 1.0) < UNIT_TOLERANCE):
        message = "a template is not of unit length"
        raise ValueError(message)
