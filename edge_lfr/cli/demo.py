"""`edge-lfr demo`: the main job from end to end, told to a person at a terminal or summed up for a program."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_lfr.cli.measuring import MISSED_TARGETS_STATUS, ended_in_order
from edge_lfr.cli.options import JsonOption, new_app
from edge_lfr.cli.output import write_json
from edge_lfr.evaluation.demo import DemoOptions, DemoResult, run_demo
from edge_lfr.evaluation.demo_events import Announcement
from edge_lfr.evaluation.demo_summary import DemoSummary, RunReport


class Portraits(StrEnum):
    """Who walks by in the made clip."""

    FOLDER = "folder"
    BUILT_IN = "built-in"


app = new_app(has_verbs=False)


@app.command(epilog="Example: edge-lfr demo --source /dev/video0")
def demo(
    *,
    json: JsonOption = False,
    source: Annotated[
        str | None, typer.Option(help="Your camera, stream or file instead of a made clip.", metavar="URL")
    ] = None,
    watchlist: Annotated[
        Path | None, typer.Option(help="Your watchlist folder instead of the made one.", metavar="DIR")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A clip of some seconds.")] = False,
    portraits: Annotated[
        Portraits,
        typer.Option(help="Who walks: people of the folder, if there is one, or two public-domain portraits."),
    ] = Portraits.FOLDER,
    keep: Annotated[
        Path | None, typer.Option(help="Keep clip, configuration and logs in this new folder.", metavar="DIR")
    ] = None,
    shared: Annotated[
        Path | None, typer.Option(help="Folder with models/ and data/; without it, networked.", metavar="DIR")
    ] = None,
    models: Annotated[
        Path | None, typer.Option(help="Where packs are installed and found again.", metavar="DIR")
    ] = None,
) -> None:
    """
    Make a clip of people walking by, find the listed ones, and hold the alerts against the truth.

    Broker, daemon and control room run as processes of their own. Exit status 1 when a target was missed: more than
    1 in 24 listed people, any false alert, or slow alerts.
    """
    narrator = TerminalNarrator(Console(stderr=True), Console(stderr=json))
    with ended_in_order(), _folder(keep) as folder:
        result = run_demo(
            DemoOptions(
                folder=folder,
                shared=shared,
                models_directory=folder / "models" if models is None else models.resolve(),
                source=source,
                watchlist=watchlist,
                is_quick=quick,
                wants_built_in=portraits is Portraits.BUILT_IN,
            ),
            narrator,
        )
    _tell(result, narrator, as_json=json)
    if result.summary is not None and result.summary.failed_targets:
        raise typer.Exit(MISSED_TARGETS_STATUS)


class TerminalNarrator:
    """Says what happens, and when, counted from the start."""

    def __init__(self, words: Console, alerts: Console) -> None:
        self.words = words
        self.alerts = alerts
        self._began = time.monotonic()

    def stage(self, text: str) -> None:
        self.words.print(f"[dim]{self._elapsed()}[/dim] {text}", highlight=False)

    def message(self, announcement: Announcement) -> None:
        kind = "sighting" if announcement.is_sighting else "[bold red]ALERT[/bold red]   "
        clip = "" if announcement.media_time_s is None else f"  at {announcement.media_time_s:6.1f} s"
        doubt = "  [yellow]ambiguous[/yellow]" if announcement.is_ambiguous else ""
        self.alerts.print(
            f"[dim]{self._elapsed()}[/dim] {kind} {announcement.reference_id}  {announcement.camera}{clip}"
            f"  score {announcement.score:.3f} (threshold {announcement.threshold:.3f}){doubt}",
            highlight=False,
        )

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:6.1f} s"


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """A folder that only this user can read; removed afterwards unless it is to be kept."""
    if keep is not None:
        keep.mkdir(mode=0o700, parents=True)
        yield keep.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="edge-lfr-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tell(result: DemoResult, narrator: TerminalNarrator, *, as_json: bool) -> None:
    if as_json:
        if result.summary is None:
            write_json("demo-run/1", result.run.as_json())
        else:
            write_json("demo/1", result.summary.as_json())
        return
    rows = _run_rows(result.run) if result.summary is None else _summary_rows(result.summary) + _run_rows(result.run)
    for name, value in rows:
        narrator.alerts.print(f"[bold]{name:<22}[/bold] {value}", highlight=False)
    if result.summary is None:
        return
    for miss in result.summary.misses:
        narrator.alerts.print(f"missed: {miss.passage_id} ({miss.reference_id}), ended at: {miss.stage}")
    for failed in result.summary.failed_targets:
        narrator.alerts.print(f"[red]target missed:[/red] {failed}")
    if not result.summary.failed_targets:
        narrator.alerts.print("[green]every target reached[/green]")


def _summary_rows(summary: DemoSummary) -> list[tuple[str, str]]:
    return [
        ("passages", f"{summary.passages}, of which {summary.mated} by listed people"),
        ("alerted", f"{summary.true_alerts} of {summary.mated}"),
        ("false alerts", f"{summary.false_alerts}"),
    ]


def _run_rows(run: RunReport) -> list[tuple[str, str]]:
    return [
        ("messages", f"{run.alerts} alerts, {run.sightings} sightings"),
        ("latency", f"median {_ms(run.latency_ms_p50)}, p99 {_ms(run.latency_ms_p99)} (frame to broker's receipt)"),
        ("frames", f"{run.frames_decoded} decoded, {run.frames_processed} processed, {run.frames_dropped} dropped"),
        *((name, str(count)) for name, count in sorted(run.counters.items()) if name.startswith("track")),
    ]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
