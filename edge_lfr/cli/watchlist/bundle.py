"""Make a watchlist bundle where the watchlist is made: no appliance, no configuration and no net is needed."""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from edge_lfr.cli.options import JsonOption, PolicyOption
from edge_lfr.cli.output import say, write, write_fields, write_json, write_table
from edge_lfr.cli.progress import counting
from edge_lfr.cli.watchlist.enrolment_report import MAX_SHOWN
from edge_lfr.clock import SystemClock
from edge_lfr.config.load import load_config
from edge_lfr.config.policy import WatchlistPolicy
from edge_lfr.errors import AgeFileError, WatchlistFormatError
from edge_lfr.governance.age_files import AgeRecipient
from edge_lfr.governance.trust import SigningKey, shown_fingerprint
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.building import Plan, plan_bundle
from edge_lfr.watchlist.bundle.composition import compose
from edge_lfr.watchlist.bundle.manifest import MANIFEST_EXPECTED, MAX_DEVICES, SCHEMA, BundleHead
from edge_lfr.watchlist.bundle.rules import POLICY, stale
from edge_lfr.watchlist.bundle.writing import SUFFIX, WrittenBundle, require_free, write_bundle
from edge_lfr.watchlist.enrolling.columns import COLUMN_EXPECTED, OPTIONAL, PURPOSE, Column
from edge_lfr.watchlist.enrolling.folder import read_source
from edge_lfr.watchlist.fields import TIME_EXPECTED, checked_time

_OPTIONS: Final = {"issuer": "--issuer", "devices": "--device", "list_id": "--list-id"}

MAX_RECIPIENT_FILE_BYTES: Final = 16 * 1024
"""A line for each appliance, and remarks; chosen, not measured."""


def add_to(app: typer.Typer) -> None:
    """Make both commands verbs of `edge-lfr watchlist`."""
    app.command(epilog="Example: edge-lfr watchlist template > my-list/watchlist.csv")(template)
    app.command(
        epilog="\b\nExample: edge-lfr watchlist build my-list market.lfrw \\\n"
        "  --key issuer.key --to-file van-1.age --device anytown/van-1 \\\n"
        "  --list-id market-0601 --issuer 'Intelligence desk' \\\n"
        "  --extracted-at 2026-06-01T08:30+01:00"
    )(build)


def template(
    columns: Annotated[bool, typer.Option("--columns", help="What each column holds, as a table.")] = False,
    json: JsonOption = False,
) -> None:
    """
    Write the first line of a watchlist.csv, and say what belongs under it; with --columns as a table.

    The words go to the terminal, so that only the line itself goes into a file.
    """
    if json:
        rows = [
            {
                "name": column.value,
                "mandatory": column not in OPTIONAL,
                "purpose": PURPOSE[column],
                "allowed": COLUMN_EXPECTED[column],
            }
            for column in Column
        ]
        write_json("watchlist-template/1", {"columns": rows})
    elif columns:
        write_table(
            ("column", "must", "what it is", "allowed"),
            [(one.value, one not in OPTIONAL, PURPOSE[one], COLUMN_EXPECTED[one]) for one in Column],
        )
    else:
        write(",".join(Column))
        say("# one line for each picture; lines of one person say the same, but for the picture")
        for column in Column:
            may = " (may be empty)" if column in OPTIONAL else ""
            say(f"# {column.value}: {PURPOSE[column]}{may}: {COLUMN_EXPECTED[column]}")
        say("# save it as UTF-8 with commas; watchlists/README.md explains each column")


def build(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder with watchlist.csv and the pictures.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The bundle to write, NAME.lfrw.")],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="Your private key, of `edge-lfr keys new issue`.")],
    device: Annotated[
        list[str], typer.Option("--device", metavar="FORCE/DEVICE", help="Appliance that may load it; repeatable.")
    ],
    list_id: Annotated[str, typer.Option("--list-id", metavar="ID", help="Name of the list, as the authority has it.")],
    issuer: Annotated[str, typer.Option("--issuer", metavar="TEXT", help="Who you are, in words.")],
    extracted_at: Annotated[
        str, typer.Option("--extracted-at", metavar="TIME", help="When the rows were drawn from your systems.")
    ],
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="AGE1...", help="Recipient of an appliance; repeatable.")
    ] = None,
    to_file: Annotated[
        list[Path] | None, typer.Option("--to-file", metavar="FILE", help="File with recipients; repeatable.")
    ] = None,
    training: Annotated[bool, typer.Option("--training", help="For training; with a key for the role train.")] = False,
    leave_out_refused: Annotated[
        bool, typer.Option("--leave-out-refused", help="Make the bundle without the rows that are refused.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT when it is there.")] = False,
    config: PolicyOption = None,
    json: JsonOption = False,
) -> None:
    """
    Make one signed and encrypted file of a folder, for the appliances that are named; only they can read it.

    Run it where the watchlist is made: nothing of an appliance is needed but its recipient, from `edge-lfr keys show
    --recipient`. Every row is judged first, with --config by the force's policy, without by published practice: who is
    refused is told by line and reason, and then nothing is written unless --leave-out-refused. Nothing is ever written
    in clear. An appliance takes the bundle until the extract is 24 h old. Exit status 65 when rows are refused or the
    format is broken, 73 when OUT cannot be written.
    """
    policy = POLICY if config is None else load_config(config).policy.watchlist
    now = SystemClock().utc_now()
    head = _head(
        mode=Mode.TRAINING if training else Mode.OPERATIONAL,
        issuer=issuer,
        devices=tuple(device),
        list_id=list_id,
        extracted_at=_drawn_at(extracted_at, now, policy),
    )
    signing = SigningKey.load(key)
    recipients = _recipients(to or [], to_file or [])
    require_free(out, may_replace=force)
    source = read_source(folder)
    with counting("reading", source.picture_count) as advance:
        plan = plan_bundle(source, now, advance, policy=policy)
    written = None
    if plan.entries and (leave_out_refused or not plan.refused):
        with counting("writing", len(plan.pictures)) as advance:
            written = write_bundle(
                out,
                head.with_entries(plan.entries),
                plan.pictures,
                issuer=signing,
                recipients=recipients,
                may_replace=force,
                progress=advance,
            )
    _tell(plan, written, now, out, json=json)
    if written is None:
        say("edge-lfr: nothing was written; correct these rows, or leave them out with --leave-out-refused")
        raise typer.Exit(os.EX_DATAERR)


def _drawn_at(untrusted: str, now: datetime, policy: WatchlistPolicy) -> datetime:
    try:
        drawn_at = checked_time(untrusted)
    except ValueError:
        message = f"--extracted-at: expected {TIME_EXPECTED}"
        raise typer.BadParameter(message) from None
    reason = stale(drawn_at, now, policy)
    if reason is not None:
        message = (
            f"--extracted-at: {reason}: {drawn_at.isoformat()}, and here it is {now.isoformat(timespec='seconds')}"
        )
        raise WatchlistFormatError(message, remedy="draw the list again, or correct the time or this machine's clock")
    return drawn_at


def _recipients(texts: list[str], files: list[Path]) -> list[AgeRecipient]:
    for path in files:
        try:
            with path.open("rb") as file:
                untrusted = file.read(MAX_RECIPIENT_FILE_BYTES).decode()
        except (OSError, UnicodeDecodeError):
            raise AgeFileError(f"{path}: cannot be read as a file of recipients") from None
        lines = [line.strip() for line in untrusted.splitlines()]
        texts = [*texts, *(line for line in lines if line and not line.startswith("#"))]
    if not 1 <= len(set(texts)) <= MAX_DEVICES:
        message = f"expected 1 to {MAX_DEVICES} recipients by --to and --to-file, found {len(set(texts))}"
        raise typer.BadParameter(message)
    return [AgeRecipient.parse(text) for text in dict.fromkeys(texts)]


def _head(**said: object) -> BundleHead:
    """What the options say, before minutes are spent on pictures."""
    try:
        return BundleHead.model_validate({"schema": SCHEMA, **said})
    except ValidationError as error:
        field = str(error.errors(include_input=False, include_url=False)[0]["loc"][0])
        message = f"{_OPTIONS[field]}: expected {MANIFEST_EXPECTED[field]}"
        raise typer.BadParameter(message) from None


def _tell(plan: Plan, written: WrittenBundle | None, now: datetime, out: Path, *, json: bool) -> None:
    composition = compose(list(plan.dated()), now)
    bundle: dict[str, Any] | None = None
    if written is not None:
        bundle = {
            "file": os.fspath(out),
            "manifest_digest": written.digest,
            "signer": shown_fingerprint(written.signer),
            "entries": written.entries,
            "pictures": written.pictures,
            "bytes": written.size_bytes,
        }
    refused = [
        {"line": row.line, "reference_id": row.reference_id, "reasons": list(row.reasons)} for row in plan.refused
    ]
    if json:
        told = {"bundle": bundle, "composition": composition.as_json(), "refused": refused, "left_out": plan.left_out}
        write_json("watchlist-build/1", told)
    else:
        if bundle is not None:
            write_fields(bundle)
        _write_composition(composition.as_json())
        if refused:
            rows = [(row.line, row.reference_id, ", ".join(row.reasons)) for row in plan.refused[:MAX_SHOWN]]
            write_table(("line", "reference", "refused for"), rows, numbers=("line",))
    if len(refused) > MAX_SHOWN and not json:
        say(f"... and {len(refused) - MAX_SHOWN} more refused rows: --json has them all")
    if written is not None and plan.left_out:
        say(f"warning: {len(plan.left_out)} references are left out and will not be found")
    if out.suffix != SUFFIX and written is not None:
        say(f"warning: bundles are called NAME{SUFFIX}")


def _write_composition(said: dict[str, Any]) -> None:
    """Only what there is: a row of zeros helps nobody."""
    oldest = [f"{one['taken_on']} {one['reference_id']}" for one in said.pop("oldest_pictures")]
    shown = {
        name: {term: count for term, count in value.items() if count} if isinstance(value, dict) else value
        for name, value in said.items()
    }
    write_fields({**shown, "oldest_pictures": oldest})
