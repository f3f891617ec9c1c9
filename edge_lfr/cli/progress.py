"""A bar with rate and end time on stderr, for work that takes longer than a person waits silently."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from edge_lfr.cli.output import words


class RateColumn(ProgressColumn):
    """Items a second; empty until there is a rate."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f}/s")


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """Show *what* is done, item by item; gives a function that is told items done and items in all."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    console = words()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done, in_all: progress.update(task, completed=done, total=in_all)
