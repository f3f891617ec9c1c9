"""The entry point: every command explains itself, and every error becomes words and an exit status."""

import os
import sys
from importlib.util import find_spec
from types import ModuleType

import pytest
import typer

from edge_lfr.cli import main
from edge_lfr.cli.main import INTERRUPTED, NOUNS, PIPE_CLOSED, Noun, run_command
from edge_lfr.errors import ConfigError, DaemonBusyError, EdgeLfrError


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("run",),
        ("status",),
        ("pause",),
        ("resume",),
        ("stop",),
        ("doctor",),
        ("watchlist", "load"),
        ("watchlist", "show"),
        ("watchlist", "remove"),
        ("watchlist", "wipe"),
        ("models", "list"),
        ("models", "install"),
        ("models", "verify"),
        ("models", "selftest"),
        ("cameras", "check"),
        ("alerts", "test"),
        ("alerts", "watch"),
        ("alerts", "hold"),
        ("alerts", "release"),
        ("alerts", "holds"),
        ("alerts", "purge"),
        ("config", "check"),
        ("config", "schema"),
        ("config", "example"),
        ("config", "retention"),
        ("authority", "draft"),
        ("authority", "sign"),
        ("authority", "countersign"),
        ("authority", "verify"),
        ("authority", "install"),
        ("authority", "show"),
        ("authority", "revoke"),
        ("authority", "take-revocation"),
        ("keys", "init"),
        ("keys", "show"),
        ("keys", "new"),
        ("keys", "trust"),
        ("keys", "distrust"),
        ("pipeline", "show"),
    ],
)
def test_every_command_explains_itself(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Help names the command as it is typed, and shows an example."""
    assert 0 == run_command([*arguments, "--help"])
    out, err = capsys.readouterr()
    assert "" == err
    assert f"Usage: {' '.join(('edge-lfr', *arguments))} [OPTIONS]" in out
    assert "Example: edge-lfr" in out


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("watchlist", "nonsense"), ("config", "check", "--nonsense"), ("watchlist", "load"), ("run", "x")],
)
def test_a_wrong_call_is_a_usage_error(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 64, and the usage on stderr."""
    assert os.EX_USAGE == run_command(arguments)
    out, err = capsys.readouterr()
    assert "" == out
    assert "Usage: edge-lfr" in err


def failing_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit status of a command that raises."""

    def fail() -> None:
        raise error

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(fail)
    module = ModuleType("edge_lfr.cli.failing")
    module.app = app  # type: ignore[attr-defined]  # a module of this test
    monkeypatch.setitem(sys.modules, "edge_lfr.cli.failing", module)
    monkeypatch.setattr(module, "__spec__", find_spec("edge_lfr.cli.main"))
    monkeypatch.setattr(main, "NOUNS", (Noun("fail", "failing", "Fails."),))
    return run_command(["fail"])


@pytest.mark.parametrize("error", [ConfigError("broken"), DaemonBusyError("broken", remedy="wait")])
def test_an_error_of_the_tree_is_told_with_its_remedy(
    error: EdgeLfrError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own exit status; nothing on stdout."""
    assert error.exit_status == failing_with(error, monkeypatch)
    assert ("", f"edge-lfr: broken\n  what to do: {error.advice}\n") == capsys.readouterr()


def test_a_defect_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Type and place, no traceback, and none of the words of the error, which might be a name."""
    assert os.EX_SOFTWARE == failing_with(ValueError("Hush"), monkeypatch)
    err = capsys.readouterr().err
    assert "ValueError in test_main.py" in err
    assert "Traceback" not in err
    assert "Hush" not in err


def test_a_defect_says_more_when_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The variable is for whoever mends it."""
    monkeypatch.setenv("EDGE_LFR_DEBUG", "1")
    assert os.EX_SOFTWARE == failing_with(ValueError("inside"), monkeypatch)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PermissionError(13, "Permission denied", "/etc/x"), os.EX_NOPERM),
        (OSError(28, "No space left on device"), os.EX_IOERR),
        (KeyboardInterrupt(), INTERRUPTED),
    ],
)
def test_what_the_system_says_is_no_defect(
    error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is closed, a disk that is full, a person who stops it."""
    assert status == failing_with(error, monkeypatch)
    assert "a defect" not in capsys.readouterr().err


def test_every_noun_names_a_module() -> None:
    """Except `demo`, which a later installation may leave out."""
    absent = {noun.name for noun in NOUNS if find_spec(f"edge_lfr.cli.{noun.module}") is None}
    assert absent <= {"demo"}


def test_statuses_of_signals_are_the_shells() -> None:
    """128 and the signal's number."""
    assert (130, 141) == (INTERRUPTED, PIPE_CLOSED)
