"""What the measuring commands refuse, before they measure."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_lfr.cli.main import run_command
from edge_lfr.cli.measuring import ended_in_order


def test_two_forms_of_one_result_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """One run writes rows or lines for the catalogue, and never leaves one of them out silently."""
    assert os.EX_USAGE == run_command(["evaluate", "calibrate", "--json", "--toml"])
    assert "--toml" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("evaluate", "calibrate"), ("bench", "accuracy"), ("bench", "watchlist")])
def test_a_missing_folder_has_one_exit_status(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever measures says the same where the shared folder is not there."""
    assert os.EX_UNAVAILABLE == run_command([*command, "--shared", str(tmp_path)])
    assert "--shared DIR" in capsys.readouterr().err


def test_a_clip_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The parser says so, before any preparation."""
    assert os.EX_USAGE == run_command(["bench", "speed", "--clip", str(tmp_path / "none.mp4")])
    assert "none.mp4" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["speed", "memory"])
def test_a_missing_broker_is_told_first(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits for clips that nothing can be done with."""
    monkeypatch.setattr("shutil.which", lambda _name, **_given: None)
    assert os.EX_TEMPFAIL == run_command(["bench", command, "--shared", str(tmp_path)])
    assert "apt-get install mosquitto" in capsys.readouterr().err


def test_a_second_sigterm_does_not_disturb_the_end() -> None:
    """What is being ended ends to its end; afterwards the signal means what it meant before."""
    before = signal.getsignal(signal.SIGTERM)
    ended = []

    @contextmanager
    def ending_slowly() -> Iterator[None]:
        try:
            yield
        finally:
            signal.raise_signal(signal.SIGTERM)
            ended.append("whole")

    with pytest.raises(KeyboardInterrupt), ended_in_order(), ending_slowly():
        signal.raise_signal(signal.SIGTERM)
    assert ["whole"] == ended
    assert before is signal.getsignal(signal.SIGTERM)
