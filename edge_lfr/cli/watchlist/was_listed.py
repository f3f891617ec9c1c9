"""`edge-lfr watchlist was-listed` for the data protection officer, and `edge-lfr watchlist manifests` beforehand."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from edge_lfr.cli.output import say, write_json, write_table
from edge_lfr.config.load import load_config
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.errors import AgeFileError
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.device_signer import FingerprintError, read_fingerprint
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.trust import shown_fingerprint
from edge_lfr.watchlist.fields import REFERENCE_ID_PATTERN
from edge_lfr.watchlist.records.kept import copy_records, kept_records
from edge_lfr.watchlist.records.listed_when import Answer, Broken, was_listed

MAX_KEY_BYTES: Final = 64 * 1024
"""A file of `age-keygen` has some 200; chosen, not measured."""

MAX_FINGERPRINTS_BYTES: Final = 64 * 1024
"""Of a file with a line for each appliance; chosen, not measured."""

NOT_LISTED: Final = 1


def add_to(app: typer.Typer) -> None:
    """Add the commands to those of the watchlist."""
    app.command(
        "was-listed",
        epilog="Example: edge-lfr watchlist was-listed SUSP-0042 --on 2026-06-01 --key officer.age"
        " --device-key vans.txt records/",
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
    device_key: Annotated[
        list[str] | None,
        typer.Option(
            "--device-key",
            metavar="FINGERPRINT|FILE",
            help="An appliance's key, as its `edge-lfr keys show` has it; or a file whose lines begin with one. Only "
            "what these keys signed counts.",
        ),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Say whether somebody was on a list on a day, after the list is gone; runs on the officer's own machine.

    The officer's key is an ordinary one of `age-keygen`; its public line stands in the appliances' configuration
    (`[trust] protection_officer`). Anybody can encrypt a file to it: name the appliances' keys (--device-key), noted
    when they were set up, or nothing is verified. Wipe certificates are looked for in the folder `certificates` beside
    the manifests; one counts when the key that signed the list's manifest signed it. Nobody else's id is shown. Exit
    status 0 when listed, 1 when not, 65 when a file says nothing: then an answer of no is none; 66 when there was no
    manifest at all. On an appliance, which has a configuration, the ledger says that it was asked, and not for whom.
    """
    if REFERENCE_ID_PATTERN.fullmatch(reference_id) is None:
        message = "REFERENCE_ID: no list has such an id: at most 64 of letters, digits and . _ / -"
        raise typer.BadParameter(message)
    keys = None if device_key is None else _fingerprints(device_key)
    answers, broken = was_listed(reference_id, on.date(), files, _identity(key), keys or ())
    is_yes = any(answer.is_yes for answer in answers)
    is_whole = bool(answers) and not broken
    if config.exists():
        note_from_command(load_config(config), LedgerEvent.CONSULTED, {"what": "was-listed"})
    if json:
        write_json(
            "watchlist-was-listed/1",
            {
                "on": on.date().isoformat(),
                "listed": is_yes if is_yes or is_whole else None,
                "verified": keys is not None,
                "manifests": [_as_json(answer) for answer in answers],
                "broken": [_broken_as_json(one) for one in broken],
            },
        )
    elif answers:
        head = ("list", "device", "signed by", "searched from", "until", "known by", "that day", "listed")
        write_table(head, map(_row, answers))
    for one in broken:
        say(f"{one.path}: {one.reason}")
    _say_doubts(answers, is_verified=keys is not None)
    _say_verdict(on, answers, is_yes=is_yes)
    if broken:
        say(f"{len(broken)} files say nothing, so this is no whole answer")
        raise typer.Exit(os.EX_DATAERR)
    if not answers:
        raise typer.Exit(os.EX_NOINPUT)
    if not is_yes:
        raise typer.Exit(NOT_LISTED)


def _say_doubts(answers: tuple[Answer, ...], *, is_verified: bool) -> None:
    contested = sorted({answer.manifest.list_id for answer in answers if answer.is_contested})
    for list_id in contested:
        say(f"warning: of the list {list_id} there are manifests that differ; a yes of any counts")
    if answers and not is_verified:
        say(
            "warning: nothing was verified: without --device-key these files are the word of whoever wrote them, who "
            "may have added, and kept back, any"
        )


def _say_verdict(on: datetime, answers: tuple[Answer, ...], *, is_yes: bool) -> None:
    day = f"{on:%Y-%m-%d} (UTC)"
    if not answers:
        say("no answer: there was no manifest that could be asked")
    elif is_yes:
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


def _fingerprints(named: Iterable[str]) -> frozenset[str]:
    """Of fingerprints and of files with one at the begin of each line; empty lines and those with # are passed over."""
    found = set()
    for one in named:
        try:
            found.add(read_fingerprint(one))
        except FingerprintError:
            found |= _fingerprints_in(Path(one))
    return frozenset(found)


def _fingerprints_in(path: Path) -> set[str]:
    try:
        with path.open("rb") as file:
            untrusted = file.read(MAX_FINGERPRINTS_BYTES + 1)
    except OSError as error:
        raise FingerprintError(f"{path}: neither a fingerprint nor a file that can be read: {error.strerror}") from None
    if len(untrusted) > MAX_FINGERPRINTS_BYTES:
        raise FingerprintError(f"{path}: at most {MAX_FINGERPRINTS_BYTES} bytes")
    found = set()
    for number, line in enumerate(untrusted.decode("utf-8", errors="replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            found.add(read_fingerprint(words[0]))
        except FingerprintError:
            raise FingerprintError(f"{path}: line {number}: does not begin with a fingerprint") from None
    if not found:
        raise FingerprintError(f"{path}: has no fingerprint")
    return found


def _row(answer: Answer) -> tuple[str, ...]:
    manifest = answer.manifest
    name = manifest.list_id if manifest.bundle is None else f"{manifest.bundle.list_id} ({manifest.list_id})"
    return (
        name,
        manifest.device,
        shown_fingerprint(answer.signed_by),
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
        "signed_by": shown_fingerprint(answer.signed_by),
        "contested": answer.is_contested,
        "bundle": None if manifest.bundle is None else manifest.bundle.model_dump(),
        "from": manifest.live_from.isoformat(),
        "until": None if answer.until is None else answer.until.isoformat(),
        "ended_by": answer.ended_by.value,
        "searched_that_day": answer.was_live,
        "listed": answer.is_listed,
    }


def _broken_as_json(broken: Broken) -> dict[str, str]:
    return {"file": os.fspath(broken.path), "code": broken.code, "reason": broken.reason}
