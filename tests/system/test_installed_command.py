"""The installed command: as whom it runs each command, whom it names, and what may be written; all else is a fake."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest
import typer

from edge_lfr.cli.main import NOUNS
from edge_lfr.daemon.control.caller import VARIABLE

ROOT = Path(__file__).resolve().parents[2]

TELLS = f"""#!{sys.executable}
import json, os, sys
print(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:], os.environ.get("{VARIABLE}")]))
"""
"""Stands for the last program that the command calls."""

RUNS_AS_ANOTHER = """#!/bin/sh
if [ "$4" = test ]; then
  shift 5
  [ -w "$1" ] && [ "$1" != "$FAKE_REFUSED" ]
else
  exec "${0%/*}/as-another" "$@"
fi
"""

FAKES = {
    "id": '#!/bin/sh\necho "$FAKE_UID"\n',
    "systemctl": '#!/bin/sh\necho "value of $2"\n',
    "runuser": RUNS_AS_ANOTHER,
    "as-another": TELLS,
    "systemd-run": TELLS,
    "edge-lfr": TELLS,
}


@dataclass(frozen=True)
class Ran:
    """What the installed command did in the end."""

    status: int
    err: str
    words: tuple[str, ...]
    """The last program and its arguments."""

    told: str | None
    """Whom it named to the program it called."""

    @property
    def rights(self) -> str:
        """Whose: the caller's, the daemon's or root's."""
        if self.words[0] == "systemd-run":
            return "daemon" if "--property=User=edge-lfr" in self.words else "root"
        return "caller" if self.words[0] == "edge-lfr" else "daemon"

    @property
    def writable(self) -> str:
        (found,) = (word for word in self.words if word.startswith("--property=ReadWritePaths="))
        return found.removeprefix("--property=ReadWritePaths=")


class Installed:
    """The script as it ships, with its places in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manager = folder / "manager"
        self.manager.mkdir()
        self.login = folder / "loginuid"
        self.login.write_text("4294967295")
        for name, text in FAKES.items():
            path = folder / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        text = (ROOT / "systemd/edge-lfr").read_text(encoding="utf-8")
        for place, instead in (
            ("/opt/edge-lfr/bin/edge-lfr\n", f"{folder}/bin/edge-lfr\n"),
            ("/run/systemd/system", str(self.manager)),
            ("/proc/self/loginuid", str(self.login)),
        ):
            assert place in text
            text = text.replace(place, instead)
        self.script = folder / "installed"
        self.script.write_text(text)

    def __call__(self, *words: str, uid: int = 0, refused: str = "", environ: Mapping[str, str] | None = None) -> Ran:
        done = subprocess.run(
            ["sh", str(self.script), *words],
            env={
                "PATH": f"{self.folder}/bin:/usr/bin:/bin",
                "FAKE_UID": str(uid),
                "FAKE_REFUSED": refused,
                **(environ or {}),
            },
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        *said, told = json.loads(done.stdout) if done.stdout else ["", None]
        return Ran(done.returncode, done.stderr, tuple(map(str, said)), told)


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


def commands() -> Iterator[tuple[str, bool]]:
    """Every noun and verb, and whether it reads the appliance's configuration."""
    for noun in NOUNS:
        app = typer.main.get_command(getattr(import_module(f"edge_lfr.cli.{noun.module}"), noun.app))
        for verb, command in getattr(app, "commands", {"": app}).items():
            yield f"{noun.name} {verb}".strip(), any("--config" in one.opts for one in command.params)


OPEN_NOTHING = {
    "run": "the unit runs it",
    "status": "asks the daemon",
    "pause": "asks the daemon",
    "resume": "asks the daemon",
    "stop": "asks the daemon",
    "alerts test": "asks the daemon",
    "alerts watch": "a screen of the control room, with its own key",
    "config check": "reads the configuration alone",
    "config retention": "reads the configuration alone",
    "authority draft": "written where the officer sits, as a file of theirs",
    "authority sign": "the officer's own key, and a file of theirs",
    "authority countersign": "the second officer's own key, and a file of theirs",
    "watchlist build": "the issuer's own key, and a file of theirs",
    "watchlist was-listed": "the data protection officer's own key",
}
"""Commands that read the configuration and nothing that is the daemon's."""

ROOTS = {"keys trust", "keys distrust"}


def test_every_command_has_the_rights_that_it_needs(installed: Installed) -> None:
    """What reads the configuration opens the daemon's files, so root runs it as the daemon; all else as the caller."""
    needed = {
        command: "root" if command in ROOTS else "daemon" if reads_config and command not in OPEN_NOTHING else "caller"
        for command, reads_config in commands()
    }
    assert needed == {command: installed(*command.split()).rights for command in needed}


def test_options_before_the_noun_change_no_rights(installed: Installed) -> None:
    """Else a command that logs more would leave files of root's."""
    before = ("--log-level", "info", "--log-format=json")
    assert "daemon" == installed(*before, "authority", "install", "x").rights
    assert "root" == installed(*before, "keys", "--json", "trust", "x").rights


@pytest.mark.parametrize("command", ["watchlist load x", "keys trust x", "authority install x", "status"])
def test_whoever_is_not_root_stays_who_they_are(installed: Installed, command: str) -> None:
    """Their kernel's uid is enough; a variable of theirs is theirs."""
    ran = installed(*command.split(), uid=1000)
    assert ("caller", None) == (ran.rights, ran.told)


@pytest.mark.parametrize(
    ("login", "sudo", "told"),
    [
        ("1000", None, "1000"),
        ("1000", "1001", "1000"),
        ("4294967295", "1001", "1001"),
        ("4294967295", None, "0"),
        (None, "1001", "1001"),
        (None, None, "0"),
    ],
)
@pytest.mark.parametrize("command", ["watchlist show", "keys trust x", "pause"])
def test_who_sits_there_is_told(
    installed: Installed, command: str, login: str | None, sudo: str | None, told: str
) -> None:
    """Whom the kernel saw logging in, before what sudo says; a value that the caller sets counts for nothing."""
    if login is None:
        installed.login.unlink()
    else:
        installed.login.write_text(login)
    environ = {VARIABLE: "4242"} | ({} if sudo is None else {"SUDO_UID": sudo})
    ran = installed(*command.split(), environ=environ)
    passed = f"--setenv={VARIABLE}={told}" in ran.words if ran.words[0] == "systemd-run" else ran.told == told
    assert passed, ran


def test_in_an_image_files_become_the_daemons(installed: Installed) -> None:
    """Without a service manager, too, an authority that root installs is one that the daemon can read."""
    installed.manager.rmdir()
    ran = installed("authority", "install", "friday.json", environ={"SUDO_UID": "1000"})
    program = str(installed.folder / "bin/edge-lfr")
    expected = ("as-another", "--user", "edge-lfr", "--", program, "authority", "install", "friday.json")
    assert (expected, "1000") == (ran.words, ran.told)
    assert ("edge-lfr", "keys", "trust", "x") == installed("keys", "trust", "x").words


def test_only_its_own_state_is_writable(installed: Installed) -> None:
    """Unless the command line names a file to be written."""
    assert "/var/lib/edge-lfr" == installed("watchlist", "load", "/media/stick/list.lfrw").writable
    assert "/var/lib/edge-lfr -/etc/edge-lfr" == installed("keys", "trust", "x").writable


@pytest.mark.parametrize(
    "words",
    [
        ("watchlist", "load", "list.lfrw", "--receipt", "{}/receipt.json"),
        ("watchlist", "load", "--receipt={}/receipt.json", "list.lfrw"),
        ("watchlist", "wipe", "--yes", "--certificate", "{}/wipe.json"),
        ("watchlist", "manifests", "--copy-to", "{}", "--delete"),
        ("watchlist", "manifests", "--copy-to", "{}/new/records"),
        ("ledger", "export", "{}/ledger.jsonl"),
        ("ledger", "export", "--config", "van.toml", "--json", "{}/ledger.jsonl"),
        ("--log-level", "info", "ledger", "export", "{}/ledger.jsonl"),
    ],
)
@pytest.mark.parametrize("name", ["stick", "a stick", 'the "stick" \\of A. N.'])
def test_where_a_copy_goes_can_be_written(installed: Installed, words: tuple[str, ...], name: str) -> None:
    """That folder, or the one that it is made in, and none else; quoted as the service manager reads it."""
    folder = installed.folder / name
    folder.mkdir()
    escaped = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    for where in (str(folder), name):
        ran = installed(*(word.format(where) for word in words))
        assert f'/var/lib/edge-lfr "{escaped}"' == ran.writable


def test_what_the_daemons_user_may_not_write_is_refused_at_once(installed: Installed) -> None:
    """Before anything is destroyed or loaded: with the folder and what to do."""
    folder = installed.folder / "stick"
    folder.mkdir()
    ran = installed("watchlist", "wipe", "--yes", "--certificate", f"{folder}/wipe.json", refused=str(folder))
    assert (os.EX_NOPERM, ()) == (ran.status, tuple(word for word in ran.words if word))
    assert f"edge-lfr: {folder}: the user edge-lfr may not write there" in ran.err
    assert "what to do" in ran.err
