"""Every command as its user meets it: words, exit statuses, and never a traceback."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from simulators.command import ENTRY_POINT, Command
from simulators.watchlists import CSV_HEADER, csv_row


@pytest.fixture
def edge_lfr(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.mark.parametrize("arguments", [("status",), ("run",)])
def test_a_missing_configuration_is_named(edge_lfr: Command, arguments: tuple[str, ...]) -> None:
    """Exit status 78, the file, and the command that writes one."""
    done = edge_lfr(*arguments, "--config", "absent.toml")
    assert os.EX_CONFIG == done.status
    assert "absent.toml: there is no such configuration file" in done.err
    assert "edge-lfr config example" in done.err


def test_a_wrong_field_is_named(edge_lfr: Command) -> None:
    """Exit status 78, the field, what was found and what is allowed."""
    edge_lfr.config.write_text(edge_lfr.config.read_text().replace("port = 1", "port = 0"))
    done = edge_lfr("config", "check")
    assert os.EX_CONFIG == done.status
    assert "reporting.broker.port: found 0; allowed: from 1 to 65535" in done.err


def test_a_configuration_that_is_correct_says_so(edge_lfr: Command) -> None:
    """With --json it is the whole configuration as it counts, without secrets."""
    edge_lfr.config.write_text(edge_lfr.config.read_text().replace("clip.mp4", "rtsp://u:hush@h/x"))
    done = edge_lfr("config", "check", "--json")
    assert (0, "lfr.config-check/1") == (done.status, done.json["schema"])
    assert "hush" not in done.out + done.err


def test_the_example_is_accepted(edge_lfr: Command) -> None:
    """What `config example` writes, `config check` accepts."""
    edge_lfr.config.write_text(edge_lfr("config", "example").out)
    assert 0 == edge_lfr("config", "check").status


def test_the_schema_is_json(edge_lfr: Command) -> None:
    """An editor can read it."""
    assert "cameras" in edge_lfr("config", "schema").json["properties"]


def test_without_a_daemon_nobody_answers(edge_lfr: Command) -> None:
    """Exit status 69, and how to start one."""
    done = edge_lfr("status")
    assert (os.EX_UNAVAILABLE, "") == (done.status, done.out)
    assert "no daemon answers" in done.err
    assert "edge-lfr run" in done.err


def test_a_key_is_made_once(edge_lfr: Command) -> None:
    """Neither half is overwritten, and only its owner can read the private one."""
    first = edge_lfr("keys", "new", "control", "control.key", "trust.d/control.toml", "--json")
    assert (0, "lfr.keys-new/1") == (first.status, first.json["schema"])
    before = (edge_lfr.folder / "control.key").read_bytes()
    assert 0o600 == (edge_lfr.folder / "control.key").stat().st_mode & 0o777
    again = edge_lfr("keys", "new", "control", "control.key", "trust.d/other.toml")
    assert os.EX_CONFIG == again.status
    assert before == (edge_lfr.folder / "control.key").read_bytes()


def test_the_path_is_shown_in_order(edge_lfr: Command) -> None:
    """From camera to alert."""
    lines = edge_lfr("pipeline", "show").out.splitlines()
    assert lines[0].startswith("capture")
    assert lines[-1].startswith("reporting")


def test_a_closed_pipe_is_quiet(edge_lfr: Command) -> None:
    """Whoever reads only the first line gets no complaint."""
    done = subprocess.run(
        ["bash", "-c", f"{ENTRY_POINT} config schema | head -1"], capture_output=True, text=True, check=True
    )
    assert ("{\n", "") == (done.stdout, done.stderr)
    assert edge_lfr.config.exists()


def test_events_go_to_stderr_in_the_form_that_was_asked_for(edge_lfr: Command) -> None:
    """Logs never mix with results."""
    arguments = ("--log-level", "info", "--log-format", "json", "keys", "new", "control", "k", "t", "--json")
    done = edge_lfr(*arguments)
    assert "lfr.keys-new/1" == done.json["schema"]
    assert "trust.key-created" == json.loads(done.err.splitlines()[0])["event"]


def test_destruction_needs_a_yes(edge_lfr: Command) -> None:
    """Where nobody can be asked, nothing is destroyed."""
    done = edge_lfr("watchlist", "wipe")
    assert os.EX_USAGE == done.status
    assert "--yes" in done.err


def test_a_folder_of_somebody_else_is_no_defect(edge_lfr: Command) -> None:
    """A file where a folder should be is told as what it is, and nothing is gained by trying again."""
    (edge_lfr.folder / "state").write_text("")
    done = edge_lfr("watchlist", "wipe", "--yes")
    assert os.EX_CONFIG == done.status
    assert str(edge_lfr.folder / "state") in done.err


def test_a_model_that_is_not_installed_is_named(edge_lfr: Command) -> None:
    """Exit status 78, and the command that installs it."""
    done = edge_lfr("models", "selftest")
    assert os.EX_CONFIG == done.status
    assert "edge-lfr models install" in done.err


def test_an_unknown_pack_is_named(edge_lfr: Command) -> None:
    """With those that the catalogue knows."""
    done = edge_lfr("models", "verify", "--pack", "nonsense")
    assert os.EX_CONFIG == done.status
    assert "yunet-0095" in done.err


def test_a_missing_source_is_named(edge_lfr: Command) -> None:
    """Of models and of a watchlist: exit status 65, before anything is opened."""
    assert os.EX_DATAERR == edge_lfr("models", "install", "absent").status
    done = edge_lfr("watchlist", "load", "absent")
    assert os.EX_DATAERR == done.status
    assert "bundle-file: absent: cannot be opened" in done.err


def test_a_broken_csv_is_told_by_line_and_field(edge_lfr: Command) -> None:
    """Exit status 65 from `watchlist build`; what stands there, which may be a name, is not repeated."""
    folder = edge_lfr.folder / "list"
    folder.mkdir()
    row = csv_row("S-1", "a.jpg", label="Hush Hush").replace("observe", "shoot")
    (folder / "watchlist.csv").write_text(f"{CSV_HEADER}\n{row}\n")
    assert os.EX_OK == edge_lfr("keys", "new", "issue", "issuer.key", "issuer.toml").status
    assert os.EX_OK == edge_lfr("keys", "init").status
    recipient = edge_lfr("keys", "show", "--recipient").out.strip()
    whose = ("--key", "issuer.key", "--to", recipient, "--device", "anytown/van-1", "--issuer", "Desk")
    which = ("--list-id", "june-01", "--extracted-at", datetime.now(UTC).isoformat())
    done = edge_lfr("watchlist", "build", "list", "market.lfrw", *whose, *which)
    assert os.EX_DATAERR == done.status
    assert "response_code" in done.err
    assert "Hush" not in done.out + done.err


def test_a_folder_is_no_bundle(edge_lfr: Command) -> None:
    """Exit status 65, and the command that makes a bundle of it."""
    (edge_lfr.folder / "list").mkdir()
    done = edge_lfr("watchlist", "load", "list")
    assert os.EX_DATAERR == done.status
    assert "bundle-folder: list: is a folder" in done.err
    assert "edge-lfr watchlist build" in done.err


def test_a_load_without_keys_names_the_command(edge_lfr: Command) -> None:
    """Nobody can have encrypted anything to a box that has no keys: exit status 78."""
    (edge_lfr.folder / "market.lfrw").write_bytes(b"")
    done = edge_lfr("watchlist", "load", "market.lfrw")
    assert os.EX_CONFIG == done.status
    assert "edge-lfr keys init" in done.err


def test_the_doctor_lists_everything_and_fails(edge_lfr: Command) -> None:
    """One broken part does not hide the others; exit status 78 when one failed."""
    done = edge_lfr("doctor", "--json")
    assert (os.EX_CONFIG, "lfr.doctor/1", False) == (done.status, done.json["schema"], done.json["is_fit"])
    verdicts = {check["name"]: check["verdict"] for check in done.json["checks"]}
    expected = {"python": "ok", "model pack": "fail", "broker": "fail", "trust": "warn", "watchlist": "warn"}
    assert expected == {name: verdicts[name] for name in expected}
    assert all(check["remedy"] for check in done.json["checks"] if check["verdict"] != "ok")
    assert not (edge_lfr.folder / "state").exists()
