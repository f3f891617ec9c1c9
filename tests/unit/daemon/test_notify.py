"""What the service manager hears, on a real datagram socket in its place."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_lfr.daemon.notify import MAX_WORDS, Notifier


@contextmanager
def manager_at(address: str) -> Iterator[socket.socket]:
    """The service manager's end of the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(5.0)
        yield manager


def heard(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def test_a_path_is_told_everything(tmp_path: Path) -> None:
    """Each message is one datagram of `NAME=value` lines."""
    address = str(tmp_path / "notify.sock")
    with manager_at(address) as manager:
        notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
        notifier.ready("running: 1 of 1 cameras up")
        assert ["READY=1", "STATUS=running: 1 of 1 cameras up"] == heard(manager)
        notifier.status("degraded")
        assert ["STATUS=degraded"] == heard(manager)
        notifier.watchdog()
        assert ["WATCHDOG=1"] == heard(manager)
        notifier.stopping()
        assert ["STOPPING=1", "STATUS=stopping"] == heard(manager)


def test_an_abstract_name_is_told_too() -> None:
    """`@name` is a socket without a file, as containers use it."""
    name = f"edge-lfr-test-{os.getpid()}"
    with manager_at(f"\0{name}") as manager:
        Notifier.from_environment({"NOTIFY_SOCKET": f"@{name}"}).watchdog()
        assert ["WATCHDOG=1"] == heard(manager)


def test_words_cannot_say_more_than_one_line(tmp_path: Path) -> None:
    """A line break in the words would be another assignment; endless words would be refused."""
    address = str(tmp_path / "notify.sock")
    with manager_at(address) as manager:
        notifier = Notifier(address, None)
        notifier.status("down\nMAINPID=1")
        assert ["STATUS=down MAINPID=1"] == heard(manager)
        notifier.status("x" * 10_000)
        assert [f"STATUS={'x' * MAX_WORDS}"] == heard(manager)


def test_without_a_manager_nobody_is_told() -> None:
    """A daemon at a terminal works the same."""
    notifier = Notifier.from_environment({"WATCHDOG_USEC": "1000000"})
    notifier.ready("running")
    notifier.stopping()
    assert (False, None) == (notifier.is_heard, notifier.watchdog_s)


def test_a_manager_that_has_gone_hurts_nobody(tmp_path: Path) -> None:
    """A lost line never decides about the work."""
    Notifier(str(tmp_path / "nobody.sock"), None).watchdog()
    Notifier(f"/{'x' * 4_000}", None).watchdog()
    Notifier.from_environment({"NOTIFY_SOCKET": "vsock:2:1234"}).watchdog()


def test_children_do_not_inherit_the_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever the daemon starts cannot speak in its name."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify.sock"))
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notifier = Notifier.from_environment(os.environ)
    assert (True, 30.0) == (notifier.is_heard, notifier.watchdog_s)
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os; print([name for name in os.environ if name.startswith(('NOTIFY', 'WATCH'))])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "[]" == child.stdout.strip()


@pytest.mark.parametrize(
    "variables",
    [
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "-1"},
        {"WATCHDOG_USEC": "0"},
        {},
    ],
)
def test_a_watchdog_that_is_not_ours_is_not_fed(variables: dict[str, str]) -> None:
    """Meant for another process, off, or nonsense: there is no limit to keep."""
    assert Notifier.from_environment({"NOTIFY_SOCKET": "/run/x", **variables}).watchdog_s is None
