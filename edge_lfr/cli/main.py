"""
The entry point: one place where an error of the tree becomes words on stderr and the process's exit status.

A noun's module is imported when the noun is used, so that `edge-lfr status` does not load the nets' runtime.
"""

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

import edge_lfr
from edge_lfr.cli.output import LogFormat, LogLevel, configure_logging, say, say_error, write
from edge_lfr.errors import EdgeLfrError

INTERRUPTED: Final = 130
"""128 + SIGINT, as shells say it."""

PIPE_CLOSED: Final = 141
"""128 + SIGPIPE: whoever read our results has seen enough."""

USAGE_STATUS_OF_PARSER: Final = 2

DEBUG_VARIABLE: Final = "EDGE_LFR_DEBUG"


@dataclass(frozen=True, slots=True)
class Noun:
    """One word after `edge-lfr`, and the module that knows it."""

    name: str
    module: str
    summary: str
    app: str = "app"
    log_level: LogLevel = LogLevel.WARNING


NOUNS: Final = (
    Noun("run", "run", "Run the appliance in the foreground.", log_level=LogLevel.INFO),
    Noun("status", "lifecycle", "Show what the running daemon does.", app="status_app"),
    Noun("pause", "lifecycle", "Stop looking, hold no frame, keep the watchlist.", app="pause_app"),
    Noun("resume", "lifecycle", "Look again after a pause.", app="resume_app"),
    Noun("stop", "lifecycle", "Stop the running daemon.", app="stop_app"),
    Noun("doctor", "doctor.command", "Check everything that a deployment depends on."),
    Noun("authority", "authority.commands", "Draft, sign, install and revoke what a deployment rests on."),
    Noun("watchlist", "watchlist.commands", "Load, show, shorten or destroy the watchlist."),
    Noun("models", "models", "List, install, verify and prove model packs."),
    Noun("cameras", "cameras", "See what the cameras give, without a picture."),
    Noun("alerts", "alerts", "Try the way to the control room, be it, or keep an alert past its time."),
    Noun("config", "config", "Check the configuration, show an example, and how long everything is kept."),
    Noun("clock", "clock", "See whether the clock is trusted, and confirm it."),
    Noun("keys", "keys", "Keys of this box, keys that it trusts, keys for others."),
    Noun("ledger", "ledger", "Show, verify and copy the ledger: who did what and when."),
    Noun("pipeline", "pipeline", "Show the data path."),
    Noun("bench", "bench", "Measure accuracy, cost, the gallery, memory and loading."),
    Noun("evaluate", "evaluate", "Find out what a pack's scores are worth."),
    Noun("demo", "demo", "Make a street scene, run the appliance on it, and sum up."),
)


@dataclass(frozen=True, slots=True)
class LogChoice:
    """What the person asked for; None leaves it to the command."""

    level: LogLevel | None
    form: LogFormat


def _show_version(wanted: bool) -> None:
    if wanted:
        write(f"edge-lfr {edge_lfr.__version__}")
        raise typer.Exit


def root(
    context: typer.Context,
    log_level: Annotated[
        LogLevel | None,
        typer.Option(envvar="EDGE_LFR_LOG_LEVEL", help="Least severe event to log; `run`: info, all others: warning."),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(envvar="EDGE_LFR_LOG_FORMAT", help="How events are written to stderr.")
    ] = LogFormat.LOGFMT,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Live facial recognition appliance: finds listed people, forgets everybody else."""
    context.obj = LogChoice(log_level, log_format)


def build_app() -> typer.Typer:
    """Know every noun without importing any."""
    app = typer.Typer(
        epilog="Example: edge-lfr models install /media/stick && edge-lfr watchlist load market.lfrw && edge-lfr run",
        add_completion=False,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    app.callback()(root)
    for noun in NOUNS:
        if importlib.util.find_spec(f"edge_lfr.cli.{noun.module}") is not None:
            app.command(
                noun.name,
                help=noun.summary,
                add_help_option=False,  # the noun's own application has one
                context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
            )(_dispatcher(noun))
    return app


def _dispatcher(noun: Noun) -> Callable[[typer.Context], None]:
    def dispatch(context: typer.Context) -> None:
        choice: LogChoice = context.obj
        configure_logging(choice.level or noun.log_level, choice.form)
        module = importlib.import_module(f"edge_lfr.cli.{noun.module}")
        noun_app: typer.Typer = getattr(module, noun.app)
        noun_app(args=context.args, prog_name=f"edge-lfr {noun.name}")

    return dispatch


def main() -> NoReturn:
    """Run the command that the process was started with."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command and give the exit status; no exception leaves, and no traceback is written unless asked for."""
    try:
        status = _run_parser(arguments)
        sys.stdout.flush()
    except EdgeLfrError as error:
        say_error(error)
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more at its end
        return PIPE_CLOSED
    except OSError as error:
        return _say_system_error(error)
    except Exception as error:  # noqa: BLE001  (the last line of defence: a defect is one line for the person)
        if os.environ.get(DEBUG_VARIABLE) == "1":
            traceback.print_exc()
        place = traceback.extract_tb(error.__traceback__)[-1]
        say(f"edge-lfr: a defect: {type(error).__name__} in {Path(place.filename).name}, line {place.lineno}")
        say(f"  what to do: report it; with {DEBUG_VARIABLE}=1 the command says more")
        return os.EX_SOFTWARE
    return status


def _say_system_error(error: OSError) -> int:
    """A file or folder that this user may not use, or a disk that refuses: no defect, and told as such."""
    what = error.strerror or type(error).__name__
    say(f"edge-lfr: {what}" if error.filename is None else f"edge-lfr: {error.filename}: {what}")
    if isinstance(error, PermissionError):
        say("  what to do: run it as the user that the daemon runs as")
        return os.EX_NOPERM
    return os.EX_IOERR


def _run_parser(arguments: Sequence[str]) -> int:
    try:
        build_app()(args=list(arguments), prog_name="edge-lfr")
    except SystemExit as ending:
        if ending.code == USAGE_STATUS_OF_PARSER:
            return os.EX_USAGE
        return ending.code if isinstance(ending.code, int) else os.EX_OK
    return os.EX_OK
