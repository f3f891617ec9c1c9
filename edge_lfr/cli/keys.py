"""Make the keys that others are trusted by."""

import os
from pathlib import Path
from typing import Annotated

import typer

from edge_lfr.cli.options import JsonOption, new_app
from edge_lfr.cli.output import say, write_json
from edge_lfr.clock import SystemClock
from edge_lfr.governance.trust import create_control_key

app = new_app("Make a control room's signing key.")


@app.command("new-control", epilog="Example: edge-lfr keys new-control control.key control.toml --name 'Control room'")
def new_control(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="New private key; stays in the control room.")],
    trust: Annotated[Path, typer.Argument(metavar="TRUST", help="New trust file; goes into the appliance's trust.d.")],
    name: Annotated[str, typer.Option(help="Whose key it is, in words.")] = "control room",
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days until it ends.")] = 365,
    json: JsonOption = False,
) -> None:
    """
    Make a key that signs acknowledgements, and the file that makes an appliance trust it.

    Neither file may exist. The private key is readable by its owner only; copy TRUST to every appliance's trust folder.
    """
    made = create_control_key(key, trust, name=name, clock=SystemClock(), valid_days=days)
    if json:
        write_json("keys-new-control/1", {"key": os.fspath(key), "trust": os.fspath(trust), "id": made.fingerprint})
    else:
        say(f"{key}: keep it in the control room\n{trust}: put it into the appliance's trust folder")
