"""Processes of a rehearsal end with it, the last one first, and their words are kept."""

import socket
import sys
from pathlib import Path

import pytest

from edge_lfr.evaluation.processes import Children, RehearsalError, start_broker

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_leaving_the_block_ends_every_process(tmp_path: Path) -> None:
    """Nothing that a rehearsal started outlives it."""
    with Children(tmp_path, {}) as children:
        started = [children.start(f"sleeper-{number}", SLEEPER) for number in range(2)]
        assert [None, None] == [child.process.poll() for child in started]
    assert all(child.process.returncode is not None for child in started)


def test_a_process_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM first; after the time for good order, SIGKILL."""
    monkeypatch.setattr("edge_lfr.evaluation.processes.TERMINATION_S", 0.2)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    with Children(tmp_path, {}) as children:
        child = children.start("deaf", [sys.executable, "-c", deaf], stdout=-1)
        assert child.process.stdout is not None
        assert "deaf\n" == child.process.stdout.readline()
    assert -9 == child.process.returncode


def test_a_failed_command_is_told_with_its_last_words(tmp_path: Path) -> None:
    """The user reads why a part failed, not only that it did."""
    command = [sys.executable, "-c", "import sys; print('first'); sys.exit('no such camera')"]
    with Children(tmp_path, {}) as children, pytest.raises(RehearsalError, match="status 1:\nno such camera"):
        children.run("broken", command)


def test_a_command_gives_back_what_it_printed(tmp_path: Path) -> None:
    """Results come over stdout."""
    with Children(tmp_path, {}) as children:
        assert "done\n" == children.run("good", [sys.executable, "-c", "print('done')"])


def test_the_broker_listens_on_loopback_until_the_block_ends(tmp_path: Path) -> None:
    """A broker of its own on a free port: no other one is disturbed, and none is left behind."""
    with Children(tmp_path, {}) as children:
        port = start_broker(children, tmp_path)
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
    with socket.socket() as probe:
        assert 0 != probe.connect_ex(("127.0.0.1", port))
