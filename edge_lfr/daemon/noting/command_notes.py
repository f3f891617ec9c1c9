"""Lines that a command writes into the ledger itself, in its caller's name: where no daemon runs that would do it."""

from collections.abc import Mapping
from pathlib import Path

import structlog

from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.control.caller import actor_here
from edge_lfr.durable_files import give_to_folders_owner
from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.ledger import Ledger

log = structlog.get_logger()


def note_from_command(config: ApplianceConfig, event: LedgerEvent, facts: Mapping[str, Fact | None]) -> bool:
    """
    Write one line in the name of whoever runs this command; a fact that is None is left out.

    On a box without keys or state nothing is written: nothing has happened there yet, and the daemon begins the ledger.

    Returns:
        Whether it is on the disk. What fails is said loudly and undoes nothing.
    """
    if not DeviceKeys.exist(config.device_directory) or not config.mode_directory.is_dir():
        return False
    path = config.mode_directory / FILE_NAME
    try:
        signing = DeviceKeys.load(config.device_directory).signing
        ledger = Ledger.open(path, signing, SystemClock(), device=config.device_in_mode)
        _give_to_the_daemon(path)
        known = {name: fact for name, fact in facts.items() if fact is not None}
        ledger.append(event, actor_here(), known)
    except EdgeLfrError as error:
        log.error("ledger.not-noted", ledger_event=event.value, code=error.code, reason=error.message)
        return False
    return True


def _give_to_the_daemon(path: Path) -> None:
    """Root begins it for the daemon, which runs as somebody else; a command that was killed here left it root's."""
    try:
        give_to_folders_owner(path)
    except OSError as error:  # not root, as a rule: then it is of one who may write there
        log.warning("ledger.owner-kept", reason=error.strerror)
