"""Whom this box trusts, through the commands: what a person is asked about, and what happens then."""

import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from edge_lfr.cli.main import run_command
from edge_lfr.daemon.arming.seen_trust import keep_seen, read_seen, seen_in
from edge_lfr.governance.trust import Role, TrustStore, create_key, shown_fingerprint
from simulators.clock import StoppedClock
from simulators.command import ENTRY_POINT, Command


@pytest.fixture
def edge_lfr(tmp_path: Path) -> Command:
    return Command(tmp_path)


def key_file(folder: Path, role: Role, name: str) -> tuple[Path, str]:
    """A trust file, and its key's fingerprint."""
    path = folder / f"{name}.toml"
    made = create_key(role, folder / f"{name}.key", path, name=name, clock=StoppedClock(), valid_days=3650)
    return path, made.fingerprint


class Terminal:
    """Somebody sits before a command."""

    def __init__(self, edge_lfr: Command, *arguments: str) -> None:
        self._end, theirs = pty.openpty()
        environ = {**os.environ, "EDGE_LFR_CONFIG": str(edge_lfr.config), "TERM": "dumb"}
        command = [str(ENTRY_POINT), *arguments]
        self._process = subprocess.Popen(
            command, env=environ, cwd=edge_lfr.folder, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)

    def reads_until(self, words: str) -> str:
        said = ""
        while words not in said:
            said += os.read(self._end, 4096).decode()
        return said

    def answers(self, word: str) -> int:
        """Gives the exit status."""
        os.write(self._end, f"{word}\n".encode())
        with suppress(OSError):  # a terminal that its program has left
            while os.read(self._end, 4096):
                pass
        os.close(self._end)
        return self._process.wait(timeout=60)


def test_the_key_that_was_asked_about_is_the_one_that_is_trusted(edge_lfr: Command) -> None:
    """Whoever changes the file on the stick while a technician reads a fingerprint aloud gains nothing."""
    offered, fingerprint = key_file(edge_lfr.folder, Role.ISSUE, "desk")
    other, _ = key_file(edge_lfr.folder, Role.AUTHORISE, "intruder")
    terminal = Terminal(edge_lfr, "keys", "trust", str(offered))
    assert shown_fingerprint(fingerprint) in terminal.reads_until("[y/N]")
    offered.write_bytes(other.read_bytes())
    assert os.EX_OK == terminal.answers("y")
    assert {fingerprint: Role.ISSUE} == {
        print_: key.role for print_, key in TrustStore.load(edge_lfr.folder / "trust.d").keys.items()
    }


@pytest.mark.parametrize("answer", ["y", "n"])
def test_who_is_distrusted_is_said_before(edge_lfr: Command, answer: str) -> None:
    """A fingerprint alone is easily mistaken for another: role and name stand in the question."""
    offered, fingerprint = key_file(edge_lfr.folder, Role.ISSUE, "desk")
    assert os.EX_OK == edge_lfr("keys", "trust", str(offered), "--yes").status
    terminal = Terminal(edge_lfr, "keys", "distrust", shown_fingerprint(fingerprint))
    assert "issue, 'desk'" in terminal.reads_until("[y/N]")
    assert (answer == "y") is (terminal.answers(answer) == os.EX_OK)
    assert (answer == "n") is (fingerprint in TrustStore.load(edge_lfr.folder / "trust.d").keys)


def test_a_broken_file_hinders_no_emergency(edge_lfr: Command) -> None:
    """The key goes at once; what is broken is named, and a fingerprint that nobody has is asked about by nobody."""
    offered, fingerprint = key_file(edge_lfr.folder, Role.ISSUE, "desk")
    assert os.EX_OK == edge_lfr("keys", "trust", str(offered), "--yes").status
    (edge_lfr.folder / "trust.d/a.toml").symlink_to("absent")
    unknown = edge_lfr("keys", "distrust", "0" * 32, "--yes")
    assert os.EX_CONFIG == unknown.status
    assert "a.toml" in unknown.err
    done = edge_lfr("keys", "distrust", fingerprint, "--yes")
    assert os.EX_OK == done.status
    assert "a.toml: cannot be read" in done.err
    assert ["a.toml"] == [path.name for path in (edge_lfr.folder / "trust.d").iterdir()]


@pytest.mark.root
@pytest.mark.parametrize(("mode", "status"), [("training", os.EX_OK), ("operational", os.EX_CONFIG)])
def test_in_operation_only_roots_files_are_shown_as_trusted(
    edge_lfr: Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mode: str,
    status: int,
) -> None:
    """The list of trusted keys is the one by which the daemon of the same mode judges."""
    offered, fingerprint = key_file(edge_lfr.folder, Role.TRAIN, "desk")
    assert os.EX_OK == edge_lfr("keys", "init").status
    assert os.EX_OK == edge_lfr("keys", "trust", str(offered), "--yes").status
    (path,) = (edge_lfr.folder / "trust.d").iterdir()
    os.chown(path, 12345, -1)
    capsys.readouterr()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setenv("EDGE_LFR__MODE", mode)
    assert status == run_command(["keys", "show", "--config", str(edge_lfr.config)])
    out, err = capsys.readouterr()
    assert (status == os.EX_OK) is (shown_fingerprint(fingerprint) in out)
    assert (status == os.EX_CONFIG) is ("others may change whom we trust" in err)


def test_a_change_by_command_is_no_secret_one(edge_lfr: Command) -> None:
    """Where no daemon runs the next one knows of it, and does not hold; where none ever ran nothing is to be told."""
    offered, fingerprint = key_file(edge_lfr.folder, Role.ISSUE, "desk")
    assert os.EX_OK == edge_lfr("keys", "init").status
    folder = edge_lfr.folder / "state/training"
    first, _ = key_file(edge_lfr.folder, Role.CONTROL, "room")
    assert os.EX_OK == edge_lfr("keys", "trust", str(first), "--yes").status
    assert read_seen(folder) is None
    folder.mkdir(mode=0o700, exist_ok=True)
    before = seen_in(TrustStore.load(edge_lfr.folder / "trust.d"))
    keep_seen(folder, before)
    assert os.EX_OK == edge_lfr("keys", "trust", str(offered), "--yes").status
    assert seen_in(TrustStore.load(edge_lfr.folder / "trust.d")) == read_seen(folder)
    assert os.EX_OK == edge_lfr("keys", "distrust", fingerprint, "--yes").status
    assert before == read_seen(folder)


def test_an_officers_key_is_made_by_name(edge_lfr: Command) -> None:
    """Two keys of one name are one officer's, so that none is made up; the rank is shown to whoever trusts it."""
    nameless = edge_lfr("keys", "new", "authorise", "o.key", "o.toml")
    assert (os.EX_USAGE, True) == (nameless.status, "--name" in nameless.err)
    assert not (edge_lfr.folder / "o.key").exists()
    call = ("keys", "new", "authorise", "o.key", "o.toml", "--name", "101", "--rank", "superintendent", "--json")
    assert "superintendent" == edge_lfr(*call).json["rank"]
    assert os.EX_OK == edge_lfr("keys", "init").status
    told = edge_lfr("keys", "trust", "o.toml", "--yes").err
    assert "'101', superintendent" in told
    (key,) = edge_lfr("keys", "show", "--json").json["trusted"]
    assert ("101", "superintendent") == (key["name"], key["rank"])
    assert "superintendent" in edge_lfr("keys", "show").out


@pytest.mark.parametrize("verb", ["trust", "distrust"])
def test_in_operation_only_root_changes_whom_the_box_trusts(
    edge_lfr: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    """Anybody else is told so at once, before a question, instead of trusting a file that counts for nobody."""
    offered, fingerprint = key_file(edge_lfr.folder, Role.ISSUE, "desk")
    capsys.readouterr()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setenv("EDGE_LFR__MODE", "operational")
    what = str(offered) if verb == "trust" else fingerprint
    assert os.EX_NOPERM == run_command(["keys", verb, what, "--config", str(edge_lfr.config)])
    assert "as root" in capsys.readouterr().err
    assert not (edge_lfr.folder / "trust.d").exists()
