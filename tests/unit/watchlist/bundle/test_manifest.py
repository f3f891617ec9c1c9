"""The manifest of a bundle: what is believed, and that nothing else is, without a word of what stood there."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_lfr.errors import WatchlistFormatError
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.manifest import (
    MAX_DEVICES,
    MAX_MANIFEST_BYTES,
    MAX_OBJECTS,
    MAX_PICTURES,
    parse_manifest,
)
from edge_lfr.watchlist.enrolling.pictures import MAX_FILE_BYTES
from simulators.manifests import made_manifest
from simulators.watchlists import made_entry

EXTRACTED_AT = datetime(2026, 6, 1, 11, 30, tzinfo=UTC)
MANIFEST = made_manifest(
    [[b"one", b"two"], [b"three"]],
    entries=[
        made_entry("REF-1", label='"Å" \u0639\u200c\u0628', born_on=None, expires_at=EXTRACTED_AT),
        made_entry("REF-2", under_18_necessity="n", under_18_countersigned_by="c", approved_by="a", is_bluelist=True),
    ],
    extracted_at=EXTRACTED_AT,
    mode=Mode.OPERATIONAL,
)
WIRE = MANIFEST.to_bytes()

Edit = Callable[[dict[str, Any]], object]


def edited(edit: Edit) -> bytes:
    """The manifest, otherwise written: in another order, with spaces and letters as they are."""
    content = json.loads(WIRE)
    edit(content)
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def refusal(untrusted: bytes) -> str:
    with pytest.raises(WatchlistFormatError) as caught:
        parse_manifest(untrusted)
    assert caught.value.__cause__ is None
    return caught.value.message


def test_what_was_written_is_read_back() -> None:
    """In the canonical form and in any other, with every optional field said or left out."""
    assert MANIFEST == parse_manifest(WIRE) == parse_manifest(edited(lambda content: content))
    left_out = edited(
        lambda content: [content["entries"][0].pop(name) for name in ("approved_by", "under_18_necessity")]
    )
    assert MANIFEST == parse_manifest(left_out)


def test_the_canonical_form_is_canonical() -> None:
    """Sorted, without spaces, in ASCII: the same content gives the same bytes, and hence one digest."""
    assert WIRE == parse_manifest(edited(lambda content: content)).to_bytes()
    assert WIRE == json.dumps(json.loads(WIRE), sort_keys=True, separators=(",", ":")).encode("ascii")


def test_an_entry_comes_out_as_it_went_in() -> None:
    """The record that the store keeps; `unknown` is None and nothing else is."""
    first, second = (entry.entry() for entry in parse_manifest(WIRE).entries)
    assert made_entry("REF-1", label='"Å" \u0639\u200c\u0628', born_on=None, expires_at=EXTRACTED_AT) == first
    assert ("n", "c", "a", True) == (
        second.under_18_necessity,
        second.under_18_countersigned_by,
        second.approved_by,
        second.is_bluelist,
    )


def test_sizes_are_told_before_the_pictures_come() -> None:
    """How many, how many bytes, in which order, and taken when."""
    assert (3, 11) == (MANIFEST.picture_count, MANIFEST.picture_bytes)
    assert [f"pictures/00000{number}.jpg" for number in (1, 2, 3)] == [one.name for one in MANIFEST.pictures()]
    assert (date(2025, 1, 31),) * 2 == MANIFEST.entries[0].taken_on


def entry(content: dict[str, Any], number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = content["entries"][number]
    return found


def picture(content: dict[str, Any], number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = entry(content)["pictures"][number]
    return found


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        (lambda content: content.pop("schema"), "manifest.json: schema: expected"),
        (lambda content: content.update(schema="lfr.watchlist/2"), "manifest.json: schema: expected"),
        (lambda content: content.update(mode="demo"), "mode: expected one of training, operational"),
        (lambda content: content.update(issuer="\x1b[2J"), "issuer: expected"),
        (lambda content: content.update(issuer=7), "issuer: expected"),
        (lambda content: content.update(devices=[]), "devices: expected 1 to 32"),
        (lambda content: content.update(devices="anytown/van-1"), "devices: expected 1 to 32"),
        (lambda content: content.update(devices=["anytown"]), "devices: expected"),
        (lambda content: content.update(devices=["anytown/van-1/training"]), "devices: expected"),
        (lambda content: content.update(devices=["anytown/van-1\n"]), "devices: expected"),
        (lambda content: content.update(devices=["a/b"] * (MAX_DEVICES + 1)), "devices: expected"),
        (lambda content: content.update(list_id="../x"), "list_id: expected"),
        (lambda content: content.update(list_id=".."), "list_id: expected"),
        (lambda content: content.update(extracted_at="2026-06-01T11:30:00"), "extracted_at: expected a time with"),
        (lambda content: content.update(extracted_at=1780313400), "extracted_at: expected a time with"),
        (lambda content: content.update(extracted_at="1780313400"), "extracted_at: expected a time with"),
        (lambda content: content.update(entries=[]), "entries: expected 1 to 60000"),
        (lambda content: content.update(entries={}), "entries: expected 1 to 60000"),
        (lambda content: content.update(SECRET=1), "has a field that no manifest has"),
        (lambda content: entry(content).update(SECRET=1), "entry 1, has a field that no manifest has"),
        (lambda content: picture(content, 1).update(SECRET=1), "entry 1, picture 2, has a field that no manifest has"),
        (lambda content: entry(content, 1).pop("legal_basis"), "entry 2, legal_basis: expected 1 to 200"),
        (lambda content: entry(content).update(reference_id="a b"), "entry 1, reference_id: expected"),
        (lambda content: entry(content).update(label=" "), "entry 1, label: expected"),
        (lambda content: entry(content).update(label="a\u202eb"), "entry 1, label: expected"),
        (lambda content: entry(content).update(category="other"), "entry 1, category: expected one of"),
        (lambda content: entry(content).update(response_code="shoot"), "entry 1, response_code: expected one of"),
        (lambda content: entry(content).update(requester=""), "entry 1, requester: expected"),
        (lambda content: entry(content).update(expires_at="2026-06-01"), "entry 1, expires_at: expected"),
        (lambda content: entry(content).update(review_on="unknown"), "entry 1, review_on: expected"),
        (lambda content: entry(content).update(review_on="2026-02-29"), "entry 1, review_on: expected"),
        (lambda content: entry(content).update(review_on="2026-06-01T00:00:00"), "entry 1, review_on: expected"),
        (lambda content: entry(content).update(born_on=None), "entry 1, born_on: expected"),
        (lambda content: entry(content).pop("born_on"), "entry 1, born_on: expected"),
        (lambda content: entry(content).update(why_here="w" * 1001), "entry 1, why_here: expected"),
        (lambda content: entry(content).update(under_18_necessity=""), "entry 1, under_18_necessity: expected"),
        (lambda content: entry(content).update(approved_by=True), "entry 1, approved_by: expected"),
        (lambda content: entry(content).update(is_bluelist=1), "entry 1, is_bluelist: expected"),
        (lambda content: entry(content).update(is_bluelist="true"), "entry 1, is_bluelist: expected"),
        (lambda content: entry(content).update(pictures=[]), "entry 1, pictures: expected 1 to 10"),
        (lambda content: entry(content)["pictures"].extend([picture(content)] * 9), "entry 1, pictures: expected"),
        (lambda content: picture(content).update(sha256="0" * 63), "entry 1, picture 1, sha256: expected"),
        (lambda content: picture(content).update(sha256="A" * 64), "entry 1, picture 1, sha256: expected"),
        (lambda content: picture(content).update(bytes=0), "entry 1, picture 1, bytes: expected"),
        (lambda content: picture(content).update(bytes=MAX_FILE_BYTES + 1), "entry 1, picture 1, bytes: expected"),
        (lambda content: picture(content).update(bytes=1.0), "entry 1, picture 1, bytes: expected"),
        (lambda content: picture(content).update(type="gif"), "entry 1, picture 1, type: expected one of"),
        (lambda content: picture(content).update(source=""), "entry 1, picture 1, source: expected"),
        (lambda content: picture(content).update(taken_on="2026"), "entry 1, picture 1, taken_on: expected"),
        (lambda content: picture(content).update(name="../../etc/passwd"), "entry 1, name: expected pictures/000001"),
        (
            lambda content: picture(content).update(name="pictures/000002.jpg"),
            "entry 1, name: expected pictures/000001",
        ),
        (
            lambda content: picture(content).update(name="pictures/000001.png"),
            "entry 1, name: expected pictures/000001",
        ),
        (lambda content: entry(content)["pictures"].reverse(), "entry 1, name: expected pictures/000001.jpg"),
        (lambda content: content["entries"].reverse(), "entry 1, name: expected pictures/000001.jpg"),
        (
            lambda content: entry(content, 1).update(reference_id="REF-1"),
            "entry 2, reference_id: stands also in entry 1",
        ),
    ],
)
def test_what_breaks_the_format_is_told_by_entry_and_field(edit: Edit, place: str) -> None:
    """Where it is and what is allowed there; neither what stood there nor an unknown field's name."""
    message = refusal(edited(edit))
    assert place in message
    assert "SECRET" not in message
    assert "passwd" not in message


@pytest.mark.parametrize(
    ("untrusted", "said"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (WIRE[:-1], "no JSON"),
        (WIRE + b"{}", "no JSON"),
        (b"\xef\xbb\xbf" + WIRE, "no JSON"),
        (WIRE.decode().encode("utf-16"), "no JSON"),
        (b"\xff", "no JSON"),
        (b"1" * 10_000, "no JSON"),
        (b"[]", "expected an object"),
        (b"null", "expected an object"),
        (b"NaN", "expected an object"),
        (WIRE.replace(b'"mode":', b'"mode":"training","mode":'), "stands twice"),
        (WIRE.replace(b'"mode":', b'"mod\\u0065":"training","mode":'), "stands twice"),
        (WIRE.replace(b'"bytes":', b'"bytes":1,"bytes":', 1), "stands twice"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
        (b'{"a":' * 6 + b"1" + b"}" * 6, "nested deeper"),
        (b"[" + b"{}," * (MAX_OBJECTS + 1) + b"{}]", "more than 60000"),
        (b"[" + b"[]," * (MAX_OBJECTS + 1) + b"[]]", "more lists"),
        (b" " * (MAX_MANIFEST_BYTES + 1), "larger than"),
    ],
)
def test_what_is_no_manifest_at_all_is_refused(untrusted: bytes, said: str) -> None:
    """Bounds of size, depth and number come before a parser takes memory; nothing may be said twice."""
    assert said in refusal(untrusted)


def test_brackets_in_a_text_are_text() -> None:
    """They count for no depth, also behind an escaped quote."""
    label = 'a"[[[[[[{{{{{{\\" [[[['
    assert label == parse_manifest(edited(lambda content: entry(content).update(label=label))).entries[0].label


def test_more_pictures_than_a_list_may_have_are_refused() -> None:
    """Each entry is within its bound, all together are not."""
    count = MAX_PICTURES // 10 + 1
    content = json.loads(WIRE)
    one = entry(content, 1)
    content["entries"] = [
        {
            **one,
            "reference_id": f"R{number}",
            "pictures": [
                {**one["pictures"][0], "name": f"pictures/{number * 10 + place:06}.jpg"} for place in range(1, 11)
            ],
        }
        for number in range(count)
    ]
    assert "more than 60000 pictures" in refusal(json.dumps(content).encode())


def test_many_problems_are_counted() -> None:
    """Twenty are told."""
    message = refusal(edited(lambda content: content.update(devices=["A"] * 30)))
    assert 21 == len(message.splitlines())
    assert message.endswith("and 10 more")


@settings(max_examples=600, deadline=None)
@given(place=st.integers(0, len(WIRE)), cut=st.integers(0, 40), put=st.binary(max_size=20))
@example(place=WIRE.index(b"Subject"), cut=1, put=b"\\ud800")
def test_changed_bytes_are_a_manifest_or_a_format_error(place: int, cut: int, put: bytes) -> None:
    """No other error, whatever is changed; and what is read can be written and read again."""
    try:
        manifest = parse_manifest(WIRE[:place] + put + WIRE[place + cut :])
    except WatchlistFormatError:
        return
    assert manifest == parse_manifest(manifest.to_bytes())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("2026-06-01T00:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), value=VALUES)
def test_any_value_in_any_field_is_a_manifest_or_a_format_error(data: st.DataObject, value: object) -> None:
    """The shape is kept, one field is anything that JSON can say."""
    content = json.loads(WIRE)
    target = data.draw(st.sampled_from([content, entry(content), entry(content, 1), picture(content)]))
    target[data.draw(st.sampled_from(sorted(target)))] = value
    try:
        manifest = parse_manifest(json.dumps(content).encode())
    except WatchlistFormatError:
        return
    assert manifest == parse_manifest(manifest.to_bytes())
