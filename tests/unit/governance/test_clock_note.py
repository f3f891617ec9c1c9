"""What is remembered of the clock on the disk, and what the kernel says of it."""

import json
import re
import shutil
import stat
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_lfr.clock import SystemClock
from edge_lfr.governance import clock_note
from edge_lfr.governance.clock_note import (
    FILE_NAME,
    MAX_NOTE_BYTES,
    ClockNoteError,
    SystemKernel,
    TrustedTime,
    glance,
    read_note,
)
from edge_lfr.governance.trusted_time import BUILT_ON, Doubt, TimeNote
from simulators.clock import StoppedClock
from simulators.ledgers import new_ledger


@pytest.fixture
def clock() -> StoppedClock:
    """Some weeks after the build, so that it can go back."""
    return StoppedClock(now=BUILT_ON + timedelta(days=30))


def begin(folder: Path, clock: StoppedClock) -> TrustedTime:
    return TrustedTime.begin(folder, clock=clock, kernel=clock)


def test_a_doubt_is_on_the_disk_before_it_is_told(tmp_path: Path, clock: StoppedClock) -> None:
    """Whoever begins after a power cut doubts too, also after a reboot."""
    time = begin(tmp_path, clock)
    assert time.look().is_trusted
    clock.step(86_400.0)
    assert Doubt.JUMPED == time.look().doubt
    assert Doubt.JUMPED == glance(tmp_path, clock=clock, kernel=clock).doubt
    clock.reboot()
    assert Doubt.JUMPED == begin(tmp_path, clock).look().doubt


def test_the_note_is_written_rarely(tmp_path: Path, clock: StoppedClock) -> None:
    """Once for a boot, a step or a doubt, and every ten minutes: not with each look."""
    time = begin(tmp_path, clock)
    written = set()
    for _ in range(1_300):
        time.look()
        written.add((tmp_path / "clock.json").read_bytes())
        clock.advance(1.0)
    assert 3 == len(written)
    clock.step(1.0)
    time.look()
    assert (tmp_path / "clock.json").read_bytes() not in written


def test_the_newest_time_survives_a_power_cut(tmp_path: Path, clock: StoppedClock) -> None:
    """A small clock that has lost an hour is found out by what was noted."""
    time = begin(tmp_path, clock)
    time.look()
    clock.advance(600.0)
    time.look()
    clock.reboot(clock.utc_now() - timedelta(hours=1))
    assert Doubt.BEFORE_NEWEST == begin(tmp_path, clock).look().doubt


def test_a_confirmation_is_on_the_disk(tmp_path: Path, clock: StoppedClock) -> None:
    """The next watch believes it."""
    time = begin(tmp_path, clock)
    time.look()
    clock.step(-86_400.0)
    assert not time.look().is_trusted
    time.confirm()
    assert begin(tmp_path, clock).look().is_trusted


def test_a_confirmation_that_cannot_be_kept_is_none(tmp_path: Path, clock: StoppedClock) -> None:
    """The disk refuses: whoever confirmed is told, and the time is doubted as before, for as long as before."""
    folder = tmp_path / "state"
    folder.mkdir()
    time = begin(folder, clock)
    time.look()
    clock.step(86_400.0)
    clock.advance(1.0)
    time.look()
    shutil.rmtree(folder)
    with pytest.raises(ClockNoteError, match=re.escape("clock.json")):
        time.confirm()
    clock.advance(1.0)
    verdict = time.look()
    assert (Doubt.JUMPED, 2.0) == (verdict.doubt, verdict.doubted_s)
    folder.mkdir()
    assert time.confirm().is_trusted
    assert time.look().is_trusted


def test_no_time_is_earlier_than_the_ledger(tmp_path: Path, clock: StoppedClock) -> None:
    """Its last line has been written; a technician's word counts more, and a ledger that is none says nothing."""
    new_ledger(tmp_path, StoppedClock(now=clock.utc_now() + timedelta(hours=1)))
    time = begin(tmp_path, clock)
    assert Doubt.BEFORE_NEWEST == time.look().doubt
    time.confirm()
    assert begin(tmp_path, clock).look().is_trusted
    (tmp_path / "clock.json").unlink()
    (tmp_path / "ledger.jsonl").write_bytes(b"nonsense")
    assert begin(tmp_path, clock).look().is_trusted


def test_a_glance_writes_nothing(tmp_path: Path, clock: StoppedClock) -> None:
    """Not even the first note."""
    assert glance(tmp_path, clock=clock, kernel=clock).is_trusted
    assert [] == list(tmp_path.iterdir())


def test_a_full_disk_does_not_change_the_verdict(tmp_path: Path, clock: StoppedClock) -> None:
    """It is logged, and noted once there is room."""
    time = begin(tmp_path / "absent", clock)
    with structlog.testing.capture_logs() as logged:
        time._log = structlog.get_logger()
        assert time.look().is_trusted
    assert ["clock.not-noted"] == [line["event"] for line in logged]
    (tmp_path / "absent").mkdir()
    time.look()
    assert isinstance(read_note(tmp_path / "absent/clock.json"), TimeNote)


def test_the_note_is_for_the_owner_alone(tmp_path: Path, clock: StoppedClock) -> None:
    """0600, like everything beside it."""
    begin(tmp_path, clock).look()
    assert 0o600 == stat.S_IMODE((tmp_path / "clock.json").stat().st_mode)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400), changed=st.binary(max_size=20))
def test_a_note_that_is_none_is_a_doubt(tmp_path: Path, cut: int, changed: bytes) -> None:
    """Torn or overwritten, it is told as a doubt or read as a note, and never another error."""
    clock = StoppedClock()
    path = tmp_path / "clock.json"
    path.unlink(missing_ok=True)
    begin(tmp_path, clock).look()
    content = path.read_bytes()
    path.write_bytes(content[:cut] + changed + content[cut + len(changed) + 1 :])
    assert isinstance(read_note(path), TimeNote | Doubt)
    path.write_bytes(content[: min(cut, len(content) - 2)])
    assert Doubt.NOTE_BROKEN == begin(tmp_path, clock).look().doubt


def test_a_note_is_bounded(tmp_path: Path) -> None:
    """A larger file is not read to its end; a folder of that name is no note either."""
    (tmp_path / "clock.json").write_bytes(b" " * (MAX_NOTE_BYTES + 1))
    assert Doubt.NOTE_BROKEN is read_note(tmp_path / "clock.json")
    assert Doubt.NOTE_BROKEN is read_note(tmp_path)
    assert None is read_note(tmp_path / "absent")


def test_the_machine_of_these_tests_answers(tmp_path: Path) -> None:
    """The real kernel has a boot id, says yes or no, and its clocks agree from look to look."""
    kernel, clock = SystemKernel(), SystemClock()
    assert kernel.boot_id() == kernel.boot_id() != ""
    assert kernel.is_synchronised() in {True, False}
    assert kernel.has_rtc() in {True, False}
    before = clock.boottime_ns()
    time = TrustedTime.begin(tmp_path)
    verdicts = [time.look() for _ in range(100)]
    assert clock.boottime_ns() > before
    assert {None} == {verdict.doubt for verdict in verdicts}


@pytest.mark.parametrize(("said", "status", "expected"), [("yes", 0, True), ("no", 0, False), ("yes", 1, False)])
def test_a_service_asks_its_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, status: int, *, expected: bool
) -> None:
    """Where the kernel may not be asked, `timedatectl` is; what fails or is absent is no."""
    program = tmp_path / "timedatectl"
    monkeypatch.setattr(clock_note, "TIMEDATECTL", str(program))
    assert not clock_note._timedatectl_says_so()
    program.write_text(f"#!/bin/sh\necho {said}\nexit {status}\n")
    program.chmod(0o755)
    assert expected is clock_note._timedatectl_says_so()


@pytest.mark.parametrize(
    ("gave_time", "shows", "expected"),
    [
        ("1\n", f"{BUILT_ON.timestamp():.0f}\n", True),
        ("0\n", f"{BUILT_ON.timestamp():.0f}\n", False),
        ("1\n", f"{BUILT_ON.timestamp() - 1:.0f}\n", False),
        ("1\n", "", False),
        ("", "", False),
    ],
)
def test_a_clock_of_the_machine_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gave_time: str, shows: str, *, expected: bool
) -> None:
    """Where the kernel took its time from it at boot, and its battery is not dead; one of several is enough."""
    monkeypatch.setattr(clock_note, "CLOCKS", tmp_path / "rtc")
    assert not SystemKernel().has_rtc()
    (tmp_path / "rtc/rtc0").mkdir(parents=True)
    assert not SystemKernel().has_rtc()
    (tmp_path / "rtc/rtc1").mkdir()
    (tmp_path / "rtc/rtc1/hctosys").write_text(gave_time)
    (tmp_path / "rtc/rtc1/since_epoch").write_text(shows)
    assert expected is SystemKernel().has_rtc()


def test_a_boot_without_a_clock_is_a_doubt(tmp_path: Path, clock: StoppedClock) -> None:
    """Also for whoever only glances, and until it is confirmed; a folder without a note asks for no word."""
    clock.rtc = False
    begin(tmp_path, clock).look()
    clock.reboot(clock.utc_now() + timedelta(seconds=1))
    assert Doubt.NO_RTC is glance(tmp_path, clock=clock, kernel=clock).doubt
    time = begin(tmp_path, clock)
    assert Doubt.NO_RTC is time.look().doubt
    time.confirm()
    assert glance(tmp_path, clock=clock, kernel=clock).is_trusted
    (tmp_path / FILE_NAME).unlink()
    assert glance(tmp_path, clock=clock, kernel=clock).is_trusted


@pytest.mark.parametrize("field", ["boottime_ns", "spent_ns", "steps", "doubted_ns"])
def test_a_number_in_a_note_is_bounded(tmp_path: Path, clock: StoppedClock, field: str) -> None:
    """A number that nothing can reckon with is a doubt, and not the end of whoever looks."""
    note = TimeNote(boot_id="boot-1", boottime_ns=0, wall=clock.now, newest=clock.now, doubt=Doubt.JUMPED)
    content = {**json.loads(note.model_dump_json()), field: 10**400}
    (tmp_path / FILE_NAME).write_text(json.dumps(content))
    assert Doubt.NOTE_BROKEN is glance(tmp_path, clock=clock, kernel=clock).doubt
