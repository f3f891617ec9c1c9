"""Show the data path."""

from edge_lfr.cli.options import JsonOption, new_app
from edge_lfr.cli.output import write, write_json
from edge_lfr.pipeline.path import describe

app = new_app("Show the data path.")


@app.command(epilog="Example: edge-lfr pipeline show")
def show(json: JsonOption = False) -> None:
    """Print every stage in the order in which it runs: what enters, what leaves, what is destroyed."""
    if json:
        write_json("pipeline/1", {"lines": describe().splitlines()})
    else:
        write(describe())
