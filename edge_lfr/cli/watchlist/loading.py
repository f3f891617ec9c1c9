"""`edge-lfr watchlist load`: judge a bundle, enrol it, keep a signed receipt, let the daemon search the new list."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import typer

from edge_lfr.cli.authority.here import judged_here, trusted_here
from edge_lfr.cli.output import say, write_fields, write_json
from edge_lfr.cli.progress import counting
from edge_lfr.cli.watchlist.enrolment_report import say_warnings, write_report
from edge_lfr.cli.watchlist.load_notes import NOT_LAWFUL_OR_WHOLE, loaded_facts, noting_refusals
from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.control.caller import actor_here
from edge_lfr.daemon.control.local_socket import ControlClient, Verb
from edge_lfr.daemon.lock import hold_state
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.durable_files import create_durably
from edge_lfr.errors import DaemonBusyError, WatchlistClockError, WatchlistError, WatchlistStorageError
from edge_lfr.governance.authority.installed import read_installed
from edge_lfr.governance.clock_note import glance
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.trust import shown_fingerprint
from edge_lfr.inference.packs import OpenPack, open_configured
from edge_lfr.pipeline.enrolment import EnrolmentStages, enrol, lane_count
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.admission import AdmittedBundle, LoadTerms, admit
from edge_lfr.watchlist.bundle.reading import open_bundle
from edge_lfr.watchlist.enrolling.report import EnrolmentReport
from edge_lfr.watchlist.records.pseudonyms import officer_of, require_officer
from edge_lfr.watchlist.records.receipt import LoadReceipt, keep_receipt, later_extract
from edge_lfr.watchlist.sealed.store import SealedStore

LOAD_NICENESS: Final = 10
"""Enrolment beside a running daemon gets what the path leaves, and alone everything; chosen, not measured."""

DAEMON_START_LIMIT_S: Final = 60.0
"""A daemon opens and proves its nets before it answers; chosen, not measured."""

DAEMON_POLL_S: Final = 0.2

GROWTH_WARNED_PERCENT: Final = 20.0
"""A list that grew by more than this deserves a question; no policy names a number. Chosen, not measured."""


def load_bundle(
    config: ApplianceConfig, path: Path, *, accept_partial: bool, receipt_copy: Path | None, json: bool
) -> None:
    """
    Make a bundle the list that is searched, and tell everything about it.

    Args:
        config: Of the appliance.

        path: Of the bundle.

        accept_partial: Go on without entries and pictures that are refused.

        receipt_copy: Where the signed receipt is copied to; must not exist.

        json: Write one JSON object.

    Raises:
        EdgeLfrError: The bundle is refused, or a part failed; the list before is still live, unless the message says
            otherwise.
        typer.Exit: With status 65 where nothing was loaded because of what the report says.
    """
    if receipt_copy is not None and (receipt_copy.exists() or receipt_copy.is_symlink()):
        message = f"{receipt_copy}: exists already"
        raise typer.BadParameter(message)
    if ControlClient(config.control_socket).is_present():
        os.nice(LOAD_NICENESS)
    with noting_refusals(config), admitted_here(config, path) as bundle:
        # A lane a core with nets of one thread enrols more pictures than one lane with nets of all threads.
        pack = open_configured(config.models.model_copy(update={"threads": 1}), config.models_directory)
        kek = KeyEncryptingKey.load(config.mode_directory, create=True)
        store = SealedStore(config.watchlist_directory, kek, mode=config.mode, officer=officer_of(config))
        before = _before(store, bundle)
        _say_returning(before)
        _say_earlier(config, bundle)
        report = _enrol(config, bundle, store, pack, accept_partial=accept_partial)
        facts = _facts(bundle, report, before)
        receipt_path = in_use = None
        if report.is_activated:
            try:
                receipt_path = _receipt(config, bundle, report, store, pack, receipt_copy)
            finally:
                in_use = _hand_over(config)
    facts["receipt"] = None if receipt_path is None else os.fspath(receipt_path)
    if json:
        write_json("enrolment/1", {**report.as_json(), **facts, "daemon": in_use})
    else:
        write_fields(facts)
        write_report(report)
    say_warnings(report)
    _say_growth(facts)
    if not report.is_activated:
        note_from_command(config, LedgerEvent.WATCHLIST_REFUSED, {"code": NOT_LAWFUL_OR_WHOLE})
        say("edge-lfr: nothing was loaded; the list before, if any, is still the one that is searched")
        if report.enrolled_templates:
            say("  what to do: have the issuer correct these entries, or go on without them with --accept-partial")
        raise typer.Exit(os.EX_DATAERR)
    refused = None if in_use is None else in_use.get("refused")
    if refused is not None:
        say(f"sealed; the daemon does not search it now: {refused['message']}\n  what to do: {refused['remedy']}")
    else:
        say("the daemon searches it now" if in_use is not None else "sealed; `edge-lfr run` will search it")


@contextmanager
def admitted_here(config: ApplianceConfig, path: Path) -> Iterator[AdmittedBundle]:
    """
    Open a bundle and judge it as a load on this appliance has to.

    Raises:
        WatchlistClockError: Nobody can say how old it is.
        AuthorityError: The mode is operational, and no authority is installed that allows a load.
        EdgeLfrError: As in `admit`.
    """
    open_bundle(path).close()  # a wrong name is told before what else may be missing
    keys = DeviceKeys.load(config.device_directory)
    verdict = glance(config.mode_directory)
    if not verdict.is_trusted:
        message = f"the age of a bundle cannot be told, since the clock is not trusted: {verdict.doubt}"
        raise WatchlistClockError(message)
    with admit(
        path,
        keys,
        trusted_here(config),
        mode=config.mode,
        device=config.device_name,
        now=verdict.now,
        terms=_terms(config, verdict.now),
        policy=config.policy.watchlist,
    ) as bundle:
        yield bundle


def _terms(config: ApplianceConfig, now: datetime) -> LoadTerms:
    """Under which a load is allowed; in operation also somebody must be able to say later who was on the list."""
    if config.mode is Mode.TRAINING:
        return LoadTerms.of_training(now)
    require_officer(config)
    return LoadTerms.under(judged_here(config, read_installed(config.mode_directory), now).believed())


@dataclass(frozen=True, slots=True)
class _Before:
    """The list that is live when a load begins."""

    references: int
    returning: int
    """People whom the same bundle brought, who are not on it any more, and whom a load brings back."""


def _before(store: SealedStore, bundle: AdmittedBundle) -> _Before | None:
    """
    What is replaced; None where there is no list that opens.

    Raises:
        BundleRefusedError: It is of a later extract.
    """
    try:
        with store.open() as stored:
            origin, reference_ids = stored.origin, stored.reference_ids
    except WatchlistError:
        return None
    bundle.require_not_older(origin)
    return _Before(len(reference_ids), bundle.returning(origin, reference_ids))


def _enrol(
    config: ApplianceConfig, bundle: AdmittedBundle, store: SealedStore, pack: OpenPack, *, accept_partial: bool
) -> EnrolmentReport:
    terms, decision = bundle.terms, config.decision
    if terms.threshold is not None:
        decision = decision.model_copy(update={"threshold": terms.threshold})
    with counting("enrolling", bundle.reader.manifest.picture_count) as advance:
        return enrol(
            bundle.source(),
            store,
            EnrolmentStages.of(pack, config.detection, lanes=lane_count(config.models.threads)),
            quality=config.quality,
            decision=decision,
            accept_partial=accept_partial,
            wipe_at=bundle.wipe_at,
            origin=bundle.origin,
            hours=terms.hours,
            progress=advance,
        )


def _receipt(
    config: ApplianceConfig,
    bundle: AdmittedBundle,
    report: EnrolmentReport,
    store: SealedStore,
    pack: OpenPack,
    copy: Path | None,
) -> Path:
    digest = None
    try:
        with store.open() as stored:
            digest = stored.digest if stored.list_id == report.list_id else None
    except WatchlistError:
        pass  # wiped or replaced since: the receipt says what was loaded all the same
    receipt = LoadReceipt.of(
        bundle,
        report,
        device=config.device_in_mode,
        by=str(actor_here()),
        loaded_at=SystemClock().utc_now(),
        list_digest=digest,
        pack_digest=pack.entry.digest,
        wipe_at=bundle.wipe_at,
    )
    path, document = keep_receipt(receipt, config.mode_directory, DeviceKeys.load(config.device_directory).signing)
    note_from_command(config, LedgerEvent.WATCHLIST_LOADED, loaded_facts(receipt, document))
    if copy is not None:
        try:
            create_durably(copy, document, mode=0o644)
        except OSError as error:
            message = f"the list is loaded, but {copy} cannot be written: {error.strerror}"
            raise WatchlistStorageError(message, remedy=f"the receipt is {path}: copy it from there") from None
    return path


def _hand_over(config: ApplianceConfig) -> dict[str, Any] | None:
    """
    Have the daemon search the new list, also one that began while the list was made; None where there is none.

    The state folder is not held during the load, which takes minutes: a wipe must not be refused meanwhile.
    """
    client = ControlClient(config.control_socket)
    deadline_s = time.monotonic() + DAEMON_START_LIMIT_S
    while not client.is_present():
        try:
            with hold_state(config.mode_directory):
                return None
        except DaemonBusyError:
            if time.monotonic() >= deadline_s:
                message = "the new list is sealed, but a daemon that holds the state folder does not answer"
                raise DaemonBusyError(message, remedy="restart the daemon: it searches the list then") from None
        time.sleep(DAEMON_POLL_S)
    return client.request(Verb.RELOAD)


def _facts(bundle: AdmittedBundle, report: EnrolmentReport, before: _Before | None) -> dict[str, Any]:
    """Whose list, which one, how old, until when, and how it grew."""
    reader = bundle.reader
    grown = None
    if before is not None:
        grown = round(100 * (report.enrolled_references - before.references) / before.references, 1)
    return {
        "bundle": {
            "list_id": reader.manifest.list_id,
            "manifest_digest": reader.digest,
            "issuer": f"{reader.issuer.name} ({shown_fingerprint(reader.issuer.fingerprint)})",
            "extracted_at": reader.manifest.extracted_at.isoformat(),
            "entries": len(reader.manifest.entries),
            "pictures": reader.manifest.picture_count,
        },
        "wipe_at": bundle.wipe_at.isoformat(timespec="seconds") if report.is_activated else None,
        "references_before": None if before is None else before.references,
        "returning": 0 if before is None else before.returning,
        "growth_percent": grown,
    }


def _say_returning(before: _Before | None) -> None:
    """Before the minutes that a load takes, so that somebody can still end it."""
    if before is not None and before.returning:
        say(
            f"warning: this very bundle is loaded already, and {before.returning} people of it are not on the list any "
            "more: removed or refused since. A load brings them back; if they were removed, ask for a new bundle"
        )


def _say_earlier(config: ApplianceConfig, bundle: AdmittedBundle) -> None:
    """Beside a list that is loaded an earlier extract is refused; after its wipe it may be what somebody wants."""
    manifest = bundle.reader.manifest
    later = later_extract(config.mode_directory, manifest.list_id, manifest.extracted_at)
    if later is not None:
        said, known = (f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" for moment in (manifest.extracted_at, later))
        say(
            f"warning: this extract is of {said}, and one of {known} was loaded here before: whoever was added or "
            "removed in between is missing or back"
        )


def _say_growth(facts: dict[str, Any]) -> None:
    grown = facts["growth_percent"]
    if grown is not None and grown > GROWTH_WARNED_PERCENT:
        say(f"warning: {grown:g} % more people than on the list before, which had {facts['references_before']}")
