"""`edge-lfr watchlist wipe`: destroy the list, wait for the proof, and show the certificate."""

import os
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import typer

from edge_lfr.cli.consent import require_consent
from edge_lfr.cli.output import say, write_fields, write_json
from edge_lfr.cli.watchlist.wiping_here import destroy_here, prove_anew, proved_here
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.control.local_socket import ControlClient, Verb
from edge_lfr.daemon.lock import hold_state
from edge_lfr.durable_files import create_durably
from edge_lfr.errors import ConfigError, ControlError, DaemonAbsentError, DaemonBusyError, WatchlistStorageError
from edge_lfr.governance.documents import Kind, read_document
from edge_lfr.watchlist.wiping.certificate import WipeCause, WipeCertificate
from edge_lfr.watchlist.wiping.ended_list import EndedList

PROOF_LIMIT_S: Final = 60.0
"""For the daemon to begin anew and to search; some seven seconds on two cores. Chosen with room."""

POLL_S: Final = 0.1

STATE_PATIENCE_S: Final = 0.5
"""How long the timer may hold the state folder before the list is destroyed beside it; chosen, not measured."""

DAEMON_START_LIMIT_S: Final = 20.0
"""For a daemon that has begun to answer: it proves its nets first. Chosen with room."""

UNPROVED: Final = "the list is destroyed; for the proof see `edge-lfr ledger show` and the daemon's log"


def wipe_and_prove(config: ApplianceConfig, *, certificate: Path | None, yes: bool, json: bool) -> None:
    """
    Destroy the watchlist and wait for the proof.

    Args:
        config: Whose.

        certificate: Where the signed certificate is copied to; must not exist.

        yes: Ask nobody.

        json: Write one JSON object.

    Raises:
        EdgeLfrError: The list could not be destroyed, or the proof did not come.
        typer.Exit: With status 70 where the search found something.
    """
    proved = proved_here(config)
    if proved is not None:
        _show(proved, certificate, json=json)
        return
    if certificate is not None and certificate.exists():
        message = f"{certificate}: exists already"
        raise typer.BadParameter(message)
    require_consent("destroy the watchlist of this appliance?", yes=yes)
    client = ControlClient(config.control_socket)
    document = None
    if client.is_present():
        document = _by_daemon(client, json=json)
    else:
        ended = _destroyed_alone(config)
        if ended is not None:
            prove_anew(ended, json=json)
    if document is None:
        _tell({"keys": 0, "lists": 0}, json=json)
    else:
        _show(document, certificate, json=json)


def _show(document: bytes, copy: Path | None, *, json: bool) -> None:
    content = read_document(document, Kind.WIPE_CERTIFICATE, WipeCertificate).content
    if copy is not None:
        try:
            create_durably(copy, document, mode=0o644)
        except OSError as error:
            message = f"{copy}: cannot be written: {error.strerror}"
            raise WatchlistStorageError(message, remedy=UNPROVED) from None
    _tell(certificate_facts(content), json=json)
    require_clean(content)


def certificate_facts(content: WipeCertificate) -> dict[str, Any]:
    """What a certificate says, as JSON."""
    return content.model_dump(mode="json", exclude={"schema_version"})


def require_clean(content: WipeCertificate) -> None:
    """
    Say loudly where a list was not gone.

    Raises:
        typer.Exit: With status 70.
    """
    if content.is_clean is False:
        say("edge-lfr: something of the list was found after the wipe: switch the box off and keep it so")
        raise typer.Exit(os.EX_SOFTWARE)


def _tell(facts: dict[str, Any], *, json: bool) -> None:
    if json:
        write_json("watchlist-wipe/1", facts)
    elif facts["lists"] == 0 and facts["keys"] == 0:
        say("there was no list; nothing opens")
    else:
        write_fields(facts)
        say("destroyed" + (", and nothing of it was found" if facts["is_clean"] else ""))


def _destroyed_alone(config: ApplianceConfig) -> EndedList | None:
    """Whoever else holds the state folder keeps no list alive: a daemon that begins just now is told afterwards."""
    with ExitStack() as held:
        is_alone = _is_held(held, config.mode_directory)
        ended = destroy_here(config, WipeCause.COMMAND)
    if not is_alone:
        _tell_a_daemon_that_began(config)
    return ended


def _tell_a_daemon_that_began(config: ApplianceConfig) -> None:
    """It may have opened the list before that was destroyed; it finds none now, and begins anew."""
    client, deadline_s = ControlClient(config.control_socket), time.monotonic() + DAEMON_START_LIMIT_S
    while time.monotonic() < deadline_s:
        if client.is_present():
            with suppress(ControlError, DaemonAbsentError):
                client.request(Verb.WIPE)
            return
        with ExitStack() as held:
            if _is_held(held, config.mode_directory):
                return  # it was something else, or has ended
            time.sleep(POLL_S)


def _is_held(held: ExitStack, folder: Path) -> bool:
    """Whether nobody else is at work in the state folder, which is then ours; nobody can say where that is full."""
    try:
        held.enter_context(hold_state(folder, patience_s=STATE_PATIENCE_S))
    except (ConfigError, DaemonBusyError):
        return False
    return True


def _by_daemon(client: ControlClient, *, json: bool) -> bytes | None:
    answer = client.request(Verb.WIPE)
    if not json:
        say(
            f"destroyed in {answer['destroyed_in_s']:.2f} s: {answer['lists']} lists, {answer['keys']} keys; proving it"
        )
    if answer["lists"] == 0 and answer["keys"] == 0:
        return None
    deadline_s = time.monotonic() + PROOF_LIMIT_S
    while time.monotonic() < deadline_s:
        time.sleep(POLL_S)
        try:
            found = client.request(Verb.CERTIFICATE)["certificate"]
        except (DaemonAbsentError, ControlError):
            continue  # it ends, or begins anew
        if isinstance(found, str):
            document = read_document(found.encode(), Kind.WIPE_CERTIFICATE, WipeCertificate)
            if document.content.begun_at.isoformat() == answer["begun_at"]:
                return found.encode()
    message = "the list is destroyed, but its proof did not come in time"
    raise ControlError(message, remedy=UNPROVED)
