"""For whom root's and the daemon's own commands work: it is noted beside whose process it was, and from nobody else."""

import json
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from edge_lfr.config.load import load_config
from edge_lfr.daemon.control.caller import VARIABLE, acting_uid, actor_here
from edge_lfr.daemon.control.local_socket import ControlClient, ControlServer
from edge_lfr.daemon.control.protocol import Request
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.errors import ControlError
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.errors import LedgerFactError
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.lines import MAX_UID, Actor, ActorKind, read_line
from simulators.command import CONFIG

TECHNICIAN = 4242
STRANGER = 12345


@pytest.fixture
def seen() -> list[Request]:
    return []


@pytest.fixture
def path(seen: list[Request]) -> Iterator[Path]:
    """Of a socket that everybody may talk to, in a folder that everybody can reach."""

    def status(request: Request) -> Mapping[str, object]:
        seen.append(request)
        return {}

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with ControlServer(Path(folder) / "control.sock", {"status": status}):
            (Path(folder) / "control.sock").chmod(0o666)
            yield Path(folder) / "control.sock"


def ask(path: Path, question: Mapping[str, object], *, uid: int | None = None) -> Mapping[str, object]:
    """As this user, or as another one: the kernel remembers who connected."""
    own = os.geteuid()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        try:
            if uid is not None:
                os.seteuid(uid)
            peer.connect(str(path))
        finally:
            os.seteuid(own)
        peer.sendall(json.dumps(question).encode() + b"\n")
        answer = json.loads(peer.makefile().readline())
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, None),
        ("1000", 1000),
        ("0", 0),
        (str(MAX_UID), MAX_UID),
        (str(MAX_UID + 1), None),
        ("-1", None),
        ("", None),
        ("root", None),
        ("\u0661", None),
        ("9" * 5_000, None),
    ],
)
def test_only_the_number_of_a_user_is_one(said: str | None, expected: int | None) -> None:
    """What has no login (the last value there is), and nonsense, is nobody."""
    assert expected == acting_uid({} if said is None else {VARIABLE: said})


def test_whom_the_installed_command_names_is_asked_for(
    path: Path, seen: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client tells it, the daemon's own user is believed, and both are noted."""
    monkeypatch.setenv(VARIABLE, str(TECHNICIAN))
    ControlClient(path).request("status")
    (request,) = seen
    assert (os.getuid(), TECHNICIAN, TECHNICIAN) == (request.peer_uid, request.acting_uid, request.caller_uid)
    assert f"caller {TECHNICIAN} through {os.getuid()}" == str(request.who)


def test_without_a_word_the_kernels_uid_is_all(
    path: Path, seen: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a box without the installed command, or for who names itself."""
    ControlClient(path).request("status")
    monkeypatch.setenv(VARIABLE, str(os.getuid()))
    ControlClient(path).request("status")
    assert [f"uid {os.getuid()}"] * 2 == [str(request.who) for request in seen]


@pytest.mark.root
@pytest.mark.parametrize("claimed", [0, TECHNICIAN, "nonsense"])
def test_nobody_else_speaks_for_others(path: Path, seen: list[Request], claimed: object) -> None:
    """A technician who names a colleague, or root, is noted as the technician that the kernel saw."""
    assert ask(path, {"verb": "status", "acting_uid": claimed}, uid=STRANGER)["ok"]
    assert [f"uid {STRANGER}"] == [str(request.who) for request in seen]
    assert STRANGER == seen[0].caller_uid


@pytest.mark.parametrize("claimed", ["0", -1, True, 1.0, None, [], MAX_UID + 1])
def test_nonsense_is_refused(path: Path, seen: list[Request], claimed: object) -> None:
    """With the field; a handler never sees it."""
    answer = ask(path, {"verb": "status", "acting_uid": claimed})
    assert (False, ControlError.code) == (answer["ok"], answer["code"])
    assert "acting_uid" in str(answer["message"])
    assert [] == seen


def test_a_line_of_a_command_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the daemon down the command writes itself; the line is read again as it was written."""
    (tmp_path / "van.toml").write_text(CONFIG)
    config = load_config(tmp_path / "van.toml", {})
    DeviceKeys.load(config.device_directory, create=True)
    config.mode_directory.mkdir()
    monkeypatch.setenv(VARIABLE, str(TECHNICIAN))
    assert note_from_command(config, LedgerEvent.PURGED, {"alerts": 1, "what": "outbox"})
    lines = [read_line(one) for one in (config.mode_directory / FILE_NAME).read_bytes().splitlines()]
    expected = Actor(ActorKind.CALLER, f"{TECHNICIAN} through {os.getuid()}")
    assert [expected] == [line.who for line in lines if line is not None and line.event == LedgerEvent.PURGED]
    assert expected == actor_here()


@pytest.mark.parametrize(
    "untrusted", ["1 through 2", "1", "01 through 2", "1 through ", "-1 through 2", "a through b", "1 through 2\n", 1]
)
def test_a_caller_is_written_in_one_form(untrusted: object) -> None:
    """A line in any other is none of a ledger."""
    content = {"at": "2026-06-01T12:00:00.000000Z", "event": "login", "facts": {}, "n": 1, "previous": "0" * 64}
    line = json.dumps(content | {"who": {"caller": untrusted}}, sort_keys=True, separators=(",", ":")).encode()
    assert (untrusted == "1 through 2") is (read_line(line) is not None)


@pytest.mark.parametrize(("uid", "through"), [(-1, 0), (0, -1), (MAX_UID + 1, 0)])
def test_who_is_no_user_cannot_be_named(uid: int, through: int) -> None:
    """Neither of the two."""
    with pytest.raises(LedgerFactError):
        Actor.of_caller(uid, through=through)
