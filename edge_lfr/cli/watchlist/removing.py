"""`edge-lfr watchlist remove` where no daemon runs: the list without somebody, or no list any more, and its line."""

from collections.abc import Sequence

from edge_lfr.cli.watchlist.wiping_here import prove_anew
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.control.caller import actor_here
from edge_lfr.daemon.control.local_socket import Verb
from edge_lfr.daemon.ending.unsearched import destroy_unsearched
from edge_lfr.daemon.lock import hold_state
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.errors import EdgeLfrError, WatchlistMissingError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.watchlist.records.pseudonyms import ProtectionOfficer, officer_of
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause


def remove_here(config: ApplianceConfig, reference_ids: Sequence[str], *, json: bool) -> int:
    """
    Take references out of the list, and give how many remain.

    Where nobody would remain the list is wiped and this process replaced, which then proves that it is gone.

    Raises:
        EdgeLfrError: As in `SealedStore.remove`; whoever asked and did not get it has a line in the ledger.
    """
    try:
        with hold_state(config.mode_directory):
            store = store_here(config, officer_of(config))
            with store.open() as stored:
                is_wipe = frozenset(reference_ids) == frozenset(stored.reference_ids)
            if not is_wipe:
                remaining = store.remove(reference_ids)
                note_from_command(config, LedgerEvent.WATCHLIST_REMOVED, {"references": len(frozenset(reference_ids))})
                return remaining
            ended = destroy_unsearched(config, WipeCause.REMOVED_LAST, actor_here())
    except EdgeLfrError as error:
        note_from_command(config, LedgerEvent.REFUSED, {"code": error.code, "verb": Verb.REMOVE.value})
        raise
    return 0 if ended is None else prove_anew(ended, json=json)


def store_here(config: ApplianceConfig, officer: ProtectionOfficer | None = None) -> SealedStore:
    """
    The store with the appliance's key; only a load makes either.

    Args:
        config: Whose.

        officer: Whom a new list is told; who makes none names nobody.

    Raises:
        WatchlistMissingError: There is no store.
        KeyUnavailableError: Its key is lost.
    """
    if not config.watchlist_directory.is_dir():
        message = "no watchlist is loaded"
        raise WatchlistMissingError(message)
    kek = KeyEncryptingKey.load(config.mode_directory)
    return SealedStore(config.watchlist_directory, kek, mode=config.mode, officer=officer)
