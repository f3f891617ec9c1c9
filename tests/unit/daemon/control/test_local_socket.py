"""The local socket: who may ask what, and what a hostile or broken peer gets."""

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from edge_lfr.daemon.control.local_socket import MAX_PEERS, ControlClient, ControlServer
from edge_lfr.daemon.control.protocol import MAX_LINE_BYTES, Request
from edge_lfr.errors import (
    ConfigError,
    ControlError,
    DaemonAbsentError,
    DaemonBusyError,
    WatchlistMissingError,
)

LIMIT_S = 0.3


class Daemon:
    """Handlers that remember what reached them."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.paused: list[Request] = []
        self.hold = threading.Event()

    def status(self, request: Request) -> Mapping[str, object]:
        self.seen.append(request)
        return {"state": "armed", "given": dict(request.args)}

    def remove(self, request: Request) -> Mapping[str, object]:
        return {"removed": list(request.texts("reference_ids"))}

    def wipe(self, _: Request) -> Mapping[str, object]:
        message = "nothing is loaded"
        raise WatchlistMissingError(message)

    def reload(self, _: Request) -> Mapping[str, object]:
        message = "inside"
        raise RuntimeError(message)

    def pause(self, request: Request) -> Mapping[str, object]:
        self.paused.append(request)
        self.hold.wait(10)
        return {}

    def cameras(self, _: Request) -> Mapping[str, object]:
        return {"text": "x" * MAX_LINE_BYTES}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "control.sock"


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def server(path: Path, daemon: Daemon) -> Iterator[ControlServer]:
    verbs = ("status", "remove", "wipe", "reload", "pause", "cameras")
    handlers = {verb: getattr(daemon, verb) for verb in verbs}
    with ControlServer(path, handlers, request_limit_s=LIMIT_S) as server:
        yield server
        daemon.hold.set()


def say(path: Path, untrusted: bytes, *, end: bool = True) -> bytes:
    """What the server says to these bytes, up to the end of the connection."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(path))
        try:
            peer.sendall(untrusted)
            if end:
                peer.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: peer.recv(4096), b""))
        except (BrokenPipeError, ConnectionResetError):
            return b""


@pytest.mark.usefixtures("server")
def test_a_question_gets_its_answer(path: Path, daemon: Daemon) -> None:
    """Arguments reach the handler, and its result comes back."""
    assert {"state": "armed", "given": {"since": 3}} == ControlClient(path).request("status", since=3)
    assert (os.getuid(), os.getpid()) == (daemon.seen[0].peer_uid, daemon.seen[0].peer_pid)


@pytest.mark.usefixtures("server")
def test_the_uid_is_the_kernels(path: Path, daemon: Daemon) -> None:
    """A peer cannot say who it is."""
    say(path, b'{"verb": "status", "args": {}, "peer_uid": 4242}\n')
    assert os.getuid() == daemon.seen[0].peer_uid


@pytest.mark.usefixtures("server")
def test_the_socket_is_for_its_owner_and_group(path: Path) -> None:
    """Nobody else can connect."""
    assert 0o660 == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("server")
def test_an_error_keeps_its_code_and_status(path: Path) -> None:
    """What the daemon refuses ends the command as if it had happened there."""
    with pytest.raises(ControlError) as caught:
        ControlClient(path).request("wipe")
    expected = ("watchlist.missing", os.EX_CONFIG, "nothing is loaded", WatchlistMissingError.remedy)
    assert expected == (caught.value.code, caught.value.exit_status, caught.value.message, caught.value.advice)


@pytest.mark.usefixtures("server")
def test_a_defect_is_answered(path: Path) -> None:
    """The peer learns that it failed, not how it looks inside."""
    with pytest.raises(ControlError, match="RuntimeError") as caught:
        ControlClient(path).request("reload")
    assert os.EX_SOFTWARE == caught.value.exit_status


@pytest.mark.usefixtures("server")
def test_too_long_an_answer_is_an_error(path: Path) -> None:
    """A client never has to read without end."""
    with pytest.raises(ControlError, match="larger than"):
        ControlClient(path).request("cameras")


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    "args", [{}, {"reference_ids": "x"}, {"reference_ids": []}, {"reference_ids": [1]}, {"reference_ids": ["\ud800"]}]
)
def test_arguments_are_checked(path: Path, args: dict[str, object]) -> None:
    """A handler gets the type that it asks for, or the peer gets an error."""
    with pytest.raises(ControlError, match="expected a list of texts"):
        ControlClient(path).request("remove", **args)


def test_nobody_there(path: Path) -> None:
    """The remedy says how to start a daemon."""
    with pytest.raises(DaemonAbsentError) as caught:
        ControlClient(path).request("status")
    assert "edge-lfr run" in caught.value.advice


def test_the_file_of_a_killed_daemon_is_replaced(path: Path, daemon: Daemon) -> None:
    """It is a file that nobody answers at."""
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert not ControlClient(path).is_present()
    with ControlServer(path, {"status": daemon.status}):
        assert ControlClient(path).is_present()


def test_a_living_daemon_is_not_replaced(path: Path, server: ControlServer) -> None:
    """The second says so and leaves the first its socket."""
    with pytest.raises(DaemonBusyError):
        ControlServer(path, {}).start()
    assert ControlClient(path).is_present()
    server.stop()
    assert not path.exists()


def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """With the field that sets it."""
    with pytest.raises(ConfigError) as caught:
        ControlServer(tmp_path / ("x" * 120), {}).start()
    assert "runtime_directory" in caught.value.advice


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """With the field that sets it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as caught:
        ControlServer(tmp_path / "file" / "control.sock", {}).start()
    assert "runtime_directory" in caught.value.advice


@pytest.mark.parametrize(
    "untrusted",
    [
        b"\n",
        b"\x00\xff\xfe\n",
        b"[1]\n",
        b'{"verb": 3}\n',
        b'{"verb": "stop"}\n',
        b'{"verb": "status", "args": 7}\n',
        b'{"verb": "status", "args": {}\n',
        b"[" * 60_000 + b"\n",
        b'{"verb": "status"}',
        b"",
        b"x" * (4 * MAX_LINE_BYTES),
    ],
)
@pytest.mark.usefixtures("server")
def test_nonsense_never_reaches_a_handler(path: Path, daemon: Daemon, untrusted: bytes) -> None:
    """It is answered with an error or with nothing, and the next peer is served."""
    answer = say(path, untrusted)
    assert not answer or json.loads(answer)["ok"] is False
    assert [] == daemon.seen
    assert "armed" == ControlClient(path).request("status")["state"]


@pytest.mark.usefixtures("server")
def test_asking_whether_somebody_listens_is_no_event(path: Path) -> None:
    """A command looks for the daemon before it works; only nonsense is worth a line in the log."""
    with capture_logs() as events:
        assert ControlClient(path).is_present()
        say(path, b"nonsense\n")
    assert ["control.request-refused"] == [event["event"] for event in events]


@pytest.mark.usefixtures("server")
def test_a_dripping_peer_is_ended(path: Path, daemon: Daemon) -> None:
    """The limit is on the whole line: a byte now and then does not keep a thread."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(path))
        began_s = time.monotonic()
        try:
            while time.monotonic() - began_s < 10 * LIMIT_S:
                peer.sendall(b" ")
                time.sleep(LIMIT_S / 10)
        except BrokenPipeError:
            pass
        assert time.monotonic() - began_s < 5 * LIMIT_S
    assert [] == daemon.seen


@pytest.mark.usefixtures("server")
def test_peers_beyond_the_places_wait(path: Path, daemon: Daemon) -> None:
    """Threads are bounded: whoever comes later is served when a place is free, and asked nothing before."""
    waiting = [threading.Thread(target=say, args=(path, b'{"verb": "pause"}\n')) for _ in range(MAX_PEERS)]
    for thread in waiting:
        thread.start()
    while len(daemon.paused) < MAX_PEERS:
        time.sleep(0.01)
    late: list[dict[str, object]] = []
    thread = threading.Thread(target=lambda: late.append(ControlClient(path).request("status")))
    thread.start()
    thread.join(LIMIT_S)
    assert ([], []) == (late, daemon.seen)
    daemon.hold.set()
    for served in (thread, *waiting):
        served.join()
    assert ["armed"] == [answer["state"] for answer in late]


def test_a_broken_server_is_an_error(path: Path) -> None:
    """A client that gets nonsense or nothing says so instead of waiting or believing."""
    path.parent.mkdir()
    for reply in (b"", b"\xff\n", b"[]\n", b'{"ok": true}\n', b'{"ok": false, "exit_status": true}\n'):
        with socket.socket(socket.AF_UNIX) as listener:
            path.unlink(missing_ok=True)
            listener.bind(str(path))
            listener.listen()
            thread = threading.Thread(target=answer_once, args=(listener, reply))
            thread.start()
            with pytest.raises(ControlError) as caught:
                ControlClient(path).request("status")
            assert os.EX_UNAVAILABLE == caught.value.exit_status
            thread.join()


def answer_once(listener: socket.socket, reply: bytes) -> None:
    peer, _ = listener.accept()
    with peer:
        peer.recv(4096)
        peer.sendall(reply)
