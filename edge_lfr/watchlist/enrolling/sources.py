"""
What enrolment takes pictures from: entries enter with the promise of pictures, references leave in their order.

A folder gives paths that lanes read side by side; a bundle gives bytes as they leave its encryption, so those wait in
memory, and what waits is bounded. Whatever a source raises ends the load before anything is activated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from edge_lfr.watchlist.enrolling.pictures import EncodedPicture
from edge_lfr.watchlist.entries import WatchlistEntry


class SourceRow(Protocol):
    """One picture of one reference."""

    @property
    def line(self) -> int:
        """Where the technician finds it: the line of the CSV, or the number of the picture in the bundle, from 1."""

    @property
    def reference_id(self) -> str: ...

    @property
    def taken_on(self) -> date | None:
        """When the picture was taken; None where it is not known."""

    def read(self) -> EncodedPicture:
        """
        Give the picture, checked and not decoded; in any thread, and once: what waited in memory is then let go.

        Raises:
            PictureRefusedError: It is none, too large or broken.
        """


@dataclass(frozen=True, slots=True)
class SourceReference:
    """The pictures of one reference; they stay in memory, where they are there, for as long as this record."""

    number: int
    """Its entry's place in `EnrolmentSource.entries`, from 0."""

    rows: tuple[SourceRow, ...]
    """At least one, at most `MAX_PICTURES_PER_REFERENCE`."""

    refused: tuple[str, ...] = ()
    """Codes of the rules that forbid this entry; with any, no row is read and nothing enrolled."""


class EnrolmentSource(Protocol):
    """Checked entries, and their pictures one reference after the other."""

    @property
    def entries(self) -> Sequence[WatchlistEntry]:
        """One for each reference."""

    @property
    def picture_count(self) -> int:
        """Of all references, the refused ones too."""

    def bytes_of(self, number: int) -> int:
        """Give the bytes that reference *number* will hold in memory until its rows are read; known before it comes."""

    def references(self) -> Iterator[SourceReference]:
        """
        Give one reference for each entry, in their order; advanced by one thread only.

        It ends only when the whole source was read and is genuine, and raises otherwise.
        """
