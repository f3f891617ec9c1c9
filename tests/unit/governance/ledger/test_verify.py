"""What a verification finds, and how it says so."""

import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_lfr.errors import LedgerError
from edge_lfr.governance.documents import Kind, sign_document
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.file import split
from edge_lfr.governance.ledger.head import HeadContent
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.ledger.lines import digest_of, read_line
from edge_lfr.governance.ledger.published import MAX_PUBLISHED, read_published
from edge_lfr.governance.ledger.verify import verify_ledger
from edge_lfr.governance.trust import shown_fingerprint
from simulators.clock import StoppedClock
from simulators.ledgers import SAMPLES, append, codes, new_ledger, signing_key, verified

EVENTS = (LedgerEvent.STARTED, LedgerEvent.LOGIN, LedgerEvent.REFUSED, LedgerEvent.ALERT, LedgerEvent.ACKNOWLEDGED)
"""With their heads, lines 3 to 10 with the last head."""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = new_ledger(tmp_path)
    append(made, *EVENTS)
    made.head()
    return made


def lines_of(ledger: Ledger) -> list[bytes]:
    return ledger.path.read_bytes().splitlines(keepends=True)


def edited(line: bytes) -> bytes:
    """Another time of the same line, which is still a line."""
    return line.replace(b"T12:00:00", b"T12:00:01")


def rechained(lines: list[bytes], begin: int) -> list[bytes]:
    """Every line from *begin* on with the digest that it should have: what somebody without the key can do."""
    made = lines[:begin]
    for line in lines[begin:]:
        content = json.loads(line)
        content["previous"] = digest_of(made[-1].removesuffix(b"\n"))
        made.append(json.dumps(content, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return made


def test_a_ledger_as_it_was_written_is_whole(ledger: Ledger) -> None:
    """Every line is counted, every head is checked, and nothing is remarked."""
    report = verified(ledger.path.read_bytes())
    assert (True, [], 10, 4) == (report.is_whole, codes(report), report.lines, report.heads)
    assert (9, 0) == (report.signed_line, report.lines_after)
    assert (ledger.id, shown_fingerprint(signing_key().fingerprint)) == (report.ledger, report.key)


def test_lines_behind_the_last_head_are_counted(ledger: Ledger) -> None:
    """Nothing but the chain vouches for them, and the report says how many they are."""
    append(ledger, LedgerEvent.LOGIN, LedgerEvent.REFUSED)
    report = verified(ledger.path.read_bytes())
    assert (True, 9, 2) == (report.is_whole, report.signed_line, report.lines_after)


@pytest.mark.parametrize(
    ("change", "code", "row", "words"),
    [
        (lambda lines: [*lines[:4], edited(lines[4]), *lines[5:]], "edited", 6, "line 5 (row 5)"),
        (lambda lines: [*lines[:4], b"junk\n", *lines[5:]], "not-a-line", 5, "5 bytes"[2:]),
        (lambda lines: [*lines[:4], *lines[5:]], "removed", 5, "lines 5 to 5 are missing before line 6"),
        (lambda lines: [*lines[:4], *lines[7:]], "removed", 5, "lines 5 to 7 are missing before line 8"),
        (lambda lines: [*lines[:5], lines[4], *lines[5:]], "out-of-place", 6, "line 5 stands behind line 5"),
        (lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]], "out-of-place", 6, "line 5 stands behind line 6"),
        (lambda lines: lines[1:], "no-beginning", 1, "line 2"),
        (lambda lines: [*lines[:7], b"\n", *lines[7:]], "not-a-line", 8, "0 bytes"),
        (lambda lines: [*lines, b"junk\n"], "not-a-line", 11, "4 bytes"),
        (lambda _: [], "no-beginning", 0, "no line"),
    ],
)
def test_an_edit_is_found_where_it_is(
    ledger: Ledger, change: Callable[[list[bytes]], list[bytes]], code: str, row: int, words: str
) -> None:
    """The report names what happened and the line."""
    report = verified(b"".join(change(lines_of(ledger))))
    assert not report.is_whole
    remark = next(remark for remark in report.findings.told if remark.code == code)
    assert row == remark.row
    assert words in remark.words


def test_a_chain_made_anew_does_not_fit_its_heads(ledger: Ledger) -> None:
    """Whoever edits a line and mends all digests behind it cannot sign the heads."""
    lines = lines_of(ledger)
    lines[4] = edited(lines[4])
    report = verified(b"".join(rechained(lines, 5)))
    assert {"bad-head", "time"} == set(codes(report))
    assert "line 8 is not the device key's signature over line 7" in [each.words for each in report.findings.told]


def test_a_line_of_weight_without_a_head_is_found(ledger: Ledger) -> None:
    """Whoever cuts the heads off and writes another history must do without an alert, an arming, a wipe."""
    lines = lines_of(ledger)
    without = lines[:7] + lines[8:9]
    content = json.loads(without[7])
    content["n"] = 8
    without[7] = json.dumps(content, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    report = verified(b"".join(rechained(without, 7)))
    assert ["unsigned"] == codes(report)
    assert 7 == report.findings.told[0].row


def test_a_line_that_cannot_have_been_earlier_must_say_so(ledger: Ledger) -> None:
    """A time that goes back without a note was not written by a ledger."""
    lines = lines_of(ledger)
    lines[-2] = lines[-2].replace(b"T12:00:00", b"T11:00:00")
    report = verified(b"".join(rechained(lines[:-1], len(lines) - 2)))
    assert ["time"] == codes(report)


def test_another_key_is_named(ledger: Ledger, tmp_path: Path) -> None:
    """A whole ledger of another device key is not this appliance's."""
    other = new_ledger(tmp_path / "other", seed=2)
    report = verified(other.path.read_bytes())
    assert ["wrong-key"] == codes(report)
    assert shown_fingerprint(signing_key(2).fingerprint) in report.findings.told[0].words
    shown = shown_fingerprint(signing_key().fingerprint)
    assert verified(ledger.path.read_bytes(), expected_key=shown).is_whole
    assert verified(other.path.read_bytes(), expected_key=None).is_whole


def test_a_published_head_shows_what_was_cut_off(ledger: Ledger) -> None:
    """A shortened ledger is consistent in itself; a head that is known elsewhere says that it was longer."""
    head = ledger.head()
    lines = lines_of(ledger)
    for end in range(2, 9):
        short = b"".join(lines[:end])
        assert verified(short).is_whole
        report = verified(short, published=[head])
        ends_without_head = ["unvouched-end"] if end in {3, 7} else []
        assert ["truncated", *ends_without_head] == codes(report)
        assert f"truncated after line {end}: a head of line 9 is known" in report.findings.told[0].words
    assert verified(b"".join(lines[:9]), published=[head]).is_whole
    assert {"no-beginning", "foreign-head"} == set(codes(verified(b"", published=[head])))


def test_a_published_head_vouches_for_the_last_line(ledger: Ledger) -> None:
    """A line of weight whose head is known elsewhere was signed, also where the head itself was cut off."""
    lines = lines_of(ledger)[:3]
    content = HeadContent(ledger=ledger.id, n=3, digest=digest_of(lines[-1][:-1]), at="2026-06-01T12:00:00.000000Z")
    head = sign_document(Kind.LEDGER_HEAD, content, signing_key()).strip()
    assert ["unvouched-end"] == codes(verified(b"".join(lines)))
    report = verified(b"".join(lines), published=[head])
    assert (True, [], 0) == (report.is_whole, codes(report), report.unvouched)


@pytest.mark.parametrize("kept", [b"", b"\n", b" \n\n\t\n"])
def test_no_published_head_is_no_proof(ledger: Ledger, kept: bytes) -> None:
    """Whoever wanted the heads compared and gave an empty file is not told that nothing was cut off."""
    assert ["no-heads"] == codes(verified(b"".join(lines_of(ledger)[:5]), published=[kept]))
    assert ["no-heads"] == codes(verified(ledger.path.read_bytes(), published=[]))
    assert {"no-heads", "no-beginning"} == set(codes(verified(b"", published=[])))
    assert verified(ledger.path.read_bytes()).is_whole


def test_it_is_told_how_far_published_heads_reach(ledger: Ledger, tmp_path: Path) -> None:
    """What comes behind the last of them could have been cut off; heads of others reach nowhere."""
    early, other = ledger.head(), new_ledger(tmp_path / "other").head()
    append(ledger, LedgerEvent.ALERT)
    report = verified(ledger.path.read_bytes(), published=[early, early])
    assert (True, 2, 9) == (report.is_whole, report.published, report.published_line)
    assert None is verified(ledger.path.read_bytes(), published=[other]).published_line
    assert None is verified(ledger.path.read_bytes()).published_line


def test_a_published_head_shows_another_history(tmp_path: Path) -> None:
    """Even with the stolen device key, the past cannot be written anew where its heads were published."""
    ledger = new_ledger(tmp_path)
    beginning = ledger.path.read_bytes()
    append(ledger, LedgerEvent.ALERT)
    head = ledger.head()
    ledger.path.write_bytes(beginning)  # the same file
    append(ledger, LedgerEvent.THRESHOLD)
    forged = ledger.path.read_bytes()
    assert verified(forged).is_whole
    report = verified(forged, published=[head])
    assert (["edited"], 3) == (codes(report), report.findings.told[0].row)


def test_heads_that_are_not_of_this_ledger_are_told(ledger: Ledger, tmp_path: Path) -> None:
    """Foreign keys, broken lines and another ledger of the same key never pass as heads of this one."""
    theirs = new_ledger(tmp_path / "theirs", seed=2).head()
    before = new_ledger(tmp_path / "before").head()
    ours = ledger.head()
    broken = ours.replace(b'"n": 9', b'"n": 8')
    report = verified(
        ledger.path.read_bytes(),
        published=[ours, theirs, broken, b"junk", b"[" * 1000, b"", b"x" * 100_000, before],
    )
    assert ["foreign-head"] * 5 + ["other-ledger"] == codes(report)
    assert 1 == report.published
    assert [2, 3, 4, 5, 7, 8] == [int(each.words.split()[2].rstrip(":")) for each in report.findings.told]


def test_a_head_of_a_line_that_never_was_is_found(ledger: Ledger) -> None:
    """A head is compared by number and digest: a removed line that a head names is missing."""
    content = HeadContent(ledger=ledger.id, n=5, digest="0" * 64, at="2026-06-01T12:00:00.000000Z")
    head = sign_document(Kind.LEDGER_HEAD, content, signing_key()).strip()
    assert ["edited"] == codes(verified(ledger.path.read_bytes(), published=[head]))
    lines = lines_of(ledger)
    assert ["removed", "removed"] == codes(verified(b"".join(lines[:4] + lines[5:]), published=[head]))


def test_too_many_heads_are_refused() -> None:
    """The number of heads in memory is bounded."""
    with pytest.raises(LedgerError, match="published heads"):
        list(read_published(io.BytesIO(b"x\n" * (MAX_PUBLISHED + 1))))


def test_a_later_versions_event_is_a_line(ledger: Ledger) -> None:
    """A verification does not break a ledger for an event that it does not know; the chain vouches for it."""
    append(ledger, LedgerEvent.LOGIN)
    login = b'"event":"login","facts":{"role":"technician"},"n":11'
    data = ledger.path.read_bytes().replace(login, b'"event":"new-event","facts":{"new_fact":1},"n":11')
    report = verified(data)
    assert (True, 1) == (report.is_whole, report.events["of-another-version"])


def test_a_beginning_within_is_found(ledger: Ledger) -> None:
    """A ledger begins once."""
    append(ledger, LedgerEvent.LOGIN)
    lines = lines_of(ledger)
    first, last = read_line(lines[0][:-1]), json.loads(lines[-1])
    assert first is not None
    last["event"], last["facts"] = "begun", dict(first.facts)
    lines[-1] = json.dumps(last, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    assert ["out-of-place", "unsigned"] == codes(verified(b"".join(lines)))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """A line of 10 MB and ten thousand broken ones are read piece by piece, and told in a bounded report."""
    path = tmp_path / "huge"
    first = new_ledger(tmp_path, StoppedClock()).path.read_bytes()
    path.write_bytes(first + b"x" * 10_000_000 + b"\n" + (first.splitlines(keepends=True)[1] + b"{\n") * 5_000)
    tracemalloc.start()
    with path.open("rb") as file:
        report = verify_ledger(split(file, path.stat().st_size))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert (100, 10_001) == (len(report.findings.told), report.findings.count)
    assert "10000000 bytes" in report.findings.told[0].words


def test_the_samples_hold_both_kinds() -> None:
    """The tests above rest on events with and without weight."""
    assert {True, False} == {event.is_weighty for event in SAMPLES}
