"""Whether this box believes its clock, and a technician's word that it may."""

from datetime import datetime
from typing import Any

from edge_lfr.cli.consent import require_consent
from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, YesOption, new_app
from edge_lfr.cli.output import say, write_fields, write_json
from edge_lfr.config.load import load_config
from edge_lfr.daemon.control.local_socket import ControlClient, Verb
from edge_lfr.daemon.lock import hold_state
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.governance.clock_note import SystemKernel, TrustedTime, glance
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.trusted_time import Doubt, TimeVerdict

app = new_app("See whether the clock is trusted, and confirm it.")

WORDS = {
    Doubt.BEFORE_BUILD: "it is earlier than this program: set it",
    Doubt.BEFORE_NEWEST: "it is earlier than a time that has been already: set it, or confirm it if it is right",
    Doubt.JUMPED: "it was set by more than two seconds: have it synchronised, or confirm it if it is right",
    Doubt.STEPPED_OFTEN: "it is set again and again: look at the time server, then confirm it if it is right",
    Doubt.NOTE_BROKEN: "what was remembered of it cannot be read: confirm it if it is right",
    Doubt.NO_RTC: "this machine has no clock that goes on while it is off: have it synchronised, or confirm it",
}
"""Why, and what to do."""


@app.command(epilog="Example: edge-lfr clock show")
def show(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """
    Show the wall time in UTC, and whether it is trusted, and why not.

    A list that has an end stays sealed while the clock is not trusted, and is destroyed after 24 hours of uptime.
    """
    verdict = glance(load_config(config).mode_directory)
    result = _told(verdict)
    if json:
        write_json("clock-show/1", result)
        return
    write_fields(result)
    if verdict.doubt is not None:
        say(f"the clock is not trusted: {WORDS[verdict.doubt]}")


@app.command(epilog="Example: edge-lfr clock confirm")
def confirm(yes: YesOption = False, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """
    Say that the wall time is right: it is trusted from then on, until something speaks against it again.

    Compare it with a watch first. A time before this program was made cannot be confirmed: exit status 65. A running
    daemon is told, and goes on where that was all that it waited for.
    """
    loaded = load_config(config)
    directory, client = loaded.mode_directory, ControlClient(loaded.control_socket)
    if client.is_present():
        _ask_whether(glance(directory).now, yes=yes)
        client.request(Verb.CLOCK_CONFIRM)
        verdict = glance(directory)
    else:
        with hold_state(directory):
            time = TrustedTime.begin(directory)
            _ask_whether(time.look().now, yes=yes)
            verdict = time.confirm()
            note_from_command(loaded, LedgerEvent.CLOCK_CONFIRMED, {})
    if json:
        write_json("clock-confirm/1", _told(verdict))
    else:
        say(f"the clock is trusted: {verdict.now:%Y-%m-%d %H:%M:%S} UTC")


def _ask_whether(now: datetime, *, yes: bool) -> None:
    require_consent(f"is it {now:%A, %Y-%m-%d %H:%M:%S} UTC just now?", yes=yes)


def _told(verdict: TimeVerdict) -> dict[str, Any]:
    return {
        "utc": verdict.now.isoformat(timespec="seconds"),
        "trusted": verdict.is_trusted,
        "doubt": None if verdict.doubt is None else verdict.doubt.value,
        "doubted_s": round(verdict.doubted_s),
        "steps": verdict.steps,
        "synchronised": SystemKernel().is_synchronised(),
    }
