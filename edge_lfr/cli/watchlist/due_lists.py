"""`edge-lfr watchlist wipe --if-due`: what the timer and the boot run."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge_lfr.cli.output import say, write_json
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.daemon.ending.dead_man import LookedAfter, wipe_what_is_due
from edge_lfr.daemon.ending.housekeeping import keep_house_by_timer
from edge_lfr.errors import EdgeLfrError

STATE_VARIABLE: Final = "STATE_DIRECTORY"
"""Where the service manager says that the unit's state lies."""


def wipe_due_lists(config: Path, *, json: bool) -> None:
    """
    Destroy the lists whose end has come, and say so; nothing happens where there are none.

    In the configured state folder, and in the service's own where that is another one: nobody prolongs a list by a
    wrong letter, nor by a right one. What was destroyed is certified where the device key opens, and records of ended
    lists end by the retention profile.

    Raises:
        EdgeLfrError, OSError: The configuration cannot be read, or a disk fails; told when everything else is done.
    """
    loaded, failed = _loaded(config)
    directories: dict[Path, ApplianceConfig | None] = (
        {} if loaded is None else {loaded.state_directory.resolve(): loaded}
    )
    own = os.environ.get(STATE_VARIABLE)
    if own:
        directories.setdefault(Path(own).resolve(), None)
    looked: list[LookedAfter] = []
    for directory, configured in directories.items():
        try:
            modes = wipe_what_is_due(directory)
            looked += modes
            if configured is not None:
                _keep_house(configured, modes)
        except EdgeLfrError as error:
            failed = failed or error
    if directories:
        _tell(looked, json=json)
    if failed is not None:
        raise failed


def _loaded(config: Path) -> tuple[ApplianceConfig | None, EdgeLfrError | OSError | None]:
    try:
        return load_config(config), None
    except (EdgeLfrError, OSError) as error:
        return None, error


def _tell(modes: Sequence[LookedAfter], *, json: bool) -> None:
    if json:
        told = [
            {
                "mode": looked.mode.value,
                "keys": looked.wiped.keys,
                "lists": looked.wiped.lists,
                "clock_trusted": looked.verdict.is_trusted,
            }
            for looked in modes
        ]
        write_json("watchlist-wipe-if-due/1", {"modes": told})
    elif not any(looked.wiped.lists for looked in modes):
        say("nothing is due")
    for looked in modes:
        if looked.wiped.lists and not json:
            say(f"destroyed, since the end has come ({looked.mode}): {looked.wiped.lists} lists")
        if not looked.verdict.is_trusted:
            say(f"the clock is not trusted ({looked.mode}): {looked.verdict.doubt}; see `edge-lfr clock show`")


def _keep_house(config: ApplianceConfig, modes: Sequence[LookedAfter]) -> None:
    """In every mode; what fails in one is told when the others are done."""
    failed: EdgeLfrError | None = None
    for looked in modes:
        try:
            keep_house_by_timer(config.model_copy(update={"mode": looked.mode}), looked.verdict)
        except EdgeLfrError as error:
            failed = failed or error
    if failed is not None:
        raise failed
