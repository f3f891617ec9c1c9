"""Talk to the running daemon: status, pause, resume, stop."""

from typing import Annotated, Any

import typer

from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, new_app
from edge_lfr.cli.output import say, write, write_fields, write_json
from edge_lfr.cli.status_page import status_page
from edge_lfr.config.load import load_config
from edge_lfr.daemon.control.local_socket import ControlClient, Verb

status_app = new_app(has_verbs=False)
pause_app = new_app(has_verbs=False)
resume_app = new_app(has_verbs=False)
stop_app = new_app(has_verbs=False)


def _ask(config: ConfigOption, verb: Verb) -> dict[str, Any]:
    return ControlClient(load_config(config).control_socket).request(verb)


@status_app.command(epilog="Example: edge-lfr status --json | jq .cameras")
def status(
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
    everything: Annotated[bool, typer.Option("--all", help="Every number that the daemon has.")] = False,
) -> None:
    """
    Show how the running daemon is: what is wrong and what to do, cameras, watchlist, delivery, latency, memory.

    Exit status 69 when no daemon answers.
    """
    answer = _ask(config, Verb.STATUS)
    if json:
        write_json("status/1", answer)
    elif everything:
        write_fields(answer)
    else:
        write("\n".join(status_page(answer)))
        say("every number: edge-lfr status --all")


@pause_app.command(epilog="Example: edge-lfr pause")
def pause(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Stop looking: no frame is held and nobody is compared until `edge-lfr resume`; the watchlist stays loaded."""
    _ask(config, Verb.PAUSE)
    say("paused; `edge-lfr resume` goes on")


@resume_app.command(epilog="Example: edge-lfr resume")
def resume(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Look again after a pause."""
    _ask(config, Verb.RESUME)
    say("looking again")


@stop_app.command(epilog="Example: edge-lfr stop")
def stop(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Stop the running daemon; undelivered alerts and the sealed watchlist stay for the next start."""
    _ask(config, Verb.STOP)
    say("stopping")
