"""`edge-lfr bench`: how good, how fast, how large; a table, or with --json one line of rows at the end."""

from pathlib import Path
from typing import Annotated

import typer

from edge_lfr.cli.measuring import tell, watched
from edge_lfr.cli.options import DEFAULT_SHARED, JsonOption, SharedOption, new_app
from edge_lfr.evaluation.bench.accuracy import measure_accuracy
from edge_lfr.evaluation.bench.gallery import measure_gallery
from edge_lfr.evaluation.bench.memory import measure_memory
from edge_lfr.evaluation.bench.speed import measure_speed
from edge_lfr.evaluation.bench.watchlist import measure_watchlist
from edge_lfr.evaluation.bench.wipe import measure_wipe

app = new_app("Measure accuracy, cost and latency, the gallery, memory, and loading a watchlist.")

QuickOption = Annotated[bool, typer.Option("--quick", help="A first answer within a minute.")]


@app.command(epilog="Example: edge-lfr bench accuracy --quick")
def accuracy(shared: SharedOption = DEFAULT_SHARED, quick: QuickOption = False, json: JsonOption = False) -> None:
    """Let listed and other people walk by, and count who was missed, at which stage, and who was alerted wrongly."""
    with watched() as witness:
        report = measure_accuracy(shared, witness, is_quick=quick)
    tell(report, as_json=json)


@app.command(epilog="Example: edge-lfr bench speed --cameras 2")
def speed(
    *,
    shared: SharedOption = DEFAULT_SHARED,
    cameras: Annotated[int, typer.Option(min=1, max=32, help="Copies of the clip, as cameras.")] = 1,
    clip: Annotated[
        Path | None,
        typer.Option(help="Your clip instead of made ones.", metavar="FILE", exists=True, dir_okay=False),
    ] = None,
    watchlist: Annotated[
        Path | None,
        typer.Option(
            help="Who is listed in your clip; nobody without it.", metavar="DIR", exists=True, file_okay=False
        ),
    ] = None,
    quick: QuickOption = False,
    json: JsonOption = False,
) -> None:
    """
    Compare the path with the bare nets on a clip, and time an alert on its whole way to the broker.

    Two clips are made, for targets at 25 and at 10 frames a second; your own clip serves for everything, and is played
    to its end three times.
    """
    if watchlist is not None and clip is None:
        message = "--watchlist says who is in your clip: name the clip with --clip"
        raise typer.BadParameter(message)
    with watched() as witness:
        report = measure_speed(shared, witness, cameras=cameras, clip=clip, watchlist=watchlist, is_quick=quick)
    tell(report, as_json=json)


@app.command(epilog="Example: edge-lfr bench gallery --long")
def gallery(
    quick: QuickOption = False,
    long: Annotated[bool, typer.Option("--long", help="A million templates, too; minutes, and gigabytes.")] = False,
    json: JsonOption = False,
) -> None:
    """Search made templates exactly and in a graph: time, recall, time to the first search."""
    with watched() as witness:
        report = measure_gallery(witness, is_quick=quick, is_long=long)
    tell(report, as_json=json)


@app.command(epilog="Example: edge-lfr bench memory --quick")
def memory(shared: SharedOption = DEFAULT_SHARED, quick: QuickOption = False, json: JsonOption = False) -> None:
    """Run the daemon on a looped clip and watch its memory, descriptors, threads and children."""
    with watched() as witness:
        report = measure_memory(shared, witness, is_quick=quick)
    tell(report, as_json=json)


@app.command(epilog="Example: edge-lfr bench watchlist --quick")
def watchlist(
    shared: SharedOption = DEFAULT_SHARED,
    pictures: Annotated[int, typer.Option(min=10, max=100_000, help="How many pictures are enrolled.")] = 20_000,
    quick: QuickOption = False,
    json: JsonOption = False,
) -> None:
    """Enrol many pictures: time, time beside the bare nets, and memory."""
    with watched() as witness:
        report = measure_watchlist(shared, witness, pictures=pictures, is_quick=quick)
    tell(report, as_json=json)


@app.command(epilog="Example: edge-lfr bench wipe --quick")
def wipe(shared: SharedOption = DEFAULT_SHARED, quick: QuickOption = False, json: JsonOption = False) -> None:
    """Destroy a list of full size while it is searched: how soon it is gone, and whether anything of it is left."""
    with watched() as witness:
        report = measure_wipe(shared, witness, is_quick=quick)
    tell(report, as_json=json)
