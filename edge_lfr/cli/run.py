"""Run the appliance in the foreground, as systemd does."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, NoReturn

import structlog
import typer

from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, new_app
from edge_lfr.cli.output import write_json
from edge_lfr.config.load import load_config
from edge_lfr.daemon.ending.replacement import handed_over, replace_process
from edge_lfr.daemon.service import run_daemon
from edge_lfr.watchlist.wiping.ended_list import EndedList

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
    not help. After a wipe the process begins anew under the same number.
    """
    summary = run_daemon(load_config(config), once=once, after_wipe=_ended_before_us(), replace=_begin_anew)
    if once:
        write_json("run/1", asdict(summary))
    raise typer.Exit(summary.exit_status)


def _begin_anew(ended: EndedList, environment: Mapping[str, str]) -> NoReturn:
    replace_process(ended.facts(), ended.secret(), {**os.environ, **environment})


def _ended_before_us() -> EndedList | None:
    handed = handed_over(os.environ)
    if handed is None:
        return None
    try:
        return EndedList.from_handover(*handed)
    except (ValueError, KeyError, TypeError) as error:
        structlog.get_logger().error("wipe.not-handed-over", error=type(error).__name__)
        return None
