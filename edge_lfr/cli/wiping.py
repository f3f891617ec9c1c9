"""`edge-lfr watchlist wipe`: destroy the list, wait for the proof, and show the certificate."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import typer

from edge_lfr.cli.consent import require_consent
from edge_lfr.cli.output import say, write_fields, write_json
from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.caller import actor_here
from edge_lfr.daemon.control import ControlClient, Verb
from edge_lfr.daemon.dead_man import keyless_store
from edge_lfr.daemon.lock import hold_state
from edge_lfr.daemon.replacement import handed_over, replace_process
from edge_lfr.durable_files import create_durably
from edge_lfr.errors import ControlError, DaemonAbsentError, KeyUnavailableError, WatchlistStorageError
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.documents import Kind, read_document
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.watchlist.ended_list import EndedList, seconds_since, take_evidence
from edge_lfr.watchlist.store import SealedStore
from edge_lfr.watchlist.wipe_certificate import WipeCause, WipeCertificate

PROOF_LIMIT_S: Final = 60.0
"""For the daemon to begin anew and to search; some seven seconds on two cores. Chosen with room."""

POLL_S: Final = 0.1

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
    before_us = handed_over(os.environ)  # then the list is destroyed already, and this process has to prove it
    if before_us is not None:
        _show(_certified(config, EndedList.from_handover(*before_us)), certificate, json=json)
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
        _by_ourselves(config, json=json)
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
    _tell(content.model_dump(mode="json", exclude={"schema_version"}), json=json)
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


def _by_ourselves(config: ApplianceConfig, *, json: bool) -> None:
    """
    Without a daemon this process destroys the list, and another one takes its place and looks for it.

    So the search begins in memory that never held the list. It only returns where there was no list.
    """
    with hold_state(config.mode_directory):
        try:
            store = SealedStore(
                config.watchlist_directory, KeyEncryptingKey.load(config.mode_directory), mode=config.mode
            )
        except KeyUnavailableError:  # destroying asks for none, and ours may be lost
            store = keyless_store(config.mode_directory)
        clock = SystemClock()
        begun_at, begun_ns = clock.utc_now(), clock.monotonic_ns()
        evidence = take_evidence(store)
        wiped = store.wipe()
    if wiped.lists == 0 and wiped.keys == 0:
        return
    ended = EndedList(
        cause=WipeCause.COMMAND,
        by=str(actor_here()),
        begun_at=begun_at,
        begun_ns=begun_ns,
        evidence=evidence,
        lists=wiped.lists,
        keys=wiped.keys,
        destroyed_in_s=seconds_since(begun_ns, clock),
        list_id=wiped.live,
    )
    if not json:
        say(f"destroyed in {ended.destroyed_in_s:.2f} s: {ended.lists} lists, {ended.keys} keys; proving it")
    replace_process(ended.facts(), ended.secret(), os.environ)


def _certified(config: ApplianceConfig, ended: EndedList) -> bytes:
    signing = DeviceKeys.load(config.device_directory, create=True).signing
    kek = None
    with suppress(KeyUnavailableError):
        kek = KeyEncryptingKey.load(config.mode_directory)
    _, document = ended.certify(
        device=f"{config.force}/{config.device}/{config.mode}",
        store=keyless_store(config.mode_directory),
        folder=config.mode_directory,
        kek=kek,
        key=signing,
        answering_in_s=seconds_since(ended.begun_ns, SystemClock()),
    )
    return document
