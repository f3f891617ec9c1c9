"""Whether the wall time is believed: each rule of `TimeWatch`, on clocks that are set, slewed, stopped and slept."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.errors import ClockError
from edge_lfr.governance.trusted_time import ASK_AGAIN_NS, BUILT_ON, MAX_SLEW_PPM, Doubt, TimeVerdict, TimeWatch
from simulators.clock import StoppedClock

ROOT = Path(__file__).resolve().parents[3]
DAY_S = 86_400.0
HOUR_S = 3_600.0


@pytest.fixture
def clock() -> StoppedClock:
    """Some weeks after the build, so that it can go back."""
    return StoppedClock(now=BUILT_ON + timedelta(days=30))


@pytest.fixture
def watch(clock: StoppedClock) -> TimeWatch:
    """One that has looked once."""
    watch = watch_of(clock)
    assert watch.look().is_trusted
    return watch


def watch_of(clock: StoppedClock, before: TimeWatch | None = None, *, not_before: datetime | None = None) -> TimeWatch:
    """The first watch of all, or the next one after *before*."""
    noted = None if before is None else before.note
    return TimeWatch(
        clock,
        noted,
        boot_id=clock.boot_id(),
        is_synchronised=clock.is_synchronised,
        has_rtc=clock.has_rtc,
        not_before=not_before,
    )


def later(watch: TimeWatch, clock: StoppedClock, seconds: float = 1.0, *, slew_ppm: float = 0.0) -> TimeVerdict:
    """Look a second later, or another time."""
    clock.advance(seconds, slew_ppm=slew_ppm)
    return watch.look()


class TestRules:
    """The numbered rules of `TimeWatch`."""

    @pytest.mark.parametrize("now", [datetime(1970, 1, 1, tzinfo=UTC), BUILT_ON - timedelta(seconds=1)])
    def test_1_before_build(self, now: datetime) -> None:
        """A dead battery at boot: the year 1970, or any time before the program; from the first look on."""
        clock = StoppedClock(now=now)
        assert Doubt.BEFORE_BUILD == watch_of(clock).look().doubt

    def test_2_before_newest(self, watch: TimeWatch, clock: StoppedClock) -> None:
        """After a boot no time is earlier than the newest that was believed, but for two seconds."""
        later(watch, clock, 100.0)
        newest = clock.utc_now()
        clock.reboot(newest - timedelta(seconds=2))
        assert watch_of(clock, watch).look().is_trusted
        clock.reboot(newest - timedelta(seconds=2, milliseconds=1))
        assert Doubt.BEFORE_NEWEST == watch_of(clock, watch).look().doubt

    def test_2_before_newest_of_a_record(self, clock: StoppedClock) -> None:
        """Nor earlier than the newest entry of the ledger."""
        entry = clock.utc_now() + timedelta(minutes=1)
        assert Doubt.BEFORE_NEWEST == watch_of(clock, not_before=entry).look().doubt

    @pytest.mark.parametrize("seconds", [DAY_S, -DAY_S, 2.1, -2.1])
    def test_3_jumped(self, watch: TimeWatch, clock: StoppedClock, seconds: float) -> None:
        """Two seconds and more, forward or back, are seen by the next look; what was set is told."""
        clock.step(seconds)
        verdict = later(watch, clock)
        expected = Doubt.BEFORE_NEWEST if seconds == -DAY_S else Doubt.JUMPED
        assert expected == verdict.doubt
        assert pytest.approx(seconds, abs=1e-3) == verdict.step_s

    def test_4_stepped_often(self, watch: TimeWatch, clock: StoppedClock) -> None:
        """One second, and one again, is the most; the third one within the hour is doubted."""
        for number in (1, 2):
            clock.step(1.0)
            assert (None, number) == ((verdict := later(watch, clock)).doubt, verdict.steps)
        clock.step(1.0)
        assert Doubt.STEPPED_OFTEN == later(watch, clock).doubt

    def test_5_synchronised(self, watch: TimeWatch, clock: StoppedClock) -> None:
        """A doubt stays until the kernel says that a time server holds the time; whoever sets it takes that back."""
        clock.synchronised = True
        clock.step(DAY_S)
        assert not later(watch, clock).is_trusted
        assert not later(watch, clock, HOUR_S).is_trusted
        clock.synchronised = True
        assert later(watch, clock, ASK_AGAIN_NS / 1e9).is_trusted

    def test_5_synchronised_is_not_enough_before_what_has_been(self, watch: TimeWatch, clock: StoppedClock) -> None:
        """A time server that says a day less is believed when that day has passed, and not earlier."""
        clock.step(-DAY_S)
        later(watch, clock)
        clock.synchronised = True
        assert Doubt.BEFORE_NEWEST == later(watch, clock, DAY_S - 60.0).doubt
        assert later(watch, clock, 60.0).is_trusted

    def test_6_confirmed(self, watch: TimeWatch, clock: StoppedClock) -> None:
        """A technician's word counts at once, and more than what was believed or written before."""
        clock.step(-DAY_S)
        assert not later(watch, clock).is_trusted
        assert watch.confirm().is_trusted
        assert later(watch, clock).is_trusted
        entry = clock.utc_now() + timedelta(hours=23)
        assert watch_of(clock, watch, not_before=entry).look().is_trusted
        assert not watch_of(clock, watch, not_before=entry + timedelta(days=2)).look().is_trusted

    def test_6_confirmed_never_before_the_build(self) -> None:
        """Nobody's word makes 1970 of today, and the refusal changes nothing."""
        clock = StoppedClock(now=datetime(1970, 1, 1, tzinfo=UTC))
        watch = watch_of(clock)
        with pytest.raises(ClockError, match="1970"):
            watch.confirm()
        assert Doubt.BEFORE_BUILD == watch.look().doubt

    def test_7_note_broken(self, clock: StoppedClock) -> None:
        """What may have been a doubt is one."""
        watch = TimeWatch(
            clock,
            Doubt.NOTE_BROKEN,
            boot_id="boot-1",
            is_synchronised=clock.is_synchronised,
            has_rtc=clock.has_rtc,
        )
        assert Doubt.NOTE_BROKEN == watch.look().doubt
        assert Doubt.NOTE_BROKEN == later(watch, clock).doubt

    def test_8_no_rtc(self, watch: TimeWatch, clock: StoppedClock) -> None:
        """
        Three days off, and the system restores the time of the last shutdown: that is no time to go by.

        A daemon that starts again in the same boot goes on from what was said in it.
        """
        clock.rtc = False
        assert watch_of(clock, watch).look().is_trusted
        clock.reboot(clock.utc_now() + timedelta(seconds=1))
        booted = watch_of(clock, watch)
        assert Doubt.NO_RTC == booted.look().doubt
        assert Doubt.NO_RTC == later(watch_of(clock, booted), clock, HOUR_S).doubt
        booted.confirm()
        assert watch_of(clock, booted).look().is_trusted
        clock.reboot(clock.utc_now() + timedelta(seconds=1))
        assert Doubt.NO_RTC == watch_of(clock, booted).look().doubt

    def test_8_no_rtc_with_a_time_server(self, watch: TimeWatch, clock: StoppedClock) -> None:
        """One look is enough where the time is synchronised: a virtual machine or a container asks nobody."""
        clock.rtc = False
        clock.reboot()
        clock.synchronised = True
        verdict = watch_of(clock, watch).look()
        assert (None, 0.0) == (verdict.doubt, verdict.doubted_s)

    def test_8_no_rtc_at_first(self, clock: StoppedClock) -> None:
        """The first watch of all has nothing that it could have missed."""
        clock.rtc = False
        assert watch_of(clock).look().is_trusted


@pytest.mark.parametrize("seconds", [1.0, -1.0, 1.9, -1.9])
def test_a_step_of_a_time_server_is_noted_and_believed(watch: TimeWatch, clock: StoppedClock, seconds: float) -> None:
    """Up to two seconds: counted once, told once."""
    clock.step(seconds)
    verdict = later(watch, clock)
    assert (None, 1) == (verdict.doubt, verdict.steps)
    assert pytest.approx(seconds, abs=1e-3) == verdict.step_s
    verdict = later(watch, clock)
    assert (None, 1, 0.0) == (verdict.doubt, verdict.steps, verdict.step_s)


def test_a_day_forward_and_back_leaves_a_doubt(watch: TimeWatch, clock: StoppedClock) -> None:
    """Who sets the right time again does not say that it is right; the day ahead is not remembered as having been."""
    clock.step(DAY_S)
    later(watch, clock)
    clock.step(-DAY_S)
    assert Doubt.JUMPED == later(watch, clock).doubt
    clock.synchronised = True
    assert later(watch, clock, 10.0).is_trusted


def test_a_dead_battery_is_healed_by_a_time_server(clock: StoppedClock) -> None:
    """1970 at boot, set right by the network, synchronised."""
    right = clock.utc_now()
    clock.reboot(datetime(1970, 1, 1, tzinfo=UTC))
    watch = watch_of(clock)
    watch.look()
    clock.step((right - clock.utc_now()).total_seconds())
    assert Doubt.JUMPED == later(watch, clock).doubt
    clock.synchronised = True
    assert later(watch, clock, 10.0).is_trusted


@pytest.mark.parametrize("slew_ppm", [MAX_SLEW_PPM, -MAX_SLEW_PPM])
def test_slewing_is_no_step(watch: TimeWatch, clock: StoppedClock, slew_ppm: float) -> None:
    """As fast as the kernel lets a time server: half a day of it, 21 s in all, and not one step."""
    verdicts = [later(watch, clock, seconds, slew_ppm=slew_ppm) for seconds in [1.0] * 100 + [60.0] * 720]
    assert {(None, 0, 0.0)} == {(verdict.doubt, verdict.steps, verdict.step_s) for verdict in verdicts}


def test_a_suspend_is_no_jump(watch: TimeWatch, clock: StoppedClock) -> None:
    """An hour's sleep passes in the time since boot as well."""
    clock.suspend(HOUR_S)
    verdict = later(watch, clock)
    assert (None, 0.0) == (verdict.doubt, verdict.step_s)


@given(steps=st.lists(st.floats(-0.9, 0.9), min_size=1, max_size=60), every_s=st.floats(1.0, 600.0))
def test_nobody_walks_the_time_by_small_steps(steps: list[float], every_s: float) -> None:
    """However it is stepped, believed steps add up to four seconds in an hour at most, and 48 s more in each day."""
    clock = StoppedClock()
    watch = watch_of(clock)
    watch.look()
    walked, passed = 0.0, 0.0
    for step in steps:
        clock.step(step)
        passed += every_s
        if not later(watch, clock, every_s).is_trusted:
            break
        walked += max(0.0, abs(step) - every_s * MAX_SLEW_PPM * 1e-6)
    assert walked <= 2.0 + 2.0 * passed / HOUR_S + 0.01


def test_a_step_an_hour_is_forgiven(watch: TimeWatch, clock: StoppedClock) -> None:
    """A time server that corrects by a second each hour is believed for ever."""
    for _ in range(48):
        clock.step(1.0)
        assert later(watch, clock, HOUR_S).is_trusted


@pytest.mark.parametrize("is_reboot", [True, False])
def test_a_doubt_survives(watch: TimeWatch, clock: StoppedClock, *, is_reboot: bool) -> None:
    """Neither a restart nor a reboot makes a doubted clock a good one."""
    clock.step(DAY_S)
    later(watch, clock)
    if is_reboot:
        clock.reboot()
    assert Doubt.JUMPED == watch_of(clock, watch).look().doubt


def test_a_jump_while_nobody_looked_is_seen(watch: TimeWatch, clock: StoppedClock) -> None:
    """Between two watches of one boot, with ten minutes between their looks."""
    clock.step(5.0)
    clock.advance(600.0)
    assert Doubt.JUMPED == watch_of(clock, watch).look().doubt


def test_the_time_in_doubt_is_summed_over_boots(clock: StoppedClock) -> None:
    """From the boot on, not from the first look; reboots do not begin it anew, and trust does."""
    clock.reboot(datetime(1970, 1, 1, tzinfo=UTC), uptime_s=100.0)
    watch = watch_of(clock)
    assert 100.0 == watch.look().doubted_s
    assert 1_100.0 == later(watch, clock, 1_000.0).doubted_s
    clock.reboot(uptime_s=50.0)
    watch = watch_of(clock, watch)
    assert 1_150.0 == watch.look().doubted_s
    clock.step((BUILT_ON - clock.utc_now()).total_seconds() + 1.0)
    assert watch.confirm().doubted_s == 0.0
    assert later(watch, clock).doubted_s == 0.0


def test_the_time_before_a_doubt_does_not_count(watch: TimeWatch, clock: StoppedClock) -> None:
    """A machine that has been up for a month has been in doubt for a second."""
    later(watch, clock, 30 * DAY_S)
    clock.step(DAY_S)
    assert 1.0 == later(watch, clock).doubted_s


def test_the_kernel_is_asked_in_doubt_only_and_not_often(clock: StoppedClock) -> None:
    """To ask may start a process."""
    asked = 0

    def ask() -> bool:
        nonlocal asked
        asked += 1
        return False

    watch = TimeWatch(clock, None, boot_id="boot-1", is_synchronised=ask, has_rtc=clock.has_rtc)
    for _ in range(20):
        later(watch, clock)
    assert 0 == asked
    clock.step(DAY_S)
    for _ in range(21):
        later(watch, clock)
    assert 2 == asked


def test_the_program_is_no_older_than_its_releases() -> None:
    """The date that no time may be before is moved on with each release, and has come."""
    page = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[?\d\S* - (\d{4}-\d{2}-\d{2})", page, flags=re.MULTILINE)
    assert [] == [day for day in released if datetime.fromisoformat(day).replace(tzinfo=UTC) > BUILT_ON]
    assert datetime.now(tz=UTC) >= BUILT_ON
