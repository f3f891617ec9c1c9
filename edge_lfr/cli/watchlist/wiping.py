"""`edge-lfr watchlist wipe`: destroy the list, wait for the proof, and show the certificate."""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import typer

from edge_lfr.cli.consent import require_consent
from edge_lfr.cli.output import say, write_fields, write_json
from edge_lfr.cli.watchlist.wiping_here import prove_anew, proved_here
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.control.caller import actor_here
from edge_lfr.daemon.control.local_socket import ControlClient, Verb
from edge_lfr.daemon.ending.unsearched import destroy_other_modes, destroy_unsearched
from edge_lfr.daemon.lock import hold_state
from edge_lfr.durable_files import create_durably
from edge_lfr.errors import (
    ConfigError,
    ControlError,
    DaemonAbsentError,
    DaemonBusyError,
    EdgeLfrError,
    WatchlistStorageError,
)
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
    Destroy the watchlist and wait for the proof; then also what was loaded while another mode was configured.

    Args:
        config: Whose.

        certificate: Where the signed certificate is copied to; must not exist.

        yes: Ask nobody.

        json: Write one JSON object.

    Raises:
        EdgeLfrError: The list could not be destroyed, or the proof did not come.
        typer.Exit: With status 70 where the search found something.
    """
    document, is_left = proved_here(config), False
    if document is None:
        if certificate is not None and certificate.exists():
            message = f"{certificate}: exists already"
            raise typer.BadParameter(message)
        require_consent("destroy the watchlist of this appliance?", yes=yes)
        client = ControlClient(config.control_socket)
        if client.is_present():
            answer = _asked(client, json=json)
            others, is_left = answer["other_modes"], answer["is_other_mode_left"]
            if answer["lists"] or answer["keys"]:
                document = certificate_of(client, lambda content: content.begun_at.isoformat() == answer["begun_at"])
        else:
            _destroy_alone(config, json=json)
            others = destroy_other_modes(config, actor_here())
    else:
        others = destroy_other_modes(config, actor_here())
    content = None if document is None else read_document(document, Kind.WIPE_CERTIFICATE, WipeCertificate).content
    if document is not None and certificate is not None:
        _copy(document, certificate)
    _tell(content, others, json=json)
    if content is not None:
        require_clean(content)
    if is_left:
        message = "a list of another mode could not be destroyed"
        raise WatchlistStorageError(message, remedy="look at the disk and the daemon's log, and wipe again")


def _destroy_alone(config: ApplianceConfig, *, json: bool) -> None:
    """Where there was a list, another process goes on in our place, proves it, and looks after the other modes."""
    try:
        ended = _destroyed_alone(config)
    except EdgeLfrError:
        with suppress(EdgeLfrError):
            destroy_other_modes(config, actor_here())  # what fails in one keeps no other alive
        raise
    if ended is not None:
        prove_anew(ended, json=json)


def _copy(document: bytes, path: Path) -> None:
    try:
        create_durably(path, document, mode=0o644)
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror}"
        raise WatchlistStorageError(message, remedy=UNPROVED) from None


def certificate_facts(content: WipeCertificate) -> dict[str, Any]:
    """What a certificate says, as JSON."""
    return content.model_dump(mode="json", exclude={"schema_version"})


def require_clean(content: WipeCertificate) -> None:
    """
    Say loudly where a list was not gone.

    Raises:
        typer.Exit: With status 70.
    """
    if content.is_clean is not False or content.proof is None:
        return
    proof = content.proof
    if proof.found:
        say("edge-lfr: something of the list was found after the wipe: switch the box off and keep it so")
    else:
        say(
            f"edge-lfr: the list is destroyed, and nothing of it was found; {proof.processes_unread} processes and "
            f"{proof.files_unread} files could not be looked at: see what else lies in the state folder"
        )
    raise typer.Exit(os.EX_SOFTWARE)


def _tell(content: WipeCertificate | None, others: dict[str, dict[str, int]], *, json: bool) -> None:
    facts = {"keys": 0, "lists": 0} if content is None else certificate_facts(content)
    if json:
        write_json("watchlist-wipe/1", {**facts, "other_modes": others})
    elif content is None:
        say("there was no list; nothing opens")
    else:
        write_fields(facts)
        say("destroyed" + (", and nothing of it was found" if content.is_clean else ""))
    for mode, wiped in others.items():
        say(f"destroyed, of the mode {mode}: {wiped['lists']} lists, {wiped['keys']} keys; the timer certifies it")


def _destroyed_alone(config: ApplianceConfig) -> EndedList | None:
    """Whoever else holds the state folder keeps no list alive: a daemon that begins just now is told afterwards."""
    with ExitStack() as held:
        is_alone = _is_held(held, config.mode_directory)
        ended = destroy_unsearched(config, WipeCause.COMMAND, actor_here())
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


def _asked(client: ControlClient, *, json: bool) -> dict[str, Any]:
    """What the daemon has destroyed, of its own mode and of others."""
    answer = client.request(Verb.WIPE)
    if not json:
        say(
            f"destroyed in {answer['destroyed_in_s']:.2f} s: {answer['lists']} lists, {answer['keys']} keys; proving it"
        )
    return answer


def certificate_of(client: ControlClient, is_it: Callable[[WipeCertificate], bool]) -> bytes:
    """
    Wait for the certificate of a wipe that the daemon has done, while it begins anew and searches.

    Raises:
        ControlError: It did not come in time.
    """
    deadline_s = time.monotonic() + PROOF_LIMIT_S
    while time.monotonic() < deadline_s:
        time.sleep(POLL_S)
        try:
            found = client.request(Verb.CERTIFICATE)["certificate"]
        except (DaemonAbsentError, ControlError):
            continue  # it ends, or begins anew
        if isinstance(found, str) and is_it(
            read_document(found.encode(), Kind.WIPE_CERTIFICATE, WipeCertificate).content
        ):
            return found.encode()
    message = "the list is destroyed, but its proof did not come in time"
    raise ControlError(message, remedy=UNPROVED)
