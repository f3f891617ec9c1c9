"""
The proof of a list's end where no daemon runs: another process takes this one's place and looks for the list.

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
from edge_lfr.daemon.ending.dead_man import keyless_store
from edge_lfr.daemon.ending.replacement import handed_over, replace_process
from edge_lfr.daemon.ending.unsigned_wipes import forget
from edge_lfr.daemon.noting.chronicle import proof_facts
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.errors import KeyUnavailableError
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.watchlist.wiping.ended_list import EndedList, seconds_since


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
