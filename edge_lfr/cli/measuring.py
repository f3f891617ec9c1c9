"""How measurements speak: stages and a bar to the person, a table or one line of rows to whoever reads the result."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from edge_lfr.cli.output import words, write, write_table
from edge_lfr.evaluation.bench.report import Report, Row

MISSED_TARGETS_STATUS: Final = 1
"""The measurement was sound and its figures were not: no exit status of sysexits says that."""


class TerminalWitness:
    """Says on stderr what is measured and since when; a bar where a person watches."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._began = time.monotonic()
        self._task = bar.add_task("", visible=False, total=None)

    def stage(self, text: str) -> None:
        self._bar.console.print(f"{time.monotonic() - self._began:7.1f} s {text}")
        self._bar.reset(self._task, description=text, visible=False)

    def count(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total, visible=True)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """
    Let a SIGTERM end the block as ctrl-C does: children first, then folders.

    A second one, while they are being ended, changes nothing.
    """
    is_ending = False

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal is_ending
        if not is_ending:
            is_ending = True
            raise KeyboardInterrupt

    # not SIG_IGN for the second one: children that are started while others end would inherit it
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def watched() -> Iterator[TerminalWitness]:
    """Give the witness of one measurement; a SIGTERM ends the measurement in order."""
    console = words()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with ended_in_order(), bar:
        yield TerminalWitness(bar)


def tell(report: Report, *, as_json: bool) -> None:
    """
    Write the rows, and end with the status that says whether every target was reached.

    Raises:
        typer.Exit: Some target was missed.
    """
    if as_json:
        write(json.dumps(report.as_json(), ensure_ascii=False, allow_nan=False))
    else:
        write_table(("name", "value", "unit", "target", ""), map(_cells, report.rows), numbers=("value",))
    if not report.is_ok:
        raise typer.Exit(MISSED_TARGETS_STATUS)


def _cells(row: Row) -> tuple[object, ...]:
    verdict = "" if row.target is None else "ok" if row.ok else "MISSED"
    return row.name, row.value, row.unit, row.target, Text(verdict, style="bold red" if verdict == "MISSED" else "")
