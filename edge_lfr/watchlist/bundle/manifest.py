"""
What a bundle says about itself before its pictures: bytes whose signature was checked enter, a bounded record leaves.

Nothing here knows who signed. Problems are told by entry and field, and never by content: a label may be a name.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, FailFast, Field, ValidationError

from edge_lfr.errors import WatchlistFormatError
from edge_lfr.terms import Mode
from edge_lfr.watchlist.enrolling.folder import MAX_PICTURES_PER_REFERENCE, MAX_REPORTED_PROBLEMS, MAX_ROWS
from edge_lfr.watchlist.enrolling.pictures import MAX_FILE_BYTES, PictureType
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.fields import EXPECTED, MAX_BASIS_CHARACTERS, MAX_PERSON_CHARACTERS, TIME_EXPECTED
from edge_lfr.watchlist.sealed.entry_json import STRICT, BasisText, DayOrUnknown, EntryFields, PersonText, Time, said_of

MANIFEST_NAME: Final = "manifest.json"
SIGNATURE_NAME: Final = "manifest.sig"
SCHEMA: Final = "lfr.watchlist/1"

MAX_MANIFEST_BYTES: Final = 64 * 1024 * 1024
"""Some 1,000 bytes for each picture of the longest list; chosen, not measured."""

MAX_PICTURES: Final = MAX_ROWS
"""As many as a folder may have."""

MAX_DEVICES: Final = 32
"""A force's vans. An age file has a recipient for each."""

MAX_DEPTH: Final = 5
"""Manifest, entries, entry, pictures, picture."""

MAX_OBJECTS: Final = 1 + 2 * MAX_PICTURES
"""The manifest, and at most as many entries as pictures."""

MAX_FIELDS: Final = 64
"""Of one object: an entry has 15. And the longest list but that of the entries. Chosen, not measured."""

MAX_COMMAS: Final = 32 * MAX_PICTURES
"""An entry with one picture has 20, and one before the next."""

SUFFIXES: Final = {PictureType.JPEG: "jpg", PictureType.PNG: "png", PictureType.WEBP: "webp", PictureType.BMP: "bmp"}

_FORMAT_REMEDY: Final = "have the issuer make it with `edge-lfr watchlist build`, or by watchlists/README.md"

_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""Also one that is never closed: to begin anew at each quote inside it would take time by the square of its length."""

_ALL_BUT_BRACKETS: Final = bytes(sorted(set(range(256)) - set(b"[]{}")))


def picture_name(number: int, kind: PictureType) -> str:
    """Name the archive's member of picture *number*, counted from 1."""
    return f"pictures/{number:06d}.{SUFFIXES[kind]}"


class ManifestPicture(BaseModel):
    """One picture of one reference: which bytes they are, and where they come from."""

    model_config = STRICT

    name: Annotated[str, Field(max_length=32)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=1, le=MAX_FILE_BYTES)]
    type: PictureType
    source: BasisText
    taken_on: DayOrUnknown


class ManifestEntry(EntryFields):
    """One reference and its pictures."""

    pictures: Annotated[tuple[ManifestPicture, ...], Field(min_length=1, max_length=MAX_PICTURES_PER_REFERENCE)]

    @classmethod
    def of(cls, entry: WatchlistEntry, pictures: tuple[ManifestPicture, ...]) -> Self:
        """Put an entry beside its pictures."""
        return cls.model_validate({**said_of(entry), "pictures": pictures})

    @property
    def taken_on(self) -> tuple[date | None, ...]:
        """When its pictures were taken."""
        return tuple(picture.taken_on for picture in self.pictures)


class BundleHead(BaseModel):
    """Whose list it is, for which appliances, and when it was drawn."""

    model_config = STRICT

    schema_version: Literal["lfr.watchlist/1"] = Field(alias="schema")
    mode: Mode
    issuer: PersonText
    """In words; who it was is known by the signature."""

    devices: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9-]{0,62}$")], ...],
        Field(min_length=1, max_length=MAX_DEVICES),
    ]
    """Each as `force/device`."""

    list_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    extracted_at: Time
    """When the entries were drawn from the force's systems."""

    def with_entries(self, entries: Iterable[ManifestEntry]) -> "BundleManifest":
        """Put everybody under it."""
        said = {name: getattr(self, name) for name in BundleHead.model_fields if name != "schema_version"}
        return BundleManifest.model_validate({"schema": self.schema_version, **said, "entries": tuple(entries)})


class BundleManifest(BundleHead):
    """What the issuer signs: the head, and everybody in it."""

    entries: Annotated[tuple[ManifestEntry, ...], Field(min_length=1, max_length=MAX_PICTURES), FailFast()]
    """Only the first that is wrong is told: to collect what 60,000 empty ones lack took 776 MB."""

    @property
    def picture_count(self) -> int:
        return sum(len(entry.pictures) for entry in self.entries)

    @property
    def picture_bytes(self) -> int:
        """Of all pictures together."""
        return sum(picture.bytes for entry in self.entries for picture in entry.pictures)

    def pictures(self) -> Iterator[ManifestPicture]:
        """In the order of the archive."""
        for entry in self.entries:
            yield from entry.pictures

    def to_bytes(self) -> bytes:
        """The canonical form: keys sorted, no spaces, ASCII; what `watchlist build` signs."""
        content = self.model_dump(mode="json", by_alias=True)
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def parse_manifest(untrusted: bytes) -> BundleManifest:
    """
    Believe the bytes of a manifest, or say what is wrong with them.

    (1) Small enough, (2) no deeper and with no more objects than a manifest has, (3) JSON that says nothing twice,
    (4) the fields that it should have, each within its bound, (5) every reference once, and the pictures numbered in
    order.

    Raises:
        WatchlistFormatError: The message names entry, picture and field, and never what stands there.
    """
    # (1) small enough
    if len(untrusted) > MAX_MANIFEST_BYTES:
        raise _refused(f"larger than {MAX_MANIFEST_BYTES} bytes")
    # (2) no deeper, and with no more objects
    _check_shape(untrusted)
    # (3) JSON that says nothing twice
    try:
        json.loads(untrusted.decode("utf-8"), object_pairs_hook=_check_keys)
    except _KeyTwiceError:
        problem = "a field stands twice in one object"
        raise _refused(problem) from None
    except _TooLongError:
        problem = "more fields in an object, or a longer list, than a manifest has"
        raise _refused(problem) from None
    except ValueError:
        problem = "is no JSON in UTF-8"
        raise _refused(problem) from None
    # (4) the fields
    try:
        manifest = BundleManifest.model_validate_json(untrusted)
    except ValidationError as error:
        raise _refused(*_problems(error)) from None
    # (5) every reference once, pictures in order
    _check_whole(manifest)
    return manifest


class _KeyTwiceError(Exception):
    """Two readers of one JSON text could believe different things."""


class _TooLongError(Exception):
    """What is wrong with each field or item would be told one by one, and each takes a kilobyte."""


def _check_keys(untrusted_pairs: list[tuple[str, object]]) -> None:
    """See that nothing is too long and no key is repeated, and keep nothing: another parser reads the fields."""
    lists = (value for key, value in untrusted_pairs if isinstance(value, list) and key != "entries")
    if len(untrusted_pairs) > MAX_FIELDS or any(len(value) > MAX_FIELDS for value in lists):
        raise _TooLongError
    if len({key for key, _ in untrusted_pairs}) != len(untrusted_pairs):
        raise _KeyTwiceError


def _check_shape(untrusted: bytes) -> None:
    """Count brackets and commas outside of strings, before a parser takes memory for what is between them."""
    outside = _STRINGS.sub(b"", untrusted)
    if outside.count(b",") > MAX_COMMAS:
        problem = "more fields than a manifest has"
        raise _refused(problem)
    brackets = outside.translate(None, _ALL_BUT_BRACKETS)
    if brackets.count(b"{") > MAX_OBJECTS:
        raise _refused(f"more than {MAX_PICTURES} entries or pictures")
    if brackets.count(b"[") > MAX_OBJECTS:
        problem = "more lists than a manifest has"
        raise _refused(problem)
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if not 0 <= depth <= MAX_DEPTH:
            problem = "nested deeper than a manifest is, or closed where nothing is open"
            raise _refused(problem)


MANIFEST_EXPECTED: Final[Mapping[str, str]] = {
    **EXPECTED,
    "schema": f'"{SCHEMA}"',
    "mode": f"one of {', '.join(Mode)}",
    "issuer": f"1 to {MAX_PERSON_CHARACTERS} printable characters on one line",
    "devices": f"1 to {MAX_DEVICES} appliances, each as force/device in a-z 0-9 -",
    "list_id": "1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit",
    "extracted_at": TIME_EXPECTED,
    "entries": f"1 to {MAX_PICTURES} entries",
    "pictures": f"1 to {MAX_PICTURES_PER_REFERENCE} pictures",
    "name": "pictures/000001.jpg and so on, numbered through, with the suffix of the type: jpg, png, webp, bmp",
    "sha256": "64 of 0-9 a-f",
    "bytes": f"a number from 1 to {MAX_FILE_BYTES}",
    "type": f"one of {', '.join(PictureType)}",
    "source": f"1 to {MAX_BASIS_CHARACTERS} printable characters on one line",
    "taken_on": EXPECTED["born_on"],
}
"""What is allowed in each field, in words."""


def _problems(error: ValidationError) -> Iterator[str]:
    before: tuple[int | str, ...] = ()
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        here, inner = fault["loc"], before
        before = here
        if fault["type"] == "too_short" and inner[: len(here)] == here:
            continue  # nothing is missing: what stands there was just refused
        match here:
            case ("entries", int(entry), "pictures", int(picture), *rest):
                place = f"entry {entry + 1}, picture {picture + 1}"
            case ("entries", int(entry), *rest):
                place = f"entry {entry + 1}"
            case rest:
                place = ""
        field = rest[0] if rest else None
        if fault["type"] == "extra_forbidden" or field not in MANIFEST_EXPECTED:
            said = "has a field that no manifest has" if field is not None else "expected an object"
        else:
            said = f"{field}: expected {MANIFEST_EXPECTED[str(field)]}"
        yield f"{place}, {said}" if place else said


def _check_whole(manifest: BundleManifest) -> None:
    seen: dict[str, int] = {}
    pictures = 0
    for number, entry in enumerate(manifest.entries, start=1):
        first = seen.setdefault(entry.reference_id, number)
        if first != number:
            raise _refused(f"entry {number}, reference_id: stands also in entry {first}")
        for picture in entry.pictures:
            pictures += 1
            if pictures > MAX_PICTURES:
                raise _refused(f"more than {MAX_PICTURES} pictures")
            if picture.name != picture_name(pictures, picture.type):
                raise _refused(f"entry {number}, name: expected {picture_name(pictures, picture.type)}")


def _refused(*problems: str) -> WatchlistFormatError:
    told = [f"{MANIFEST_NAME}: {problem}" for problem in islice(problems, MAX_REPORTED_PROBLEMS)]
    rest = len(problems) - len(told)
    return WatchlistFormatError("\n".join([*told, *([f"and {rest} more"] if rest else [])]), remedy=_FORMAT_REMEDY)
