"""Check everything that a deployment depends on, before the van leaves."""

import os
from typing import Final

import typer
from rich.text import Text

from edge_lfr.cli.doctor.check import Verdict
from edge_lfr.cli.doctor.deployment import check_deployment
from edge_lfr.cli.doctor.machine import check_machine
from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, new_app
from edge_lfr.cli.output import say, write_json, write_table
from edge_lfr.config.load import load_config

app = new_app(has_verbs=False)

STYLES: Final = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}


@app.command(epilog="Example: edge-lfr doctor --json | jq '.checks[] | select(.verdict != \"ok\")'")
def doctor(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """
    Check machine, model pack, self-test, key, watchlist, threshold, cameras, trust and broker.

    Changes nothing and publishes nothing. Exit status 0, or 78 when a check failed; a warning is no failure.
    """
    loaded = load_config(config)
    checks = [*check_machine(loaded), *check_deployment(config, loaded)]
    failed = sum(check.verdict is Verdict.FAIL for check in checks)
    if json:
        lines = [
            {"name": check.name, "verdict": check.verdict.value, "found": check.found, "remedy": check.remedy}
            for check in checks
        ]
        write_json("doctor/1", {"is_fit": failed == 0, "checks": lines})
    else:
        rows = [
            (check.name, Text(check.verdict.value, style=STYLES[check.verdict]), check.found, check.remedy)
            for check in checks
        ]
        write_table(("check", "", "found", "what to do"), rows)
    if failed:
        say(f"edge-lfr: {failed} of {len(checks)} checks failed")
        raise typer.Exit(os.EX_CONFIG)
