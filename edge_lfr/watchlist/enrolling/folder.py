"""
What a technician brings: a folder with `watchlist.csv` and pictures enters, checked rows leave; no picture is opened.

Everything in the folder is untrusted. Problems are told all at once, by line and field, and never by content: a label
or a file name may be a person's name.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any, Final

from edge_lfr.errors import WatchlistFormatError
from edge_lfr.watchlist.enrolling.columns import (
    CHECKS,
    COLUMN_EXPECTED,
    ENTRY_COLUMNS,
    MANDATORY,
    MAX_PICTURE_PATH_BYTES,
    Column,
)
from edge_lfr.watchlist.enrolling.pictures import EncodedPicture, read_picture
from edge_lfr.watchlist.enrolling.sources import SourceReference
from edge_lfr.watchlist.entries import WatchlistEntry

CSV_NAME: Final = "watchlist.csv"

COLUMNS: Final = tuple(Column)

HEADER_REMEDY: Final = f"the first line names {','.join(MANDATORY)}; `edge-lfr watchlist template` writes it"


MAX_ROWS: Final = 60_000
"""The design load: 20,000 people with three pictures each."""

MAX_CSV_BYTES: Final = 64 * 1024 * 1024
"""Some 1,000 bytes a row at the most rows; chosen, not measured."""

MAX_PICTURES_PER_REFERENCE: Final = 10
"""Three are usual; chosen, not measured."""

MAX_REPORTED_PROBLEMS: Final = 20
"""A screen; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One picture of one reference."""

    line: int
    """Where the row begins in the CSV, counted from 1."""

    reference_id: str
    picture: Path = field(repr=False)
    """Resolved; lies inside the folder; may not exist."""

    picture_source: str = field(repr=False)
    taken_on: date | None = field(repr=False)
    """None where it is not known."""

    def read(self) -> EncodedPicture:
        """
        Read the picture, in a lane of the enrolment, and check it without decoding it.

        Raises:
            PictureRefusedError: With the reason.
        """
        return read_picture(self.picture)


@dataclass(frozen=True, slots=True)
class WatchlistSource:
    """A folder whose CSV keeps the format; its pictures have not been opened."""

    folder: Path
    entries: tuple[WatchlistEntry, ...]
    """One for each reference, in order of first appearance."""

    rows: tuple[SourceRow, ...]
    """One for each picture, in order of the file."""

    refused: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Codes of the rules that forbid an entry, by its place in `entries`; the folder itself judges nobody."""

    @property
    def picture_count(self) -> int:
        return len(self.rows)

    def bytes_of(self, number: int) -> int:  # noqa: ARG002 - a promise of every source; here pictures wait on the disk
        """Nothing of reference *number* waits in memory."""
        return 0

    def listed(self) -> Iterator[tuple[WatchlistEntry, tuple[SourceRow, ...]]]:
        """Give every entry with its rows, in order of first appearance."""
        rows_of: dict[str, list[SourceRow]] = {entry.reference_id: [] for entry in self.entries}
        for row in self.rows:
            rows_of[row.reference_id].append(row)
        for entry in self.entries:
            yield entry, tuple(rows_of[entry.reference_id])

    def references(self) -> Iterator[SourceReference]:
        """Give one reference after the other, in order of first appearance."""
        for number, (_, rows) in enumerate(self.listed()):
            yield SourceReference(number, rows, self.refused.get(number, ()))


def read_source(folder: Path) -> WatchlistSource:
    """
    Read and check the CSV of a watchlist folder.

    Raises:
        WatchlistFormatError: The folder or its CSV is missing, too large, in another encoding, or breaks the format;
            the message names file, line and field, and never what stands there.
    """
    text = _decode(_read_bounded(folder))
    reader = _Reader(folder.resolve())
    for line, fields in _records(text):
        reader.take(line, fields)
    return reader.finish()


def _read_bounded(folder: Path) -> bytes:
    try:
        with (folder / CSV_NAME).open("rb") as file:
            untrusted = file.read(MAX_CSV_BYTES + 1)
    except OSError as error:
        message = f"{CSV_NAME}: cannot be read: {error.strerror}"
        raise WatchlistFormatError(
            message, remedy=f"name the folder that holds {CSV_NAME} and the pictures; see watchlists/README.md"
        ) from None
    if len(untrusted) > MAX_CSV_BYTES:
        message = f"{CSV_NAME}: larger than {MAX_CSV_BYTES} bytes"
        raise WatchlistFormatError(message, remedy=f"a watchlist has at most {MAX_ROWS} rows and no embedded pictures")
    return untrusted


def _decode(untrusted: bytes) -> str:
    try:
        return untrusted.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = untrusted.count(b"\n", 0, error.start) + 1
        message = f"{CSV_NAME}, line {line}: expected UTF-8, found another encoding"
        raise WatchlistFormatError(
            message, remedy="save it again as UTF-8 (in a spreadsheet: 'CSV UTF-8 (comma delimited)')"
        ) from None


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Give the first line and the fields of every record that is not blank."""
    records = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = records.line_num + 1
        try:
            fields = next(records)
        except StopIteration:
            return
        except csv.Error:
            message = f"{CSV_NAME}, line {line}: quotes are not closed, or a field is too long"
            raise WatchlistFormatError(message, remedy='write a quote inside a field as two: ""') from None
        if any(untrusted.strip() for untrusted in fields):
            yield line, fields


class _Reader:
    """Takes the records one by one, remembers what was wrong, and gives the source or all problems at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._order: dict[Column, int] | None = None
        self._entries: dict[str, WatchlistEntry] = {}
        self._first_line: dict[str, int] = {}
        self._rows: list[SourceRow] = []
        self._pictures: dict[tuple[str, Path], int] = {}
        self._per_reference: Counter[str] = Counter()
        self._folders: dict[PurePosixPath, Path] = {}
        self._problems: list[str] = []
        self._problem_count = 0

    def take(self, line: int, untrusted_fields: list[str]) -> None:
        if self._order is None:
            self._order = self._header(line, untrusted_fields)
            return
        if len(self._rows) >= MAX_ROWS:
            message = f"{CSV_NAME}, line {line}: more than {MAX_ROWS} rows"
            raise WatchlistFormatError(message, remedy="divide the watchlist, or list fewer pictures a person")
        if len(untrusted_fields) != len(self._order):
            self._problem(line, None, f"expected {len(self._order)} fields, found {len(untrusted_fields)}")
            return
        self._row(line, {column: untrusted_fields[place].strip() for column, place in self._order.items()})

    def finish(self) -> WatchlistSource:
        if self._order is None:
            message = f"{CSV_NAME}: is empty"
            raise WatchlistFormatError(message, remedy=HEADER_REMEDY)
        if not self._rows and not self._problems:
            message = f"{CSV_NAME}: has a header and no rows"
            raise WatchlistFormatError(message, remedy="list at least one picture")
        if self._problems:
            rest = self._problem_count - len(self._problems)
            message = "\n".join([*self._problems, *([f"and {rest} more"] if rest else [])])
            raise WatchlistFormatError(message, remedy=f"correct these lines of {CSV_NAME}; see watchlists/README.md")
        return WatchlistSource(self._folder, tuple(self._entries.values()), tuple(self._rows))

    def _header(self, line: int, untrusted_names: list[str]) -> dict[Column, int]:
        """Find the columns, in whatever order; nothing of the header is repeated, since it may be a row of people."""
        names = [name.strip().lower() for name in untrusted_names]
        if len(names) == 1 and any(separator in names[0] for separator in ";\t"):
            message = f"{CSV_NAME}, line {line}: fields are not separated by commas"
            raise WatchlistFormatError(message, remedy="save it again with commas between the fields")
        missing = [column for column in MANDATORY if column not in names]
        if missing:
            message = f"{CSV_NAME}, line {line}: the header lacks {', '.join(missing)}"
            raise WatchlistFormatError(message, remedy=HEADER_REMEDY)
        for number, name in enumerate(names, start=1):
            if name not in COLUMNS or names.index(name) != number - 1:
                message = f"{CSV_NAME}, line {line}: column {number} is unknown or stands there twice"
                raise WatchlistFormatError(message, remedy=f"leave only the columns {','.join(COLUMNS)}")
        return {column: names.index(column) for column in COLUMNS if column in names}

    def _row(self, line: int, untrusted: dict[Column, str]) -> None:
        problems_before = self._problem_count
        values: dict[str, Any] = {}
        for column, check in CHECKS.items():
            if column in untrusted:
                try:
                    values[column.value] = check(untrusted[column])
                except ValueError:
                    self._problem(line, column, COLUMN_EXPECTED[column])
        picture = self._picture(line, untrusted[Column.PICTURE])
        if picture is None or self._problem_count > problems_before:
            return
        row = SourceRow(
            line=line,
            reference_id=values[Column.REFERENCE_ID],
            picture=picture,
            picture_source=values.pop(Column.PICTURE_SOURCE),
            taken_on=values.pop(Column.PICTURE_TAKEN_ON),
        )
        self._add(row, WatchlistEntry(**values))

    def _add(self, row: SourceRow, entry: WatchlistEntry) -> None:
        line, reference_id = row.line, row.reference_id
        known = self._entries.setdefault(reference_id, entry)
        first_line = self._first_line.setdefault(reference_id, line)
        if known != entry:
            differing = next(one for one in ENTRY_COLUMNS if getattr(known, one) != getattr(entry, one))
            self._problem(line, differing, f"differs from line {first_line}, which has the same reference_id")
            return
        earlier = self._pictures.setdefault((reference_id, row.picture), line)
        if earlier != line:
            self._problem(line, Column.PICTURE, f"the same reference_id and picture stand in line {earlier}")
            return
        self._per_reference[reference_id] += 1
        if self._per_reference[reference_id] > MAX_PICTURES_PER_REFERENCE:
            self._problem(line, Column.PICTURE, f"at most {MAX_PICTURES_PER_REFERENCE} pictures a reference")
            return
        self._rows.append(row)

    def _picture(self, line: int, untrusted_path: str) -> Path | None:
        """Resolve a picture's path, following links, and see that it stays inside the folder."""
        if not untrusted_path or len(untrusted_path.encode()) > MAX_PICTURE_PATH_BYTES or "\0" in untrusted_path:
            self._problem(line, Column.PICTURE, COLUMN_EXPECTED[Column.PICTURE])
            return None
        if "\\" in untrusted_path:
            self._problem(line, Column.PICTURE, "folders are separated by /, not by \\")
            return None
        relative = PurePosixPath(untrusted_path)
        if relative.is_absolute() or ".." in relative.parts:
            self._problem(line, Column.PICTURE, "a path inside the folder: not absolute, without '..'")
            return None
        try:
            resolved = self._resolved(relative)
        except (OSError, RuntimeError):
            # A name too long for the file system, or links that go round in a circle.
            self._problem(line, Column.PICTURE, "a path that the file system can follow")
            return None
        if not resolved.is_relative_to(self._folder) or resolved == self._folder:
            self._problem(line, Column.PICTURE, "a path inside the folder: no link that leaves it")
            return None
        return resolved

    def _resolved(self, relative: PurePosixPath) -> Path:
        """Follow links; a folder is resolved once for all the pictures in it."""
        folder = self._folders.get(relative.parent)
        if folder is None:
            folder = self._folders[relative.parent] = (self._folder / relative.parent).resolve()
        path = folder / relative.name
        return path.resolve() if path.is_symlink() else path

    def _problem(self, line: int, column: Column | None, expected: str) -> None:
        self._problem_count += 1
        if len(self._problems) < MAX_REPORTED_PROBLEMS:
            place = f"{CSV_NAME}, line {line}" + (f", {column}" if column is not None else "")
            self._problems.append(f"{place}: {expected}")
