"""`edge-lfr watchlist was-listed` for the data protection officer, and `edge-lfr watchlist manifests` beforehand."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from edge_lfr.cli.output import say, write_json, write_table
from edge_lfr.config.load import load_config
from edge_lfr.daemon.command_notes import note_from_command
from edge_lfr.errors import AgeFileError
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.ledger_events import LedgerEvent
from edge_lfr.watchlist.listed_when import Answer, Broken, was_listed
from edge_lfr.watchlist.records import copy_records, kept_records

MAX_KEY_BYTES: Final = 64 * 1024
"""A file of `age-keygen` has some 200; chosen, not measured."""

NOT_LISTED: Final = 1


def add_to(app: typer.Typer) -> None:
    """Add the commands to those of the watchlist."""
    app.command(
        "was-listed",
        epilog="Example: edge-lfr watchlist was-listed SUSP-0042 --on 2026-06-01 --key officer.age records/",
    )(ask)
    app.command(epilog="Example: edge-lfr watchlist manifests --copy-to /media/stick/records")(manifests)


def ask(
    reference_id: Annotated[
        str, typer.Argument(metavar="REFERENCE_ID", help="As the force's records name the person.")
    ],
    files: Annotated[
        list[Path], typer.Argument(metavar="MANIFESTS", help="Files of `watchlist manifests`, or folders of them.")
    ],
    on: Annotated[datetime, typer.Option("--on", formats=["%Y-%m-%d"], metavar="DATE", help="The day, in UTC.")],
    key: Annotated[
        Path,
        typer.Option("--key", metavar="FILE", envvar="EDGE_LFR_OFFICER_KEY", help="The officer's private age key."),
    ],
    json: JsonOption = False,
) -> None:
    """
    Say whether somebody was on a list on a day, after the list is gone; runs on the officer's own machine.

    The officer's key is an ordinary one of `age-keygen`; its public line stands in the appliances' configuration
    (`[trust] protection_officer`). Wipe certificates are looked for in the folder `certificates` beside the manifests;
    their signatures are not checked here. Nobody else's id is shown. Exit status 0 when listed, 1 when not, 65 when a
    file cannot be read: then an answer of no is none.
    """
    answers, broken = was_listed(reference_id, on.date(), files, _identity(key))
    is_yes = any(answer.is_yes for answer in answers)
    if json:
        write_json(
            "watchlist-was-listed/1",
            {
                "on": on.date().isoformat(),
                "listed": is_yes,
                "manifests": [_as_json(answer) for answer in answers],
                "broken": [_broken_as_json(one) for one in broken],
            },
        )
    elif answers:
        write_table(("list", "device", "searched from", "until", "known by", "that day", "listed"), map(_row, answers))
    for one in broken:
        say(f"{one.path}: {one.reason}")
    _say_verdict(on, answers, is_yes=is_yes)
    if broken:
        say(f"{len(broken)} files could not be read, so this is no whole answer")
        raise typer.Exit(os.EX_DATAERR)
    if not is_yes:
        raise typer.Exit(NOT_LISTED)


def _say_verdict(on: datetime, answers: tuple[Answer, ...], *, is_yes: bool) -> None:
    day = f"{on:%Y-%m-%d} (UTC)"
    if is_yes:
        say(f"yes: on a list that was searched on {day}, as the lines above say")
    elif any(answer.was_live for answer in answers):
        say(f"no: on none of the lists that were searched on {day}, as far as these manifests go")
    else:
        say(f"no: by these manifests, no list was searched on {day}")


def manifests(
    copy_to: Annotated[
        Path | None, typer.Option("--copy-to", metavar="DIR", help="Copy them, certificates and receipts there.")
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete here what was copied; never of a list that is live.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    List what tells of ended lists: manifests for the data protection officer, wipe certificates, receipts of loads.

    They stay here for the period of the retention profile at most: copy them for the officer before. What is copied is
    read back and compared; a file that is there already with the same bytes counts as copied.
    """
    if delete and copy_to is None:
        message = "--delete: only together with --copy-to"
        raise typer.BadParameter(message)
    loaded = load_config(config)
    records = kept_records(loaded.mode_directory)
    copied = deleted = 0
    if copy_to is not None:
        copied, deleted = copy_records(loaded.mode_directory, records, copy_to, delete=delete)
        size = sum(one.size for one in records)
        note_from_command(loaded, LedgerEvent.EXPORTED, {"what": "records", "bytes": size})
        if deleted:
            note_from_command(loaded, LedgerEvent.PURGED, {"what": "records", "found": deleted})
    told = [
        {"kind": one.kind, "at": one.at.isoformat(timespec="seconds"), "name": one.path.name, "bytes": one.size}
        for one in records
    ]
    if json:
        write_json("watchlist-manifests/1", {"records": told, "copied": copied, "deleted": deleted})
        return
    write_table(("kind", "at (UTC)", "file", "bytes"), (tuple(one.values()) for one in told), numbers=("bytes",))
    if copy_to is not None:
        say(f"copied {copied}, deleted {deleted}")


def _identity(key: Path) -> AgeIdentity:
    try:
        with key.open("rb") as file:
            untrusted = file.read(MAX_KEY_BYTES)
    except OSError as error:
        remedy = "name the file that `age-keygen` made"
        raise AgeFileError(f"{key}: cannot be read: {error.strerror}", remedy=remedy) from None
    return AgeIdentity.parse(untrusted.decode("ascii", errors="replace"))


def _row(answer: Answer) -> tuple[str, ...]:
    manifest = answer.manifest
    name = manifest.list_id if manifest.bundle is None else f"{manifest.bundle.list_id} ({manifest.list_id})"
    return (
        name,
        manifest.device,
        _shown(manifest.live_from),
        "-" if answer.until is None else _shown(answer.until),
        answer.ended_by.value,
        "searched" if answer.was_live else "not searched",
        "yes" if answer.is_listed else "no",
    )


def _shown(at: datetime) -> str:
    try:
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    except OverflowError:  # of a file that somebody made up
        return at.isoformat(timespec="seconds")


def _as_json(answer: Answer) -> dict[str, Any]:
    manifest = answer.manifest
    return {
        "file": os.fspath(answer.path),
        "device": manifest.device,
        "list_id": manifest.list_id,
        "list_digest": manifest.list_digest,
        "bundle": None if manifest.bundle is None else manifest.bundle.model_dump(),
        "from": manifest.live_from.isoformat(),
        "until": None if answer.until is None else answer.until.isoformat(),
        "ended_by": answer.ended_by.value,
        "searched_that_day": answer.was_live,
        "listed": answer.is_listed,
    }


def _broken_as_json(broken: Broken) -> dict[str, str]:
    return {"file": os.fspath(broken.path), "code": broken.code, "reason": broken.reason}
