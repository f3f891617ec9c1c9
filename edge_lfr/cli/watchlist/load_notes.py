"""What a load leaves in the ledger: which bundle of whom became which list, or why it did not; numbers and digests."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Final

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.lines import written_time
from edge_lfr.governance.trust import shown_fingerprint
from edge_lfr.watchlist.records.receipt import LoadReceipt

NOT_LAWFUL_OR_WHOLE: Final = "entries-refused"
"""The code of a load that ended with its report."""


def loaded_facts(receipt: LoadReceipt, document: bytes) -> dict[str, Fact | None]:
    """The receipt in numbers, and its digest."""
    return {
        "references": receipt.references,
        "watchlist_sha256": receipt.list_digest,
        "certificate_sha256": sha256(document).hexdigest(),
        "ends_at": written_time(receipt.wipe_at),
        "entries": receipt.entries,
        "file_sha256": receipt.manifest_digest,
        "is_partial": receipt.is_partial,
        "key": shown_fingerprint(receipt.issuer),
        "list": receipt.list_id,
        "pack_sha256": receipt.pack_digest,
        "rejected": receipt.entries - receipt.references,
        "templates": receipt.templates,
    }


@contextmanager
def noting_refusals(config: ApplianceConfig) -> Iterator[None]:
    """A bundle that is refused has its line."""
    try:
        yield
    except EdgeLfrError as error:
        note_from_command(config, LedgerEvent.WATCHLIST_REFUSED, {"code": error.code})
        raise
