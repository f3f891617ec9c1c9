"""Wipes without a key leave a note; whoever has the device key makes a certificate and a line of the ledger of it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.daemon.ending import dead_man
from edge_lfr.daemon.ending.dead_man import wipe_what_is_due
from edge_lfr.daemon.ending.housekeeping import delete_old_records, keep_house, keep_house_by_timer
from edge_lfr.daemon.ending.unsigned_wipes import MAX_NOTE_BYTES, UnsignedWipe, certify_unsigned
from edge_lfr.daemon.noting.recorder import open_recorder
from edge_lfr.errors import LedgerError
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.documents import Kind, read_document
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.lines import Actor, LedgerLine, Part, read_line
from edge_lfr.governance.trust import SigningKey
from edge_lfr.governance.trusted_time import BUILT_ON
from edge_lfr.watchlist.records.kept import RecordKind, kept_records
from edge_lfr.watchlist.sealed import lists
from edge_lfr.watchlist.sealed.destruction import destroy_lists
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause, WipeCertificate, certificate_path
from simulators.clock import StoppedClock
from simulators.command import CONFIG
from simulators.watchlists import DIMENSION, PACK_DIGEST, entry, new_store, picture, templates

NOW = BUILT_ON + timedelta(days=30)
END = NOW + timedelta(hours=10)
DEVICE = "anytown/van-1/training"
KEY = SigningKey.generate()
TECHNICIAN = Actor.of_uid(1000)

WHOLE = (
    b'{"schema_version":"lfr.unsigned-wipe/1","cause":"dead-man","part":"timer","begun_at":"2026-06-01T08:00:00Z",'
    b'"list_id":"0000000000000000","lists":1,"keys":1,"destroyed_in_s":0.1}'
)
"""A note as it may be."""


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock(now=NOW)


@pytest.fixture
def config(tmp_path: Path) -> ApplianceConfig:
    (tmp_path / "van.toml").write_text(CONFIG)
    return load_config(tmp_path / "van.toml", {})


def ended(config: ApplianceConfig, clock: StoppedClock, end: datetime = END) -> str:
    """A list whose end has come while no daemon ran, and the dead man's handle after it; gives its id."""
    store = new_store(config.mode_directory)
    store.clock = clock
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=end) as new:
        new.add(entry(0), templates(0), picture(0))
        list_id = new.activate()
    clock.advance((end - clock.utc_now()).total_seconds())
    wipe_what_is_due(config.state_directory, clock=clock, kernel=clock)
    return list_id


def notes(config: ApplianceConfig) -> list[Path]:
    return sorted((config.mode_directory / "certificates").glob("pending-*.json"))


def certificates(config: ApplianceConfig) -> list[Path]:
    return [one.path for one in kept_records(config.mode_directory) if one.kind is RecordKind.CERTIFICATE]


def certify(config: ApplianceConfig) -> list[tuple[Actor, Mapping[str, Fact]]]:
    """Certify, and give what the ledger would be told."""
    told: list[tuple[Actor, Mapping[str, Fact]]] = []
    certify_unsigned(
        config.mode_directory, device=DEVICE, signing=KEY, note=lambda who, facts: told.append((who, facts))
    )
    return told


def lines(config: ApplianceConfig) -> list[LedgerLine]:
    """Of wipes, in the ledger."""
    found = [read_line(line) for line in (config.mode_directory / FILE_NAME).read_bytes().splitlines()]
    return [line for line in found if line is not None and line.event == LedgerEvent.WATCHLIST_WIPED]


def test_a_wipe_without_a_key_leaves_a_note(config: ApplianceConfig, clock: StoppedClock) -> None:
    """Counts, a cause and the list's random id; nothing where nothing was due."""
    list_id = ended(config, clock)
    wipe_what_is_due(config.state_directory, clock=clock, kernel=clock)
    (note,) = notes(config)
    said = json.loads(note.read_bytes())
    assert ("dead-man", "timer", list_id, 1, 1) == tuple(
        said[name] for name in ("cause", "part", "list_id", "lists", "keys")
    )
    assert END == datetime.fromisoformat(said["begun_at"])
    assert 0o600 == note.stat().st_mode & 0o777
    assert [] == certificates(config)


def test_the_first_look_of_a_boot_says_so(config: ApplianceConfig, clock: StoppedClock) -> None:
    """A box that was off at the end."""
    store = new_store(config.mode_directory)
    store.clock = clock
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=END) as new:
        new.add(entry(0), templates(0), picture(0))
        new.activate()
    wipe_what_is_due(config.state_directory, clock=clock, kernel=clock)
    clock.reboot(END + timedelta(days=1))
    wipe_what_is_due(config.state_directory, clock=clock, kernel=clock)
    ((who, _),) = certify(config)
    assert "boot" in str(who)


def test_a_list_that_ended_in_doubt_says_so(config: ApplianceConfig, clock: StoppedClock) -> None:
    """After a day in which nobody could say what time it was."""
    store = new_store(config.mode_directory)
    store.clock = clock
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=END) as new:
        new.add(entry(0), templates(0), picture(0))
        new.activate()
    clock.reboot(datetime.fromisoformat("1970-01-01T00:00:00+00:00"))
    for _ in range(2):
        wipe_what_is_due(config.state_directory, clock=clock, kernel=clock)
        clock.advance(86_400.0)
    wipe_what_is_due(config.state_directory, clock=clock, kernel=clock)
    ((_, facts),) = certify(config)
    assert "clock" == facts["code"]


def test_whoever_has_the_key_certifies_it(config: ApplianceConfig, clock: StoppedClock) -> None:
    """Signed, without a proof, which nobody could take; the ledger names the document's digest."""
    list_id = ended(config, clock)
    ((who, facts),) = certify(config)
    (path,) = certificates(config)
    document = read_document(path.read_bytes(), Kind.WIPE_CERTIFICATE, WipeCertificate)
    document.verify_with(KEY.public)
    content = document.content
    assert (DEVICE, "dead-man", list_id, END) == (content.device, content.cause, content.list_id, content.begun_at)
    assert (1, 1, None, None, None) == (
        content.lists,
        content.keys,
        content.proof,
        content.is_clean,
        content.list_digest,
    )
    assert str(who) == content.by
    assert hashlib.sha256(path.read_bytes()).hexdigest() == facts["certificate_sha256"]
    assert [] == notes(config)
    assert [] == certify(config)


def test_an_interrupted_certification_makes_no_second_certificate(config: ApplianceConfig, clock: StoppedClock) -> None:
    """Killed, or refused by the ledger, behind the certificate: the same one is named the next time."""
    ended(config, clock)

    def refuse(_who: Actor, _facts: Mapping[str, Fact]) -> None:
        message = "the disk is full"
        raise LedgerError(message)

    with pytest.raises(LedgerError):
        certify_unsigned(config.mode_directory, device=DEVICE, signing=KEY, note=refuse)
    (path,) = certificates(config)
    before = path.read_bytes()
    assert 1 == len(notes(config))
    ((_, facts),) = certify(config)
    assert hashlib.sha256(before).hexdigest() == facts["certificate_sha256"]
    assert [before] == [one.read_bytes() for one in certificates(config)]
    assert [] == notes(config)


@pytest.mark.parametrize(
    "untrusted",
    [
        b"",
        b"\xff",
        b"{}",
        b"[" * 4_000,
        b" " * (MAX_NOTE_BYTES + 1),
        WHOLE.replace(b"0" * 16, b"../x"),
    ],
)
def test_a_broken_note_is_left_and_certifies_nothing(
    config: ApplianceConfig, clock: StoppedClock, untrusted: bytes
) -> None:
    """The one beside it is certified all the same."""
    ended(config, clock)
    broken = config.mode_directory / "certificates/pending-0.json"
    broken.write_bytes(untrusted)
    assert 1 == len(certify(config))
    assert [broken] == notes(config)


def test_the_timer_certifies_where_the_key_opens(config: ApplianceConfig, clock: StoppedClock) -> None:
    """And else leaves it to the daemon: the unit of the timer has no credential."""
    ended(config, clock)
    verdict = wipe_what_is_due(config.state_directory, clock=clock, kernel=clock)[0].verdict
    keep_house_by_timer(config, verdict)
    assert 1 == len(notes(config))
    DeviceKeys.load(config.device_directory, create=True)
    keep_house_by_timer(config, verdict)
    assert [] == notes(config)
    (line,) = lines(config)
    assert ("part timer", "dead-man") == (str(line.who), line.facts["code"])


def test_the_daemon_certifies_at_its_start(config: ApplianceConfig, clock: StoppedClock) -> None:
    """What was destroyed while it did not run is in the ledger before anything else begins."""
    ended(config, clock)
    keys = DeviceKeys.load(config.device_directory, create=True)
    recorder = open_recorder(config, keys.signing, clock)
    keep_house(config, recorder, clock)
    recorder.stop()
    assert [] == notes(config)
    (line,) = lines(config)
    assert (1, 1, "dead-man") == (line.facts["lists"], line.facts["keys"], line.facts["code"])


@pytest.mark.parametrize(("jumped", "left"), [(True, 1), (False, 0)])
def test_old_records_end_by_a_clock_that_is_trusted(
    config: ApplianceConfig, clock: StoppedClock, *, jumped: bool, left: int
) -> None:
    """Forty days that went by end a certificate; forty days by which somebody set the clock cost no answer."""
    ended(config, clock)
    certify(config)
    for days in (0, 40):
        (clock.step if jumped else clock.advance)(days * 86_400.0)
        (look,) = wipe_what_is_due(config.state_directory, clock=clock, kernel=clock)
        assert (0 if days == 0 else 1 - left) == delete_old_records(config, look.verdict)
        assert (1 if days == 0 else left) == len(certificates(config))


def test_a_whole_note_is_certified(config: ApplianceConfig) -> None:
    """The one that the test of broken ones breaks."""
    path = config.mode_directory / "certificates/pending-0.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(WHOLE)
    assert 1 == len(certify(config))


@pytest.mark.parametrize("torn", [b"", b'{"schema":"lfr.document/1"'])
def test_a_torn_certificate_is_no_proof(config: ApplianceConfig, clock: StoppedClock, torn: bytes) -> None:
    """Half of one, or one that another key signed, is written anew; the ledger names what is whole."""
    list_id = ended(config, clock)
    path = certificate_path(config.mode_directory, END)
    path.write_bytes(torn)
    ((_, facts),) = certify(config)
    document = read_document(path.read_bytes(), Kind.WIPE_CERTIFICATE, WipeCertificate)
    document.verify_with(KEY.public)
    assert list_id == document.content.list_id
    assert hashlib.sha256(path.read_bytes()).hexdigest() == facts["certificate_sha256"]
    assert [] == notes(config)


def test_a_certificate_of_another_key_is_written_anew(config: ApplianceConfig, clock: StoppedClock) -> None:
    """It is not this box's word."""
    ended(config, clock)
    (note,) = notes(config)
    kept = note.read_bytes()
    certify_unsigned(config.mode_directory, device=DEVICE, signing=SigningKey.generate(), note=lambda *_: None)
    note.write_bytes(kept)
    certify(config)
    (path,) = certificates(config)
    read_document(path.read_bytes(), Kind.WIPE_CERTIFICATE, WipeCertificate).verify_with(KEY.public)


def begun(config: ApplianceConfig, by: Actor = TECHNICIAN, *, minutes_ago: float = 0.0) -> tuple[UnsignedWipe, str]:
    """A live list, and the note of a wipe that was about to destroy it."""
    store = new_store(config.mode_directory)
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        new.add(entry(0), templates(0), picture(0))
        list_id = new.activate()
    begun_at = SystemClock().utc_now() - timedelta(minutes=minutes_ago)
    wipe = UnsignedWipe.about_to(store, WipeCause.COMMAND, by, begun_at)
    wipe.leave(config.mode_directory)
    return wipe, list_id


def killed(wipe: UnsignedWipe, config: ApplianceConfig) -> None:
    """The note says that a process was at it which does not exist any more."""
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    wipe.model_copy(update={"prover": int(child.stdout)}).leave(config.mode_directory)


@pytest.mark.parametrize(
    "by", [Actor.of_uid(1000), Actor.of_caller(1000, through=0), Actor.of_part(Part.DAEMON), Actor.of_key("ab" * 32)]
)
def test_a_wipe_that_was_killed_behind_the_deed_is_certified(config: ApplianceConfig, by: Actor) -> None:
    """In the name of whoever asked; how long it took nobody can say."""
    wipe, list_id = begun(config, by)
    store = new_store(config.mode_directory)
    store.wipe(lambda names: killed(wipe.of(store, names), config))
    ((who, facts),) = certify(config)
    assert (by, 1, 1, "command", False) == (who, facts["lists"], facts["keys"], facts["code"], "seconds" in facts)
    (path,) = certificates(config)
    content = read_document(path.read_bytes(), Kind.WIPE_CERTIFICATE, WipeCertificate).content
    assert (list_id, None, None) == (content.list_id, content.destroyed_in_s, content.is_clean)


def test_a_wipe_that_was_killed_before_the_deed_is_none(config: ApplianceConfig) -> None:
    """The list is still there: nothing is signed, and the note goes."""
    wipe, _ = begun(config)
    killed(wipe, config)
    assert [] == certify(config)
    assert [] == notes(config) == certificates(config)


@pytest.mark.parametrize(("minutes_ago", "expected"), [(1.0, 0), (11.0, 1)])
def test_a_wipe_that_is_being_proved_is_left_to_its_prover(
    config: ApplianceConfig, minutes_ago: float, expected: int
) -> None:
    """Also where that process has taken its own place; after a while nobody is at it any more."""
    wipe, _ = begun(config, minutes_ago=minutes_ago)
    store = new_store(config.mode_directory)
    store.wipe(wipe.noting(store))
    assert expected == len(certify(config))
    assert 1 - expected == len(notes(config))


def test_a_note_names_an_actor_or_nobody(config: ApplianceConfig) -> None:
    """One whom the ledger could not name is no actor, and the note is none."""
    wipe, _ = begun(config)
    (note,) = notes(config)
    note.write_bytes(wipe.model_dump_json().encode().replace(b'{"uid":1000}', b'{"uid":-1}'))
    assert [] == certify(config)
    assert [note] == notes(config)


def test_the_dead_mans_handle_notes_before_it_destroys(
    config: ApplianceConfig, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the two leaves the note; what was not due has none."""
    found: list[tuple[int, bool]] = []

    def look_and_destroy(folders: Sequence[Path], *, between: Callable[[], None] = lambda: None) -> int:
        if folders:
            found.append((len(notes(config)), any((folder / "key.wrapped").exists() for folder in folders)))
        return destroy_lists(folders, between=between)

    monkeypatch.setattr(lists, "destroy_lists", look_and_destroy)
    ended(config, clock)
    wipe_what_is_due(config.state_directory, clock=clock, kernel=clock)
    assert [(1, True)] == found
    assert 1 == len(notes(config))


def killed_in(work: Callable[[], object]) -> None:
    """Another process does *work* and is killed by its own hand at the end of it, as by a power cut."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            work()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def die_before_the_keys(config: ApplianceConfig) -> None:
    """A wipe that is killed when its note is on the disk, and nothing is destroyed."""
    store = new_store(config.mode_directory)
    wipe = UnsignedWipe.about_to(store, WipeCause.COMMAND, TECHNICIAN, SystemClock().utc_now())

    def note_and_die(names: Sequence[str]) -> None:
        wipe.noting(store)(names)
        os.kill(os.getpid(), signal.SIGKILL)

    killed_in(lambda: store.wipe(note_and_die))


def test_a_load_that_goes_on_is_no_wipes_work(config: ApplianceConfig) -> None:
    """Its list was named by a wipe that was killed before the first key, and is live: nothing is certified."""
    store = new_store(config.mode_directory)
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        die_before_the_keys(config)
        assert 1 == len(notes(config))
        new.add(entry(0), templates(0), picture(0))
        new.activate()
    assert [] == certify(config)
    assert [] == notes(config) == certificates(config)
    assert not store.is_empty()


@pytest.mark.parametrize(
    "end",
    [
        lambda store: store.remove([entry(0).reference_id]),
        lambda store: load_list(store, range(2, 4)),
        lambda store: store.wipe(),
    ],
    ids=["removal", "load", "wipe"],
)
def test_what_ends_a_list_later_is_no_killed_wipes_work(
    config: ApplianceConfig, end: Callable[[SealedStore], object]
) -> None:
    """A wipe was killed before the first key; what took the key then was something else, which has its own line."""
    store = new_store(config.mode_directory)
    load_list(store, range(2))
    die_before_the_keys(config)
    end(store)
    assert [] == certify(config)
    assert [] == notes(config) == certificates(config)


def test_a_load_that_fails_later_is_no_killed_wipes_work(config: ApplianceConfig) -> None:
    """The loader destroys its own list, which the wipe had named beside nothing else."""
    store = new_store(config.mode_directory)
    with suppress(RuntimeError), store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION):
        die_before_the_keys(config)
        raise RuntimeError
    assert [] == certify(config)


def test_a_due_list_that_is_not_the_live_one_is_certified(config: ApplianceConfig, clock: StoppedClock) -> None:
    """What a loader left over ends, and whoever destroyed it was killed: that list is certified, not the live one."""
    store = new_store(config.mode_directory)
    store.clock = clock
    live = load_list(store, range(2))

    def leave_a_list() -> None:
        with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=END):
            os.kill(os.getpid(), signal.SIGKILL)

    killed_in(leave_a_list)
    clock.advance((END - NOW).total_seconds())

    def wipe_and_die() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dead_man, "seconds_since", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            wipe_what_is_due(config.state_directory, clock=clock, kernel=clock)

    killed_in(wipe_and_die)
    assert 1 == len(notes(config))
    ((_, facts),) = certify(config)
    assert (1, 1, "dead-man") == (facts["lists"], facts["keys"], facts["code"])
    (path,) = certificates(config)
    content = read_document(path.read_bytes(), Kind.WIPE_CERTIFICATE, WipeCertificate).content
    assert (1, 1, None) == (content.lists, content.keys, content.list_id)
    assert live == store.live_list_id()


def load_list(store: SealedStore, numbers: range) -> str:
    """Make a list of these references the live one."""
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        for number in numbers:
            new.add(entry(number), templates(number), picture(number))
        return new.activate()


@pytest.mark.parametrize(("age_s", "left"), [(0.0, 1), (61.0, 0)])
def test_what_a_kill_left_half_written_goes(config: ApplianceConfig, age_s: float, left: int) -> None:
    """Of a note or a certificate; one that somebody may be writing just now stays."""
    half = certificate_path(config.mode_directory, NOW).with_suffix(".json.partial")
    half.parent.mkdir(parents=True)
    half.write_bytes(b'{"schema"')
    at_s = SystemClock().utc_now().timestamp() - age_s
    os.utime(half, (at_s, at_s))
    keys = DeviceKeys.load(config.device_directory, create=True)
    recorder = open_recorder(config, keys.signing, SystemClock())
    keep_house(config, recorder, SystemClock())
    recorder.stop()
    assert left == len(list(half.parent.iterdir()))
