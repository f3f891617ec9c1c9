"""
The end of a list where no daemon runs: this process destroys it, and another one takes its place and looks for it.

So the search begins in memory that never held the list. The ledger has both, in the name of whoever ran the command;
where the device key does not open, or a kill comes first, what was noted beforehand is certified by the daemon.
"""

import hashlib
import os
from contextlib import suppress
from typing import NoReturn

from edge_lfr.cli.output import say
from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.control.caller import actor_here
from edge_lfr.daemon.ending.dead_man import keyless_store
from edge_lfr.daemon.ending.replacement import handed_over, replace_process
from edge_lfr.daemon.ending.unsigned_wipes import UnsignedWipe, forget, try_to_leave
from edge_lfr.daemon.noting.chronicle import proof_facts
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.errors import ConfigError, KeyUnavailableError
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.watchlist.sealed.storage import storage_errors
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause
from edge_lfr.watchlist.wiping.ended_list import EndedList, seconds_since, take_evidence


def destroy_here(config: ApplianceConfig, cause: WipeCause) -> EndedList | None:
    """
    Destroy every list, whoever else holds the state folder; noted before the first key ends.

    Returns:
        What was done, to be proved by `prove_anew`; None where there was no list.

    Raises:
        ConfigError: The state folder is no folder: nobody can say that no list lies elsewhere.
        EdgeLfrError: The disk fails.
    """
    if config.state_directory.exists() and not config.state_directory.is_dir():
        message = f"{config.state_directory}: is no folder, so no list can be looked for there"
        raise ConfigError(message, remedy="correct state_directory, and wipe again")
    try:
        store = SealedStore(config.watchlist_directory, KeyEncryptingKey.load(config.mode_directory), mode=config.mode)
    except KeyUnavailableError:  # destroying asks for none, and ours may be lost
        store = keyless_store(config.mode_directory)
    clock, by = SystemClock(), actor_here()
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


def prove_anew(ended: EndedList, *, json: bool) -> NoReturn:
    """Let another process take this one's place, with the same arguments; `proved_here` is then its certificate."""
    if not json:
        say(f"destroyed in {ended.destroyed_in_s:.2f} s: {ended.lists} lists, {ended.keys} keys; proving it")
    replace_process(ended.facts(), ended.secret(), os.environ)


def proved_here(config: ApplianceConfig) -> bytes | None:
    """
    Prove what the process before this one destroyed, and give the signed certificate; None where there was none.

    Raises:
        EdgeLfrError: The certificate cannot be signed or kept; what was noted waits for whoever can.
    """
    before_us = handed_over(os.environ)
    if before_us is None:
        return None
    ended = EndedList.from_handover(*before_us)
    signing = DeviceKeys.load(config.device_directory, create=True).signing
    kek = None
    with suppress(KeyUnavailableError):
        kek = KeyEncryptingKey.load(config.mode_directory)
    certificate, document = ended.certify(
        device=config.device_in_mode,
        store=keyless_store(config.mode_directory),
        folder=config.mode_directory,
        kek=kek,
        key=signing,
        answering_in_s=seconds_since(ended.begun_ns, SystemClock()),
    )
    found = proof_facts(certificate, document)
    is_noted = note_from_command(config, LedgerEvent.WATCHLIST_WIPED, _facts(ended, document))
    if is_noted and (not found or note_from_command(config, LedgerEvent.WIPE_PROVED, found)):
        forget(ended.begun_at, config.mode_directory)
    return document


def _facts(ended: EndedList, document: bytes) -> dict[str, Fact | None]:
    evidence = ended.evidence
    return {
        "keys": ended.keys,
        "lists": ended.lists,
        "code": ended.cause.value,
        "references": None if evidence is None else evidence.references,
        "seconds": round(ended.destroyed_in_s, 3),
        "watchlist_sha256": None if evidence is None else evidence.digest,
        "certificate_sha256": hashlib.sha256(document).hexdigest(),
    }
