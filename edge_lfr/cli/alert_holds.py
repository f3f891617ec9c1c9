"""Alerts past their time: hold, release and list them, and purge the rest while no daemon runs."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from edge_lfr.cli.consent import require_consent
from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, YesOption
from edge_lfr.cli.output import say, write_fields, write_json, write_table
from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.daemon.control.caller import actor_here, caller_uid
from edge_lfr.daemon.control.local_socket import ControlClient, Verb
from edge_lfr.daemon.lock import hold_state
from edge_lfr.daemon.noting.command_notes import note_deeds_from_command, note_from_command
from edge_lfr.errors import ConfigError, DaemonBusyError, HoldError, OutboxError
from edge_lfr.governance.clock_note import glance
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.keys import KeyEncryptingKey, KeyOrigin
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.seal import Seal, new_key
from edge_lfr.pipeline.reporting.deeds import Deeds
from edge_lfr.pipeline.reporting.holds import MAX_NOTE_CHARACTERS, HoldReason, Holds
from edge_lfr.pipeline.reporting.outbox import FILE_NAME
from edge_lfr.pipeline.reporting.rows import RowFile
from edge_lfr.terms import Mode

STANDARD_INPUT: Final = "-"

AlertArgument = Annotated[str, typer.Argument(metavar="ALERT_ID", help="As it stands in the alert.")]


def hold(
    alert_id: AlertArgument,
    reason: Annotated[HoldReason, typer.Option(help="Why it is needed.")],
    note: Annotated[str, typer.Option(help="Who needs it: a case or complaint number, no name; `-` reads a line.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Keep an alert and its sightings past their time, sealed as they are, until they are released.

    The hold is on the disk when this returns, also beside a running daemon. Exit status 65 when the alert is not here
    or is held for this reason already.
    """
    loaded = load_config(config)
    words = sys.stdin.readline(MAX_NOTE_CHARACTERS + 2) if note == STANDARD_INPUT else note
    client = ControlClient(loaded.control_socket)
    if client.is_present():  # then the kernel says who holds, and the daemon has it in its ledger
        client.request(Verb.HOLD, alert_id=alert_id, reason=reason.value, note=words)
    else:
        kek = KeyEncryptingKey.load(loaded.mode_directory)
        with _rows(loaded, kek) as file:
            at = SystemClock().utc_now()
            Holds(file, kek).place(alert_id, reason, note=words, held_by=caller_uid(), at=at, by=actor_here())
            _note(loaded, file)
    if json:
        write_json("alerts-hold/1", {"alert_id": alert_id, "reason": reason.value})
    else:
        say(f"held for {reason.value}")


def release(
    alert_id: AlertArgument,
    reason: Annotated[
        HoldReason | None, typer.Option(help="Of the hold that is over; needed where there are several.")
    ] = None,
    yes: YesOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Take a hold away: an alert whose time is over is deleted within seconds, or by the next purge.

    Who released it stands on the disk in the same change, or nothing is released; the ledger has it as soon as somebody
    with the key comes. Exit status 65 when there is no such hold.
    """
    loaded = load_config(config)
    require_consent(f"let go of alert {alert_id}? If its time is over, it is deleted.", yes=yes)
    client = ControlClient(loaded.control_socket)
    if client.is_present():
        named = {} if reason is None else {"reason": reason.value}
        released = HoldReason(client.request(Verb.RELEASE, alert_id=alert_id, **named)["reason"])
    else:
        with _rows(loaded, _any_key()) as file:
            at = SystemClock().utc_now()
            released = Holds(file, _any_key()).release(alert_id, reason, by=actor_here(), at=at)
            _note(loaded, file)
    if json:
        write_json("alerts-release/1", {"alert_id": alert_id, "reason": released.value})
    else:
        say(f"no longer held for {released.value}")


def holds(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """List what is held, since when, by whom and why."""
    loaded = load_config(config)
    found: list[dict[str, Any]] = []
    if _path(loaded).exists():
        kek = KeyEncryptingKey.load(loaded.mode_directory)
        with _rows(loaded, kek) as file:
            found = [
                {
                    "alert_id": held.alert_id,
                    "reason": held.reason.value,
                    "held_by": held.held_by,
                    "held_at": held.held_at.isoformat(timespec="seconds"),
                    "time_over": held.ends_at.isoformat(timespec="seconds"),
                    "note": held.note,
                }
                for held in Holds(file, kek).all()
            ]
            _note(loaded, file)
        note_from_command(loaded, LedgerEvent.CONSULTED, {"what": "holds", "found": len(found)})
    if json:
        write_json("alerts-holds/1", {"mode": loaded.mode.value, "holds": found})
    else:
        write_table(
            ("alert", "reason", "by uid", "since", "its time is over", "note"), (tuple(row.values()) for row in found)
        )


def purge(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """
    Delete what has outlived its time in the outbox of every mode; for the timer, while no daemon runs.

    A running daemon purges its own mode every few seconds, which counts as done. What a legal hold keeps stays; so does
    everything while the clock is in doubt, for as long as it was to be kept. Needs no key, and makes nothing. Exit
    status 75 when another command holds a folder, or the disk refuses.
    """
    loaded = load_config(config)
    is_daemon_up = ControlClient(loaded.control_socket).is_present()
    done: list[dict[str, Any]] = []
    for mode in Mode:  # a box that trains today keeps what it alerted in operation yesterday
        of_mode = loaded.model_copy(update={"mode": mode})
        if mode is loaded.mode and is_daemon_up:
            done.append({"mode": mode.value, "by": "daemon"})
        elif _path(of_mode).exists():
            done.append({"mode": mode.value, "by": "command", **_purged(of_mode)})
    if json:
        write_json("alerts-purge/1", {"outboxes": done})
    for outbox in done:
        if not json:
            write_fields(outbox)
        _say_what_it_means(outbox)
    if not all(outbox.get("log_cut", True) for outbox in done):
        message = "deleted, but somebody reads the outbox, and its log still has what was deleted"
        raise OutboxError(message, remedy="run it again")


def _say_what_it_means(outbox: Mapping[str, Any]) -> None:
    if outbox["by"] == "daemon":
        say("the daemon runs, and purges itself")
        return
    if outbox["lost"]:
        say(f"{outbox['lost']} messages expired before anybody acknowledged them")
    if not outbox["clock_trusted"]:
        say(f"the clock is not trusted ({outbox['mode']}), so that alerts stay; see `edge-lfr clock show`")


def _purged(config: ApplianceConfig) -> dict[str, object]:
    with hold_state(config.mode_directory), _rows(config, _any_key()) as file:
        verdict = glance(config.mode_directory)
        purged = file.purge(verdict, by=actor_here())
        note_deeds_from_command(config, Deeds(file))
    return {
        "deleted": purged.deleted,
        "lost": purged.lost,
        "newly_held": purged.held,
        "log_cut": purged.is_clean,
        "clock_trusted": verdict.is_trusted,
    }


def _note(config: ApplianceConfig, file: RowFile) -> None:
    """Have what was done in the ledger; a daemon that is there by now tells it itself."""
    is_noted = True
    with suppress(DaemonBusyError, ConfigError), hold_state(config.mode_directory):
        is_noted = note_deeds_from_command(config, Deeds(file))
    if not is_noted and DeviceKeys.exist(config.device_directory):
        say("it stands in the outbox; the ledger has it as soon as somebody comes who has the key")


@contextmanager
def _rows(config: ApplianceConfig, kek: KeyEncryptingKey) -> Iterator[RowFile]:
    """The outbox's file beside whoever else has it open: each change is one short transaction that waits its turn."""
    if not _path(config).exists():
        raise HoldError(f"{_path(config)}: there is no outbox, so there is no alert")
    file = RowFile(_path(config), kek, max_rows=config.reporting.max_stored, retention=config.retention.chosen)
    try:
        yield file
    finally:
        file.close()


def _path(config: ApplianceConfig) -> Path:
    return config.mode_directory / FILE_NAME


def _any_key() -> KeyEncryptingKey:
    """Deleting opens nothing, and our key may be lost."""
    return KeyEncryptingKey(KeyOrigin.FILE, Seal(new_key()))
