"""Whatever somebody does to a bundle, reading it ends, with one of our errors or with exactly what was signed."""

import copy
import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from edge_lfr.errors import AgeFileError, WatchlistFormatError
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.manifest import BundleManifest
from edge_lfr.watchlist.bundle.reading import BundleReader
from edge_lfr.watchlist.bundle.refusals import BundleRefusedError
from simulators.archives import BLOCK_BYTES, archive
from simulators.bundles import DEVICE, NOW, Draft, Parties, encrypted

PARTIES = Parties()
DRAFT = Draft.of(PARTIES)
MANIFEST = json.dumps(DRAFT.manifest).encode()
PLAIN = DRAFT.plain()
BUNDLE = encrypted(PLAIN, PARTIES.device.recipient)

NO_HANG = timedelta(seconds=10)
"""For one bundle of a few kilobytes; chosen, not measured."""


def read_to_the_end(untrusted: bytes) -> tuple[BundleManifest, list[bytes]] | None:
    """Manifest and pictures, or None where it was refused; any other error is a failure of the test."""
    try:
        with BundleReader(
            io.BytesIO(untrusted),
            PARTIES.device,
            PARTIES.trust,
            mode=Mode.TRAINING,
            device=DEVICE,
            device_fingerprint=PARTIES.own.fingerprint,
            now=NOW,
        ) as bundle:
            return bundle.manifest, [one.untrusted for one in bundle.pictures()]
    except (BundleRefusedError, AgeFileError, WatchlistFormatError) as error:
        event(str(getattr(error, "refusal", error.code)))
        return None


SOUND = read_to_the_end(BUNDLE)


@dataclass(frozen=True)
class Edit:
    """One change of some bytes; places are parts of the whole, so that shrinking works at any length."""

    name: str
    place: float
    length: int
    content: bytes

    def __call__(self, before: bytes) -> bytes:
        start = int(self.place * len(before))
        block = start - start % BLOCK_BYTES
        edits: dict[str, Callable[[], bytes]] = {
            "overwrite": lambda: before[:start] + self.content + before[start + len(self.content) :],
            "insert": lambda: before[:start] + self.content + before[start:],
            "remove": lambda: before[:start] + before[start + self.length :],
            "cut": lambda: before[:start],
            "repeat": lambda: before[: start + self.length] + before[start:],
            "exchange-blocks": lambda: (
                before[:block]
                + before[block + BLOCK_BYTES : block + 2 * BLOCK_BYTES]
                + before[block : block + BLOCK_BYTES]
                + before[block + 2 * BLOCK_BYTES :]
            ),
            "remove-block": lambda: before[:block] + before[block + BLOCK_BYTES :],
            "zero-block": lambda: before[:block] + bytes(BLOCK_BYTES) + before[block + BLOCK_BYTES :],
            "repeat-block": lambda: before[: block + BLOCK_BYTES] + before[block:],
        }
        return edits[self.name]()


EDIT_NAMES = (
    "overwrite",
    "insert",
    "remove",
    "cut",
    "repeat",
    "exchange-blocks",
    "remove-block",
    "zero-block",
    "repeat-block",
)

edits = st.lists(
    st.builds(
        Edit,
        st.sampled_from(EDIT_NAMES),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 2_000),
        st.binary(min_size=1, max_size=20) | st.sampled_from([b'"', b"[", b"{", b"}", b"9" * 20, b"null", b"\\u0000"]),
    ),
    min_size=1,
    max_size=4,
)


def edited(before: bytes, changes: list[Edit]) -> bytes:
    for change in changes:
        before = change(before)
    return before


def test_the_bundle_before_any_change_is_read() -> None:
    """So that the laws below do not hold for nothing."""
    assert SOUND is not None
    assert list(DRAFT.pictures.values()) == SOUND[1]


@given(edits)
@settings(max_examples=300, deadline=NO_HANG)
def test_a_changed_archive_is_refused_or_says_the_same(changes: list[Edit]) -> None:
    """
    The manifest is signed, and the pictures are named by digest.

    A change that is not refused is one of fields that nobody reads (an owner's name, with the checksum that it has
    then), or of the zeros behind the end.
    """
    read = read_to_the_end(encrypted(edited(PLAIN, changes), PARTIES.device.recipient))
    assert read is None or read == SOUND


@given(edits)
@settings(max_examples=300, deadline=NO_HANG)
def test_a_changed_age_file_has_no_end(changes: list[Edit]) -> None:
    """Every byte of it is authenticated: whatever differs is refused."""
    changed = edited(BUNDLE, changes)
    assert (SOUND if changed == BUNDLE else None) == read_to_the_end(changed)


@given(edits)
@settings(max_examples=300, deadline=NO_HANG)
def test_a_changed_manifest_that_is_signed_is_refused_or_bounded(changes: list[Edit]) -> None:
    """With an issuer's stolen key: what is believed names us, is of the last day, and has the pictures it names."""
    require_refused_or_bounded(edited(MANIFEST, changes))


def require_refused_or_bounded(manifest: bytes) -> None:
    read = read_to_the_end(encrypted(archive(DRAFT.signed(manifest)), PARTIES.device.recipient))
    if read is not None:
        believed, pictures = read
        event("believed")
        assert DEVICE in believed.devices
        assert NOW - timedelta(hours=24) <= believed.extracted_at <= NOW + timedelta(seconds=30)
        assert list(DRAFT.pictures.values()) == pictures


def places_in(value: Any, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a JSON value, the inner ones too."""
    if before:
        yield before
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from places_in(part, (*before, name))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=80)
    | st.sampled_from(["unknown", "2026-06-01T12:00:00+00:00", "2024-02-30", "", " ", "operational", "png", "\u202e"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.sampled_from(sorted(places_in(DRAFT.manifest), key=str)), values), min_size=1, max_size=2))
@settings(max_examples=300, deadline=NO_HANG)
def test_any_value_anywhere_in_a_signed_manifest_is_refused_or_bounded(
    changes: list[tuple[tuple[str | int, ...], object]],
) -> None:
    """Sound JSON of the wrong kind, in any field, in place of an entry, a list, or a picture."""
    manifest = copy.deepcopy(DRAFT.manifest)
    for (*outer, last), value in changes:
        holder: Any = manifest
        with suppress(KeyError, IndexError, TypeError):  # an earlier change took the place away
            for name in outer:
                holder = holder[name]
            holder[last] = value
    require_refused_or_bounded(json.dumps(manifest).encode())


@given(st.binary(max_size=3_000))
@settings(max_examples=100, deadline=NO_HANG)
def test_any_bytes_in_its_place_are_refused(untrusted: bytes) -> None:
    """As a file, and as what is encrypted in one."""
    assert read_to_the_end(untrusted) is None
    assert read_to_the_end(encrypted(untrusted, PARTIES.device.recipient)) is None
