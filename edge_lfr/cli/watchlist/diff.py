"""`edge-lfr watchlist diff`: what a bundle would change, before it is loaded."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from edge_lfr.cli.output import say, write_fields, write_json, write_table
from edge_lfr.cli.progress import counting
from edge_lfr.cli.watchlist.loading import admitted_here
from edge_lfr.config.load import load_config
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.errors import WatchlistMissingError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.watchlist.list_diff import compare_lists
from edge_lfr.watchlist.sealed.store import SealedStore


def add_to(app: typer.Typer) -> None:
    """Make it a verb of `edge-lfr watchlist`."""
    app.command(epilog="Example: edge-lfr watchlist diff /media/stick/market.lfrw --references")(diff)


def diff(
    bundle: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle, NAME.lfrw, for this appliance.")],
    references: Annotated[bool, typer.Option("--references", help="Every reference by its id.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Compare a bundle with the list that is loaded: who would be added, removed, changed; nothing is loaded.

    The bundle is judged and read to its last byte as by a load, and refused as there. Of a changed entry the names of
    the fields are shown, never what stands in them. Pictures are not compared: the loaded list has no whole ones. Who
    had the ids shown is in the ledger.
    """
    loaded = load_config(config)
    with admitted_here(loaded, bundle) as admitted:
        if not loaded.watchlist_directory.is_dir():
            message = "no watchlist is loaded that the bundle could be compared with"
            raise WatchlistMissingError(message)
        store = SealedStore(loaded.watchlist_directory, KeyEncryptingKey.load(loaded.mode_directory), mode=loaded.mode)
        with store.open() as stored:
            admitted.require_not_older(stored.origin)
            before = [stored.entry(reference_id) for reference_id in stored.reference_ids]
        pictures = admitted.reader.manifest.picture_count
        with counting("verifying", pictures) as advance:
            for picture in admitted.reader.pictures():
                advance(picture.picture_number, pictures)
        found = compare_lists(before, (entry.entry() for entry in admitted.reader.manifest.entries))
        refused = Counter(code for codes in admitted.refused.values() for code in codes)
    facts = {
        "list_id": admitted.reader.manifest.list_id,
        "digest": admitted.reader.digest,
        "references_loaded": len(before),
        "references_in_bundle": len(admitted.reader.manifest.entries),
        "added": len(found.added),
        "removed": len(found.removed),
        "changed": len(found.changed),
        "unchanged": found.unchanged,
        "changed_fields": {field.value: count for field, count in found.fields().items()},
        "entries_a_load_refuses": dict(refused.most_common()),
    }
    rows = [
        *((reference_id, "added", "") for reference_id in found.added),
        *((reference_id, "removed", "") for reference_id in found.removed),
        *((reference_id, "changed", ", ".join(fields)) for reference_id, fields in found.changed.items()),
    ]
    if references:
        note_from_command(loaded, LedgerEvent.CONSULTED, {"what": "references", "found": len(rows)})
    if json:
        listed = [
            {"reference_id": reference_id, "change": change, "fields": fields.split(", ") if fields else []}
            for reference_id, change, fields in rows
        ]
        write_json("watchlist-diff/1", {**facts, **({"listed": listed} if references else {})})
        return
    write_fields(facts)
    if references:
        write_table(("reference", "change", "fields"), rows)
    say("nothing was loaded: `edge-lfr watchlist load` does it")
