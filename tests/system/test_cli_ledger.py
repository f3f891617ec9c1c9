"""The ledger's commands as an auditor meets them, also beside a process that writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_lfr.clock import SystemClock
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.trust import shown_fingerprint
from simulators.command import Command
from simulators.ledgers import DEVICE, append, signing_key

WRITE_WITHOUT_END = """
import sys
from pathlib import Path
from edge_lfr.clock import SystemClock
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.lines import Actor, Part

state, device = Path(sys.argv[1]), sys.argv[2]
signing = DeviceKeys.load(state / "device").signing
ledger = Ledger.open(state / "training" / "ledger.jsonl", signing, SystemClock(), device=device)
while True:
    ledger.append(LedgerEvent.PAUSED, Actor.of_part(Part.DAEMON), {})
    print("written", flush=True)
"""


@pytest.fixture
def edge_lfr(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def ledger(edge_lfr: Command) -> Ledger:
    """The ledger of an appliance that has run."""
    state = edge_lfr.folder / "state"
    keys = DeviceKeys.load(state / "device", create=True)
    ledger = Ledger.open(state / "training" / FILE_NAME, keys.signing, SystemClock(), device=DEVICE)
    append(ledger, LedgerEvent.STARTED, LedgerEvent.LOGIN, LedgerEvent.ALERT, LedgerEvent.ACKNOWLEDGED)
    return ledger


def test_there_is_no_ledger_yet(edge_lfr: Command) -> None:
    """Every verb says so, and none begins one."""
    for arguments in (("show",), ("verify",), ("export", "copy")):
        done = edge_lfr("ledger", *arguments)
        assert (os.EX_NOINPUT, "") == (done.status, done.out)
        assert "there is no ledger" in done.err
    assert not (edge_lfr.folder / "state").exists()
    assert not (edge_lfr.folder / "copy").exists()


def test_lines_are_shown(edge_lfr: Command, ledger: Ledger) -> None:
    """The last ones, those of an event, those since a time; for people and for programs."""
    shown = edge_lfr("ledger", "show")
    assert 0 == shown.status
    begun = [line.split()[0] for line in shown.out.splitlines()[2:] if line.strip()[:1].isdigit()]
    assert [str(n) for n in range(1, 9)] == begun
    assert "score=0.51" in shown.out
    assert "part daemon" in shown.out
    last = edge_lfr("ledger", "show", "--last", "2", "--json").json
    assert ("lfr.ledger-show/1", [7, 8]) == (last["schema"], [line["n"] for line in last["lines"]])
    assert {"part": "daemon"} == last["lines"][1]["who"]
    some = edge_lfr("ledger", "show", "--event", "alert", "--event", "login", "--json").json
    assert ["login", "alert"] == [line["event"] for line in some["lines"]]
    assert [] == edge_lfr("ledger", "show", "--since", "2999-01-01", "--json").json["lines"]
    assert 8 == len(edge_lfr("ledger", "show", "--since", "2020-01-01T00:00", "--json").json["lines"])
    assert ledger.path.exists()


def test_a_whole_ledger_is_verified(edge_lfr: Command, ledger: Ledger) -> None:
    """With this box's own key, with published heads, and with what they cannot say said."""
    done = edge_lfr("ledger", "verify", "--json")
    assert (0, True, 1) == (done.status, done.json["is_whole"], done.json["lines_after"])
    assert shown_fingerprint(DeviceKeys.load(edge_lfr.folder / "state" / "device").fingerprint) == done.json["key"]
    assert "not compared with published heads" in done.err
    (edge_lfr.folder / "heads").write_bytes(ledger.head() + b"\n")
    done = edge_lfr("ledger", "verify", "--heads", "heads")
    assert 0 == done.status
    assert "published: 1" in done.out
    told = "note: compared with published heads up to line 8: a cut behind it would not show"
    assert [told, "the ledger is whole"] == done.err.splitlines()
    (edge_lfr.folder / "empty").touch()
    done = edge_lfr("ledger", "verify", "--heads", "empty")
    assert os.EX_DATAERR == done.status
    assert "no-heads" in done.err


def test_an_edit_is_reported_with_its_line(edge_lfr: Command, ledger: Ledger) -> None:
    """Status 65, each finding in words on stderr and as data on stdout."""
    ledger.path.write_bytes(ledger.path.read_bytes().replace(b'"score":0.51', b'"score":0.61'))
    done = edge_lfr("ledger", "verify", "--json")
    assert os.EX_DATAERR == done.status
    assert [("edited", 7)] == [(each["code"], each["row"]) for each in done.json["findings"]]
    assert "broken: row 7: edited: line 6 (row 6)" in done.err
    assert "NOT the one that was written" in done.err


def test_a_cut_shows_against_the_heads(edge_lfr: Command, ledger: Ledger) -> None:
    """A shortened ledger is whole in itself; with a head from elsewhere it is not."""
    (edge_lfr.folder / "heads").write_bytes(ledger.head() + b"\n")
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join(lines[:5]))
    assert 0 == edge_lfr("ledger", "verify").status
    done = edge_lfr("ledger", "verify", "--heads", "heads")
    assert os.EX_DATAERR == done.status
    assert "truncated after line 5: a head of line 8 is known elsewhere" in done.err


def test_a_line_that_nobody_vouches_for_is_told(edge_lfr: Command, ledger: Ledger) -> None:
    """A power cut can have left it, so that the status is 0; the verdict says it, before and behind the next line."""
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join(lines[:6]))
    for code in ("unvouched-end", "unvouched"):
        done = edge_lfr("ledger", "verify", "--json")
        assert (0, True, 1) == (done.status, done.json["is_whole"], done.json["unvouched"])
        assert [(code, 6)] == [(each["code"], each["row"]) for each in done.json["notes"]]
        assert "the ledger is whole, but nobody vouches for 1 of its lines: see the notes" in done.err
        append(ledger, LedgerEvent.LOGIN)
    last = edge_lfr("ledger", "show", "--event", "unvouched", "--json").json["lines"]
    assert [6] == [line["facts"]["line"] for line in last]


def test_another_boxs_ledger_is_not_ours(edge_lfr: Command, ledger: Ledger) -> None:
    """Whoever puts a ledger of another key into its place is found; so is a key that was expected and is another."""
    assert os.EX_DATAERR == edge_lfr("ledger", "verify", "--device-key", signing_key(9).fingerprint).status
    ledger.path.unlink()
    Ledger.open(ledger.path, signing_key(9), SystemClock(), device=DEVICE)
    done = edge_lfr("ledger", "verify")
    assert os.EX_DATAERR == done.status
    assert "wrong-key" in done.err
    refused = edge_lfr("ledger", "export", "copy")
    assert os.EX_CONFIG == refused.status
    assert not (edge_lfr.folder / "copy").exists()


def test_a_copy_is_verified_elsewhere(edge_lfr: Command, ledger: Ledger, tmp_path: Path) -> None:
    """An export needs no configuration to be shown and verified, and overwrites nothing."""
    done = edge_lfr("ledger", "export", "copy", "--json")
    assert (0, "lfr.ledger-export/1") == (done.status, done.json["schema"])
    copy = tmp_path / "copy"
    assert done.json["bytes"] == copy.stat().st_size
    fingerprint = DeviceKeys.load(edge_lfr.folder / "state" / "device").fingerprint
    elsewhere = {"EDGE_LFR_CONFIG": "/nonexistent"}
    arguments = ("ledger", "verify", "--file", "copy", "--device-key", shown_fingerprint(fingerprint), "--json")
    verified = edge_lfr(*arguments, environ=elsewhere)
    assert (0, 0) == (verified.status, verified.json["lines_after"])
    last = edge_lfr("ledger", "show", "--file", "copy", "--event", "exported", "--json", environ=elsewhere).json
    assert [{"uid": os.getuid()}] == [line["who"] for line in last["lines"]]
    before = copy.read_bytes()
    assert os.EX_CANTCREAT == edge_lfr("ledger", "export", "copy").status
    assert before == copy.read_bytes() == ledger.path.read_bytes()


def test_commands_work_beside_a_writer(edge_lfr: Command, ledger: Ledger) -> None:
    """While another process appends without end: whole, never torn, and the export is in both."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITE_WITHOUT_END, str(edge_lfr.folder / "state"), DEVICE], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    try:
        writer.stdout.readline()
        for number in range(3):
            verified = edge_lfr("ledger", "verify", "--json")
            assert (0, []) == (verified.status, verified.json["notes"]), verified.err
            assert 0 == edge_lfr("ledger", "export", f"copy-{number}").status
            assert 0 == edge_lfr("ledger", "verify", "--file", f"copy-{number}").status
    finally:
        writer.kill()
        writer.stdout.close()
        writer.wait()
    lines = [json.loads(line) for line in ledger.path.read_bytes().splitlines()]
    assert 3 == sum(line["event"] == "exported" for line in lines)
    assert 0 == edge_lfr("ledger", "verify").status


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"[" * 100_000, b"\0" * 10_000_000, b"\n" * 10_000, bytes(range(256))]
)
def test_whatever_lies_there_is_judged(edge_lfr: Command, content: bytes) -> None:
    """No file makes a command hang, fill the memory or end in a traceback."""
    folder = edge_lfr.folder / "state" / "training"
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_bytes(content)
    (edge_lfr.folder / "heads").write_bytes(content)
    assert os.EX_DATAERR == edge_lfr("ledger", "verify", "--heads", "heads").status
    assert 0 == edge_lfr("ledger", "show").status
    DeviceKeys.load(edge_lfr.folder / "state" / "device", create=True)
    assert os.EX_CONFIG == edge_lfr("ledger", "export", "copy").status
    assert content == (folder / FILE_NAME).read_bytes()
