"""Results for people and for programs."""

import errno
import io
import json
import sys
from collections.abc import Iterator

import pytest
import structlog

from edge_lfr.cli.doctor.check import Check, Verdict, guarded, ok
from edge_lfr.cli.output import LogFormat, LogLevel, configure_logging, write_fields, write_json, write_table
from edge_lfr.errors import ConfigError


def test_a_result_for_a_program_names_its_form(capsys: pytest.CaptureFixture[str]) -> None:
    """One object on one line, whose first member is the schema."""
    write_json("thing/1", {"name": "Zo\u00eb"})
    out = capsys.readouterr().out
    assert 1 == out.count("\n")
    assert [("schema", "lfr.thing/1"), ("name", "Zo\u00eb")] == list(json.loads(out).items())


def test_fields_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Sections stand below one another; nothing is a hyphen, zero is a value."""
    write_fields({"a": 0, "b": None, "c": {"d": True, "e": 0.25}, "f": [{"g": "h"}], "i": [1, 2], "j": []})
    expected = ["a: 0", "b: -", "c:", "  d: yes", "  e: 0.25", "f:", "  g: h", "i: 1, 2", "j: -"]
    assert expected == capsys.readouterr().out.splitlines()


def test_a_table_interprets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like markup is text."""
    write_table(("name",), [("[red]x[/red]",)])
    assert "[red]x[/red]" in capsys.readouterr().out


def test_a_check_that_meets_an_error_has_failed() -> None:
    """What was found before stays, and the error's remedy becomes the check's."""

    def checks() -> Iterator[Check]:
        yield ok("first", "well")
        raise ConfigError("broken", remedy="mend it")  # noqa: EM101  (the words are the law)

    expected = [Check("first", Verdict.OK, "well"), Check("all", Verdict.FAIL, "broken", "mend it")]
    assert expected == list(guarded("all", checks()))


class _Broken(io.StringIO):
    def __init__(self, on_write: Exception | None, on_flush: Exception | None) -> None:
        super().__init__()
        self._on_write = on_write
        self._on_flush = on_flush

    def write(self, text: str, /) -> int:
        if self._on_write is not None:
            raise self._on_write
        return super().write(text)

    def flush(self) -> None:
        if self._on_flush is not None:
            raise self._on_flush


@pytest.mark.parametrize(
    "stream",
    [
        _Broken(OSError(errno.ENOSPC, "No space left on device"), None),
        _Broken(None, BrokenPipeError(errno.EPIPE, "Broken pipe")),
        _Broken(ValueError("I/O operation on closed file"), ValueError("I/O operation on closed file")),
        _Broken(UnicodeEncodeError("ascii", "x", 0, 1, "no"), None),
    ],
)
def test_a_line_that_cannot_be_written_is_lost_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, stream: _Broken
) -> None:
    """A full disk, a reader that has gone or an encoding never reach the code that logs."""
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging(LogLevel.INFO, LogFormat.LOGFMT)
    structlog.get_logger().error("camera.down", camera="north")


def test_a_line_that_can_be_written_is_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, and to stderr as it was when logging was set up."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging(LogLevel.INFO, LogFormat.JSON)
    structlog.get_logger().info("camera.up", camera="north")
    assert "north" == json.loads(stream.getvalue())["camera"]
