"""
What the daemon does for a mode's state folder at its start, and the timer every few minutes.

Records of ended lists are deleted by the retention profile, and only by a clock that is trusted: one that jumps ahead
must not cost an answer. Wipes that nobody could sign are certified where the device key opens, and changes of the list
that nobody told have their line.
"""

from collections.abc import Mapping
from contextlib import suppress

import structlog

from edge_lfr.clock import Clock, SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.ending.unsigned_wipes import Note, certify_unsigned, clear_half_written
from edge_lfr.daemon.noting.chronicle import Chronicle
from edge_lfr.daemon.noting.recorder import DAEMON, Recorder
from edge_lfr.daemon.noting.unnoted import forget_noted, unnoted
from edge_lfr.daemon.noting.untold_changes import tell_untold
from edge_lfr.errors import EdgeLfrError, KeyUnavailableError
from edge_lfr.governance.clock_note import glance
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.ledger.lines import Actor, Part
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.watchlist.records.kept import delete_expired

log = structlog.get_logger()


def catch_up(config: ApplianceConfig, outbox: Outbox, chronicle: Chronicle, clock: Clock) -> None:
    """Have in the ledger, before a run begins, what happened without a line: in the run before, and between the two."""
    recorder = chronicle.recorder
    for event, facts in unnoted(outbox, recorder.ledger, clock):
        recorder.note(event, DAEMON, **facts)
    try:
        if recorder.ledger is not None:
            forget_noted(outbox.deeds, recorder.ledger, clock)
        outbox.deeds.tell(chronicle)
    except EdgeLfrError as error:  # told by the link, every second
        log.error("ledger.deeds-not-noted", code=error.code)
    keep_house(config, recorder, clock)


def keep_house(config: ApplianceConfig, recorder: Recorder, clock: Clock) -> None:
    """What the daemon does at its start; a disk that fails is told, and keeps nothing from starting."""
    clear_half_written(config.mode_directory)

    def tell(event: LedgerEvent, facts: Mapping[str, Fact]) -> bool:
        recorder.note(event, DAEMON, **facts)
        return recorder.is_healthy

    tell_untold(config.mode_directory, tell, is_beginning=True)
    try:
        certify_here(config, lambda who, facts: recorder.note(LedgerEvent.WATCHLIST_WIPED, who, **facts))
    except EdgeLfrError as error:
        log.error("wipe.not-certified", code=error.code)
    deleted = delete_old_records(config, glance(config.mode_directory, clock=clock))
    if deleted:
        recorder.note(LedgerEvent.PURGED, DAEMON, what="records", found=deleted)


def keep_house_by_timer(config: ApplianceConfig, verdict: TimeVerdict) -> None:
    """
    What the timer does, with a daemon and without one.

    Raises:
        WatchlistStorageError, LedgerError: The disk does not take a certificate; tried again by whoever comes next.
    """
    clear_half_written(config.mode_directory)

    def tell(event: LedgerEvent, facts: Mapping[str, Fact]) -> bool:
        _append(config, event, DAEMON, facts)
        return True

    with suppress(KeyUnavailableError):  # they wait for somebody who has the key
        tell_untold(config.mode_directory, tell)
    certify_here(config, lambda who, facts: _append(config, LedgerEvent.WATCHLIST_WIPED, who, facts))
    deleted = delete_old_records(config, verdict)
    if deleted:
        log.info("records.deleted", mode=config.mode.value, records=deleted)
        with suppress(KeyUnavailableError):  # the unit of the timer has no credential, and then its log says it alone
            _append(config, LedgerEvent.PURGED, Actor.of_part(Part.TIMER), {"what": "records", "found": deleted})


def certify_here(config: ApplianceConfig, note: Note) -> int:
    """
    Certify the mode's unsigned wipes; where the device key does not open, they wait for somebody who has it.

    Returns:
        How many.

    Raises:
        WatchlistStorageError: The disk does not take a certificate.
        EdgeLfrError: As *note*.
    """
    try:
        signing = DeviceKeys.load(config.device_directory).signing
    except KeyUnavailableError:
        return 0
    return certify_unsigned(config.mode_directory, device=config.device_in_mode, signing=signing, note=note)


def delete_old_records(config: ApplianceConfig, verdict: TimeVerdict) -> int:
    """Delete the records of the mode whose period is over; gives how many. What fails is told, and tried again."""
    if not verdict.is_trusted:
        return 0
    try:
        return delete_expired(config.mode_directory, config.retention.chosen, verdict.now)
    except OSError as error:
        log.warning("records.not-deleted", reason=error.strerror)
        return 0


def _append(config: ApplianceConfig, event: LedgerEvent, who: Actor, facts: Mapping[str, Fact]) -> None:
    signing = DeviceKeys.load(config.device_directory).signing
    ledger = Ledger.open(config.mode_directory / FILE_NAME, signing, SystemClock(), device=config.device_in_mode)
    ledger.append(event, who, facts)
