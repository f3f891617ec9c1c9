"""`edge-lfr evaluate`: what a pack's scores are worth; a table, lines for the catalogue, or one line of rows."""

from pathlib import Path
from typing import Annotated

import typer

from edge_lfr.cli.measuring import tell, watched
from edge_lfr.cli.options import DEFAULT_SHARED, JsonOption, SharedOption, new_app
from edge_lfr.cli.output import say, write, write_table
from edge_lfr.evaluation.bench.ground import PACK, require_folders
from edge_lfr.evaluation.calibration import (
    COMPARISONS_OF_A_PASSAGE,
    DATA,
    Table,
    calibrate_pack,
    catalogue_lines,
    report_of,
)
from edge_lfr.inference.catalogue import load_catalogue

app = new_app("Find out what a pack's scores are worth.")


@app.command(epilog="Example: edge-lfr evaluate calibrate --quick")
def calibrate(
    shared: SharedOption = DEFAULT_SHARED,
    pack: Annotated[str, typer.Option(help="Pack of the catalogue.", metavar="ID")] = PACK,
    models: Annotated[
        Path | None, typer.Option(help="Folder with the pack's weights; DIR/models without it.", metavar="DIR")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few people of each group; never for a catalogue.")] = False,
    toml: Annotated[
        bool, typer.Option("--toml", help="Write the lines for the pack's entry in the catalogue.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """
    Find the lowest threshold for each length of watchlist that lets at most one passage in 1,000 end in a false alert.

    Compares thousands of labelled portraits with one another, group by group; takes minutes. Writes nothing to disk.
    """
    if json and toml:
        message = "--json and --toml are two forms of one result: ask for one of them"
        raise typer.BadParameter(message)
    data = f"data/{DATA}"
    require_folders(shared, data, *(("models",) if models is None else ()))
    entry = load_catalogue().pack(pack)
    with watched() as witness:
        table = calibrate_pack(entry, models or shared / "models", shared / data, witness, is_quick=quick)
    if json:
        tell(report_of(table), as_json=True)
    elif toml:
        write(catalogue_lines(table, f"edge-lfr evaluate calibrate --pack {pack} --toml{' --quick' * quick}"))
    else:
        _show(table)


def _show(table: Table) -> None:
    columns = ("templates", "threshold", "expected", "at most", "worst group", "evidence", "list of one group")
    write_table(
        columns,
        (
            (
                row.templates,
                f"{row.threshold:.3f}",
                f"{row.expected_per_1000:.2f}",
                f"{row.upper_per_1000:.2f}",
                row.worst_group,
                row.evidence,
                f"{row.own_group_upper_per_1000:.2f}",
            )
            for row in table.rows
        ),
        numbers=("templates", "threshold", "expected", "at most", "list of one group"),
    )
    write_table(
        ("group", "people", "not compared", "at most"),
        ((group.name, group.people, group.left_out, f"{group.upper_per_1000:.2f}") for group in table.groups),
        numbers=("people", "not compared", "at most"),
    )
    say(
        f"False alerts in 1,000 passages of people who are not listed, each counted as {COMPARISONS_OF_A_PASSAGE:g} "
        "comparisons; `at most` is the 95 % bound. Below: every group's own, at the threshold for "
        f"{table.groups_at_templates} templates. Shape of the tail {table.shape:.3f}."
    )
