"""For any history and any single change of its bytes, a verification says that this is not what was written."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.head import LedgerHead
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.ledger.lines import ITSELF, Actor, LedgerLine, digest_of, read_line
from simulators.clock import StoppedClock
from simulators.ledgers import SAMPLES, TECHNICIAN, append, codes, new_ledger, signing_key, verified

steps = st.lists(
    st.tuples(st.sampled_from(sorted(SAMPLES)), st.floats(min_value=-100, max_value=100), st.booleans()), max_size=8
)
"""An event, how far the clock moves before it, and whether the head of the minute follows."""


@dataclass(frozen=True)
class History:
    """A ledger that ends with a head, and all heads that were published."""

    data: bytes
    heads: tuple[bytes, ...]

    @property
    def lines(self) -> list[bytes]:
        return self.data.splitlines(keepends=True)


@contextmanager
def history_of(done: list[tuple[LedgerEvent, float, bool]]) -> Iterator[History]:
    with tempfile.TemporaryDirectory() as folder:
        clock = StoppedClock()
        ledger = new_ledger(Path(folder), clock)
        heads = [ledger.head()]
        for event, seconds, is_minute in done:
            clock.advance(seconds)
            append(ledger, event)
            if is_minute or event.is_weighty:
                heads.append(ledger.head())
        heads.append(ledger.head())
        yield History(ledger.path.read_bytes(), tuple(heads))


def is_detected(data: bytes) -> bool:
    """Broken, or ending within a line, which is said too."""
    report = verified(data)
    return not report.is_whole or "torn-end" in codes(report)


@given(steps)
@settings(max_examples=30, deadline=None)
def test_what_was_written_is_whole(done: list[tuple[LedgerEvent, float, bool]]) -> None:
    """Whatever is appended and however the clock moves, the ledger is whole and every published head is in it."""
    with history_of(done) as history:
        report = verified(history.data, published=history.heads)
    assert report.is_whole
    assert {"clock-back"} >= set(codes(report))
    assert len(history.heads) == report.published
    assert 0 == report.lines_after


@given(steps, st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_byte_can_be_changed(done: list[tuple[LedgerEvent, float, bool]], data: st.DataObject) -> None:
    """Any other value of any byte shows."""
    with history_of(done) as history:
        for _ in range(20):
            place = data.draw(st.integers(0, len(history.data) - 1))
            changed = bytearray(history.data)
            changed[place] ^= data.draw(st.integers(1, 255))
            assert is_detected(bytes(changed))


def test_no_byte_of_one_ledger_can_be_changed() -> None:
    """Every byte of a ledger, one after another, with its lowest bit and with its case turned."""
    with history_of([(LedgerEvent.THRESHOLD, 1.0, False), (LedgerEvent.LOGIN, -1.0, True)]) as history:
        for place in range(len(history.data)):
            for bit in (0x01, 0x20):
                changed = bytearray(history.data)
                changed[place] ^= bit
                assert is_detected(bytes(changed)), (place, bit)


@given(steps, st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_line_can_be_removed_swapped_repeated_or_inserted(
    done: list[tuple[LedgerEvent, float, bool]], data: st.DataObject
) -> None:
    """Any other order, number or set of lines shows; what is cut off at the end shows against the published heads."""
    with history_of(done) as history:
        lines = history.lines
        index = st.integers(0, len(lines) - 1)
        removed = data.draw(index)
        report = verified(b"".join(lines[:removed] + lines[removed + 1 :]), published=history.heads)
        assert not report.is_whole or removed == len(lines) - 1  # the last is a head, of which others have a copy
        first, second = sorted(data.draw(st.lists(index, min_size=2, max_size=2, unique=True)))
        swapped = list(lines)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        assert not verified(b"".join(swapped)).is_whole
        repeated, where = data.draw(index), data.draw(st.integers(0, len(lines)))
        assert not verified(b"".join([*lines[:where], lines[repeated], *lines[where:]])).is_whole
        junk = data.draw(st.binary(max_size=60)) + b"\n"
        assert not verified(b"".join([*lines[:where], junk, *lines[where:]])).is_whole


@given(steps, st.data())
@settings(max_examples=40, deadline=None)
def test_no_line_can_be_inserted_into_the_chain(
    done: list[tuple[LedgerEvent, float, bool]], data: st.DataObject
) -> None:
    """A line with the right number and digest, put where another was, does not fit what follows."""
    with history_of(done) as history:
        lines = history.lines
        where = data.draw(st.integers(1, len(lines) - 1))
        forged = lines[where].replace(b'"part":"daemon"', b'"part":"timer"').replace(b'"part":"ledger"', b'"uid":0')
        assert digest_of(forged) != digest_of(lines[where])
        assert not verified(b"".join([*lines[:where], forged, *lines[where:]])).is_whole
        assert not verified(b"".join([*lines[:where], forged, *lines[where + 1 :]])).is_whole


def assert_cut_shows(history: History, ends: Iterable[int]) -> None:
    """Cut at any byte before the last line that a head vouches for, and the published heads show it."""
    vouched = len(b"".join(history.lines[:-1])) - 1  # all but the line's end
    for end in ends:
        report = verified(history.data[:end], published=history.heads)
        assert report.is_whole == (end >= vouched), end
        assert end in {0, *line_ends(history.data)} or "torn-end" in codes(report) or not report.is_whole, end


def line_ends(data: bytes) -> set[int]:
    return {place + 1 for place, byte in enumerate(data) if byte == ord("\n")}


@given(steps, st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_that_a_published_head_vouches_for_can_be_cut_off(
    done: list[tuple[LedgerEvent, float, bool]], data: st.DataObject
) -> None:
    """Cut at any byte of any line before the last head: the copy elsewhere shows it."""
    with history_of(done) as history:
        assert_cut_shows(history, data.draw(st.lists(st.integers(0, len(history.data)), min_size=1, max_size=15)))


def test_one_ledger_cut_at_every_byte() -> None:
    """Likewise, for every byte of one ledger."""
    with history_of([(LedgerEvent.LOGIN, 1.0, True)]) as history:
        assert_cut_shows(history, range(len(history.data) + 1))


def mended(ledger: Ledger, data: bytes) -> bytes:
    """What the file is after the next append."""
    with ledger.path.open("r+b") as file:
        file.truncate()
        file.write(data)
    append(ledger, LedgerEvent.LOGIN)
    return ledger.path.read_bytes()


def test_torn_at_any_byte_is_sealed_off_and_noted(tmp_path: Path) -> None:
    """
    A last write that was cut off after any of its bytes: nothing before is lost, and the ledger is whole again.

    Where the line of weight is there and its head is not, this is noted, too: at once, and by the next line for ever.
    """
    ledger = new_ledger(tmp_path)
    append(ledger, LedgerEvent.LOGIN)
    before = ledger.path.read_bytes()
    append(ledger, LedgerEvent.ALERT)
    full = ledger.path.read_bytes()
    line_end = full.index(b"\n", len(before)) + 1
    for end in range(len(before) - 1, len(full) + 1):
        is_torn = end not in {len(before), line_end, len(full)}
        is_unvouched = line_end - 1 <= end < len(full) - 1
        torn = verified(full[:end])
        assert torn.is_whole
        assert ["torn-end"] * is_torn + ["unvouched-end"] * is_unvouched == codes(torn), end
        after = mended(ledger, full[:end])
        assert after.startswith(full[:end])
        report = verified(after)
        assert report.is_whole, (end, codes(report))
        assert ["torn"] * is_torn + ["unvouched"] * is_unvouched == codes(report)
        assert is_unvouched == report.unvouched


def forged(data: bytes, event: LedgerEvent, who: Actor = TECHNICIAN, facts: dict[str, Fact] | None = None) -> bytes:
    """The ledger with one more line, which anybody can compute who can read the file."""
    last = data.splitlines()[-1]
    before = read_line(last)
    assert before is not None
    said = SAMPLES.get(event, {}) if facts is None else facts
    line = LedgerLine(n=before.n + 1, at=before.at, event=event, who=who, facts=said, previous=digest_of(last))
    return data + line.encoded() + b"\n"


@pytest.mark.parametrize("event", [event for event in SAMPLES if event.is_weighty])
@pytest.mark.parametrize("torn", [b"", b'{"at":"2026', b"x", b"\n\n"])
@pytest.mark.parametrize("is_reopened", [False, True])
def test_the_key_vouches_for_no_line_that_it_did_not_write(
    tmp_path: Path, event: LedgerEvent, torn: bytes, *, is_reopened: bool
) -> None:
    """
    A line of weight that somebody added without the key is told, and stays told behind every signature to come.

    It looks as a write that was cut off: so it breaks nothing, and the next line names it before anything is signed.
    """
    ledger = new_ledger(tmp_path)
    append(ledger, LedgerEvent.LOGIN)
    head = ledger.head()
    data = forged(ledger.path.read_bytes(), event)
    number = data.count(b"\n")
    report = verified(data + torn, published=[head])
    assert ("unvouched-end" in codes(report), 1) == (True, report.unvouched)
    ledger.path.write_bytes(data + torn)
    after = new_ledger(tmp_path).path.read_bytes() if is_reopened else mended(ledger, data + torn)
    seal = read_line(after[len(data + torn) :].splitlines()[0 if not torn or torn.endswith(b"\n") else 1])
    assert seal is not None
    assert (number, digest_of(data.splitlines()[-1])) == (seal.facts["line"], seal.facts["line_sha256"])
    for _ in range(3):
        append(ledger, LedgerEvent.ALERT, LedgerEvent.LOGIN)
        heads = [head, ledger.head()]
        report = verified(ledger.path.read_bytes(), published=heads)
        assert (["torn", "unvouched"] if torn else ["unvouched"], 1) == (codes(report), report.unvouched)
        assert f"line {number} ({event})" in report.notes.told[-1].words
        assert report.is_whole


def test_a_forged_seal_is_sealed_itself(tmp_path: Path) -> None:
    """Whoever adds a line and, in the ledger's name, that it was found so, is found to have added that."""
    ledger = new_ledger(tmp_path)
    added = forged(ledger.path.read_bytes(), LedgerEvent.ALERT)
    named: dict[str, Fact] = {"line": 3, "line_sha256": digest_of(added.splitlines()[-1])}
    report = verified(mended(ledger, forged(added, LedgerEvent.UNVOUCHED, ITSELF, named)))
    assert (True, ["unvouched", "unvouched"]) == (report.is_whole, codes(report))
    assert ["line 3 (alert)" in each.words for each in report.notes.told] == [True, False]
    assert "line 4 (unvouched)" in report.notes.told[1].words
    wrong = {**named, "line": 2}
    assert "unsigned" in codes(verified(mended(ledger, forged(added, LedgerEvent.UNVOUCHED, ITSELF, wrong))))


def test_a_forged_head_is_not_published(tmp_path: Path) -> None:
    """A head that the key did not sign is no head: another one is signed, and the forged line stays a finding."""
    ledger = new_ledger(tmp_path)
    append(ledger, LedgerEvent.LOGIN)
    data = forged(ledger.path.read_bytes(), LedgerEvent.HEAD, ITSELF, {"signature": "A" * 86 + "=="})
    ledger.path.write_bytes(data)
    head = LedgerHead.read(ledger.head())
    assert head.is_signed_by(signing_key().public)
    report = verified(ledger.path.read_bytes(), published=[head.document()])
    assert ["bad-head"] == codes(report)
    lines = [line for line in map(read_line, ledger.path.read_bytes().splitlines()) if line is not None]
    assert [("head", 4), ("unvouched", 5), ("head", 6)] == [(line.event, line.n) for line in lines[3:]]


def test_a_beginning_is_never_without_its_head(tmp_path: Path) -> None:
    """Both were on the disk before the file had its name, so no power cut can have parted them."""
    ledger = new_ledger(tmp_path)
    first = ledger.path.read_bytes().splitlines(keepends=True)[0]
    assert ["unsigned"] == codes(verified(first))
    report = verified(mended(ledger, first))
    assert (False, "unsigned") == (report.is_whole, codes(report)[0])


@pytest.mark.parametrize("junk", [b"{", b'{"at":"2026', bytes(500), b"\n\n", b"x\ny\n", b"\xff\n"])
def test_a_sealing_that_is_torn_is_sealed_off(tmp_path: Path, junk: bytes) -> None:
    """The write that seals torn bytes off may be torn as well, at any byte, and again."""
    ledger = new_ledger(tmp_path)
    append(ledger, LedgerEvent.ALERT)
    before = ledger.path.read_bytes()
    sealed = mended(ledger, before + junk)
    assert verified(sealed).is_whole
    assert ["torn"] == codes(verified(sealed))
    begin = len(before + junk)
    for end in (*range(begin, begin + 3), *range(begin + 3, len(sealed), 97), *range(len(sealed) - 2, len(sealed))):
        once = mended(ledger, sealed[:end])
        report = verified(once)
        assert report.is_whole, (end, codes(report))
        twice = mended(ledger, once[: end + 40])
        assert verified(twice).is_whole, end
        assert 1 <= codes(verified(twice)).count("torn")


def test_a_seal_holds_for_its_own_bytes_alone(tmp_path: Path) -> None:
    """Torn bytes are evidence: changed, shortened or lengthened, they are no longer what the seal names."""
    ledger = new_ledger(tmp_path)
    before = ledger.path.read_bytes()
    sealed = mended(ledger, before + b'{"at":"2026')
    begin = len(before)
    for place in range(begin, begin + 11):
        changed = bytearray(sealed)
        changed[place] ^= 1
        assert not verified(bytes(changed)).is_whole
        assert not verified(sealed[:place] + sealed[place + 1 :]).is_whole
    assert not verified(sealed[:begin] + sealed[begin + 12 :]).is_whole
