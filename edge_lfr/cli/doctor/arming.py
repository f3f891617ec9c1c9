"""What the doctor says of a deployment: every step of the arming, as a running daemon judges it or as it would."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from edge_lfr.cli.authority.here import configured_entry, own_fingerprint
from edge_lfr.cli.doctor.check import Check, fail, ok, warn
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.arming.facts import ArmingFacts, ArmingJudgement, ArmingRefusal, Verdict
from edge_lfr.daemon.arming.judgement import judge_arming
from edge_lfr.daemon.arming.listed import Listed
from edge_lfr.daemon.arming.mandate import officer_fault
from edge_lfr.daemon.control.local_socket import ControlClient, Verb
from edge_lfr.errors import EdgeLfrError, TrustError
from edge_lfr.governance.authority.installed import load_installed
from edge_lfr.governance.authority.judgement import VerifiedAuthority
from edge_lfr.governance.authority.revocation import Revocations
from edge_lfr.governance.clock_note import glance
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.trust import TrustStore
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.terms import Category, Mode
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist
from edge_lfr.watchlist.sealed.store import SealedStore


def check_arming(config: ApplianceConfig) -> Iterator[Check]:
    """One line a step; one that only a running daemon can judge, or a window that is still to come, is a warning."""
    if config.mode is Mode.TRAINING:
        yield ok("arming", "training: no authority is needed")
        return
    client = ControlClient(config.control_socket)
    steps = client.request(Verb.STATUS).get("arming", []) if client.is_present() else steps_of(judge_here(config))
    for step in steps:
        name = f"arming {step['number']}"
        if step.get("reason") == ArmingRefusal.NOT_YET:  # nothing is wrong with a box that is made ready beforehand
            yield warn(name, f"{step['step']}: {step['field']}: {step['problem']}", step["remedy"])
        elif step["verdict"] == Verdict.REFUSED:
            yield fail(name, f"{step['step']}: {step['field']}: {step['problem']}", step["remedy"])
        elif step["verdict"] == Verdict.NOT_REACHED:
            yield warn(name, f"{step['step']}: not judged", "the steps before, or the running daemon, say more")
        else:
            yield ok(name, f"{step['step']}: {step['detail']}")


def steps_of(judged: ArmingJudgement) -> list[dict[str, Any]]:
    """The steps as JSON says them, as a daemon's status does."""
    return [found.facts() for found in judged.steps]


def judge_here(config: ApplianceConfig) -> ArmingJudgement:
    """Judge what lies on the disk while no daemon runs; nothing is changed, and no template opened."""
    time = glance(config.mode_directory)
    trust, trust_fault = TrustStore(), None
    try:
        trust = TrustStore.load(config.trust.directory, roots_alone=True)
    except TrustError as error:
        trust_fault = error
    authority: VerifiedAuthority | EdgeLfrError
    revoked: frozenset[str] = frozenset()
    try:
        revoked = Revocations.load(config.state_directory).ended_for(config.device_name)
        authority = load_installed(
            config.mode_directory,
            trust=trust,
            device=config.device_name,
            device_fingerprint=own_fingerprint(config),
            now=time.now,
            policy=config.policy.authority,
        )
    except EdgeLfrError as error:
        authority = error
    with ExitStack() as held:
        watchlist: StoredWatchlist | EdgeLfrError
        categories: frozenset[Category] = frozenset()
        try:
            store = SealedStore(
                config.watchlist_directory, KeyEncryptingKey.load(config.mode_directory), mode=config.mode
            )
            watchlist = held.enter_context(store.open(time))
            categories = Listed.on(watchlist).categories
        except EdgeLfrError as error:
            watchlist = error
        return judge_arming(
            ArmingFacts(
                authority=authority,
                trust=trust,
                revoked=revoked,
                time=time,
                watchlist=watchlist,
                categories=categories,
                entry=configured_entry(config),
                conditions=Conditions.of(config),
                max_extract_age=config.policy.watchlist.max_extract_age,
                retention=config.retention.chosen,
                officer_fault=officer_fault(config),
                trust_fault=trust_fault,
            )
        )
