"""What the overseer ends, begins and warns of, duty by duty."""

import dataclasses
import json
import threading
from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from edge_lfr.config.policy import PolicyConfig, WatchlistPolicy
from edge_lfr.daemon.arming.authority_notes import OVERSEER
from edge_lfr.daemon.arming.oversight import Overseer
from edge_lfr.daemon.arming.seen_trust import FILE_NAME as SEEN_TRUST
from edge_lfr.daemon.ending.dead_man import keyless_store
from edge_lfr.errors import ArmingRefusedError, TrustError, WatchlistReferenceError
from edge_lfr.governance.authority.installed import FILE_NAME, installed_digest
from edge_lfr.governance.authority.judgement import VerifiedAuthority
from edge_lfr.governance.authority.revocation import take_revocation
from edge_lfr.governance.clock_note import FILE_NAME as NOTE_NAME
from edge_lfr.governance.clock_note import ClockNoteError, TrustedTime
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME as LEDGER
from edge_lfr.governance.ledger.lines import Actor, written_time
from edge_lfr.governance.trust import Role, TrustStore, create_key
from edge_lfr.governance.trusted_time import BUILT_ON
from edge_lfr.pipeline.reporting.states import DeviceState
from edge_lfr.watchlist.sealed.ending import SEALED_IN_DOUBT
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause
from simulators.overseen import Overseen

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
TECHNICIAN = Actor.of_uid(1000)


@pytest.fixture
def van(tmp_path: Path) -> Iterator[Overseen]:
    """Authorised and loaded; the window opens in an hour."""
    van = Overseen(tmp_path)
    van.deployment.install()
    van.deployment.load()
    van.overseer.recheck(TECHNICIAN)
    yield van
    van.close()


@pytest.fixture
def running(van: Overseen) -> Overseen:
    """The window is open, and the street is looked at."""
    van.pass_time(HOUR_S)
    assert (True, DeviceState.RUNNING) == (van.is_searching, van.health.state)
    van.noted.clear()
    return van


@pytest.fixture
def exercise(tmp_path: Path) -> Iterator[Overseen]:
    """Training: no authority, and a list with an end of its own in seven hours."""
    van = Overseen(tmp_path, operational=False)
    van.deployment.load()
    van.operation.take_watchlist()
    van.operation.wake()
    van.overseer.look()
    yield van
    van.close()


def overseer_of(van: Overseen) -> Overseer:
    """Another one, as the next process has it."""
    return Overseer(
        mandate=van.mandate,
        operation=van.operation,
        clock=van.clock,
        one_at_a_time=van.one_at_a_time,
        ending=threading.Event(),
        end_list=lambda _cause, _by: None,
        note=van._note,
        on_trust=van.trusted.append,
        on_changed=lambda: None,
    )


# The window ---------------------------------------------------------------------------------------------------------


def test_it_begins_by_itself_when_the_window_opens(van: Overseen) -> None:
    """Until then nothing is opened, and what is missing is said; then the authority's threshold counts."""
    assert (True, ("authority-not-yet",)) == (van.holds_nothing, van.health.bars)
    van.pass_time(HOUR_S - 1)
    assert van.holds_nothing
    van.pass_time(1)
    assert van.is_searching
    assert van.health.armament is not None
    assert (0.7, (), DeviceState.RUNNING) == (van.health.armament.threshold, van.health.bars, van.health.state)
    status = van.health.status()
    assert ("TS-2026-014", van.deployment.ends_at, "trusted") == (
        status.authority_id,
        status.window_ends_at,
        status.clock,
    )


def test_it_warns_stops_at_the_end_and_wipes_after_the_grace(running: Overseen) -> None:
    """Half an hour and five minutes before it is said; at the end nobody is compared, an hour later it is wiped."""
    running.pass_time(4.5 * HOUR_S - 1)
    assert () == running.notices()
    running.pass_time(1)
    assert ("authority-ends-in-30-min",) == running.notices()
    running.pass_time(25 * 60)
    assert ("authority-ends-in-5-min",) == running.notices()
    running.pass_time(5 * 60 - 1)
    assert running.is_searching
    running.pass_time(1)
    assert (True, ("authority-ended",)) == (running.holds_nothing, running.health.bars)
    assert (DeviceState.DISARMED, []) == (running.health.state, running.wipes)
    running.pass_time(HOUR_S - 1)
    assert not running.box.store.is_empty()
    running.pass_time(1)
    assert (True, [WipeCause.WINDOW_ENDED]) == (running.box.store.is_empty(), running.wipes)
    running.pass_time(60)
    assert [WipeCause.WINDOW_ENDED] == running.wipes


def test_a_wipe_that_fails_is_tried_again(running: Overseen) -> None:
    """The disk fails; nobody is compared meanwhile, it is said, and the next look destroys."""
    running.disk_fails = True
    running.pass_time(6 * HOUR_S)
    assert (True, False) == (running.holds_nothing, running.box.store.is_empty())
    assert "oversight-failed" in running.health.notices
    running.disk_fails = False
    running.pass_time(1)
    assert (True, [WipeCause.WINDOW_ENDED]) == (running.box.store.is_empty(), running.wipes)
    assert "oversight-failed" not in running.health.notices


def test_a_list_for_training_ends_by_its_own_time(exercise: Overseen) -> None:
    """No authority says when: the list does."""
    exercise.pass_time(7 * HOUR_S - 1)
    assert exercise.is_searching
    exercise.pass_time(1)
    assert ([WipeCause.WINDOW_ENDED], True) == (exercise.wipes, exercise.holds_nothing)
    assert exercise.box.store.is_empty()


def test_a_paused_appliance_does_not_begin_by_itself(van: Overseen) -> None:
    """Who paused it says when it goes on."""
    van.operation.pause()
    van.pass_time(HOUR_S)
    assert van.holds_nothing
    van.operation.resume()
    assert van.is_searching


def test_what_a_technician_asks_for_is_refused_with_the_step(van: Overseen) -> None:
    """Before the window, to go on is refused by step 3; the appliance begins by itself all the same."""
    with pytest.raises(ArmingRefusedError, match=r"\(3\) window: begins_at"):
        van.operation.resume()
    assert (van.holds_nothing, van.health.state) == (True, DeviceState.DISARMED)
    van.pass_time(HOUR_S)
    assert van.is_searching


# The authority ------------------------------------------------------------------------------------------------------


def test_a_revoked_authority_stops_at_once_and_wipes(running: Overseen) -> None:
    """When the message was taken nobody is compared any more; the next look destroys."""
    running.overseer.revoke(running.deployment.force.revocation())
    assert not running.operation.loop.is_searching
    running.overseer.look()
    assert ([WipeCause.REVOKED], True, ("authority-revoked",)) == (
        running.wipes,
        running.holds_nothing,
        running.health.bars,
    )
    (line,) = [noted for noted in running.noted if noted.event is LedgerEvent.REVOKED]
    assert (Actor.of_key(running.deployment.force.revoker.fingerprint), "mistake") == (line.who, line.facts["code"])


def test_a_revocation_by_nobody_changes_nothing(running: Overseen) -> None:
    """An issuer's key revokes nothing."""
    with pytest.raises(TrustError):
        running.overseer.revoke(running.deployment.force.revocation(running.deployment.force.issuer))
    running.pass_time(60)
    assert running.is_searching


def test_a_revocation_file_counts_at_the_next_minute_or_at_once_where_somebody_asks(running: Overseen) -> None:
    """`edge-lfr authority take-revocation` tells the daemon; where it could not, the minute does."""
    take_revocation(
        running.folder.parent,
        running.deployment.force.revocation(),
        trust=running.mandate.trust,
        device="testshire/van-1",
        device_fingerprint=None,
        now=running.clock.now,
    )
    running.pass_time(1)
    assert running.is_searching
    running.overseer.recheck(TECHNICIAN)
    assert ([WipeCause.REVOKED], True) == (running.wipes, running.holds_nothing)


def test_a_countersignature_that_does_not_come_stops_it(van: Overseen) -> None:
    """It says that one is due, goes on until the deadline, and with the second signature beyond it."""
    force, deployment = van.deployment.force, van.deployment
    urgent = force.urgent(
        pack_digest=deployment.pack.digest,
        **{
            "watchlist.issuer_key": force.issuer.fingerprint,
            "begins_at": deployment.begins_at.isoformat(),
            "ends_at": deployment.ends_at.isoformat(),
        },
    )
    deployment.install(force.signed(urgent))
    van.overseer.recheck(TECHNICIAN)
    van.pass_time(HOUR_S)
    assert (True, ("authority-countersign-due",)) == (van.is_searching, van.health.notices)
    van.pass_time(3 * HOUR_S - 1)
    assert van.is_searching
    van.pass_time(1)
    assert (True, ("authority-countersign-overdue",)) == (van.holds_nothing, van.health.bars)
    assert not van.wipes
    van.pass_time(120)
    assert [{"authority_sha256": installed_digest(van.folder)}] == van.events(LedgerEvent.AUTHORITY_OVERDUE)
    deployment.install(force.signed(urgent, force.officer, force.second))
    van.overseer.recheck(TECHNICIAN)
    assert van.is_searching


def test_an_authority_that_is_taken_away_stops_it(running: Overseen) -> None:
    """Within the minute in which it is read anew."""
    (running.folder / FILE_NAME).unlink()
    running.pass_time(60)
    assert (True, ("authority-missing",)) == (running.holds_nothing, running.health.bars)


def test_another_authority_is_taken_into_use(running: Overseen) -> None:
    """A new one with a higher threshold holds from then on; the ledger says whose it is."""
    running.deployment.install(authority_id="TS-2026-015", threshold=0.8)
    running.overseer.recheck(TECHNICIAN)
    assert running.health.armament is not None
    assert (True, 0.8) == (running.is_searching, running.health.armament.threshold)
    (line,) = [noted for noted in running.noted if noted.event is LedgerEvent.AUTHORITY_ACCEPTED]
    assert (TECHNICIAN, "crime-hotspot") == (line.who, line.facts["use_case"])


def test_the_ledger_says_by_what_right_the_list_is_searched(running: Overseen) -> None:
    """Which authority, until when, which list, and for what: as the officer signed it."""
    lines = (running.folder / LEDGER).read_bytes().splitlines()
    (facts,) = [line["facts"] for line in map(json.loads, lines) if line["event"] == LedgerEvent.ARMED]
    verified = running.mandate.authority
    assert isinstance(verified, VerifiedAuthority)
    said = [facts[name] for name in ("authority", "authority_sha256", "ends_at", "list", "use_case")]
    assert [
        "TS-2026-014",
        verified.digest,
        written_time(running.deployment.ends_at),
        "june-01",
        "crime-hotspot",
    ] == said


# The clock ----------------------------------------------------------------------------------------------------------


def test_a_time_server_that_steps_by_a_second_is_noted(running: Overseen) -> None:
    """Up to two seconds are noted, and nothing more."""
    running.pass_time(10, step_s=1.0)
    assert running.is_searching
    (facts,) = running.events(LedgerEvent.CLOCK_STEPPED)
    assert 1.0 == pytest.approx(facts["seconds"], abs=0.02)


@pytest.mark.parametrize("step_s", [DAY_S, -DAY_S])
def test_a_jump_of_a_day_stops_matching_until_somebody_confirms_the_time(running: Overseen, step_s: float) -> None:
    """Forward the window would be over and the list wiped, backward it would begin again: neither is believed."""
    running.pass_time(10, step_s=step_s)
    assert (True, ("clock-untrusted",), []) == (running.holds_nothing, running.health.bars, running.wipes)
    assert "trusted" != running.health.status().clock
    assert 1 == len(running.events(LedgerEvent.CLOCK_UNTRUSTED))
    running.pass_time(60)
    assert (True, 1) == (running.holds_nothing, len(running.events(LedgerEvent.CLOCK_UNTRUSTED)))
    running.clock.step(-step_s)
    running.overseer.confirm_clock(TECHNICIAN)
    assert (True, ()) == (running.is_searching, running.health.bars)
    assert TECHNICIAN in {noted.who for noted in running.noted if noted.event is LedgerEvent.CLOCK_CONFIRMED}


def test_it_goes_on_when_a_time_server_has_synchronised_the_time(running: Overseen) -> None:
    """Nobody needs to come."""
    running.pass_time(10, step_s=5.0)
    assert running.holds_nothing
    running.clock.step(-5.0)
    running.pass_time(1)
    running.clock.synchronised = True
    running.pass_time(20)
    assert (True, 1) == (running.is_searching, len(running.events(LedgerEvent.CLOCK_TRUSTED)))


def test_a_dead_clock_at_boot_opens_nothing_and_wipes_after_a_day_of_uptime(van: Overseen) -> None:
    """The list stays sealed; who never learns the time destroys it."""
    van.clock.reboot(BUILT_ON - timedelta(days=400))
    van.mandate.watch = TrustedTime.begin(van.folder, clock=van.clock, kernel=van.clock)
    van.pass_time(1)
    assert (True, ("clock-untrusted",)) == (van.holds_nothing, van.health.bars)
    van.pass_time(SEALED_IN_DOUBT.total_seconds())
    assert ([WipeCause.CLOCK], True) == (van.wipes, van.box.store.is_empty())


def test_training_stops_for_a_doubted_clock_too(exercise: Overseen) -> None:
    """A larger one stops matching; and it goes on with the time confirmed."""
    exercise.pass_time(1, step_s=10.0)
    assert (True, ("clock-untrusted",)) == (exercise.holds_nothing, exercise.health.bars)
    exercise.overseer.confirm_clock(TECHNICIAN)
    assert exercise.is_searching


def test_a_confirmation_that_cannot_be_kept_begins_nothing(exercise: Overseen) -> None:
    """Nothing is searched on a word that a restart would not know, and the ledger does not name it."""
    exercise.pass_time(1, step_s=10.0)
    note = exercise.folder / NOTE_NAME
    note.unlink()
    note.mkdir()
    with pytest.raises(ClockNoteError):
        exercise.overseer.confirm_clock(TECHNICIAN)
    exercise.pass_time(1)
    assert (True, ("clock-untrusted",)) == (exercise.holds_nothing, exercise.health.bars)
    assert [] == exercise.events(LedgerEvent.CLOCK_CONFIRMED)
    note.rmdir()
    exercise.overseer.confirm_clock(TECHNICIAN)
    assert (True, 1) == (exercise.is_searching, len(exercise.events(LedgerEvent.CLOCK_CONFIRMED)))


# The list -----------------------------------------------------------------------------------------------------------


def stale(van: Overseen, stale_list: str) -> None:
    """Load an extract of 22 hours, authorised to turn old so, and begin."""
    van.deployment.install(stale_list=stale_list)
    extracted_at = van.deployment.begins_at - timedelta(hours=22)
    van.deployment.load(3, origin=van.deployment.origin(extracted_at=extracted_at))
    van.overseer.recheck(TECHNICIAN)
    van.pass_time(HOUR_S)
    assert (True, ()) == (van.is_searching, van.health.notices)


def test_a_list_that_turns_24_hours_old_stops(van: Overseen) -> None:
    """Warned of an hour before; then nobody is compared, and the next try is refused."""
    stale(van, "stop")
    van.pass_time(HOUR_S)
    assert (True, ("watchlist-stale-soon",)) == (van.is_searching, van.health.notices)
    van.pass_time(HOUR_S)
    assert van.is_searching
    van.pass_time(1)
    assert van.holds_nothing
    van.pass_time(60)
    assert (True, ("watchlist-stale",)) == (van.holds_nothing, van.health.bars)
    assert ["watchlist-stale-soon", "watchlist-stale"] == [
        facts["code"] for facts in van.events(LedgerEvent.WATCHLIST_STALE)
    ]
    with pytest.raises(ArmingRefusedError, match=r"\(5\) watchlist"):
        van.operation.resume()


def test_a_list_that_turns_24_hours_old_goes_on_where_that_was_authorised(van: Overseen) -> None:
    """It says so all the time; also when somebody is taken out of it."""
    stale(van, "amber")
    van.pass_time(2 * HOUR_S + 1)
    assert (True, ("watchlist-stale",), ()) == (van.is_searching, van.health.notices, van.health.bars)
    assert 2 == van.operation.leave_out({"REF-00001"})
    van.pass_time(60)
    assert (True, 2) == (van.is_searching, len(van.health.armament.listed.expiries) if van.health.armament else 0)


def test_entries_expire_on_their_own(van: Overseen) -> None:
    """From its second on nobody is found by an entry; with the last one the list ends."""
    first = van.deployment.begins_at + timedelta(hours=1)
    with van.box.store.create(
        pack_digest=van.deployment.pack.digest,
        dimension=128,
        wipe_at=van.deployment.wipe_at,
        origin=van.deployment.origin(),
    ) as new:
        van.deployment.fill(new, [first, first, first + timedelta(hours=1)])
        new.activate()
    van.pass_time(HOUR_S)
    assert van.health.armament is not None
    van.pass_time(HOUR_S - 1)
    assert 3 == van.health.armament.watchlist.references
    van.pass_time(1)
    assert ("REF-00002",) == van.health.armament.watchlist.reference_ids
    assert [2] == [facts["references"] for facts in van.events(LedgerEvent.WATCHLIST_EXPIRED)]
    assert van.is_searching
    van.pass_time(HOUR_S)
    assert ([WipeCause.EXPIRED], True) == (van.wipes, van.holds_nothing)


def test_a_list_that_another_process_destroyed_is_searched_no_more(running: Overseen) -> None:
    """What lies nowhere any more is in no memory either, a second later."""
    keyless_store(running.folder).wipe()
    running.pass_time(1)
    assert running.holds_nothing


def test_a_list_that_the_timer_destroyed_at_its_end_leaves_memory(exercise: Overseen) -> None:
    """Who looks after the disk was first: the open list ends by its own time all the same, and is proved gone."""
    exercise.clock.advance(7 * HOUR_S)
    keyless_store(exercise.folder).wipe_if_due(exercise.deployment.time())
    exercise.overseer.look()
    assert ([WipeCause.WINDOW_ENDED], True) == (exercise.wipes, exercise.holds_nothing)


def test_the_end_of_a_list_that_was_replaced_spares_the_one_in_its_place(exercise: Overseen) -> None:
    """A loader that was killed told nobody: the old list stops at its end, and the new one is taken."""
    exercise.deployment.load(3, wipe_at=exercise.deployment.wipe_at + timedelta(hours=1))
    exercise.pass_time(7 * HOUR_S)
    assert exercise.holds_nothing
    exercise.pass_time(1)
    assert ([], True) == (exercise.wipes, exercise.is_searching)
    assert exercise.health.armament is not None
    assert 3 == exercise.health.armament.watchlist.references


def test_a_list_that_took_anothers_place_is_taken_into_use_soon(running: Overseen) -> None:
    """The loader says so itself; where it could not, ten seconds later."""
    running.deployment.load(3)
    running.pass_time(1)
    assert running.health.armament is not None
    assert 2 == running.health.armament.watchlist.references
    running.pass_time(10)
    assert (True, 3) == (running.is_searching, running.health.armament.watchlist.references)


def test_who_expired_on_a_list_that_was_replaced_is_searched_no_more(van: Overseen) -> None:
    """Nobody is searched on the word of the old list, and nobody is taken off the new one for it."""
    van.deployment.load(2, expires_at=van.deployment.begins_at + timedelta(hours=1))
    van.pass_time(HOUR_S)
    assert van.is_searching
    van.deployment.load(3)
    van.pass_time(HOUR_S)
    assert ([], True) == (van.wipes, van.is_searching)
    assert van.health.armament is not None
    assert 3 == van.health.armament.watchlist.references


def test_an_expiry_that_cannot_be_done_falls_silent_and_names_nobody(
    van: Overseen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose time is over is not searched; the journal has a code, and no reference id."""
    first = van.deployment.begins_at + timedelta(hours=1)
    with van.box.store.create(
        pack_digest=van.deployment.pack.digest,
        dimension=128,
        wipe_at=van.deployment.wipe_at,
        origin=van.deployment.origin(),
    ) as new:
        van.deployment.fill(new, [first, first + timedelta(hours=1)])
        new.activate()
    van.pass_time(HOUR_S)
    assert van.is_searching

    def refuse(_: SealedStore, reference_ids: Collection[str], *_rest: object, **__: object) -> int:
        raise WatchlistReferenceError(f"not in the watchlist: {', '.join(reference_ids)}")

    monkeypatch.setattr(SealedStore, "remove", refuse)
    with structlog.testing.capture_logs() as logged:
        van.pass_time(HOUR_S)
    assert van.holds_nothing
    assert "watchlist.reference" in str(logged)
    assert "REF-" not in str(logged)


def test_a_list_is_as_old_as_the_force_allows(running: Overseen) -> None:
    """A policy that is stricter than a day stops a list that turns older than that in use."""
    policy = PolicyConfig(watchlist=WatchlistPolicy(max_extract_age_h=6.0))
    running.mandate.config = running.mandate.config.model_copy(update={"policy": policy})
    running.pass_time(1)
    assert (True, ("watchlist-stale-soon",)) == (running.is_searching, running.notices())
    running.pass_time(HOUR_S)
    running.pass_time(1)
    assert (True, ("watchlist-stale",)) == (running.holds_nothing, running.health.bars)


def test_the_end_of_its_authority_ends_a_list_though_another_one_is_installed(van: Overseen) -> None:
    """A list stays under what it was loaded under: with the revocation of that it is destroyed."""
    van.deployment.load(origin=van.deployment.origin(authority_id="TS-2026-014"))
    van.deployment.install(authority_id="TS-2026-015")
    van.overseer.recheck(TECHNICIAN)
    van.pass_time(HOUR_S)
    assert van.is_searching
    van.overseer.revoke(van.deployment.force.revocation())
    assert not van.operation.loop.is_searching
    van.overseer.look()
    assert ([WipeCause.REVOKED], True) == (van.wipes, van.box.store.is_empty())


def test_nobody_is_searched_where_nobody_could_say_later_who_was(van: Overseen) -> None:
    """Without the officer's key, operation does not begin."""
    trust = van.mandate.config.trust.model_copy(update={"protection_officer": None})
    van.mandate.config = van.mandate.config.model_copy(update={"trust": trust})
    van.pass_time(HOUR_S)
    assert (True, ("protection-officer-missing",)) == (van.holds_nothing, van.health.bars)


# The keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.root
def test_a_changed_trust_folder_stops_matching_until_somebody_says_go_on(running: Overseen) -> None:
    """Each key that came has its line, the new keys count at once, and nothing goes on by itself."""
    force = running.deployment.force
    added = create_key(
        Role.CONTROL, force.folder / "desk.key", force.trust_folder / "desk.toml", name="desk", clock=running.clock
    )
    running.pass_time(5)
    assert (True, DeviceState.PAUSED) == (running.holds_nothing, running.health.state)
    assert "trust-changed" in running.health.notices
    assert added.fingerprint in running.trusted[-1].keys
    (line,) = [noted for noted in running.noted if noted.event is LedgerEvent.TRUST_ADDED]
    assert ("control", OVERSEER) == (line.facts["role"], line.who)
    running.pass_time(300)
    assert running.holds_nothing
    running.operation.resume()
    running.overseer.look()
    assert running.is_searching
    running.pass_time(5)
    assert (True, ()) == (running.is_searching, running.health.notices)


@pytest.mark.root
def test_a_key_that_is_distrusted_takes_its_authority_with_it(running: Overseen) -> None:
    """To go on is refused then; who removed it is known where a command told it."""
    (running.deployment.force.trust_folder / "officer.toml").unlink()
    running.overseer.recheck(TECHNICIAN)
    assert running.holds_nothing
    assert [TECHNICIAN] == [noted.who for noted in running.noted if noted.event is LedgerEvent.TRUST_REMOVED]
    with pytest.raises(ArmingRefusedError, match=r"\(2\) authority"):
        running.operation.resume()


@pytest.mark.root
def test_a_trust_folder_that_others_may_change_is_no_ones_word(running: Overseen) -> None:
    """Nobody is trusted then, and nothing is armed."""
    (running.deployment.force.trust_folder / "officer.toml").chmod(0o666)
    running.pass_time(5)
    assert (True, {}) == (running.holds_nothing, dict(running.mandate.trust.keys))
    with pytest.raises(ArmingRefusedError):
        running.operation.resume()


@pytest.mark.root
def test_a_list_whose_issuer_was_distrusted_is_not_armed_again(running: Overseen) -> None:
    """Although the authority names that key: to go on is refused at the list."""
    (running.deployment.force.trust_folder / "issuer.toml").unlink()
    running.overseer.recheck(TECHNICIAN)
    assert running.holds_nothing
    with pytest.raises(ArmingRefusedError, match=r"\(5\) watchlist: watchlist\.issuer_key"):
        running.operation.resume()


def test_a_list_ends_with_the_time_of_its_issuers_key(exercise: Overseen) -> None:
    """In training likewise: nobody is searched on the word of a key whose time is over."""
    key = exercise.mandate.trust.keys[exercise.deployment.trainer.fingerprint]
    ended = dataclasses.replace(key, not_after=exercise.clock.now + timedelta(hours=1))
    exercise.mandate.trust = TrustStore({**exercise.mandate.trust.keys, key.fingerprint: ended})
    exercise.pass_time(HOUR_S - 1)
    assert exercise.is_searching
    exercise.pass_time(1)
    assert (True, ("watchlist-issuer-not-trusted",)) == (exercise.holds_nothing, exercise.health.bars)


@pytest.mark.root
def test_a_key_that_came_while_the_appliance_began_is_seen(running: Overseen) -> None:
    """The folder's digest is as old as the keys that were read: what changed after them holds at the first look."""
    force = running.deployment.force
    create_key(Role.CONTROL, force.folder / "desk.key", force.trust_folder / "desk.toml", name="d", clock=running.clock)
    begun = overseer_of(running)
    begun.look()
    assert (True, DeviceState.PAUSED) == (running.holds_nothing, running.health.state)


@pytest.mark.root
def test_a_key_that_came_while_no_daemon_ran_holds_the_next_start(exercise: Overseen) -> None:
    """It has its line, and nothing is compared until somebody says so; the same keys begin as before."""

    def begin_again() -> None:
        exercise.noted.clear()
        exercise.operation.held_for, exercise.operation.is_paused = None, False
        exercise.mandate.read_trust()
        overseer_of(exercise).begin()

    trusted = exercise.deployment.force.trust_folder
    begin_again()
    assert (None, []) == (exercise.operation.held_for, exercise.noted)
    create_key(Role.CONTROL, trusted.parent / "desk.key", trusted / "desk.toml", name="desk", clock=exercise.clock)
    begin_again()
    assert (True, "trust-changed") == (exercise.operation.is_paused, exercise.operation.held_for)
    assert ["control"] == [facts["role"] for facts in exercise.events(LedgerEvent.TRUST_ADDED)]
    with pytest.raises(ArmingRefusedError, match="nobody has said that it shall go on"):
        exercise.operation.take_watchlist()
    begin_again()
    assert (None, []) == (exercise.operation.held_for, exercise.noted)  # the hold itself is kept by a file of its own
    (trusted / "desk.toml").unlink()
    begin_again()
    assert ("trust-changed", 1) == (exercise.operation.held_for, len(exercise.events(LedgerEvent.TRUST_REMOVED)))


@pytest.mark.parametrize("content", [b"[{", b"[1]", b'[{"key": "a"}]', b"[" * 100_000, b"\xff"])
def test_a_broken_note_of_whom_it_trusted_holds(exercise: Overseen, content: bytes) -> None:
    """Nobody can say what has changed: everybody who is trusted now has a line, and somebody must say go on."""
    (exercise.folder / SEEN_TRUST).write_bytes(content)
    overseer_of(exercise).begin()
    assert "trust-changed" == exercise.operation.held_for
    assert len(exercise.mandate.trust.keys) == len(exercise.events(LedgerEvent.TRUST_ADDED))


# All of them --------------------------------------------------------------------------------------------------------


def test_while_a_request_is_under_way_matching_stops_all_the_same(running: Overseen) -> None:
    """The rest is done as soon as it may."""
    with running.one_at_a_time:
        running.pass_time(5 * HOUR_S)
        assert (False, True) == (running.operation.loop.is_searching, running.health.armament is not None)
    running.pass_time(1)
    assert running.holds_nothing


def test_a_request_that_takes_minutes_keeps_no_list_alive(running: Overseen) -> None:
    """Two seconds after it must end it is destroyed beside the request, and what that takes into use meanwhile ends."""
    with running.one_at_a_time:
        running.pass_time(6 * HOUR_S)
        assert (False, []) == (running.operation.loop.is_searching, running.wipes)
        running.pass_time(1)
        running.pass_time(1)
        assert ([WipeCause.WINDOW_ENDED], True) == (running.wipes, running.box.store.is_empty())
        assert running.holds_nothing
        running.pass_time(60)
    running.pass_time(1)
    assert [WipeCause.WINDOW_ENDED] == running.wipes


def test_what_a_request_takes_into_use_beside_a_wipe_is_not_searched(running: Overseen) -> None:
    """It had the list open before that was destroyed: nobody is compared, and with the request it goes."""
    armed = running.operation._armed()
    path = running.operation.loop._path
    with running.one_at_a_time:
        keyless_store(running.folder).wipe()
        running.operation._exchange(armed, path)
        running.pass_time(1)
        assert not running.operation.loop.is_searching
    running.pass_time(1)
    assert (True, None) == (running.holds_nothing, running.health.armament)


def test_a_duty_that_fails_keeps_no_other_one_from_being_done(running: Overseen) -> None:
    """A step of the clock that cannot be noted does not keep a deployment beyond its end."""
    running.pass_time(5 * HOUR_S - 1)
    running.notes_fail = True
    running.pass_time(1, step_s=0.5)
    assert (True, ("authority-ended",)) == (running.holds_nothing, running.health.bars)
    assert "oversight-failed" in running.health.notices
    running.notes_fail = False
    running.pass_time(1)
    assert "oversight-failed" not in running.health.notices


def test_looks_are_a_second_apart(running: Overseen) -> None:
    """The main thread may ask ten times a second."""
    running.clock.advance(0.5)
    turns = running.mandate.time.now
    running.overseer.look()
    assert turns == running.mandate.time.now
    running.clock.advance(0.5)
    running.overseer.look()
    assert turns < running.mandate.time.now
