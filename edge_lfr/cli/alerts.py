"""Try the way to the control room, be the control room, or keep an alert past its time."""

import io
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from edge_lfr.cli import alert_holds
from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, new_app
from edge_lfr.cli.output import say, write_fields, write_json
from edge_lfr.clock import SystemClock
from edge_lfr.config.load import load_config
from edge_lfr.console.terminal import watch as show_alerts
from edge_lfr.daemon.control.local_socket import ControlClient, Verb
from edge_lfr.errors import NotAcknowledgedError
from edge_lfr.governance.trust import SigningKey
from edge_lfr.pipeline.reporting.topics import Identity, Topics
from edge_lfr.terms import Mode

app = new_app("Try the way to the control room, be the control room, or keep an alert past its time.")

app.command(epilog="Example: edge-lfr alerts hold 01JZ... --reason complaint --note 'complaint 17/4'")(alert_holds.hold)
app.command(epilog="Example: edge-lfr alerts release 01JZ... --yes")(alert_holds.release)
app.command(epilog="Example: edge-lfr alerts holds --json")(alert_holds.holds)
app.command(epilog="Example: edge-lfr alerts purge")(alert_holds.purge)

ACKNOWLEDGED: Final = "acknowledged"
"""How far a row of the outbox has come when the control room has it."""


@app.command("test", epilog="Example: edge-lfr alerts test && echo 'the control room sees us'")
def try_the_way(
    wait: Annotated[float, typer.Option(min=1.0, max=60.0, help="Seconds to wait for the acknowledgement.")] = 15.0,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Let the daemon send an alert that is marked as a test, and wait until the control room has acknowledged it.

    Exit status 0 when it was acknowledged, 75 when not, 69 when no daemon answers.
    """
    answer = ControlClient(load_config(config).control_socket).request(Verb.TEST_ALERT, timeout_s=wait)
    if json:
        write_json("alerts-test/1", answer)
    else:
        write_fields(answer)
    if answer.get("state") != ACKNOWLEDGED:
        raise NotAcknowledgedError(f"the test alert was not acknowledged within {wait:g} s")
    say("acknowledged by the control room")


@app.command(epilog="Example: edge-lfr alerts watch --key control.key")
def watch(
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Signing key; without it alerts are shown, not acknowledged.")
    ] = None,
    name: Annotated[str, typer.Option(help="Who acknowledges, as the appliance records it.")] = "control-room",
    mode: Annotated[Mode | None, typer.Option(help="Of the messages to watch; the configuration's by default.")] = None,
    heads: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append every signed head of the ledger here, one a line.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Be the control room: show alerts as they come, with both pictures and a bell, and acknowledge them.

    Broker and topics are those of the configuration; a control room's own certificate comes through the variables
    EDGE_LFR__REPORTING__BROKER__CERTIFICATE_FILE and ..._KEY_FILE. With --json one object a line, without pictures.
    A message of another mode is shown as an error, never as an alert. Ends with Ctrl-C.
    """
    loaded = load_config(config)
    topics = Topics(Identity(force=loaded.force, device=loaded.device, mode=loaded.mode if mode is None else mode))
    signing_key = None if key is None else SigningKey.load(key)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if signing_key is None:
        say("no --key: alerts are shown, not acknowledged")
    pipe = Pipe(stop) if json else None
    show_alerts(
        loaded.reporting.broker,
        topics,
        signing_key,
        clock=SystemClock(),
        stop=stop,
        json_to=pipe,
        name=name,
        heads=heads,
    )


class Pipe(io.TextIOWrapper):
    """Standard output for another thread: when its reader has gone, the watch ends instead of the thread."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__(os.fdopen(os.dup(sys.stdout.fileno()), "wb"), encoding="utf-8")
        self._stop = stop

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._stop.set()

    def close(self) -> None:
        with suppress(BrokenPipeError):
            super().close()
