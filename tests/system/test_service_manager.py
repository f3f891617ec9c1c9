"""What a service manager hears from the daemon as a process, and what makes it start a fresh one."""

import json
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators import held_daemon
from simulators.appliance import eventually
from simulators.van import Van

pytestmark = pytest.mark.shared

WATCHDOG_S = 0.9
START_LIMIT_S = 60.0


class Manager:
    """The service manager's end: hears everything that is said to it."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify.sock")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self.environ = {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": str(round(WATCHDOG_S * 1e6))}

    def wait_for(self, line: str, limit_s: float) -> bool:
        """Whether *line* is heard in time; whatever came before is forgotten."""
        deadline_s = time.monotonic() + limit_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            try:
                if line in self._socket.recv(4096).decode().split("\n"):
                    return True
            except TimeoutError:
                break
        return False

    def is_silent_for(self, line: str, seconds: float) -> bool:
        return not self.wait_for(line, seconds)

    def forget(self) -> None:
        """Whatever was said until now."""
        self.wait_for("nothing", 0.1)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    manager.close()


@pytest.fixture
def van(tmp_path: Path, installed_packs: Path, shared_data: Path) -> Van:
    return Van(tmp_path, installed_packs, shared_data / "london", broker_port=1)


def test_the_manager_hears_of_start_progress_and_end(van: Van, manager: Manager) -> None:
    """READY when all has begun, the watchdog is fed while all goes on, STOPPING at the end; without a broker too."""
    with van.daemon(environ=manager.environ) as daemon:
        assert manager.wait_for("READY=1", START_LIMIT_S)
        for _ in range(5):
            assert manager.wait_for("WATCHDOG=1", WATCHDOG_S)
        assert "disarmed" in van.status()["in_words"]
        daemon.process.terminate()
        assert manager.wait_for("STOPPING=1", WATCHDOG_S)
        assert 0 == daemon.process.wait(timeout=20)


def test_a_path_that_stands_starves_the_watchdog(van: Van, manager: Manager, tmp_path: Path) -> None:
    """Feeding ends when the inference thread is over its limit, is logged once, and begins again when it goes on."""
    wedge = tmp_path / "wedge"
    command = (sys.executable, held_daemon.__file__, str(wedge))
    with van.daemon(environ=manager.environ, command=command) as daemon:
        assert manager.wait_for("READY=1", START_LIMIT_S)
        assert manager.wait_for("WATCHDOG=1", 10 * WATCHDOG_S)
        wedge.touch()
        assert eventually(lambda: "daemon.thread-stalled" in van.log(), held_daemon.LIMIT_S + 10.0)
        manager.forget()
        assert manager.is_silent_for("WATCHDOG=1", 3 * WATCHDOG_S)
        assert 1 == van.log().count("daemon.thread-stalled")
        assert "stalled-path" in van.status()["status"]["reasons"]
        wedge.unlink()
        assert manager.wait_for("WATCHDOG=1", 10 * WATCHDOG_S)
        assert daemon.process.poll() is None


def test_a_thread_that_ended_ends_the_process(van: Van, manager: Manager, tmp_path: Path) -> None:
    """Nobody would be seen any more: the status asks for a fresh process, and is not the one that forbids it."""
    (tmp_path / "wedge").write_text(held_daemon.END)
    command = (sys.executable, held_daemon.__file__, str(tmp_path / "wedge"))
    with van.daemon(environ=manager.environ, command=command) as daemon:
        assert os.EX_SOFTWARE == daemon.process.wait(timeout=START_LIMIT_S)
        assert manager.wait_for("STOPPING=1", WATCHDOG_S)
    assert "daemon.thread-ended" in van.log()


def test_what_must_not_be_started_again_says_so(van: Van, manager: Manager) -> None:
    """A trust folder that anybody may change ends with 78, and READY is never said."""
    (van.folder / "trust.d" / "control.toml").chmod(0o666)
    with van.daemon(environ=manager.environ) as daemon:
        assert 78 == daemon.process.wait(timeout=60)
        assert manager.is_silent_for("READY=1", 0.1)


def test_a_monitor_on_the_machine_reads_the_running_daemon(van: Van, manager: Manager) -> None:
    """The metrics that are configured are there once the daemon is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = manager.environ | {"EDGE_LFR__HEALTH__METRICS_PORT": json.dumps(port)}
    with van.daemon(environ=environ):
        assert manager.wait_for("READY=1", START_LIMIT_S)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    assert 'edge_lfr_state{state="disarmed"} 1.0' in text
