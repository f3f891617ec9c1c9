"""Load, show, shorten or destroy the watchlist."""

import os
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from edge_lfr.cli import bundle, bundle_reading
from edge_lfr.cli.consent import require_consent
from edge_lfr.cli.due_lists import wipe_due_lists
from edge_lfr.cli.enrolment_report import say_warnings, write_report
from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, YesOption, new_app
from edge_lfr.cli.output import say, write_fields, write_json, write_table
from edge_lfr.cli.progress import counting
from edge_lfr.cli.wiping import wipe_and_prove
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.daemon.control import ControlClient, Verb
from edge_lfr.daemon.lock import hold_state
from edge_lfr.errors import DaemonBusyError, WatchlistMissingError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.inference.packs import open_configured
from edge_lfr.pipeline.enrolment import EnrolmentStages, enrol, lane_count
from edge_lfr.watchlist.report import EnrolmentReport
from edge_lfr.watchlist.pseudonyms import officer_of
from edge_lfr.watchlist.sealed_list import StoredWatchlist
from edge_lfr.watchlist.source import WatchlistSource, read_source
from edge_lfr.watchlist.store import SealedStore

app = new_app("Load, show, shorten or destroy the watchlist.")
bundle.add_to(app)
bundle_reading.add_to(app)

LOAD_NICENESS: Final = 10
"""Enrolment beside a running daemon gets what the path leaves, and alone everything; chosen, not measured."""

DAEMON_START_LIMIT_S: Final = 60.0
"""A daemon opens and proves its nets before it answers; chosen, not measured."""

DAEMON_POLL_S: Final = 0.2


@app.command(epilog="Example: edge-lfr watchlist load /media/stick/list && edge-lfr watchlist show")
def load(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Folder with watchlist.csv and the pictures.")],
    all_or_nothing: Annotated[
        bool, typer.Option("--all-or-nothing", help="Keep the list before when any row is rejected.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Enrol every picture of SOURCE, seal the result, and make it the one that is searched.

    A running daemon takes it over between two frames. Until the new list is whole and on the disk, the old one stays.
    Exit status 0 with a warning when some rows were rejected, 65 when none was enrolled or the format is broken.
    """
    loaded = load_config(config)
    rows = read_source(source)
    if ControlClient(loaded.control_socket).is_present():
        os.nice(LOAD_NICENESS)
    report = _enrol(loaded, rows, all_or_nothing=all_or_nothing)
    in_use = _hand_over(loaded) if report.is_activated else None
    if json:
        write_json("enrolment/1", {**report.as_json(), "daemon": in_use})
    else:
        write_report(report)
    say_warnings(report)
    if not report.is_activated:
        say("edge-lfr: nothing was loaded; the list before, if any, is still the one that is searched")
        raise typer.Exit(os.EX_DATAERR)
    say("the daemon searches it now" if in_use is not None else "sealed; `edge-lfr run` will search it")


def _hand_over(config: ApplianceConfig) -> dict[str, Any] | None:
    """
    Have the daemon search the new list, also one that began while the list was made; None where there is none.

    The state folder is not held during the load, which takes minutes: a wipe must not be refused meanwhile.
    """
    client = ControlClient(config.control_socket)
    deadline_s = time.monotonic() + DAEMON_START_LIMIT_S
    while not client.is_present():
        try:
            with hold_state(config.mode_directory):
                return None
        except DaemonBusyError:
            if time.monotonic() >= deadline_s:
                message = "the new list is sealed, but a daemon that holds the state folder does not answer"
                raise DaemonBusyError(message, remedy="restart the daemon: it searches the list then") from None
        time.sleep(DAEMON_POLL_S)
    return client.request(Verb.RELOAD)


def _enrol(config: ApplianceConfig, rows: WatchlistSource, *, all_or_nothing: bool) -> EnrolmentReport:
    # A lane a core with nets of one thread enrols more pictures than one lane with nets of all threads.
    lanes = lane_count(config.models.threads)
    pack = open_configured(config.models.model_copy(update={"threads": 1}), config.models_directory)
    store = SealedStore(config.watchlist_directory, KeyEncryptingKey.load(config.mode_directory, create=True))
    with counting("enrolling", len(rows.rows)) as advance:
        return enrol(
            rows,
            store,
            EnrolmentStages.of(pack, config.detection, lanes=lanes),
            quality=config.quality,
            decision=config.decision,
            accept_partial=not all_or_nothing,
            progress=advance,
        )


@app.command(epilog="Example: edge-lfr watchlist show --references")
def show(
    references: Annotated[bool, typer.Option("--references", help="Every reference by its id.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Show what is loaded: counts, digests, categories, lookalikes; with --references every id."""
    loaded = load_config(config)
    store = _store(loaded)
    with store.open() as stored:
        summary = _summary(stored)
        entries = [stored.entry(reference_id) for reference_id in stored.reference_ids]
    summary["categories"] = dict(Counter(entry.category.value for entry in entries).most_common())
    summary["response_codes"] = dict(Counter(entry.response_code.value for entry in entries).most_common())
    rows = [(entry.reference_id, entry.category.value, entry.response_code.value) for entry in entries]
    if json:
        listed = [dict(zip(("reference_id", "category", "response_code"), row, strict=True)) for row in rows]
        write_json("watchlist-show/1", {**summary, **({"listed": listed} if references else {})})
        return
    write_fields(summary)
    if references:
        write_table(("reference", "category", "response"), rows)


def _summary(stored: StoredWatchlist) -> dict[str, Any]:
    return {
        "list_id": stored.list_id,
        "digest": stored.digest,
        "pack_digest": stored.pack_digest,
        "created_at": stored.created_at.isoformat(),
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

    Exit status 65 when an id is not in the list; nothing has changed then. Removing the last one is a wipe.
    """
    loaded = load_config(config)
    require_consent(f"take {len(reference_ids)} references out of the watchlist?", yes=yes)
    client = ControlClient(loaded.control_socket)
    if client.is_present():
        remaining = int(client.request(Verb.REMOVE, reference_ids=reference_ids)["references"])
    else:
        with hold_state(loaded.mode_directory):
            remaining = _store(loaded).remove(reference_ids)
    if json:
        write_json("watchlist-remove/1", {"removed": reference_ids, "remaining": remaining})
    else:
        say(f"removed; {remaining} references remain")


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
    Destroy the watchlist, first its key and then its files, and prove that it is gone.

    Matching stops first. Then the process that held the list gives its place to a new one, which searches memory and
    state folder for fragments that were taken before; a signed certificate says what it found, in numbers. Needs
    neither the key nor a list that opens, and may be repeated. Exit status 70 when something was found.
    """
    if if_due:
        wipe_due_lists(config, json=json)
    else:
        wipe_and_prove(load_config(config), certificate=certificate, yes=yes, json=json)


def _store(config: ApplianceConfig) -> SealedStore:
    """The store with the appliance's key; only a load makes either."""
    if not config.watchlist_directory.is_dir():
        message = "no watchlist is loaded"
        raise WatchlistMissingError(message)
    kek = KeyEncryptingKey.load(config.mode_directory)
    return SealedStore(config.watchlist_directory, kek, officer=officer_of(config))
