"""Show, verify and copy the ledger: who did what and when on this appliance."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, new_app
from edge_lfr.cli.output import say, write_fields, write_json, write_table
from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.daemon.control.caller import actor_here
from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.errors import LedgerMissingError
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME, Piece, pieces_of
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.ledger.lines import LedgerLine, read_line, written_time
from edge_lfr.governance.ledger.published import PublishedHead, read_published
from edge_lfr.governance.ledger.report import LedgerReport
from edge_lfr.governance.ledger.verify import verify_ledger

app = new_app("Show, verify and copy the ledger: who did what and when.")

FOR_PROGRAMS: Final = frozenset({"public_key", "signature"})
"""Facts that nobody reads; `--json` has them."""

FileOption: TypeAlias = Annotated[
    Path | None, typer.Option("--file", metavar="LEDGER", help="A copy, in place of this appliance's own ledger.")
]


@app.command(epilog="Example: edge-lfr ledger show --event armed --event disarmed --since 2026-06-01")
def show(
    last: Annotated[int, typer.Option(min=1, max=100_000, metavar="N", help="The last N of what is asked for.")] = 50,
    event: Annotated[list[LedgerEvent] | None, typer.Option(metavar="EVENT", help="Only this one; repeatable.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], metavar="TIME", help="Not before, in UTC."
        ),
    ] = None,
    file: FileOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Show the last lines: number, time (UTC), what happened, who did it, and its facts.

    Lines are shown as they stand there; only `edge-lfr ledger verify` says whether they are those that were written.
    """
    chosen: deque[LedgerLine] = deque(maxlen=last)
    begin = None if since is None else since.replace(tzinfo=UTC)
    with _pieces(file, config) as pieces:
        for piece in pieces:
            line = read_line(piece.untrusted) if piece.begins else None
            if line is not None and (not event or line.event in event) and (begin is None or line.at >= begin):
                chosen.append(line)
    if json:
        write_json("ledger-show/1", {"lines": [_as_json(line) for line in chosen]})
        return
    rows = ((line.n, f"{line.at:%Y-%m-%d %H:%M:%S}", line.event, str(line.who), _facts(line)) for line in chosen)
    write_table(("line", "time (UTC)", "event", "who", "facts"), rows, numbers=("line",))


@app.command(epilog="Example: edge-lfr ledger verify --heads heads.jsonl && echo 'nothing was changed or cut off'")
def verify(
    heads: Annotated[
        Path | None,
        typer.Option("--heads", metavar="HEADS", help="Published heads from elsewhere, one JSON document a line."),
    ] = None,
    device_key: Annotated[
        str | None, typer.Option("--device-key", metavar="FINGERPRINT", help="The key that it must be begun with.")
    ] = None,
    file: FileOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Find any line that was edited, removed, moved, inserted or cut off, and say which.

    What was cut off at the end shows only against heads that were published before: take them from the control room.
    They know of nothing behind the last line that they name, which is told; a file without heads is no proof, either.
    A line that nobody vouches for is told, too: a power cut can leave one, and whoever writes without the key.
    Exit status 0 when the ledger is whole, 65 when it is not.
    """
    expected = _expected_key(config) if device_key is None and file is None else device_key
    with _pieces(file, config) as pieces, _published(heads) as published:
        report = verify_ledger(pieces, expected_key=expected, published=published)
    if json:
        write_json("ledger-verify/1", report.as_json())
    else:
        _write_report(report)
    _say_verdict(report, has_heads=heads is not None, has_key=expected is not None)
    if not report.is_whole:
        raise typer.Exit(os.EX_DATAERR)


@app.command(epilog="Example: edge-lfr ledger export /media/stick/van-1.jsonl")
def export(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="New file.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Copy the whole ledger into FILE, which must not exist; the copy ends with a line about itself and a signed head.

    Where the copy fails, nothing is left of it, and a line in the ledger takes that one back (`export-failed`).

    Works beside a running daemon. `edge-lfr ledger verify --file FILE` verifies the copy, on any machine.
    """
    exported = _own_ledger(load_config(config)).export(target, actor_here())
    head = exported.head.content
    result = {"file": os.fspath(target), "bytes": exported.size, "line": head.n, "digest": head.digest}
    if json:
        write_json("ledger-export/1", result)
    else:
        write_fields(result)


@contextmanager
def _pieces(file: Path | None, config: Path) -> Iterator[Iterator[Piece]]:
    path = load_config(config).mode_directory / FILE_NAME if file is None else file
    with pieces_of(path, SystemClock()) as pieces:
        yield pieces


@contextmanager
def _published(path: Path | None) -> Iterator[Iterable[PublishedHead] | None]:
    if path is None:
        yield None
        return
    with path.open("rb") as file:
        yield read_published(file)


def _own_ledger(config: ApplianceConfig) -> Ledger:
    """The ledger of this appliance; a command begins none."""
    path = config.mode_directory / FILE_NAME
    if not path.exists():
        raise LedgerMissingError(f"{path}: there is no ledger")
    device = config.device_in_mode
    return Ledger.open(path, DeviceKeys.load(config.device_directory).signing, SystemClock(), device=device)


def _expected_key(config: Path) -> str | None:
    """This appliance's own key, for its own ledger; None where there is none, or none of ours to open."""
    directory = load_config(config).device_directory
    try:
        return DeviceKeys.load(directory).fingerprint if DeviceKeys.exist(directory) else None
    except EdgeLfrError:
        return None


def _as_json(line: LedgerLine) -> dict[str, Any]:
    return {
        "n": line.n,
        "at": written_time(line.at),
        "event": line.event,
        "who": {line.who.kind.value: line.who.value},
        "facts": dict(line.facts),
        "previous": line.previous,
    }


def _facts(line: LedgerLine) -> str:
    return " ".join(f"{name}={_fact(fact)}" for name, fact in line.facts.items() if name not in FOR_PROGRAMS)


def _fact(fact: object) -> str:
    return ("yes" if fact else "no") if isinstance(fact, bool) else str(fact)


def _write_report(report: LedgerReport) -> None:
    write_fields(
        {name: value for name, value in report.as_json().items() if name not in {"findings", "notes", "events"}}
    )
    write_fields({"events": dict(sorted(report.events.items()))})


def _say_verdict(report: LedgerReport, *, has_heads: bool, has_key: bool) -> None:
    for remark in report.findings.told:
        say(f"broken: {remark}")
    for remark in report.notes.told:
        say(f"note: {remark}")
    for kind, remarks in (("broken", report.findings), ("note", report.notes)):
        if remarks.count > len(remarks.told):
            say(f"{kind}: and {remarks.count - len(remarks.told)} more")
    if report.lines_after:
        say(f"note: the last {report.lines_after} lines have no signed head behind them yet")
    if not has_heads:
        say("note: not compared with published heads (--heads): what was cut off at the end would not show")
    elif report.published_line is not None:
        say(f"note: compared with published heads up to line {report.published_line}: a cut behind it would not show")
    if not has_key:
        say("note: no key was expected (--device-key): this is the word of the key that the ledger itself names")
    say(_verdict(report))


def _verdict(report: LedgerReport) -> str:
    if not report.is_whole:
        return "the ledger is NOT the one that was written"
    if report.unvouched:
        return f"the ledger is whole, but nobody vouches for {report.unvouched} of its lines: see the notes"
    return "the ledger is whole"
