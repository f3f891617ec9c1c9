"""
The installed command on a machine that boots systemd: whose files it leaves, whom the ledger names, where copies go.

One machine for the whole file: each test takes it as the one before has left it.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from simulators.control_van import EXAMPLE_FORCE as FORCE
from simulators.installed import Box
from simulators.machine import ROOT, Machine, put_environment

pytestmark = pytest.mark.machine

CONFIG = f"""
mode = "training"
force = "{FORCE}"
device = "van-1"
[models]
pack = "yunet-0095"
[[cameras]]
id = "north"
source = "/srv/street/"
[reporting.broker]
host = "127.0.0.1"
"""
TECHNICIAN = 4242
STICK = '/media/a "stick" of 100 %'
REVOKED = ("authority", "revoke", "T-14", "/srv/stop.json", "--police-force", FORCE)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("command")
    with Machine(folder / "machine", [ROOT]) as machine:
        put_environment(machine)
        box = Box(machine, folder)
        box.install()
        machine.write("/etc/edge-lfr/edge-lfr.toml", CONFIG)
        machine.done(
            "install", "-d", "-o", "edge-lfr", "-g", "edge-lfr-technician", "-m", "0700", "/var/lib/edge-lfr/training"
        )
        for name, role in (("revoke", "revoke"), ("issue", "issue")):
            machine.done("edge-lfr", "keys", "new", role, f"/srv/{name}.key", f"/srv/{name}.toml")
        machine.done("edge-lfr", *REVOKED, "--reason", "mistake", "--key", "/srv/revoke.key", "--yes")
        yield box


def sudo(box: Box, *command: str) -> str:
    """What a technician does as root; gives what the command wrote."""
    return box.machine.done("env", f"SUDO_UID={TECHNICIAN}", "edge-lfr", *command)


def strangers_files(box: Box) -> str:
    """What lies in the state folder and is not the daemon's."""
    return box.machine.done("find", "/var/lib/edge-lfr", "!", "-user", "edge-lfr")


def whos(box: Box, event: str) -> list[dict[str, Any]]:
    """Whom the ledger names for these events."""
    shown = json.loads(sudo(box, "ledger", "show", "--event", event, "--json"))
    return [line["who"] for line in shown["lines"]]


def test_in_an_image_the_files_are_the_daemons(box: Box) -> None:
    """Root prepares a box without a service manager: whom it trusts is root's, everything else the daemon's."""
    alone = ("unshare", "--mount", "sh", "-euc", 'mount -t tmpfs tmpfs /run/systemd; exec edge-lfr "$@"', "sh")
    assert 0 == box.machine.run("test", "-d", "/run/systemd/system").returncode
    box.machine.done(*alone, "keys", "trust", "/srv/revoke.toml", "--yes")
    box.machine.done(*alone, "authority", "take-revocation", "/srv/stop.json")
    assert "root" == box.machine.done("sh", "-c", "stat -c %U /etc/edge-lfr/trust.d/*").strip()
    assert "" == strangers_files(box)


def test_root_finds_and_leaves_the_daemons_files(box: Box) -> None:
    """An authority's commands open what is sealed with the daemon's credential, and root leaves nothing of its own."""
    sudo(box, "keys", "init")
    shown = box.machine.run("edge-lfr", "authority", "show")
    assert os.EX_CONFIG == shown.returncode
    assert "no deployment authority is installed" in shown.stderr
    sudo(box, "authority", "take-revocation", "/srv/stop.json")
    assert "" == strangers_files(box)


def test_the_ledger_names_who_sat_there(box: Box) -> None:
    """Also for what root alone may do, whose line needs the daemon's key."""
    daemon = int(box.machine.done("id", "--user", "edge-lfr"))
    assert [{"caller": f"{TECHNICIAN} through {daemon}"}] == whos(box, "revoked")
    sudo(box, "keys", "trust", "/srv/issue.toml", "--yes")
    assert [{"caller": f"{TECHNICIAN} through 0"}] == whos(box, "trust-added")
    assert "" == strangers_files(box)


def test_a_copy_goes_to_a_stick(box: Box) -> None:
    """One that is mounted for the daemon's user, whatever its name; one that is not is refused before anything."""
    box.machine.done("mkdir", STICK)
    refused = box.machine.run("edge-lfr", "ledger", "export", f"{STICK}/ledger.jsonl")
    assert os.EX_NOPERM == refused.returncode
    assert "the user edge-lfr may not write there" in refused.stderr
    uid = box.machine.done("id", "--user", "edge-lfr").strip()
    box.machine.done("mount", "-t", "tmpfs", "-o", f"uid={uid},mode=0755", "tmpfs", STICK)
    sudo(box, "ledger", "export", f"{STICK}/ledger.jsonl")
    sudo(box, "watchlist", "manifests", "--copy-to", f"{STICK}/records/of today")
    copied = box.machine.done("edge-lfr", "ledger", "verify", "--file", f"{STICK}/ledger.jsonl", "--json")
    assert json.loads(copied)["lines"] > 0
    assert [{"caller": f"{TECHNICIAN} through {uid}"}] * 2 == whos(box, "exported")


def test_nothing_else_becomes_writable(box: Box) -> None:
    """The folder of a copy opens no other: the sandbox of the passing service stays as it is."""
    written = box.machine.run("edge-lfr", "ledger", "export", "/etc/edge-lfr/ledger.jsonl")
    assert os.EX_NOPERM == written.returncode
    assert 0 != box.machine.run("test", "-e", "/etc/edge-lfr/ledger.jsonl").returncode


def test_a_wipe_needs_no_key_that_opens(box: Box) -> None:
    """What was sealed for another board is no reason to keep a list: nothing else runs then, and this does."""
    kept = "/etc/credstore.encrypted/edge-lfr.kek"
    assert 0 == box.machine.run("edge-lfr", "watchlist", "wipe", "--yes").returncode
    box.machine.done("install", "-d", "-m", "0700", "/etc/credstore.encrypted")
    box.machine.write(kept, "sealed for another board")
    assert 243 == box.machine.run("edge-lfr", "ledger", "show").returncode
    done = box.machine.run("edge-lfr", "watchlist", "wipe", "--yes")
    box.machine.done("rm", kept)
    assert (0, True) == (done.returncode, "destroying without it" in done.stderr), done.stderr
