"""Lines that a command writes into the ledger itself: where no daemon runs that would do it."""

from collections.abc import Mapping
from pathlib import Path

import structlog

from edge_lfr.clock import Clock, SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.control.caller import actor_here
from edge_lfr.daemon.noting.recorder import DAEMON, KEPT_S
from edge_lfr.daemon.noting.unnoted import forget_noted
from edge_lfr.daemon.noting.untold_changes import tell_untold, told_here
from edge_lfr.durable_files import give_to_folders_owner
from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.errors import LedgerFactError
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.pipeline.reporting.deeds import Deeds
from edge_lfr.pipeline.reporting.row_deed import Deed

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
    try:
        ledger = _open_ledger(config)

        def tell(event: LedgerEvent, facts: Mapping[str, Fact]) -> bool:
            ledger.append(event, DAEMON, facts)
            return True

        tell_untold(config.mode_directory, tell)
        known = {name: fact for name, fact in facts.items() if fact is not None}
        ledger.append(event, actor_here(), known)
        told_here(config.mode_directory, event)
    except EdgeLfrError as error:
        log.error("ledger.not-noted", ledger_event=event.value, code=error.code, reason=error.message)
        return False
    return True


def note_deeds_from_command(config: ApplianceConfig, deeds: Deeds) -> bool:
    """
    Write the line of everything that was done to the mode's alerts, in the name of who did it, and take it off.

    By whoever holds the state folder: nobody else tells it meanwhile.

    Returns:
        Whether everything has its line. What has not stays where it is, for the next one who has the key.
    """
    try:
        if not deeds.untold():
            return True
        if not DeviceKeys.exist(config.device_directory):
            return False
        clock, ledger = SystemClock(), _open_ledger(config)
        forget_noted(deeds, ledger, clock)
        for deed in deeds.untold():
            _append_deed(ledger, deed, clock)
            deeds.told([deed.id])
    except EdgeLfrError as error:
        log.error("ledger.deeds-not-noted", code=error.code, reason=error.message)
        return False
    return True


def _append_deed(ledger: Ledger, deed: Deed, clock: Clock) -> None:
    try:
        ledger.append(deed.event, deed.who, deed.line_facts(clock.utc_now(), late_from_s=KEPT_S))
    except LedgerFactError as error:  # a defect, which another try does not mend, and which must not keep others back
        log.error("ledger.defect", ledger_event=deed.event.value, reason=error.message)


def _open_ledger(config: ApplianceConfig) -> Ledger:
    path = config.mode_directory / FILE_NAME
    signing = DeviceKeys.load(config.device_directory).signing
    ledger = Ledger.open(path, signing, SystemClock(), device=config.device_in_mode)
    _give_to_the_daemon(path)
    return ledger


def _give_to_the_daemon(path: Path) -> None:
    """Root begins it for the daemon, which runs as somebody else; a command that was killed here left it root's."""
    try:
        give_to_folders_owner(path)
    except OSError as error:  # not root, as a rule: then it is of one who may write there
        log.warning("ledger.owner-kept", reason=error.strerror)
