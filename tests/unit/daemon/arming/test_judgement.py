"""The eleven steps of arming, each refused for its own reason while all others hold."""

import dataclasses
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.config.identification import DecisionConfig
from edge_lfr.config.retention import load_profile
from edge_lfr.daemon.arming.facts import ArmingFacts, ArmingRefusal, ArmingStep, Verdict
from edge_lfr.daemon.arming.judgement import arm_in_steps, judge_arming
from edge_lfr.errors import ArmingRefusedError, ConfigError, TrustError, WatchlistMissingError, WatchlistSealError
from edge_lfr.governance.authority.installed import FILE_NAME
from edge_lfr.governance.authority.revocation import take_revocation
from edge_lfr.governance.trust import Role, TrustStore
from edge_lfr.governance.trusted_time import Doubt
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.terms import Category
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist
from simulators.authorities import DEVICE
from simulators.deployments import FLOOR, MEASURED, Deployment, measured_pack
from simulators.retention import DAY, NAME, document


@pytest.fixture
def van(tmp_path: Path) -> Deployment:
    """Everything is as it must be, and the window is open."""
    van = Deployment(tmp_path)
    van.install()
    van.load()
    van.begin()
    return van


def refused(facts: ArmingFacts, step: ArmingStep) -> ArmingRefusedError:
    """See that this step alone was refused, and give the refusal."""
    steps = judge_arming(facts).steps
    assert [step] == [found.step for found in steps if found.verdict is Verdict.REFUSED]
    with pytest.raises(ArmingRefusedError) as caught:
        arm_in_steps(facts)
    assert (f"arming.{step}", os.EX_CONFIG) == (caught.value.code, caught.value.exit_status)
    assert f"({list(ArmingStep).index(step) + 1}) {step}: " in caught.value.message
    assert caught.value.advice
    return caught.value


def test_what_holds_in_every_step_is_permitted(van: Deployment) -> None:
    """The permission is for the authority that was judged, at its threshold and no other."""
    facts = van.facts()
    judged = judge_arming(facts)
    assert [Verdict.OK] * 11 == [found.verdict for found in judged.steps]
    permission = arm_in_steps(facts)
    assert ("TS-2026-014", 0.7) == (permission.authority.authority.authority_id, permission.threshold)


def test_1_installed(van: Deployment) -> None:
    """Without an authority nobody is compared."""
    (van.folder / FILE_NAME).unlink()
    error = refused(van.facts(), ArmingStep.INSTALLED)
    assert ArmingRefusal.AUTHORITY_MISSING == error.reason
    assert "edge-lfr authority install" in error.advice


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"devices": ["van-9"]}, "devices"),
        ({"force": "othershire"}, "force"),
        ({"why_here": "TODO"}, "why_here"),
        ({"ends_at": "2026-06-05T12:00:00+00:00"}, "ends_at"),
    ],
)
def test_2_authority(van: Deployment, changes: dict[str, Any], field: str) -> None:
    """Whatever is wrong with the document is named by its field."""
    van.install(**changes)
    error = refused(van.facts(), ArmingStep.AUTHORITY)
    assert ArmingRefusal.AUTHORITY_REFUSED == error.reason
    assert f"authority: {field}: " in error.message


def test_2_authority_of_the_wrong_signer(van: Deployment) -> None:
    """A key that may issue watchlists authorises nothing, nor does the appliance's own."""
    for key in (van.force.issuer, van.force.appliance):
        van.install(van.force.signed(van.content(), key))
        assert ArmingRefusal.AUTHORITY_REFUSED == refused(van.facts(), ArmingStep.AUTHORITY).reason


def test_2_authority_that_nobody_countersigned(van: Deployment) -> None:
    """An urgent one ends with its deadline, and has a reason code of its own."""
    urgent = van.force.urgent(pack_digest=van.pack.digest, **{"watchlist.issuer_key": van.force.issuer.fingerprint})
    van.install(van.force.signed(urgent))
    van.clock.advance(5 * 3600)
    assert ArmingRefusal.COUNTERSIGN_OVERDUE == refused(van.facts(), ArmingStep.AUTHORITY).reason


def test_2_authority_beside_a_broken_revocation(van: Deployment) -> None:
    """While nobody can say what was revoked, nothing is armed."""
    (van.folder.parent / "revocations").mkdir()
    (van.folder.parent / "revocations" / "note.txt").write_text("?")
    assert ArmingRefusal.AUTHORITY_UNREADABLE == refused(van.facts(), ArmingStep.AUTHORITY).reason


def test_3_window(van: Deployment) -> None:
    """The beginning belongs to it, the end does not."""
    van.clock.advance(-1)
    assert ArmingRefusal.NOT_YET == refused(van.facts(), ArmingStep.WINDOW).reason
    van.clock.advance(1)
    arm_in_steps(van.facts())
    van.clock.advance(5 * 3600 - 1)
    arm_in_steps(van.facts())
    van.clock.advance(1)
    assert ArmingRefusal.ENDED == refused(van.facts(), ArmingStep.WINDOW).reason


def test_3_window_of_a_revoked_one(van: Deployment) -> None:
    """A revocation is the end of the window; the list must not exist any more either."""
    take_revocation(
        van.folder.parent,
        van.force.revocation(),
        trust=van.force.trust,
        device=DEVICE,
        device_fingerprint=None,
        now=van.clock.now,
    )
    steps = judge_arming(van.facts()).steps
    assert ArmingRefusal.REVOKED == steps[2].refusal


@pytest.mark.parametrize("doubt", list(Doubt))
def test_4_clock(van: Deployment, doubt: Doubt) -> None:
    """A window is worth nothing without the time."""
    error = refused(van.facts(time=van.time(doubt)), ArmingStep.CLOCK)
    assert ArmingRefusal.CLOCK == error.reason
    assert "edge-lfr clock confirm" in error.advice


def test_5_watchlist_is_loaded_and_opens(van: Deployment) -> None:
    """None, or one whose seal is broken, is told apart."""
    none = refused(van.facts(watchlist=WatchlistMissingError("no watchlist is loaded")), ArmingStep.WATCHLIST)
    assert ArmingRefusal.NO_WATCHLIST == none.reason
    sealed = refused(van.facts(watchlist=WatchlistSealError("does not open")), ArmingStep.WATCHLIST)
    assert ArmingRefusal.WATCHLIST_SEALED == sealed.reason


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda van: van.load(origin=van.origin(list_id="june-02")), "watchlist.list_id"),
        (lambda van: van.load(origin=van.origin(issuer_key="ab" * 32)), "watchlist.issuer_key"),
        (lambda van: van.install(watchlist__max_entries=1), "watchlist.max_entries"),
        (lambda van: van.install(watchlist__categories=["wanted-by-courts"]), "watchlist.categories"),
    ],
)
def test_5_watchlist_is_the_authorised_one(van: Deployment, change: Callable[[Deployment], None], field: str) -> None:
    """Its id, its issuer, its size and whom it lists are those that the officer signed."""
    change(van)
    error = refused(van.facts(), ArmingStep.WATCHLIST)
    assert (ArmingRefusal.WATCHLIST_NOT_AUTHORISED, True) == (error.reason, field in error.message)


@pytest.mark.parametrize("defect", ["distrusted", "ended", "for training"])
def test_5_watchlist_of_an_issuer_who_is_not_trusted_now(van: Deployment, defect: str) -> None:
    """The officer named the key, and the load believed it; whoever distrusted it since is heard."""
    keys = dict(van.force.trust.keys)
    key = keys.pop(van.issuer.fingerprint)
    if defect == "ended":
        keys[key.fingerprint] = dataclasses.replace(key, not_after=van.clock.now)
    if defect == "for training":
        keys[key.fingerprint] = dataclasses.replace(key, role=Role.TRAIN)
    error = refused(van.facts(trust=TrustStore(keys)), ArmingStep.WATCHLIST)
    assert (ArmingRefusal.WATCHLIST_NOT_TRUSTED, True) == (error.reason, "watchlist.issuer_key" in error.message)


def test_5_watchlist_that_was_loaded_under_a_revoked_authority(van: Deployment) -> None:
    """Another authority that names the same list does not give it back."""
    van.load(origin=van.origin(authority_id="TS-2026-001"))
    arm_in_steps(van.facts(revoked=frozenset({"TS-2026-002"})))
    error = refused(van.facts(revoked=frozenset({"TS-2026-001"})), ArmingStep.WATCHLIST)
    assert ArmingRefusal.REVOKED == error.reason


def test_5_watchlist_is_as_fresh_as_the_force_wants_it(van: Deployment) -> None:
    """A policy that is stricter than a day holds for the arming, too."""
    error = refused(van.facts(max_extract_age=timedelta(hours=4)), ArmingStep.WATCHLIST)
    assert (ArmingRefusal.WATCHLIST_STALE, True) == (error.reason, "more than 4 hours ago" in error.message)


def test_5_watchlist_with_a_category_that_nobody_approved(van: Deployment) -> None:
    """One suspect's friend among a thousand suspects is enough."""
    found = frozenset({Category.SUSPECT, Category.ASSOCIATE})
    error = refused(van.facts(categories=found), ArmingStep.WATCHLIST)
    assert "also associate" in error.message


def test_5_watchlist_from_a_folder(van: Deployment) -> None:
    """Nobody signed it: it is for training."""
    with van.store.create(pack_digest=van.pack.digest, dimension=128, wipe_at=van.wipe_at) as new:
        from_a_bundle = van.opened()
        assert isinstance(from_a_bundle, StoredWatchlist)
        with from_a_bundle:
            reference_id = from_a_bundle.reference_ids[0]
            vectors, _ = from_a_bundle.vectors()
            new.add(from_a_bundle.entry(reference_id), vectors[:2], from_a_bundle.picture(reference_id))
        new.activate()
    error = refused(van.facts(), ArmingStep.WATCHLIST)
    assert "was not loaded from a signed bundle" in error.message


def test_5_watchlist_is_fresh(van: Deployment) -> None:
    """An extract of 24 hours may be taken into use, an older one not."""
    van.load(origin=van.origin(extracted_at=van.clock.now - timedelta(hours=24)))
    arm_in_steps(van.facts())
    van.clock.advance(1)
    assert ArmingRefusal.WATCHLIST_STALE == refused(van.facts(), ArmingStep.WATCHLIST).reason


def test_5_watchlist_that_turned_old_in_use_goes_on_where_that_was_authorised(van: Deployment) -> None:
    """Who is taken out of a running list with `stale_list = amber` does not end the deployment."""
    old = van.origin(extracted_at=van.clock.now - timedelta(hours=25))
    van.load(origin=old)
    assert ArmingRefusal.WATCHLIST_STALE == refused(van.facts(searched=old), ArmingStep.WATCHLIST).reason
    van.install(stale_list="amber")
    arm_in_steps(van.facts(searched=old))
    refused(van.facts(searched=van.origin()), ArmingStep.WATCHLIST)


@pytest.mark.parametrize("late_s", [None, 1])
def test_5_watchlist_ends_in_time(van: Deployment, late_s: int | None) -> None:
    """It must not exist after the authority's end and grace."""
    van.load(wipe_at=None if late_s is None else van.wipe_at + timedelta(seconds=late_s))
    assert ArmingRefusal.WATCHLIST_ENDS_LATE == refused(van.facts(), ArmingStep.WATCHLIST).reason


def test_6_pack(van: Deployment) -> None:
    """Another net than the authorised one compares nobody."""
    van.install(pack_digest="ab" * 32)
    assert ArmingRefusal.PACK == refused(van.facts(), ArmingStep.PACK).reason


def test_7_calibration(tmp_path: Path) -> None:
    """A floor that was extrapolated arms in training only."""
    extrapolated = MEASURED.model_copy(update={"evidence": "extrapolated"})
    van = Deployment(tmp_path, pack=measured_pack(calibration=(extrapolated,)))
    van.install()
    van.load()
    van.begin()
    error = refused(van.facts(), ArmingStep.CALIBRATION)
    assert (ArmingRefusal.EXTRAPOLATED, True) == (error.reason, "nobody has measured" in error.message)


def test_7_calibration_under_laxer_conditions(van: Deployment) -> None:
    """What was measured with two agreeing hits says nothing about one."""
    lax = Conditions(decision=DecisionConfig(required_hits=1))
    error = refused(van.facts(conditions=lax), ArmingStep.CALIBRATION)
    assert "decision.required_hits" in error.message


def test_8_licence(tmp_path: Path) -> None:
    """A research licence does not cover a deployment."""
    van = Deployment(tmp_path, pack=measured_pack(non_commercial=True, licence="research only"))
    van.install()
    van.load()
    van.begin()
    error = refused(van.facts(), ArmingStep.LICENCE)
    assert (ArmingRefusal.LICENCE, True) == (error.reason, "research only" in error.message)


def test_9_threshold(van: Deployment) -> None:
    """Neither below the floor nor below what the appliance is configured for; at both it holds."""
    van.install(threshold=FLOOR - 0.01)
    assert ArmingRefusal.THRESHOLD == refused(van.facts(), ArmingStep.THRESHOLD).reason
    van.install(threshold=FLOOR)
    arm_in_steps(van.facts())
    higher = Conditions(decision=DecisionConfig(threshold=FLOOR + 0.05))
    assert "decision.threshold" in refused(van.facts(conditions=higher), ArmingStep.THRESHOLD).message


def test_10_locks(van: Deployment) -> None:
    """A byte that could be swapped out, or a crash that is written down, is one too many."""
    unlocked = refused(van.facts(unlocked_bytes=1), ArmingStep.LOCKS)
    assert ArmingRefusal.MEMORY_UNLOCKED == unlocked.reason
    dumped = refused(van.facts(dumps_cores=True), ArmingStep.LOCKS)
    assert ArmingRefusal.CORE_DUMPS == dumped.reason


def test_11_record(van: Deployment) -> None:
    """No ledger, alerts that are kept otherwise, or a trust folder that others may change: nobody is compared."""
    assert ArmingRefusal.LEDGER == refused(van.facts(is_recorded=False), ArmingStep.RECORD).reason
    assert ArmingRefusal.RETENTION == refused(van.facts(retention=load_profile("alerts-31d")), ArmingStep.RECORD).reason
    fault = TrustError("others may change whom we trust", remedy="chown root")
    assert ArmingRefusal.TRUST == refused(van.facts(trust_fault=fault), ArmingStep.RECORD).reason


def test_11_alerts_are_kept_as_long_as_was_authorised(van: Deployment, tmp_path: Path) -> None:
    """The name is not enough: a profile of the same name that keeps alerts for 31 days is another one."""
    assert "kept for 24 hours" in judge_arming(van.facts()).steps[-1].detail
    longer = DAY.model_copy(update={"rules": load_profile("alerts-31d").rules})
    error = refused(van.facts(retention=longer), ArmingStep.RECORD)
    assert ArmingRefusal.RETENTION == error.reason
    assert "retention_digest: " in error.message
    assert "31 days" in error.message
    assert "configure the retention document that was authorised" in error.advice
    own = van.facts(retention=load_profile(NAME, document(tmp_path)))
    assert "retention_profile: " in refused(own, ArmingStep.RECORD).message


def test_11_somebody_can_say_later_who_was_on_the_list(van: Deployment) -> None:
    """Without a data protection officer's key nobody is compared."""
    fault = ConfigError("trust.protection_officer: missing", remedy="make one")
    assert ArmingRefusal.NO_OFFICER == refused(van.facts(officer_fault=fault), ArmingStep.RECORD).reason


def test_what_was_not_asked_permits_nothing(van: Deployment) -> None:
    """Before the list is opened nothing may speak against it; to be permitted, every step has to hold."""
    for unknown in ("watchlist", "unlocked_bytes", "is_recorded"):
        judged = judge_arming(van.facts(**{unknown: None}))
        judged.require_none_refused()
        assert judged.permission is None
        assert [Verdict.NOT_REACHED] == [found.verdict for found in judged.steps if found.verdict is not Verdict.OK]


def test_every_step_is_judged_at_once(van: Deployment) -> None:
    """A person sees all that is wrong, also behind a step that was refused."""
    van.install(pack_digest="ab" * 32)
    facts = van.facts(time=van.time(Doubt.JUMPED), unlocked_bytes=4096)
    wrong = [found.step for found in judge_arming(facts).steps if found.verdict is Verdict.REFUSED]
    assert [ArmingStep.CLOCK, ArmingStep.PACK, ArmingStep.LOCKS] == wrong
    with pytest.raises(ArmingRefusedError, match=r"\(4\) clock"):
        arm_in_steps(facts)
