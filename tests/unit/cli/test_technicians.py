"""What a technician's own commands come to: a process of the group, without sudo, beside a daemon of another user."""

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_lfr.cli.main import run_command
from edge_lfr.daemon.control.local_socket import ControlServer
from edge_lfr.terms import Mode
from simulators.operations import CONFIG, Box
from simulators.peers import become
from simulators.watchlists import load, new_store

pytestmark = pytest.mark.root

OWN, TECHNICIAN, GROUP = 4243, 4244, 4299


@dataclass
class Here:
    """A daemon whose state nobody else may look at, and a configuration that technicians may read."""

    folder: Path
    box: Box
    alert_id: str

    def run(self, *words: str) -> tuple[int, str]:
        """The exit status of a command, and what it said."""
        said = self.folder / "said"
        said.touch()
        said.chmod(0o666)
        child = os.fork()
        if child == 0:
            status = os.EX_SOFTWARE
            try:
                become(TECHNICIAN, (GROUP,))
                stream = os.open(said, os.O_WRONLY | os.O_TRUNC)
                sys.stdout = sys.stderr = os.fdopen(stream, "w", encoding="utf-8")
                status = run_command([*words, "--config", str(self.folder / "van.toml")])
            finally:
                sys.stdout.flush()
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(ended), said.read_text()


@pytest.fixture
def here() -> Iterator[Here]:
    with tempfile.TemporaryDirectory(prefix="lfr-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        state, run = folder / "state", folder / "run"
        state.mkdir(mode=0o700)
        run.mkdir(mode=0o755)
        (folder / "copies").mkdir()
        os.chown(folder / "copies", TECHNICIAN, GROUP)
        (folder / "van.toml").write_text(
            f'runtime_directory = "{run}"\n{CONFIG.replace("STATE", str(state))}'.replace("127.0.0.1", "localhost")
        )
        mode_folder = state / "training"
        mode_folder.mkdir()
        box = Box(mode_folder, own_uid=OWN)
        box.run()
        alert_id = box.requests.alerts.write_test().alert_id
        with ControlServer(run / "control.sock", box.requests.handlers()):
            os.chown(run / "control.sock", OWN, GROUP)
            os.chown(state, OWN, OWN)
            yield Here(folder, box, alert_id)
        box.close()


@pytest.mark.parametrize("words", [("status",), ("pause",), ("resume",), ("stop",)])
def test_what_needs_no_sudo(here: Here, words: tuple[str, ...]) -> None:
    """Looking, pausing and stopping is a technician's work."""
    status, said = here.run(*words)
    assert os.EX_OK == status, said


def test_what_needs_sudo(here: Here) -> None:
    """Exit status 77, and who may; the list, the hold and the clock stay as they are."""
    for words in (
        ("alerts", "hold", here.alert_id, "--reason", "complaint", "--note", "complaint 17/4"),
        ("alerts", "release", here.alert_id, "--yes"),
        ("watchlist", "remove", "REF-00000", "--yes"),
        ("clock", "confirm", "--yes"),
    ):
        status, said = here.run(*words)
        assert os.EX_NOPERM == status, said
        assert "only root and the daemon's own user" in said
        assert "sudo edge-lfr" in said
    with here.box.store.open() as stored:
        assert 2 == stored.references
    assert () == here.box.requests.outbox.holds.all()


def test_a_deadline_waits_for_no_password(here: Here) -> None:
    """The list is destroyed and the certificate copied."""
    copy = here.folder / "copies" / "certificate.json"
    status, said = here.run("watchlist", "wipe", "--yes", "--certificate", str(copy))
    assert here.box.store.is_empty()
    assert copy.exists(), said
    assert os.EX_SOFTWARE == status, said  # the process of this test stands for the daemon, and still knows the list


def test_a_list_of_the_other_mode_needs_no_sudo_either(here: Here) -> None:
    """The daemon destroys it as its own; the technician could not even see it."""
    folder = here.folder / "state" / "operational"
    folder.mkdir()
    other = new_store(folder, mode=Mode.OPERATIONAL)
    load(other, range(2))
    here.box.store.wipe()
    status, said = here.run("watchlist", "wipe", "--yes")
    assert (os.EX_OK, True) == (status, other.is_empty()), said
    assert "of the mode operational: 1 lists" in said
