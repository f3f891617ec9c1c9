"""The dead man's handle: what must not exist any more is destroyed in every mode, beside a daemon and without one."""

import errno
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.config.appliance import WATCHLIST_FOLDER
from edge_lfr.config.load import load_config
from edge_lfr.daemon.ending.dead_man import keyless_store, wipe_what_is_due
from edge_lfr.daemon.lock import hold_state
from edge_lfr.errors import RevocationError, WatchlistStorageError
from edge_lfr.governance.authority.revocation import take_revocation
from edge_lfr.governance.clock_note import glance, read_note
from edge_lfr.governance.trusted_time import BUILT_ON, Doubt, TimeNote
from edge_lfr.terms import Mode
from edge_lfr.watchlist.sealed.origin import Origin
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.authorities import DEVICE, Force
from simulators.clock import StoppedClock
from simulators.command import CONFIG
from simulators.watchlists import DIMENSION, PACK_DIGEST, entry, new_store, picture, templates

NOW = BUILT_ON + timedelta(days=30)
END = NOW + timedelta(hours=10)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock(now=NOW)


def load(
    state: Path,
    mode: Mode,
    clock: StoppedClock,
    wipe_at: datetime | None = END,
    *,
    authority_id: str | None = None,
) -> SealedStore:
    """A list of one reference in that mode."""
    store = new_store(state / mode.value)
    store.clock = clock
    origin = Origin(
        list_id="june-01",
        issuer_key="ab" * 32,
        extracted_at=NOW,
        manifest_sha256="cd" * 32,
        authority_id=authority_id,
    )
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=wipe_at, origin=origin) as new:
        new.add(entry(0), templates(0), picture(0))
        new.activate()
    return store


def look(state: Path, clock: StoppedClock) -> dict[str, int]:
    """Which modes there are, and how many lists were destroyed in each."""
    looked = wipe_what_is_due(state, clock=clock, kernel=clock)
    return {one.mode.value: one.wiped.lists for one in looked}


def test_nothing_is_touched_where_nothing_is(tmp_path: Path, clock: StoppedClock) -> None:
    """A box without a list, or without a folder at all."""
    assert {} == look(tmp_path / "absent", clock)
    assert {} == look(tmp_path, clock)
    assert [] == list(tmp_path.iterdir())


def test_every_mode_is_looked_after(tmp_path: Path, clock: StoppedClock) -> None:
    """Also the one that is not configured any more; what is not due, and what has no end, stays."""
    load(tmp_path, Mode.OPERATIONAL, clock)
    training = load(tmp_path, Mode.TRAINING, clock, END + timedelta(seconds=1))
    assert {"training": 0, "operational": 0} == look(tmp_path, clock)
    clock.advance(36_000.0)
    assert {"training": 0, "operational": 1} == look(tmp_path, clock)
    assert {"training": 0, "operational": 0} == look(tmp_path, clock)
    training.open(glance(tmp_path / Mode.TRAINING, clock=clock, kernel=clock)).close()


def test_it_is_done_beside_a_daemon_that_does_not(tmp_path: Path, clock: StoppedClock) -> None:
    """Which holds the state folder, and writes the note of the clock alone."""
    load(tmp_path, Mode.TRAINING, clock)
    clock.advance(36_000.0)
    with hold_state(tmp_path / "training"):
        assert {"training": 1} == look(tmp_path, clock)
        assert None is read_note(tmp_path / "training/clock.json")
    look(tmp_path, clock)
    assert isinstance(read_note(tmp_path / "training/clock.json"), TimeNote)


def test_a_clock_that_was_turned_back_prolongs_nothing(tmp_path: Path, clock: StoppedClock) -> None:
    """The list stays sealed, through reboots, and is destroyed after a day of uptime, look for look."""
    load(tmp_path, Mode.TRAINING, clock)
    assert {"training": 0} == look(tmp_path, clock)
    clock.step(-86_400.0)
    hours = 0
    while not look(tmp_path, clock)["training"]:
        note = read_note(tmp_path / "training/clock.json")
        assert isinstance(note, TimeNote)
        assert Doubt.BEFORE_NEWEST == note.doubt
        clock.advance(3_600.0)
        hours += 1
        if hours == 10:
            look(tmp_path, clock)
            clock.reboot(clock.utc_now() - timedelta(hours=9), uptime_s=0.0)
    assert 24 == hours


def test_a_dead_battery_at_boot_prolongs_nothing(tmp_path: Path, clock: StoppedClock) -> None:
    """1970: sealed for a day of uptime, and then gone."""
    load(tmp_path, Mode.TRAINING, clock)
    clock.reboot(datetime.fromisoformat("1970-01-01T00:00:00+00:00"))
    assert {"training": 0} == look(tmp_path, clock)
    clock.advance(86_400.0)
    assert {"training": 1} == look(tmp_path, clock)


def test_a_power_cut_prolongs_nothing(tmp_path: Path, clock: StoppedClock) -> None:
    """A box that was off at the end destroys the list at its next boot."""
    load(tmp_path, Mode.TRAINING, clock)
    look(tmp_path, clock)
    clock.reboot(END + timedelta(days=3))
    assert {"training": 1} == look(tmp_path, clock)


def test_a_revocation_destroys_while_no_daemon_runs(tmp_path: Path, clock: StoppedClock) -> None:
    """What was loaded under the authority goes at the next look, in whichever mode; nothing else does."""
    force = Force(tmp_path / "officers", clock=clock)
    state = tmp_path / "state"
    load(state, Mode.OPERATIONAL, clock, authority_id="TS-2026-014")
    load(state, Mode.TRAINING, clock, authority_id="TS-2026-015")
    assert {"training": 0, "operational": 0} == look(state, clock)
    take_revocation(
        state, force.revocation(), trust=force.trust, device=DEVICE, device_fingerprint=None, now=clock.utc_now()
    )
    assert {"training": 0, "operational": 1} == look(state, clock)
    (noted,) = (state / "operational/certificates").glob("pending-*.json")
    assert '"cause":"revoked"' in noted.read_text()


def test_revocations_that_cannot_be_read_keep_no_list_alive(tmp_path: Path, clock: StoppedClock) -> None:
    """What is over goes all the same, and the failure is told."""
    load(tmp_path, Mode.TRAINING, clock)
    (tmp_path / "revocations").mkdir()
    (tmp_path / "revocations/note.txt").write_text("?")
    clock.advance(36_000.0)
    with pytest.raises(RevocationError):
        look(tmp_path, clock)
    assert keyless_store(tmp_path / "training").is_empty()


def test_what_fails_in_one_mode_keeps_no_other_list_alive(tmp_path: Path, clock: StoppedClock) -> None:
    """The failure is told when everything else is done."""
    load(tmp_path, Mode.OPERATIONAL, clock)
    load(tmp_path, Mode.TRAINING, clock)
    clock.advance(36_000.0)
    first, second = Mode
    lock = tmp_path / first.value / WATCHLIST_FOLDER / "lock"
    lock.unlink()
    lock.mkdir()
    with pytest.raises(WatchlistStorageError):
        look(tmp_path, clock)
    assert keyless_store(tmp_path / second.value).is_empty()
    assert not keyless_store(tmp_path / first.value).is_empty()


def test_no_lock_is_needed_to_destroy(tmp_path: Path, clock: StoppedClock) -> None:
    """A folder whose lock cannot be made, as on a full disk: what is due ends, and the note of the clock is left."""
    load(tmp_path, Mode.TRAINING, clock)
    clock.advance(36_000.0)
    (tmp_path / "training/daemon.lock").mkdir()
    assert {"training": 1} == look(tmp_path, clock)
    assert None is read_note(tmp_path / "training/clock.json")


def test_a_system_that_fails_once_keeps_no_other_list_alive(tmp_path: Path, clock: StoppedClock) -> None:
    """An error of the system, not of ours: told when everything else is done, without a traceback."""
    for mode in Mode:
        load(tmp_path, mode, clock)
    clock.advance(36_000.0)

    class Failing(StoppedClock):
        def boot_id(self) -> str:
            if not is_over:
                is_over.append(1)
                raise OSError(errno.EIO, "Input/output error")
            return super().boot_id()

    is_over: list[int] = []
    with pytest.raises(WatchlistStorageError, match="Input/output error"):
        wipe_what_is_due(tmp_path, clock=clock, kernel=Failing())
    first, second = Mode
    assert not keyless_store(tmp_path / first.value).is_empty()
    assert keyless_store(tmp_path / second.value).is_empty()


def test_the_store_is_where_the_configuration_says(tmp_path: Path) -> None:
    """A mode's folder is looked after without a configuration, which may be broken."""
    (tmp_path / "van.toml").write_text(CONFIG)
    config = load_config(tmp_path / "van.toml", {})
    assert config.state_directory / config.mode.value / WATCHLIST_FOLDER == config.watchlist_directory
