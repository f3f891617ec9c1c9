"""The pictures of a watchlist folder as a bundle gives them: one after the other, each in memory until it is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from edge_lfr.watchlist.enrolling.folder import SourceRow, WatchlistSource
from edge_lfr.watchlist.enrolling.pictures import EncodedPicture, check_picture
from edge_lfr.watchlist.enrolling.sources import SourceReference
from edge_lfr.watchlist.entries import WatchlistEntry


class Held(bytes):
    """A picture in memory; tells its source when the last reference to it has gone."""

    account: "StreamedSource"

    def __del__(self) -> None:
        self.account.live_bytes -= len(self)


@dataclass(slots=True, eq=False)
class StreamedRow:
    """One picture of a stream."""

    line: int
    reference_id: str
    taken_on: date | None
    held: Held | None = field(repr=False)

    def read(self) -> EncodedPicture:
        held, self.held = self.held, None
        assert held is not None, "read twice, or of an entry that is refused"
        return check_picture(held, None)


@dataclass(slots=True, eq=False)
class StreamedSource:
    """What a test can cut off, judge and weigh."""

    folder: WatchlistSource
    refused: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    padded_to: int = 0
    """Bytes that every picture is filled up to with zeros, which image libraries pass over."""

    ends_after: int | None = None
    """After so many references the stream breaks."""

    given: int = 0
    live_bytes: int = 0
    peak_bytes: int = 0

    @property
    def entries(self) -> Sequence[WatchlistEntry]:
        return self.folder.entries

    @property
    def picture_count(self) -> int:
        return len(self.folder.rows)

    def bytes_of(self, number: int) -> int:
        if number in self.refused:
            return 0
        reference_id = self.entries[number].reference_id
        rows = [row for row in self.folder.rows if row.reference_id == reference_id]
        return sum(max(self.padded_to, row.picture.stat().st_size) for row in rows)

    def references(self) -> Iterator[SourceReference]:
        for reference in self.folder.references():
            if reference.number == self.ends_after:
                message = "the stick was pulled out"
                raise OSError(message)
            refused = self.refused.get(reference.number, ())
            rows = [row for row in self.folder.rows if row.reference_id == reference.rows[0].reference_id]
            self.given += 1
            yield SourceReference(
                reference.number,
                tuple(
                    StreamedRow(row.line, row.reference_id, row.taken_on, None if refused else self._hold(row))
                    for row in rows
                ),
                refused,
            )

    def _hold(self, row: SourceRow) -> Held:
        held = Held(row.picture.read_bytes().ljust(self.padded_to, b"\0"))
        held.account = self
        self.live_bytes += len(held)
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        return held
