"""Where the script is that draws a clip, and how it is called: in this interpreter, as a process of its own."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import edge_lfr
from edge_lfr.errors import EdgeLfrError


class WalkbyScriptError(EdgeLfrError):
    """Nothing can draw a clip here."""

    code = "walkby.script"
    exit_status = os.EX_UNAVAILABLE
    remedy = "run it in a checkout"


def walkby_script() -> Path:
    """
    Find `scripts/make_walkby`.

    Raises:
        WalkbyScriptError: This is an installed package, which has no scripts.
    """
    script = Path(edge_lfr.__file__).parents[1] / "scripts" / "make_walkby"
    if not script.is_file():
        message = "clips are made by a script of the checkout, and this is an installed package"
        raise WalkbyScriptError(message)
    return script


def walkby_command(options: Mapping[str, object]) -> list[str]:
    """
    Give the command line; *options* are those of the script, each with its value.

    Raises:
        WalkbyScriptError: As in `walkby_script`.
    """
    return [sys.executable, str(walkby_script()), *(str(part) for pair in options.items() for part in pair)]
