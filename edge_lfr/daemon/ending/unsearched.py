"""The end of lists that nobody searches: where no daemon runs, or of a mode that is not the configured one."""

import structlog

from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.ending.dead_man import keyless_store
from edge_lfr.daemon.ending.unsigned_wipes import UnsignedWipe, forget, try_to_leave
from edge_lfr.errors import ConfigError, KeyUnavailableError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.terms import Mode
from edge_lfr.watchlist.sealed.storage import storage_errors
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause
from edge_lfr.watchlist.wiping.ended_list import EndedList, seconds_since, take_evidence


def destroy_unsearched(config: ApplianceConfig, cause: WipeCause, by: Actor) -> EndedList | None:
    """
    Destroy every list of the configured mode, whoever else holds the state folder; noted before the first key ends.

    Returns:
        What was done, to be proved; None where there was no list.

    Raises:
        ConfigError: The state folder is no folder: nobody can say that no list lies elsewhere.
        EdgeLfrError: The disk fails.
        PermissionError: This user may not look into it.
    """
    if config.state_directory.exists() and not config.state_directory.is_dir():
        message = f"{config.state_directory}: is no folder, so no list can be looked for there"
        raise ConfigError(message, remedy="correct state_directory, and wipe again")
    try:
        store = SealedStore(config.watchlist_directory, KeyEncryptingKey.load(config.mode_directory), mode=config.mode)
    except KeyUnavailableError:  # destroying asks for none, and ours may be lost
        store = keyless_store(config.mode_directory)
    clock = SystemClock()
    begun_at, begun_ns = clock.utc_now(), clock.monotonic_ns()
    evidence = take_evidence(store)
    with storage_errors():
        begun = UnsignedWipe.about_to(store, cause, by, begun_at)
        wiped = store.wipe(begun.noting(store))
    if wiped.lists == 0 and wiped.keys == 0:
        forget(begun_at, config.mode_directory)
        return None
    ended = EndedList(
        cause=cause,
        by=str(by),
        begun_at=begun_at,
        begun_ns=begun_ns,
        evidence=evidence,
        lists=wiped.lists,
        keys=wiped.keys,
        destroyed_in_s=seconds_since(begun_ns, clock),
        list_id=wiped.live,
    )
    try_to_leave(begun.done(ended), config.mode_directory)
    return ended


def destroy_other_modes(config: ApplianceConfig, by: Actor) -> dict[str, dict[str, int]]:
    """
    Destroy lists of the modes that are not configured now: nobody searches them, and they are not to be forgotten.

    What was destroyed is noted there, and certified by the timer.

    Returns:
        How many lists and keys, of each mode that had any.

    Raises:
        EdgeLfrError: The disk fails.
        PermissionError: This user may not look there.
    """
    wiped = {}
    for mode in Mode:
        if mode is not config.mode:
            ended = destroy_unsearched(config.model_copy(update={"mode": mode}), WipeCause.COMMAND, by)
            if ended is not None:
                wiped[mode.value] = {"lists": ended.lists, "keys": ended.keys}
    if wiped:
        structlog.get_logger().warning("watchlist.other-mode-wiped", modes=sorted(wiped))
    return wiped
