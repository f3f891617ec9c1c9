"""
What a command says: results to stdout for whoever reads on, words to stderr for the person at the terminal.

Every JSON result is one object whose `schema` names its form and version.
"""

import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final, TextIO, cast

import structlog
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_lfr.errors import EdgeLfrError

PIPE_COLUMNS: Final = 200
"""Width of tables that no terminal bounds; chosen, not measured."""


class LogLevel(StrEnum):
    """The least severe event that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How one event becomes one line."""

    LOGFMT = "logfmt"
    JSON = "json"


class LogSink(io.TextIOBase):
    """Writes to a stream, and goes on when the stream cannot: a line about an alert never decides about the alert."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str, /) -> int:
        with suppress(OSError, ValueError):  # a full disk, a reader that has gone, an encoding, a closed stream
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure_logging(level: LogLevel, form: LogFormat) -> None:
    """Let every logger of this process write whole lines to stderr; a line that cannot be written is lost, no more."""
    renderer = (
        structlog.processors.JSONRenderer()
        if form is LogFormat.JSON
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("event"),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.value),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", LogSink(sys.stderr))),
    )


def words() -> Console:
    """The console for a person: stderr, nothing in it interpreted."""
    return Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One remark to the person at the terminal."""
    words().print(text)


def say_error(error: EdgeLfrError) -> None:
    """What happened and what to do; never a traceback."""
    words().print(Text.assemble(("edge-lfr: ", "bold red"), error.diagnostics()))


def write(text: str) -> None:
    """A result in words or lines."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def write_json(schema: str, result: Mapping[str, object]) -> None:
    """A result for a program: one object on one line, with the name and version of its form first."""
    write(json.dumps({"schema": f"lfr.{schema}", **result}, ensure_ascii=False, allow_nan=False, default=str))


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()) -> None:
    """A result as a table; the columns in *numbers* are aligned at their right."""
    console = Console(file=sys.stdout, markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, markup=False, highlight=False, width=PIPE_COLUMNS)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(_cell(cell)) for cell in row))
    console.print(table)


def write_fields(result: Mapping[str, object], *, indent: int = 0) -> None:
    """A result as one `name: value` a line, sections below one another."""
    for name, value in result.items():
        if isinstance(value, Mapping) and value:
            write(f"{' ' * indent}{name}:")
            write_fields(value, indent=indent + 2)
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            for item in value:
                write(f"{' ' * indent}{name}:")
                write_fields(item if isinstance(item, Mapping) else {"": item}, indent=indent + 2)
        else:
            write(f"{' ' * indent}{name}: {_cell(value)}")


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case list() | tuple():
            return ", ".join(_cell(item) for item in value) or "-"
        case _:
            return str(value) or "-"
