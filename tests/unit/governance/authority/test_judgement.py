"""Whether a deployment is authorised: each numbered step has an authority that fails there."""

import json
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_lfr.config.policy import AuthorityPolicy
from edge_lfr.errors import AuthorityMissingError, AuthorityStorageError
from edge_lfr.governance.authority.installed import FILE_NAME, install_authority, load_installed
from edge_lfr.governance.authority.judgement import (
    AuthorityRefusal,
    AuthorityRefusedError,
    AuthorityState,
    Step,
    Verdict,
    VerifiedAuthority,
    check_authority,
    judge_authority,
)
from edge_lfr.governance.authority.revocation import Revocations, take_revocation
from edge_lfr.governance.signed import CLOCK_TOLERANCE
from edge_lfr.governance.trust import Role, SigningKey, shown_fingerprint
from edge_lfr.terms import Rank
from simulators.authorities import DEVICE, Force

PLACES = (
    *("authority_id", "devices", "authorising_officer", "place.polygon_lonlat", "begins_at", "ends_at", "watchlist"),
    *("watchlist.categories", "threshold", "staff", "staff.operators", "countersign_by", "is_urgent", "purpose"),
)


@pytest.fixture
def force(tmp_path: Path) -> Force:
    return Force(tmp_path)


def check(force: Force, untrusted: bytes, *, device: str = DEVICE, at: datetime | None = None) -> VerifiedAuthority:
    return check_authority(
        untrusted,
        trust=force.trust,
        device=device,
        device_fingerprint=force.appliance.fingerprint,
        now=force.now if at is None else at,
        revocations=Revocations.load(force.folder),
    )


def refused(force: Force, untrusted: bytes, **options: Any) -> AuthorityRefusedError:
    with pytest.raises(AuthorityRefusedError) as caught:
        check(force, untrusted, **options)
    assert caught.value.advice
    return caught.value


def install(force: Force, untrusted: bytes) -> VerifiedAuthority:
    return install_authority(
        force.mode_folder,
        untrusted,
        trust=force.trust,
        device=DEVICE,
        device_fingerprint=force.appliance.fingerprint,
        now=force.now,
    )


def installed(force: Force) -> VerifiedAuthority:
    return load_installed(
        force.mode_folder,
        trust=force.trust,
        device=DEVICE,
        device_fingerprint=force.appliance.fingerprint,
        now=force.now,
    )


def take(force: Force, untrusted: bytes) -> None:
    take_revocation(force.folder, untrusted, trust=force.trust, device=DEVICE, device_fingerprint=None, now=force.now)


class TestSteps:
    """`check_authority`, step by step."""

    def test_a_good_authority_is_believed(self, force: Force) -> None:
        """With who signed it, and when it ends."""
        verified = check(force, force.signed(force.content()))
        assert ("officer", None, AuthorityState.NOT_YET) == (
            verified.signer.name,
            verified.countersigner,
            verified.state,
        )
        assert verified.authority.ends_at == verified.runs_until
        assert verified.authority.ends_at + timedelta(minutes=60) == verified.wipe_at

    @pytest.mark.parametrize("untrusted", [b"", b"{}", b"[" * 1000, b"\xff"])
    def test_1_document(self, force: Force, untrusted: bytes) -> None:
        """What is no document, or one of another kind."""
        assert AuthorityRefusal.DOCUMENT is refused(force, untrusted).refusal
        assert AuthorityRefusal.DOCUMENT is refused(force, force.revocation()).refusal

    def test_2_signature(self, force: Force) -> None:
        """Unsigned, changed, by a stranger, by the appliance itself, or by who may only revoke."""
        good = force.signed(force.content())
        envelope_alone = good[: good.index(b'"signatures"')] + b'"signatures": []}'
        for untrusted, word in (
            (envelope_alone, "unsigned"),
            (good.replace(b"0.7", b"0.1"), "bad-signature"),
            (force.signed(force.content(), SigningKey.generate()), "unknown-key"),
            (force.signed(force.content(), force.appliance), "device-key"),
            (force.signed(force.content(), force.revoker), "wrong-role"),
        ):
            error = refused(force, untrusted)
            assert (AuthorityRefusal.SIGNATURE, "signatures") == (error.refusal, error.field)
            assert word in error.message

    def test_2_a_key_counts_in_its_time(self, force: Force) -> None:
        """An officer who has left authorises nothing more."""
        error = refused(force, force.signed(force.content()), at=force.now + timedelta(days=366))
        assert "key-not-valid" in error.message

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("schema", "lfr.authority/2"),
            ("more", 1),
            ("authority_id", "../etc"),
            ("authority_id", ""),
            ("force", "Testshire"),
            ("devices", []),
            ("devices", ["van-1"] * 33),
            ("authorising_officer.rank", "sergeant-hush"),
            ("authorising_officer.name", ""),
            ("use_case", "of-interest"),
            ("place.polygon_lonlat", [[-1.5, 53.8], [-1.49, 53.8]]),
            ("place.polygon_lonlat", [[-1.5, 153.8], [-1.49, 53.8], [-1.49, 53.81]]),
            ("purpose", "TODO: say why"),
            ("purpose", "two\nparagraphs"),
            ("why_here", ""),
            ("why_here", "x" * 4_001),
            ("less_intrusive_means", "turned \u202e round"),
            ("begins_at", "2026-06-01T12:00:00"),
            ("begins_at", 1_780_000_000),
            ("ends_at", "tomorrow"),
            ("watchlist.issuer_key", "AB" * 32),
            ("watchlist.max_entries", 0),
            ("watchlist.max_entries", "1000"),
            ("watchlist.max_entries", 60_001),
            ("watchlist.categories", []),
            ("watchlist.categories", ["of-interest"]),
            ("threshold", 0.0),
            ("threshold", 1),
            ("threshold", "0.7"),
            ("pack_digest", "cd"),
            ("assessments.equality", {"reference": "EIA-1"}),
            ("staff.operators", []),
            ("staff.silver", None),
            ("stale_list", "go-on"),
            ("wipe_grace_min", 1441),
            ("wipe_grace_min", -1),
            ("is_urgent", 0),
        ],
    )
    def test_3_content(self, force: Force, field: str, value: object) -> None:
        """A field of another form is named with what is allowed, and its value is not repeated."""
        error = refused(force, force.signed(force.content(**{field: value})))
        assert AuthorityRefusal.CONTENT is error.refusal
        assert error.field.startswith(field)
        assert not (isinstance(value, str) and len(value) > 8 and value in error.diagnostics())

    def test_3_every_fault_is_told(self, force: Force) -> None:
        """So that an officer is asked once."""
        error = refused(force, force.signed(force.content(threshold=2, purpose="TODO", staff__operators=[])))
        assert {"threshold", "purpose", "staff.operators"} == {fault.field for fault in error.faults}

    @pytest.mark.parametrize(("device", "refusal"), [("testshire/van-2", None), ("testshire/van-3", "wrong-device")])
    def test_4_device(self, force: Force, device: str, refusal: str | None) -> None:
        """Every appliance that is named, and no other."""
        wire = force.signed(force.content())
        if refusal is None:
            assert check(force, wire, device=device).authority.devices == ("van-1", "van-2")
        else:
            assert refusal == refused(force, wire, device=device).refusal

    def test_4_force(self, force: Force) -> None:
        """Another force's van of the same name is another van."""
        error = refused(force, force.signed(force.content()), device="otherforce/van-1")
        assert (AuthorityRefusal.WRONG_FORCE, "force") == (error.refusal, error.field)

    def test_5_window(self, force: Force) -> None:
        """Open from the beginning, included, to the end, excluded; before and after are states."""
        wire = force.signed(force.content())
        authority = check(force, wire).authority
        instant = timedelta(microseconds=1)
        assert AuthorityState.NOT_YET is check(force, wire, at=authority.begins_at - instant).state
        assert AuthorityState.OPEN is check(force, wire, at=authority.begins_at).state
        assert AuthorityState.OPEN is check(force, wire, at=authority.ends_at - instant).state
        assert AuthorityState.ENDED is check(force, wire, at=authority.ends_at).state

    def test_5_window_is_the_same_in_every_offset(self, force: Force) -> None:
        """An officer writes summer time; the moment is what counts."""
        begins = force.now + timedelta(hours=1)
        local = begins.replace(tzinfo=None) + timedelta(hours=1)
        wire = force.signed(force.content(begins_at=f"{local.isoformat()}+01:00"))
        assert AuthorityState.OPEN is check(force, wire, at=begins).state

    def test_5_an_authority_of_the_future_is_refused(self, force: Force) -> None:
        """Give or take a clock."""
        wire = force.signed(force.content(issued_at=(force.now + CLOCK_TOLERANCE).isoformat()))
        assert AuthorityState.NOT_YET is check(force, wire).state
        late = (force.now + CLOCK_TOLERANCE + timedelta(seconds=1)).isoformat()
        assert AuthorityRefusal.ISSUED_LATER is refused(force, force.signed(force.content(issued_at=late))).refusal

    def test_6_countersignature(self, force: Force) -> None:
        """Due until the deadline, excluded; then refused; with a second officer's signature an ordinary one."""
        wire = force.signed(force.urgent())
        authority = check(force, wire).authority
        deadline = authority.countersign_by
        assert deadline is not None
        due = check(force, wire, at=deadline - timedelta(microseconds=1))
        assert (AuthorityState.COUNTERSIGN_DUE, deadline) == (due.state, due.runs_until)
        assert AuthorityRefusal.COUNTERSIGN_OVERDUE is refused(force, wire, at=deadline).refusal
        both = check(force, force.signed(force.urgent(), force.officer, force.second), at=deadline)
        assert (AuthorityState.OPEN, authority.ends_at) == (both.state, both.runs_until)
        assert both.countersigner is not None
        assert "second" == both.countersigner.name

    @pytest.mark.parametrize("second", ["stranger", "revoker", "appliance"])
    def test_6_only_an_officer_countersigns(self, force: Force, second: str) -> None:
        """A second signature that does not count is none."""
        key = SigningKey.generate() if second == "stranger" else getattr(force, second)
        wire = force.signed(force.urgent(), force.officer, key)
        assert AuthorityState.COUNTERSIGN_DUE is check(force, wire, at=force.now + timedelta(hours=1)).state

    def test_6_two_keys_of_one_officer_are_one(self, force: Force) -> None:
        """However the name is written in the trust folder."""
        spare = force.made(Role.AUTHORISE, "spare", "OFFICER", Rank.SUPERINTENDENT)
        begun = force.now + timedelta(hours=1)
        twice = force.signed(force.urgent(), force.officer, spare)
        assert AuthorityState.COUNTERSIGN_DUE is check(force, twice, at=begun).state
        three = force.signed(force.urgent(), force.officer, spare, force.second)
        assert AuthorityState.OPEN is check(force, three, at=begun).state

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("\u00c9lise O'Neill", "E\u0301LISE  O'NEILL"),
            ("Officer 101", "\uff2f\uff46\uff46\uff49\uff43\uff45\uff52  101"),
            ("Inspector Strasse", "inspector stra\u00dfe"),
            ("fi 7", "\ufb01 7"),
        ],
    )
    def test_6_one_officer_in_two_forms_of_unicode_is_one(self, force: Force, first: str, second: str) -> None:
        """Accents of their own, wide letters, more spaces: a reader takes them for the same name."""
        keys = [
            force.made(Role.AUTHORISE, file, name, Rank.SUPERINTENDENT)
            for file, name in (("one", first), ("two", second))
        ]
        at = force.now + timedelta(hours=1)
        assert AuthorityState.COUNTERSIGN_DUE is check(force, force.signed(force.urgent(), *keys), at=at).state

    @pytest.mark.parametrize(
        ("rank", "state"),
        [
            (None, AuthorityState.COUNTERSIGN_DUE),
            (Rank.INSPECTOR, AuthorityState.COUNTERSIGN_DUE),
            (Rank.CHIEF_INSPECTOR, AuthorityState.COUNTERSIGN_DUE),
            (Rank.SUPERINTENDENT, AuthorityState.OPEN),
            (Rank.CHIEF_CONSTABLE, AuthorityState.OPEN),
        ],
    )
    def test_6_only_the_proper_rank_ratifies(self, force: Force, rank: Rank | None, state: AuthorityState) -> None:
        """Two inspectors run no deployment: the second officer is of the rank that authorises what can wait."""
        second = force.made(Role.AUTHORISE, "other", "Officer 103", rank)
        wire = force.signed(force.urgent(), force.officer, second)
        verified = check(force, wire, at=force.now + timedelta(hours=1))
        assert (state, state is AuthorityState.OPEN) == (verified.state, verified.countersigner is not None)
        deadline = force.now + timedelta(hours=4)
        if state is AuthorityState.COUNTERSIGN_DUE:
            assert AuthorityRefusal.COUNTERSIGN_OVERDUE is refused(force, wire, at=deadline).refusal
        three = force.signed(force.urgent(), force.officer, second, force.second)
        assert AuthorityState.OPEN is check(force, three, at=deadline).state

    def test_6_the_forces_own_rank_ratifies(self, force: Force) -> None:
        """Where a force has a higher one authorise what can wait, that one ratifies, too."""
        policy = AuthorityPolicy(least_rank=Rank.CHIEF_CONSTABLE)
        known: dict[str, Any] = {"trust": force.trust, "device": DEVICE, "device_fingerprint": None, "policy": policy}
        both = force.signed(force.urgent(), force.officer, force.second)
        found = check_authority(both, now=force.now + timedelta(hours=1), **known)
        assert AuthorityState.COUNTERSIGN_DUE is found.state

    @pytest.mark.parametrize(
        ("name", "rank", "said", "remedy"),
        [
            ("OFFICER", Rank.SUPERINTENDENT, "of the same name as the first: does not count", "another officer"),
            ("Officer 103", None, "carries no rank: does not count", "--rank"),
            ("Officer 103", Rank.INSPECTOR, "inspector, below superintendent: does not count", "superintendent"),
        ],
    )
    def test_6_why_a_second_signature_does_not_count_is_said(
        self, force: Force, name: str, rank: Rank | None, said: str, remedy: str
    ) -> None:
        """With field and remedy, while there is time to mend it; and when there is none any more."""
        second = force.made(Role.AUTHORISE, "other", name, rank)
        wire = force.signed(force.urgent(), force.officer, second)
        known: dict[str, Any] = {"trust": force.trust, "device": DEVICE, "device_fingerprint": None}
        for hours, verdict in ((1, Verdict.OK), (5, Verdict.REFUSED)):
            step = judge_authority(wire, now=force.now + timedelta(hours=hours), **known).steps[5]
            assert (Step.COUNTERSIGNATURE, verdict) == (step.step, step.verdict)
            (fault,) = [each for each in step.faults if each.field == "signatures"]
            assert shown_fingerprint(second.fingerprint) in fault.problem
            assert said in fault.problem
            assert remedy in fault.remedy

    def test_3_nobody_claims_a_rank_above_that_of_the_key(self, force: Force) -> None:
        """An inspector's key signs for no superintendent; one without a rank says nothing about it."""
        inspector = force.made(Role.AUTHORISE, "inspector", "102", Rank.INSPECTOR)
        error = refused(force, force.signed(force.content(), inspector))
        assert (AuthorityRefusal.POLICY, "authorising_officer.rank") == (error.refusal, error.field)
        assert AuthorityState.NOT_YET is check(force, force.signed(force.urgent(), inspector)).state
        unranked = force.made(Role.AUTHORISE, "unranked", "104")
        assert AuthorityState.NOT_YET is check(force, force.signed(force.content(), unranked)).state

    def test_6_before_the_window_nothing_is_due_yet(self, force: Force) -> None:
        """The state is that of the window."""
        assert AuthorityState.NOT_YET is check(force, force.signed(force.urgent())).state

    def test_7_revocation(self, force: Force) -> None:
        """A state, for the authority that it names, on the appliance that it names."""
        wire = force.signed(force.content())
        take(force, force.revocation(authority_id="another"))
        take(force, force.revocation(device="van-1"))
        verified = check(force, wire, at=force.now + timedelta(hours=2))
        assert AuthorityState.REVOKED is verified.state
        assert force.now == verified.wipe_at
        assert AuthorityState.NOT_YET is check(force, wire, device="testshire/van-2").state

    def test_only_two_states_let_run(self) -> None:
        """Everything else stops."""
        assert {AuthorityState.OPEN, AuthorityState.COUNTERSIGN_DUE} == {
            state for state in AuthorityState if state.lets_run
        }

    def test_a_person_sees_every_step(self, force: Force) -> None:
        """One refusal does not hide the next; what could not be looked at is said."""
        wire = force.signed(force.content(staff__operators=["Officer 101"]), force.revoker)
        judged = judge_authority(
            wire, trust=force.trust, device="testshire/van-9", device_fingerprint=None, now=force.now
        )
        assert {Step.SIGNATURE, Step.CONTENT, Step.DEVICE} == {
            result.step for result in judged.steps if result.verdict is Verdict.REFUSED
        }
        assert list(range(1, 8)) == [result.number for result in judged.steps]
        broken = judge_authority(b"", trust=force.trust, device=DEVICE, device_fingerprint=None, now=force.now)
        assert [Verdict.REFUSED] + [Verdict.NOT_REACHED] * 6 == [result.verdict for result in broken.steps]

    def test_policy_is_a_record(self, force: Force) -> None:
        """A force with longer notice refuses what another allows."""
        wire = force.signed(force.content())
        strict = AuthorityPolicy(notice_before_h=48.0)
        with pytest.raises(AuthorityRefusedError) as caught:
            check_authority(
                wire, trust=force.trust, device=DEVICE, device_fingerprint=None, now=force.now, policy=strict
            )
        assert (AuthorityRefusal.POLICY, "notice_given_at") == (caught.value.refusal, caught.value.field)

    @settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(data=st.data())
    def test_a_changed_authority_is_refused_or_says_the_same(self, force: Force, data: st.DataObject) -> None:
        """Bytes over, out of and into the file: the same content, or the one error with a reason."""
        wire = force.signed(force.content())
        good = check(force, wire).authority
        start = data.draw(st.integers(0, len(wire)))
        end = data.draw(st.integers(start, min(len(wire), start + 8)))
        piece = data.draw(
            st.one_of(st.binary(max_size=8), st.sampled_from([b'"', b"}", b"[", b"null", b"NaN", b"\\ud800"]))
        )
        with suppress(AuthorityRefusedError):
            assert good == check(force, wire[:start] + piece + wire[end:]).authority

    @settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        place=st.sampled_from(PLACES),
        value=st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
            max_leaves=8,
        ),
    )
    def test_whatever_an_officer_signs_is_judged(self, force: Force, place: str, value: object) -> None:
        """Signed nonsense is believed or refused with a reason, and never another error."""
        with suppress(AuthorityRefusedError):
            check(force, force.signed(force.content(**{place.replace(".", "__"): value})))


class TestInstalled:
    """The authority that lies on the appliance."""

    def test_what_was_installed_is_loaded(self, force: Force) -> None:
        """For its owner alone to read, and judged again at every load."""
        first = install(force, force.signed(force.content()))
        assert first == installed(force)
        assert 0o600 == (force.mode_folder / FILE_NAME).stat().st_mode & 0o777
        force.clock.advance(7 * 3600)
        assert AuthorityState.ENDED is installed(force).state

    def test_none_is_an_error_of_its_own(self, force: Force) -> None:
        """With the command that installs one."""
        with pytest.raises(AuthorityMissingError) as caught:
            installed(force)
        assert "authority install" in caught.value.diagnostics()

    def test_what_does_not_verify_leaves_the_one_before(self, force: Force) -> None:
        """A wrong file on a stick ends no deployment."""
        install(force, force.signed(force.content()))
        before = (force.mode_folder / FILE_NAME).read_bytes()
        with pytest.raises(AuthorityRefusedError):
            install(force, force.signed(force.content(), force.revoker))
        assert before == (force.mode_folder / FILE_NAME).read_bytes()

    def test_one_that_has_ended_or_was_revoked_is_not_installed(self, force: Force) -> None:
        """It would let nothing run."""
        wire = force.signed(force.content())
        take(force, force.revocation())
        with pytest.raises(AuthorityRefusedError) as caught:
            install(force, wire)
        assert AuthorityRefusal.REVOKED is caught.value.refusal
        later = force.signed(force.content(authority_id="TS-2026-015"))
        force.clock.advance(6 * 3600)
        with pytest.raises(AuthorityRefusedError) as caught:
            install(force, later)
        assert AuthorityRefusal.ENDED is caught.value.refusal
        assert not (force.mode_folder / FILE_NAME).exists()

    def test_a_late_countersignature_does_not_heal(self, force: Force) -> None:
        """It was here unsigned when its deadline passed; in time it is taken."""
        content = force.urgent()
        install(force, force.signed(content))
        force.clock.advance(4 * 3600)
        with pytest.raises(AuthorityRefusedError) as caught:
            install(force, force.signed(content, force.officer, force.second))
        assert AuthorityRefusal.COUNTERSIGN_OVERDUE is caught.value.refusal
        force.clock.advance(-1)
        claimed = json.loads(force.signed(content, force.officer, force.second))
        claimed["signatures"][1]["signature"] = claimed["signatures"][0]["signature"]
        install(force, json.dumps(claimed).encode())
        force.clock.advance(1)
        with pytest.raises(AuthorityRefusedError, match="countersign-overdue"):
            install(force, force.signed(content, force.officer, force.second))
        force.clock.advance(-1)
        install(force, force.signed(content, force.officer, force.second))
        force.clock.advance(1)
        assert AuthorityState.OPEN is installed(force).state
        assert AuthorityState.OPEN is install(force, force.signed(content, force.officer, force.second)).state

    def test_another_authority_in_between_heals_nothing(self, force: Force) -> None:
        """Nor does a first arrival after the deadline: nobody can say when it was countersigned."""
        content = force.urgent()
        both = force.signed(content, force.officer, force.second)
        install(force, force.signed(content))
        force.clock.advance(4 * 3600)
        install(force, force.signed(force.content(authority_id="TS-2026-015", begins_at=force.now.isoformat())))
        with pytest.raises(AuthorityRefusedError) as caught:
            install(force, both)
        assert AuthorityRefusal.COUNTERSIGN_OVERDUE is caught.value.refusal
        (force.mode_folder / FILE_NAME).unlink()
        with pytest.raises(AuthorityRefusedError) as caught:
            install(force, both)
        assert AuthorityRefusal.COUNTERSIGN_OVERDUE is caught.value.refusal

    def test_a_countersignature_in_time_is_taken_after_the_end(self, force: Force) -> None:
        """Once, to the authority that is here, before its deadline; it lets nothing run."""
        deadline = force.now + timedelta(hours=20)
        content = force.urgent(countersign_by=deadline.isoformat())
        both = force.signed(content, force.officer, force.second)
        with_nothing_here = force.now + timedelta(hours=7)
        install(force, force.signed(content))
        force.clock.advance(7 * 3600)
        assert with_nothing_here == force.now
        verified = install(force, both)
        assert (AuthorityState.ENDED, False) == (verified.state, verified.state.lets_run)
        assert verified.countersigner is not None
        assert verified == installed(force)
        for file in (both, force.signed(content)):
            with pytest.raises(AuthorityRefusedError) as caught:
                install(force, file)
            assert AuthorityRefusal.ENDED is caught.value.refusal

    def test_after_the_end_nothing_else_is_taken(self, force: Force) -> None:
        """Neither what was never here, nor what comes after the deadline, too."""
        content = force.urgent(countersign_by=(force.now + timedelta(hours=20)).isoformat())
        both = force.signed(content, force.officer, force.second)
        begun = force.now
        force.clock.advance(7 * 3600)
        with pytest.raises(AuthorityRefusedError) as caught:
            install(force, both)
        assert AuthorityRefusal.ENDED is caught.value.refusal
        force.clock.advance((begun - force.now).total_seconds())
        install(force, force.signed(content))
        force.clock.advance(20 * 3600)
        with pytest.raises(AuthorityRefusedError) as caught:
            install(force, both)
        assert AuthorityRefusal.COUNTERSIGN_OVERDUE is caught.value.refusal

    def test_a_folder_that_cannot_be_written_is_named(self, force: Force) -> None:
        """An error of the disk is told as one."""
        (force.mode_folder / FILE_NAME).mkdir(parents=True)
        with pytest.raises(AuthorityStorageError, match=FILE_NAME):
            install(force, force.signed(force.content()))
        with pytest.raises(AuthorityStorageError, match=FILE_NAME):
            installed(force)

    def test_a_trusted_key_that_is_withdrawn_ends_it(self, force: Force) -> None:
        """What was verified yesterday is verified again today."""
        install(force, force.signed(force.content()))
        (force.trust_folder / "officer.toml").unlink()
        with pytest.raises(AuthorityRefusedError, match="unknown-key"):
            installed(force)
        assert Role.AUTHORISE in {key.role for key in force.trust.keys.values()}

    @pytest.mark.parametrize("mode", ["training", "operational"])
    def test_what_was_revoked_is_revoked_in_both_modes(self, force: Force, mode: str) -> None:
        """A box that trained on the day of the revocation does not operate on the next one."""
        folder = force.folder / mode
        wire = force.signed(force.content())
        known: dict[str, Any] = {"trust": force.trust, "device": DEVICE, "device_fingerprint": None, "now": force.now}
        install_authority(folder, wire, **known)
        take(force, force.revocation())
        assert AuthorityState.REVOKED is load_installed(folder, **known).state
        with pytest.raises(AuthorityRefusedError) as caught:
            install_authority(folder, wire, **known)
        assert AuthorityRefusal.REVOKED is caught.value.refusal
