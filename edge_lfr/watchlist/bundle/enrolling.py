"""
A bundle as enrolment takes it: verified pictures enter one by one, references leave; each picture is let go once read.

The pictures of an entry that rules forbid are verified like the others, since the whole bundle has to be genuine, and
then dropped unseen.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from edge_lfr.config.policy import WatchlistPolicy
from edge_lfr.terms import Category
from edge_lfr.watchlist.bundle.composition import DatedPictures
from edge_lfr.watchlist.bundle.manifest import ManifestPicture
from edge_lfr.watchlist.bundle.reading import BundleReader
from edge_lfr.watchlist.bundle.rules import POLICY, judge
from edge_lfr.watchlist.enrolling.pictures import EncodedPicture, check_picture
from edge_lfr.watchlist.enrolling.sources import SourceReference


def refused_by_rules(
    listed: Iterable[DatedPictures],
    *,
    at: datetime,
    authorised_categories: Collection[Category] | None,
    authorising_officer: str | None = None,
    policy: WatchlistPolicy = POLICY,
) -> dict[int, tuple[str, ...]]:
    """
    Judge every entry before any picture is decoded.

    Args:
        listed: The entries of a source, in its order.

        at: Aware; when the list is loaded.

        authorised_categories: As in `judge`.

        authorising_officer: Likewise.

        policy: The numbers of the rules.

    Returns:
        For each entry that may not be used its place, from 0, and the codes; what a source takes as `refused`.
    """
    judged = (
        judge(
            one.entry,
            at=at,
            authorised_categories=authorised_categories,
            authorising_officer=authorising_officer,
            taken_on=one.taken_on,
            policy=policy,
        )
        for one in listed
    )
    return {number: tuple(reason.value for reason in reasons) for number, reasons in enumerate(judged) if reasons}


class BundleRow:
    """One picture of a bundle, in memory until it is read."""

    __slots__ = ("_promised", "_untrusted", "line", "reference_id", "taken_on")

    def __init__(self, line: int, reference_id: str, said: ManifestPicture, untrusted: bytes | None) -> None:
        self.line = line
        """Its number in the bundle, from 1."""

        self.reference_id = reference_id
        self.taken_on = said.taken_on
        self._promised = said.type
        self._untrusted = untrusted

    def read(self) -> EncodedPicture:
        """
        Check the picture against what the manifest says, give it, and let go of it.

        Raises:
            PictureRefusedError: It is of another type, too large or broken.
            ValueError: It was read before, or its entry is refused (a caller's mistake).
        """
        untrusted, self._untrusted = self._untrusted, None
        if untrusted is None:
            raise ValueError(f"picture {self.line} of the bundle is not held any more")
        return check_picture(untrusted, self._promised)


class BundleSource:
    """The entries of an open bundle, and its pictures for as long as it is open; they pass once."""

    def __init__(self, bundle: BundleReader, refused: Mapping[int, tuple[str, ...]]) -> None:
        """
        Take an opened bundle.

        Args:
            bundle: Whose pictures nobody has asked for; the caller closes it.

            refused: Codes of the rules that forbid an entry, by its place in the manifest, from 0.
        """
        self.entries = tuple(entry.entry() for entry in bundle.manifest.entries)
        self.picture_count = bundle.manifest.picture_count
        self._bundle = bundle
        self._refused = refused

    def bytes_of(self, number: int) -> int:
        """Give what the manifest says, which the bundle is held to; of a refused entry one picture at a time."""
        sizes = [picture.bytes for picture in self._bundle.manifest.entries[number].pictures]
        return max(sizes) if number in self._refused else sum(sizes)

    def references(self) -> Iterator[SourceReference]:
        """
        Give one reference after the other, and end only when the whole bundle was genuine.

        Raises:
            AgeFileError: The file was changed or cut off.
            BundleRefusedError: A picture, the order or the end is not as it must be.
        """
        pictures = self._bundle.pictures()
        for number, entry in enumerate(self._bundle.manifest.entries):
            refused = self._refused.get(number, ())
            rows = []
            for said in entry.pictures:
                picture = next(pictures)
                untrusted = None if refused else picture.untrusted
                rows.append(BundleRow(picture.picture_number, entry.reference_id, said, untrusted))
                del picture, untrusted
            yield SourceReference(number, tuple(rows), refused)
            del rows
        # The end of the archive and of the encryption are looked at when one picture more is asked for.
        next(pictures, None)
