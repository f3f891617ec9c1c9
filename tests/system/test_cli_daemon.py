"""What the commands say to a daemon, and what they make of its answers; the daemon's side is a real control server."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from edge_lfr.daemon.control.local_socket import ControlServer, Request
from edge_lfr.errors import WatchlistReferenceError
from simulators.command import Command


class Daemon:
    """Answers as the appliance does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, object]]] = []
        self.alert_state = "acknowledged"

    def __call__(self, request: Request) -> Mapping[str, object]:
        self.asked.append((request.verb.value, dict(request.args)))
        match request.verb.value:
            case "status":
                return {
                    "schema": "lfr.local-status/1",
                    "status": {"state": "running"},
                    "cameras": [{"camera": "north"}],
                    "watchlist": {"references": 3, "templates": 7},
                }
            case "test-alert":
                return {"alert_id": "01", "state": self.alert_state}
            case "remove":
                if request.texts("reference_ids") != ("S-1",):
                    message = "not in the watchlist"
                    raise WatchlistReferenceError(message)
                return {"references": 4}
            case "wipe":
                return {"keys": 0, "lists": 0, "destroyed_in_s": 0.0, "other_modes": {}, "is_other_mode_left": False}
            case _:
                return {"state": "paused"}


@pytest.fixture
def edge_lfr(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def daemon(edge_lfr: Command) -> Iterator[Daemon]:
    daemon = Daemon()
    verbs = ("status", "pause", "resume", "stop", "test-alert", "remove", "wipe", "reload")
    with ControlServer(edge_lfr.folder / "run" / "control.sock", dict.fromkeys(verbs, daemon)):
        yield daemon


@pytest.mark.usefixtures("daemon")
def test_status_is_the_daemons_own_word(edge_lfr: Command) -> None:
    """For a program and with --all as it came; for a person a page that begins with how it is."""
    assert "lfr.local-status/1" == edge_lfr("status", "--json").json["schema"]
    assert "  state: running" in edge_lfr("status", "--all").out.splitlines()
    assert "running" == edge_lfr("status").out.splitlines()[0]


@pytest.mark.usefixtures("daemon")
def test_the_doctor_judges_the_threshold_of_a_running_daemon(edge_lfr: Command) -> None:
    """Nobody else opens the store, so the daemon says how long the list is; the floor and its evidence follow."""
    found = {check["name"]: check for check in edge_lfr("doctor", "--json").json["checks"]}
    assert "3 references, in use" == found["watchlist"]["found"]
    assert " for 7 templates; " in found["threshold"]["found"]


def test_each_verb_is_passed_on(edge_lfr: Command, daemon: Daemon) -> None:
    """Words go to stderr; there is no result."""
    for verb in ("pause", "resume", "stop"):
        done = edge_lfr(verb)
        assert (0, "") == (done.status, done.out)
    assert ["pause", "resume", "stop"] == [verb for verb, _ in daemon.asked]


def test_an_acknowledged_test_alert_ends_well(edge_lfr: Command, daemon: Daemon) -> None:
    """Exit status 0, for scripts."""
    done = edge_lfr("alerts", "test", "--wait", "2", "--json")
    assert (0, "acknowledged") == (done.status, done.json["state"])
    assert [("test-alert", {"timeout_s": 2.0})] == daemon.asked


@pytest.mark.parametrize("state", ["stored", "accepted", None])
def test_a_test_alert_that_nobody_acknowledged_is_a_failure(edge_lfr: Command, daemon: Daemon, state: str) -> None:
    """Exit status 75: stored or with the broker is not with the control room."""
    daemon.alert_state = state
    done = edge_lfr("alerts", "test", "--wait", "1")
    assert os.EX_TEMPFAIL == done.status
    assert "control room" in done.err


def test_removal_and_wipe_are_the_daemons(edge_lfr: Command, daemon: Daemon) -> None:
    """Nobody else touches the store while it runs."""
    assert 4 == edge_lfr("watchlist", "remove", "S-1", "--yes", "--json").json["remaining"]
    assert 0 == edge_lfr("watchlist", "wipe", "--yes", "--json").json["lists"]
    assert ["remove", "wipe"] == [verb for verb, _ in daemon.asked]
    assert not (edge_lfr.folder / "state").exists()


@pytest.mark.usefixtures("daemon")
def test_a_refusal_is_told_as_if_it_were_ours(edge_lfr: Command) -> None:
    """The daemon's exit status and remedy reach the terminal."""
    done = edge_lfr("watchlist", "remove", "S-2", "--yes")
    assert os.EX_DATAERR == done.status
    assert "edge-lfr watchlist show" in done.err
