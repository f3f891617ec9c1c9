"""Load, show, shorten or destroy the watchlist."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_lfr.cli.consent import require_consent
from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, YesOption, new_app
from edge_lfr.cli.output import say, write_fields, write_json, write_table
from edge_lfr.cli.watchlist import bundle, bundle_reading, was_listed
from edge_lfr.cli.watchlist import diff as list_diff
from edge_lfr.cli.watchlist.due_lists import wipe_due_lists
from edge_lfr.cli.watchlist.loading import load_bundle
from edge_lfr.cli.watchlist.removing import remove_here, store_here
from edge_lfr.cli.watchlist.wiping import certificate_facts, certificate_of, require_clean, wipe_and_prove
from edge_lfr.cli.watchlist.wiping_here import proved_here
from edge_lfr.clock import SystemClock
from edge_lfr.config.load import load_config
from edge_lfr.daemon.control.local_socket import ControlClient, Verb
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.governance.documents import Kind, read_document
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.trust import shown_fingerprint
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist
from edge_lfr.watchlist.wiping.certificate import WipeCertificate

app = new_app("Load, show, shorten or destroy the watchlist.")
bundle.add_to(app)
bundle_reading.add_to(app)
list_diff.add_to(app)
was_listed.add_to(app)


@app.command(epilog="Example: edge-lfr watchlist load /media/stick/market.lfrw && edge-lfr watchlist show")
def load(
    bundle: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle, NAME.lfrw, for this appliance.")],
    accept_partial: Annotated[
        bool, typer.Option("--accept-partial", help="Go on without entries and pictures that are refused.")
    ] = False,
    receipt: Annotated[
        Path | None, typer.Option("--receipt", metavar="FILE", help="Copy the signed receipt there.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Enrol a bundle that a trusted issuer signed for this appliance, seal it, and make it the list that is searched.

    Every entry is reported: enrolled, or the codes why not. One that is not keeps the list before, unless
    --accept-partial. A running daemon takes the new list over between two frames; until it is whole and on the disk,
    the old one stays. In operation the list is destroyed when the authority's end and grace have passed, in training
    24 hours after the load or when its last entry expires. Exit status 65 when nothing was loaded.
    """
    load_bundle(load_config(config), bundle, accept_partial=accept_partial, receipt_copy=receipt, json=json)


@app.command(epilog="Example: edge-lfr watchlist show --references")
def show(
    references: Annotated[bool, typer.Option("--references", help="Every reference by its id.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Show what is loaded: counts, digests, origin, age and end, categories, lookalikes; with --references every id.

    Who had the ids shown is in the ledger.
    """
    loaded = load_config(config)
    store = store_here(loaded)
    now = store.clock.utc_now()
    with store.open() as stored:
        summary = _summary(stored, now)
        entries = [stored.entry(reference_id) for reference_id in stored.reference_ids]
    to_come = [entry.expires_at for entry in entries if entry.expires_at > now]
    summary["next_expiry"] = min(to_come).isoformat() if to_come else None
    summary["expired"] = len(entries) - len(to_come)
    summary["categories"] = dict(Counter(entry.category.value for entry in entries).most_common())
    summary["response_codes"] = dict(Counter(entry.response_code.value for entry in entries).most_common())
    rows = [(entry.reference_id, entry.category.value, entry.response_code.value) for entry in entries]
    if references:
        note_from_command(loaded, LedgerEvent.CONSULTED, {"what": "references", "found": len(rows)})
    if json:
        listed = [dict(zip(("reference_id", "category", "response_code"), row, strict=True)) for row in rows]
        write_json("watchlist-show/1", {**summary, **({"listed": listed} if references else {})})
        return
    write_fields(summary)
    if references:
        write_table(("reference", "category", "response"), rows)


def _summary(stored: StoredWatchlist, now: datetime) -> dict[str, Any]:
    origin = stored.origin
    drawn_at = stored.created_at if origin is None else origin.extracted_at
    return {
        "list_id": stored.list_id,
        "digest": stored.digest,
        "pack_digest": stored.pack_digest,
        "bundle": None
        if origin is None
        else {
            "list_id": origin.list_id,
            "manifest_digest": origin.manifest_sha256,
            "issuer": shown_fingerprint(origin.issuer_key),
            "extracted_at": origin.extracted_at.isoformat(),
        },
        "created_at": stored.created_at.isoformat(),
        "age_hours": round((now - drawn_at) / timedelta(hours=1), 2),
        "wipe_at": None if stored.wipe_at is None else stored.wipe_at.isoformat(),
        "references": stored.references,
        "templates": stored.templates,
        "lookalikes": [" = ".join(sorted(pair)) for pair in sorted(stored.lookalikes, key=sorted)],
    }


@app.command(epilog="Example: edge-lfr watchlist remove SUSP-0042 SUSP-0043 --yes")
def remove(
    reference_ids: Annotated[list[str], typer.Argument(metavar="ID", help="References to take out.")],
    yes: YesOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Take references out: the list is sealed again without them, under a new key, and the old one destroyed.

    Exit status 65 when an id is not in the list; nothing has changed then. Removing the last one is a wipe, with its
    proof and its certificate.
    """
    loaded = load_config(config)
    proved = proved_here(loaded)  # of the process before this one, which removed the last one
    if proved is None:
        require_consent(f"take {len(reference_ids)} references out of the watchlist?", yes=yes)
        client = ControlClient(loaded.control_socket)
        if client.is_present():
            asked_at = SystemClock().utc_now()
            remaining = int(client.request(Verb.REMOVE, reference_ids=reference_ids)["references"])
            if not remaining:
                proved = certificate_of(client, lambda content: content.begun_at >= asked_at)
        else:
            remaining = remove_here(loaded, reference_ids, json=json)
    else:
        remaining = 0
    certificate = None
    if proved is not None:
        certificate = read_document(proved, Kind.WIPE_CERTIFICATE, WipeCertificate).content
    if json:
        facts = None if certificate is None else certificate_facts(certificate)
        write_json("watchlist-remove/1", {"removed": reference_ids, "remaining": remaining, "certificate": facts})
    else:
        say(f"removed; {remaining} references remain")
    if certificate is not None:
        require_clean(certificate)


@app.command(epilog="Example: edge-lfr watchlist wipe --yes")
def wipe(
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Only lists whose end has come, of every mode; for the timer; asks nobody.")
    ] = False,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="FILE", help="Copy the signed certificate there.")
    ] = None,
    yes: YesOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Destroy the watchlist, first its key and then its files, and prove that it is gone; of every mode.

    Matching stops first. Then the process that held the list gives its place to a new one, which searches memory and
    state folder for fragments that were taken before; a signed certificate says what it found, in numbers. Needs
    neither the key nor a list that opens, and may be repeated. Exit status 70 when something was found.
    """
    if if_due:
        if certificate is not None:
            message = "--if-due certifies in the state folder alone: leave --certificate out"
            raise typer.BadParameter(message)
        wipe_due_lists(config, json=json)
    else:
        wipe_and_prove(load_config(config), certificate=certificate, yes=yes, json=json)
