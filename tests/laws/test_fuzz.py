"""
Whatever bytes come from outside: no exception but our own, no hang, no file left, a code for each refusal, no forgery.

`scripts/fuzz` does the same for longer, and with enrolment. The second half of this file sees that a campaign would
notice: every kind of fault, planted, is found.
"""

import json
import os
import socket
import threading
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lfr.cli.main import run_command
from edge_lfr.daemon.control import hold_requests
from edge_lfr.errors import EdgeLfrError, HoldError
from edge_lfr.evaluation.bench.ground import prepared_ground
from edge_lfr.evaluation.bench.report import Report
from edge_lfr.evaluation.fuzzing import campaign as campaigns
from edge_lfr.evaluation.fuzzing import watching
from edge_lfr.evaluation.fuzzing.authorities import Authorities, signed_anew
from edge_lfr.evaluation.fuzzing.byte_changes import changed_bytes
from edge_lfr.evaluation.fuzzing.campaign import Campaign, Tally
from edge_lfr.evaluation.fuzzing.case import INCOMING, Mutant, Outcome, Verdict, put_in
from edge_lfr.evaluation.fuzzing.commands import Commands
from edge_lfr.evaluation.fuzzing.control_lines import ControlLines
from edge_lfr.evaluation.fuzzing.enrolments import Enrolments
from edge_lfr.evaluation.fuzzing.ledgers import Ledgers
from edge_lfr.evaluation.fuzzing.made import KEYS
from edge_lfr.evaluation.fuzzing.messages import SignedMessages
from edge_lfr.evaluation.fuzzing.targets import TARGETS, attacked, shares_of
from edge_lfr.evaluation.fuzzing.tree_changes import changed_toml, changed_tree
from edge_lfr.governance.documents import Kind
from edge_lfr.governance.trust import Role
from edge_lfr.pipeline.reporting.holds import HoldReason, Holds

CASES = 10_000
SEED = 20_260_601


class Silence:
    """Nobody follows."""

    def stage(self, text: str) -> None:
        del text

    def count(self, done: int, total: int) -> None:
        del done, total


def require_ok(report: Report) -> None:
    assert [] == [f"{row.name}: {row.value}, {row.target}" for row in report.rows if not row.ok]


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_escapes(name: str, tmp_path: Path) -> None:
    """10,000 cases over all targets: those that nobody signed are refused with a code, in time, and leave nothing."""
    make, _ = TARGETS[name]
    share = shares_of(CASES)[name]
    report = Report.of(attacked(Campaign(SEED, tmp_path / "kept"), [(make, share)], Silence()))
    require_ok(report)
    counts = {row.name: row.value for row in report.rows}
    assert isinstance(refusals := counts[f"{name}: refused"], int | float)
    assert refusals > share / 4  # or the changes change nothing
    assert not (tmp_path / "kept").exists()


def test_the_shares_are_ten_thousand() -> None:
    """As many as were asked for, and every target has some."""
    shares = shares_of(CASES)
    assert CASES <= sum(shares.values()) < CASES + len(TARGETS)
    assert min(shares.values()) > 300


def test_no_command_ends_in_a_traceback() -> None:
    """Commands that take files from outside: an exit status of sysexits.h, and words."""
    require_ok(Report.of(attacked(Campaign(SEED, None), [(partial(Commands, run_command), 150)], Silence())))


@pytest.mark.shared
def test_no_list_comes_of_hostile_pictures() -> None:
    """Through the real enrolment, with the real nets."""
    with prepared_ground(Path(__file__).resolve().parents[3] / "shared") as ground:
        require_ok(Report.of(attacked(Campaign(SEED, None), [(partial(Enrolments, ground), 12)], Silence())))


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(TREES, st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_any_json_that_an_officer_signs_is_judged(
    tmp_path_factory: pytest.TempPathFactory, tree: object, seed: int
) -> None:
    """Whole documents of hypothesis's own, and such as an authority's one field: a verdict, and no error."""
    target = _AUTHORITIES
    content = json.loads(target.specimens[0])["content"]
    drawn = Random(seed)  # noqa: S311 - makes cases, not keys
    field = drawn.choice(sorted(content))
    for said in (tree, {**content, field: tree}):
        untrusted = signed_anew(drawn, Kind.AUTHORITY, said, KEYS[Role.AUTHORISE])
        outcome = target.attempt(Mutant(untrusted, field, is_signed_anew=True), tmp_path_factory.mktemp("case"))
        assert outcome.verdict is not Verdict.FORGED
        assert outcome.code or outcome.verdict is not Verdict.REFUSED


_AUTHORITIES = Authorities()


@given(st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_a_seed_makes_the_same_changes(seed: int) -> None:
    """So that a case can be made again, from target, seed and number."""
    specimens = (b'{"a": [1, 2.5, "2026-06-01"], "b": {"c": null}}', b"other")
    tree, toml = json.loads(specimens[0]), b'a = 1\n[b]\nc = "x"\n'
    once, again = (
        (changed_bytes(drawn, specimens), repr(changed_tree(drawn, tree)), changed_toml(drawn, toml))
        for drawn in (Random(seed), Random(seed))  # noqa: S311 - likewise
    )
    assert once == again
    assert {"a": [1, 2.5, "2026-06-01"], "b": {"c": None}} == tree  # the specimen itself stays


# A campaign that finds nothing must be one that would find something -----------------------------------------------


class Planted:
    """Reads anything, and has one fault."""

    name = "planted"
    specimens = (b"sound",)

    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._held: list[int] = []

    def structured(self, drawn: Random) -> Mutant:
        return Mutant(drawn.randbytes(8), "drawn")

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        put_in(folder, "offered", mutant.untrusted)
        if mutant.untrusted in self.specimens:
            return Outcome(Verdict.UNCHANGED if self._fault != "unsound" else Verdict.REFUSED, "planted")
        match self._fault:
            case "escape":
                raise KeyError
            case "own error":
                raise EdgeLfrError(self.name)
            case "thread":
                thread = threading.Thread(target=fail)
                thread.start()
                thread.join()
            case "forged":
                return Outcome(Verdict.FORGED)
            case "no code":
                return Outcome(Verdict.REFUSED, EdgeLfrError.code)
            case "file":
                (folder / "left").write_bytes(b"1")
            case "descriptor":
                self._held.append(os.open(folder / INCOMING / "offered", os.O_RDONLY))
            case "hang":
                waiting, _other = socket.socketpair()
                waiting.recv(1)
        return Outcome(Verdict.REFUSED, "planted")

    def close(self) -> None:
        for descriptor in self._held:
            os.close(descriptor)


def fail() -> None:
    raise KeyError


def missed(tally: Tally) -> list[str]:
    return [row.name.removeprefix("planted: ") for row in tally.rows() if not row.ok]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hang is one after a tenth of a second."""
    monkeypatch.setattr(watching, "HANG_S", 0.1)
    monkeypatch.setattr(watching, "LOOK_S", 0.05)
    monkeypatch.setattr(campaigns, "LIMIT_S", 0.05)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("escape", "escapes: KeyError"),
        ("own error", "escapes: EdgeLfrError"),
        ("thread", "escapes: in a thread: KeyError"),
        ("unsound", "escapes: a sound specimen"),
        ("forged", "accepted, and nobody signed it"),
        ("no code", "refused without a code"),
        ("file", "files left behind"),
        ("descriptor", "descriptors left open"),
    ],
)
def test_a_planted_fault_is_found(fault: str, told: str, tmp_path: Path) -> None:
    """Each kind by its own row, and by no other; and what can be repeated is kept with its seed."""
    tally = Campaign(1, tmp_path).attack(Planted(fault), 12, Silence())
    (row,) = missed(tally)
    assert row.startswith(told)
    kept = sorted(tmp_path.glob("*.json"))
    assert bool(kept) == (fault not in {"descriptor", "unsound"})
    for path in kept:
        facts = json.loads(path.read_text())
        drawn = Campaign(facts["seed"], None)._mutant(Planted(fault), facts["number"])
        assert path.with_suffix(".bin").read_bytes() == drawn.untrusted


@pytest.mark.usefixtures("impatient")
def test_a_hang_is_broken_off(tmp_path: Path) -> None:
    """A case that waits for ever ends with its time, is counted as an escape, and the next one begins."""
    tally = Campaign(1, tmp_path).attack(Planted("hang"), 2, Silence())
    assert any(row.startswith("escapes: HungError") for row in missed(tally))
    assert 3 == tally.cases


def test_no_fault_is_no_finding() -> None:
    """And what is sound is not told to be broken."""
    assert [] == missed(Campaign(1, None).attack(Planted("none"), 12, Silence()))


def test_a_command_that_believes_everything_is_found() -> None:
    """The control for commands: one that succeeds whatever it is given is told by the code that reads such files."""
    target = Commands(lambda words: os.EX_OK if words[0] != "config" else os.EX_DATAERR)
    try:
        tally = Campaign(1, None).attack(target, 100, Silence())
    finally:
        target.close()
    assert tally.verdicts[Verdict.FORGED] > 20
    assert tally.verdicts[Verdict.BELIEVED] > 0  # what was signed anew, and what is only shown


def test_an_argument_that_nobody_checks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control for the control socket: lines reach the checks of the daemon's own handlers."""
    monkeypatch.setattr(hold_requests, "_reason_of", HoldReason)
    target = ControlLines()
    try:
        tally = Campaign(1, None).attack(target, 200, Silence())
    finally:
        target.close()
    assert tally.escapes
    assert all("an answer that is no refusal" in escape for escape in tally.escapes)


def test_a_refusal_that_changes_something_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise: a daemon that says no, and has done it, is told from one that has not."""

    def place_and_refuse(holds: Holds, alert_id: str, reason: HoldReason, **named: Any) -> None:
        place(holds, alert_id, reason, **named)
        if reason is HoldReason.COMPLAINT:
            raise HoldError(alert_id)

    place = Holds.place
    monkeypatch.setattr(Holds, "place", place_and_refuse)
    target = ControlLines()
    try:
        tally = Campaign(1, None).attack(target, 0, Silence())
    finally:
        target.close()
    assert any("refused, and changed something: reporting.hold" in escape for escape in tally.escapes)


@pytest.mark.parametrize("end", [None, -2, 1_000, 400, 0])
def test_a_cut_ledger_is_no_forgery(end: int | None) -> None:
    """Without heads to compare with it is whole; one whose line was changed is not the one that was written."""
    ledgers = Ledgers()
    data = ledgers.specimens[1]
    assert ledgers.begins_so(data[:end])
    assert ledgers.begins_so(data[:end] + b"\n\0junk\n{")
    assert not ledgers.begins_so(data.replace(b'"role":"technician"', b'"role":"administrator"'))


def test_a_reader_that_forgets_the_signature_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control for forgery: with the one check left out, mutated messages are believed, and the campaign says so."""

    class Careless:
        def verify(self, signature: bytes, data: bytes) -> None:
            del signature, data

    target = SignedMessages()
    keys = dict(target._trust.keys)
    for fingerprint, key in keys.items():
        changed = type(key)(fingerprint, key.role, key.not_before, key.not_after, key.name, Careless())  # type: ignore[arg-type]
        keys[fingerprint] = changed
    monkeypatch.setattr(target, "_trust", type(target._trust)(keys))
    tally = Campaign(1, None).attack(target, 1_000, Silence())
    assert tally.verdicts[Verdict.FORGED] > 0
