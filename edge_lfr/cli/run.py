"""Run the appliance in the foreground, as systemd does."""

from dataclasses import asdict
from typing import Annotated

import typer

from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, new_app
from edge_lfr.cli.output import write_json
from edge_lfr.config.load import load_config
from edge_lfr.daemon.service import run_daemon

app = new_app(has_verbs=False)


@app.command(epilog="Example: edge-lfr run --config ./edge-lfr.toml --once")
def run(
    config: ConfigOption = DEFAULT_CONFIG,
    once: Annotated[bool, typer.Option("--once", help="End when all file sources have been played.")] = False,
) -> None:
    """
    Run the appliance until it is stopped.

    Logs go to stderr. With --once the last line of stdout is one JSON object: frames, alerts, latency, counters, and
    what each track came to, in numbers. Exit status 78 when it must not start as it is configured: restarting would
    not help.
    """
    summary = run_daemon(load_config(config), once=once)
    if once:
        write_json("run/1", asdict(summary))
    raise typer.Exit(summary.exit_status)
