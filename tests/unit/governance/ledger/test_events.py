"""What may stand in the ledger: closed lists, in which no label, address or vector has room."""

import base64
from pathlib import Path

import pytest

from edge_lfr.governance.ledger.errors import LedgerFactError
from edge_lfr.governance.ledger.events import (
    FACT_KINDS,
    OF_ANY_LINE,
    OF_THE_LEDGER,
    SHAPES,
    Fact,
    LedgerEvent,
    check_facts,
    is_weighty,
)
from edge_lfr.governance.ledger.lines import MAX_LINE_BYTES, Actor, LedgerLine, Part, read_line
from simulators.clock import StoppedClock
from simulators.ledgers import ALERT, DAEMON, SAMPLES, append, new_ledger, verified

LONGEST: dict[str, Fact] = {
    "alert": ALERT,
    "camera": "a" * 63,
    "code": "a" * 48,
    "deed": "a" * 32,
    "device": f"{'a' * 63}/{'b' * 63}/training",
    "is_ambiguous": True,
    "is_partial": False,
    "is_test": True,
    "key": "-".join(["ab12"] * 8),
    "ledger": "a" * 32,
    "list": "L" * 64,
    "public_key": "A" * 43 + "=",
    "second_key": "-".join(["ab12"] * 8),
    "signature": "A" * 86 + "==",
    "starts_at": "2026-06-01T12:00:00.000000Z",
    "ends_at": "2026-06-01T12:00:00.000000Z",
    "version": "1" * 32,
}
"""A value as long as it may be, for every name that the patterns below do not settle."""


def longest(name: str) -> Fact:
    if name in LONGEST:
        return LONGEST[name]
    if name.endswith("sha256"):
        return "a" * 64
    if FACT_KINDS[name].is_one("a" * 48):
        return "a" * 48
    return 2**53


def test_every_event_has_its_facts() -> None:
    """No event is without its list, and no list has a name that is not known."""
    assert set(LedgerEvent) == set(SHAPES)
    assert set() == {name for shape in SHAPES.values() for name in shape.must | shape.may} - set(FACT_KINDS)
    assert set() == OF_THE_LEDGER - set(FACT_KINDS)
    assert set() == {name for shape in SHAPES.values() for name in shape.must & shape.may}
    used = {name for shape in SHAPES.values() for name in shape.must | shape.may} | OF_THE_LEDGER | OF_ANY_LINE
    assert set() == set(FACT_KINDS) - used


@pytest.mark.parametrize("event", LedgerEvent)
def test_no_event_names_a_person(event: LedgerEvent) -> None:
    """A reference id names somebody in the force's records, and the ledger outlives every list: only numbers get in."""
    facts = {name: longest(name) for name in SHAPES[event].must}
    for name in ("reference", "reference_id", "references"):
        with pytest.raises(LedgerFactError):
            check_facts(event, {**facts, name: "SUSP-0042"})


@pytest.mark.parametrize("event", LedgerEvent)
def test_the_longest_line_of_an_event_is_one(event: LedgerEvent) -> None:
    """With every fact that it may have, as long as it may be, a line is far within its bound, and reads as it was."""
    facts = {name: longest(name) for name in SHAPES[event].must | SHAPES[event].may}
    check_facts(event, facts)
    who = Actor.of_certificate("c" * 64)
    line = LedgerLine(n=2**53, at=StoppedClock().now, event=event, who=who, facts=facts, previous="a" * 64)
    assert len(line.encoded()) < MAX_LINE_BYTES // 2
    assert line == read_line(line.encoded())


@pytest.mark.parametrize(
    "text",
    [
        "A. N. Other",
        "rtsp://user:secret@10.0.0.1/stream",
        "/dev/video0",
        "",
        " ",
        "x" * 65,
        "a\nb",
        "caf\u00e9",
        base64.b64encode(bytes(2048)).decode(),
        "0.1,0.2,0.3",
    ],
)
@pytest.mark.parametrize("event", LedgerEvent)
def test_no_free_text_gets_in(event: LedgerEvent, text: str) -> None:
    """A label, an address or a vector fits no fact of any event, under any name."""
    good = {name: longest(name) for name in SHAPES[event].must}
    for name in SHAPES[event].must | SHAPES[event].may:
        with pytest.raises(LedgerFactError) as caught:
            check_facts(event, {**good, name: text})
        assert text.strip() == "" or text not in str(caught.value)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "without alert"),
        ({"alert": ALERT, "watchlist_sha256": "a" * 63}, "watchlist_sha256: expected 64 hex digits"),
        ({"alert": ALERT, "watchlist_sha256": "a" * 64, "label": "x"}, "may not have"),
        ({"alert": ALERT, "watchlist_sha256": "a" * 64, "clock_behind_us": 1}, "may not have"),
        ({"alert": ALERT, "watchlist_sha256": "a" * 64, "score": True}, "score: expected a number"),
        ({"alert": ALERT, "watchlist_sha256": "a" * 64, "score": float("nan")}, "score: expected a number"),
        ({"alert": ALERT, "watchlist_sha256": "a" * 64, "score": [0.1, 0.2]}, "score: expected a number"),
        ({"alert": ALERT, "watchlist_sha256": "a" * 64, "sequence": -1}, "sequence: expected a whole number"),
        ({"alert": ALERT, "watchlist_sha256": "a" * 64, "is_test": 1}, "is_test: expected true or false"),
    ],
)
def test_a_refused_fact_leaves_no_line(tmp_path: Path, facts: dict[str, Fact], said: str) -> None:
    """The caller is told which fact and what was expected, and the ledger is as it was."""
    ledger = new_ledger(tmp_path)
    before = ledger.path.read_bytes()
    with pytest.raises(LedgerFactError, match=said):
        ledger.append(LedgerEvent.ALERT, DAEMON, facts)
    assert before == ledger.path.read_bytes()


def test_what_anybody_can_cause_has_no_weight() -> None:
    """Whoever may only ask cannot have the box sign, or write to flash twice, as often as they like."""
    light = {event for event in LedgerEvent if not event.is_weighty}
    assert {"head", "refused", "login", "login-refused", "consulted", "index-chosen"} <= light
    assert {
        "begun",
        "torn",
        "armed",
        "alert",
        "adjudicated",
        "watchlist-wiped",
        "trust-added",
        "revoked",
    } & light == set()
    assert not is_weighty("an-event-of-a-later-version")


def test_somebody_is_named_by_what_cannot_be_free_text() -> None:
    """A user id, a key's fingerprint, a certificate's name or a part; nothing else."""
    assert "uid 1000" == str(Actor.of_uid(1000))
    assert "key abab-abab-abab-abab-abab-abab-abab-abab" == str(Actor.of_key("ab" * 32))
    assert "certificate desk-1" == str(Actor.of_certificate("desk-1"))
    assert "part timer" == str(Actor.of_part(Part.TIMER))
    for make, wrong in (
        (Actor.of_uid, -1),
        (Actor.of_uid, 2**32),
        (Actor.of_key, "abab-abab"),
        (Actor.of_certificate, "A. N. Other"),
        (Actor.of_certificate, "x" * 65),
    ):
        with pytest.raises(LedgerFactError):
            make(wrong)  # type: ignore[arg-type]  # each with its own type


def test_each_sample_is_lawful(tmp_path: Path) -> None:
    """The events that other tests append are ones that may be."""
    ledger = new_ledger(tmp_path)
    append(ledger, *SAMPLES)
    assert verified(ledger.path.read_bytes()).is_whole


@pytest.mark.parametrize(
    "untrusted",
    [
        b"",
        b"{}",
        b"null",
        b"[" * 4_000,
        b'{"at":"' + b'{"a":' * 800,
        b'{"at":"' + b"x" * 10_000_000,
        b'{"at":"\xff\xfe"}',
        b'{"at":"2026-06-01T12:00:00.000000Z","event":"head","facts":{},"n":1e3,"previous":"' + b"0" * 64 + b'"}',
    ],
)
def test_junk_is_no_line(untrusted: bytes) -> None:
    """Whatever it is, reading it ends at once and gives nothing."""
    assert None is read_line(untrusted)


def test_there_is_one_way_to_write_a_line(tmp_path: Path) -> None:
    """The same content in other bytes is no line: two programs can never read it as two things."""
    line = new_ledger(tmp_path).path.read_bytes().splitlines()[0]
    assert read_line(line) is not None
    for other in (
        line.replace(b'":', b'": ', 1),
        line.replace(b'"n":1', b'"n":1,"n":1'),
        line.replace(b'"n":1', b'"n":01'),
        line.replace(b'"n":1', b'"n":1.0'),
        line.replace(b'"n":1', b'"n":true'),
        line.replace(b'"begun"', b'"b\\u0065gun"'),
        line.replace(b'"begun"', b'"BEGUN"'),
        line.replace(b'"facts":{', b'"facts":{"a":[],'),
        line.replace(b'"facts":{', b'"facts":{"a":"\\u001b[2J",'),
        line.replace(b'"facts":{', b'"facts":{"a":NaN,'),
        line.replace(b'"who":{', b'"who":{"uid":0,'),
        line.replace(b".000000Z", b"Z"),
        line.replace(b".000000Z", b".000000+00:00"),
        line + b" ",
        b" " + line,
        b"\xef\xbb\xbf" + line,
    ):
        assert other != line
        assert None is read_line(other)
