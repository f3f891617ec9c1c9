"""
Whether the wall time is to be believed: looks at the clocks enter, a verdict leaves, with what must be remembered.

The wall time is compared with the time since boot, which nobody can set and which goes on while the machine sleeps.
What a watch remembers is a `TimeNote`; `governance.clock_note` keeps it on the disk, so that neither a restart nor a
reboot makes a doubted clock a good one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

import edge_lfr
from edge_lfr.clock import Clock
from edge_lfr.errors import ClockError

BUILT_ON: Final = datetime.fromisoformat(edge_lfr.BUILT_ON).replace(tzinfo=UTC)

SECOND_NS: Final = 1_000_000_000

MAX_NS: Final = 2**63 - 1
"""The kernel's own bound of a time in nanoseconds, 292 years: with more, a note would break what reckons with it."""

MAX_STEP_NS: Final = 2 * SECOND_NS
"""A larger jump is doubted; chosen. A time server's correction in service is far smaller."""

REGAIN_NS: Final = 3600 * SECOND_NS
"""
In this time a whole MAX_STEP_NS of small steps is forgiven again; chosen, not measured.

Without the sum, whoever may step the time by one second a minute walks it by a day in a week. With it the time can be
walked by 48 s a day, and as far again by slewing, which the kernel bounds.
"""

MAX_SLEW_PPM: Final = 500
"""How much faster or slower the kernel lets a time server make the wall time (MAXFREQ of linux/timex.h)."""

NOTED_STEP_NS: Final = SECOND_NS // 10
"""From here on a step is counted and told; below, it only goes into the sum. Chosen, not measured."""

ASK_AGAIN_NS: Final = 10 * SECOND_NS
"""How often the kernel is asked whether the time is synchronised, while it is doubted; chosen, not measured."""

READINGS: Final = 3
"""Of so many readings the quickest counts: between its two clocks the fewest other things happened. Chosen."""


class Doubt(StrEnum):
    """Why the wall time is not believed."""

    BEFORE_BUILD = "before-build"
    """It is earlier than this program: a dead battery, as a rule."""

    BEFORE_NEWEST = "before-newest"
    """It is earlier than a time that has been already: of a look, or of the ledger's newest entry."""

    JUMPED = "jumped"
    """It was set by more than two seconds."""

    STEPPED_OFTEN = "stepped-often"
    """It was set by less, but too often."""

    NOTE_BROKEN = "note-broken"
    """What was remembered of it cannot be read."""

    NO_RTC = "no-rtc"
    """The machine was off, and has no clock that went on meanwhile: how long it was, nobody knows."""


class TimeNote(BaseModel):
    """All that a watch remembers; on the disk it is one JSON object."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    schema_version: Literal["lfr.clock/1"] = "lfr.clock/1"
    boot_id: str = Field(max_length=64)
    boottime_ns: int = Field(ge=0, le=MAX_NS)
    wall: AwareDatetime
    """Of the latest look, believed or not."""

    newest: AwareDatetime
    """The latest time that was believed."""

    spent_ns: int = Field(default=0, ge=0, le=MAX_NS)
    """The sum of small steps, less what was forgiven."""

    steps: int = Field(default=0, ge=0, le=MAX_NS)
    doubt: Doubt | None = None
    doubted_ns: int = Field(default=0, ge=0, le=MAX_NS)
    """Time since boot that passed in doubt, of all boots together."""

    overruled: AwareDatetime | None = None
    """Up to here a technician's word counts more than what was there before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeVerdict:
    """What is to be thought of the wall time just now."""

    now: datetime
    doubt: Doubt | None
    doubted_s: float
    """How long the machine has been up in doubt; 0 where there is none."""

    steps: int
    """Small steps since the first look ever."""

    step_s: float
    """How far the wall time was set since the look before; 0 when it was not."""

    @property
    def is_trusted(self) -> bool:
        return self.doubt is None


@dataclass(frozen=True, slots=True)
class _Reading:
    wall: datetime
    boottime_ns: int
    uncertainty_ns: int

    @classmethod
    def of(cls, clock: Clock) -> "_Reading":
        return min((cls._once(clock) for _ in range(READINGS)), key=lambda reading: reading.uncertainty_ns)

    @classmethod
    def _once(cls, clock: Clock) -> "_Reading":
        before_ns, wall, after_ns = clock.boottime_ns(), clock.utc_now(), clock.boottime_ns()
        return cls(wall, (before_ns + after_ns) // 2, after_ns - before_ns)


class TimeWatch:
    """
    Judges the wall time, look for look.

    A look says what holds, in this order:

    1. Before the build: no time is earlier than the program.
    2. Before the newest: no time is earlier, by more than two seconds, than one that was believed, or than the caller's
       *not_before* (the newest entry of the ledger).
    3. Jumped: between two looks the wall time went on by over two seconds more or less than the time since boot. What a
       time server may slew in that time is no jump; nor is a suspend, in which both go on.
    4. Stepped often: smaller steps, which are counted, add up to over two seconds; the sum regains two seconds an hour.
    5. A doubt remains, also over a restart and a reboot, until the kernel says that a time server has synchronised the
       time, and neither 1 nor 2 holds; or until
    6. a technician confirms the time, which then counts more than 2, and never more than 1.
    7. A note that cannot be read is a doubt.
    8. So is a boot of a machine that has no clock of its own: what the system then shows is the time at which it was
       switched off, or little more, which 2 does not see. The first watch of all has no earlier boot to go on from, and
       no list that must end; it believes what 1 lets through.
    """

    def __init__(
        self,
        clock: Clock,
        noted: TimeNote | Doubt | None,
        *,
        boot_id: str,
        is_synchronised: Callable[[], bool],
        has_rtc: Callable[[], bool],
        not_before: datetime | None = None,
    ) -> None:
        """
        Go on from what was noted.

        Args:
            clock: What is judged.

            noted: The note of the watch before, the doubt where there is one that cannot be read, None for the first
                watch of all.

            boot_id: Another one than the note's: the machine has been booted since.

            is_synchronised: Asks the kernel; only while the time is doubted.

            has_rtc: Whether the time of this boot came from a clock that had not been off; asked after a boot only.

            not_before: A time that is known to have been, from a record of its own.
        """
        self._clock = clock
        self._is_synchronised = is_synchronised
        self._not_before = BUILT_ON if not_before is None else not_before
        self._asked_ns: int | None = None
        self._last = _Reading.of(clock)
        self._note = TimeNote(boot_id=boot_id, boottime_ns=0, wall=self._last.wall, newest=BUILT_ON)
        if isinstance(noted, Doubt):  # (7)
            self._note = self._note.model_copy(update={"doubt": noted})
        elif noted is not None and noted.boot_id == boot_id and noted.boottime_ns <= self._last.boottime_ns:
            self._note = noted
            self._last = _Reading(noted.wall, noted.boottime_ns, 0)
        elif noted is not None:
            doubt = noted.doubt or (None if has_rtc() else Doubt.NO_RTC)  # (8)
            changes = {"boot_id": boot_id, "boottime_ns": 0, "wall": self._last.wall, "doubt": doubt}
            self._note = noted.model_copy(update=changes)

    @property
    def note(self) -> TimeNote:
        """What the next watch must know."""
        return self._note

    def look(self) -> TimeVerdict:
        """Judge the wall time now; to be called about every second."""
        reading, note = _Reading.of(self._clock), self._note
        step_ns = _step_ns(self._last, reading)
        # From the first look of a boot on, all of its uptime counts: a dead clock was dead before anybody looked.
        passed_ns = reading.boottime_ns - note.boottime_ns
        spent_ns = max(0, note.spent_ns - passed_ns * MAX_STEP_NS // REGAIN_NS) + abs(step_ns)
        impossible = self._impossible(reading.wall)  # (1), (2)
        doubt = impossible or note.doubt
        if impossible is None and abs(step_ns) > MAX_STEP_NS:  # (3)
            doubt = Doubt.JUMPED
        elif impossible is None and spent_ns > MAX_STEP_NS:  # (4)
            doubt = note.doubt or Doubt.STEPPED_OFTEN
        elif impossible is None and note.doubt is not None and self._is_synchronised_now(reading):  # (5)
            doubt = None
        if doubt is not None or note.doubt is not None:
            spent_ns = 0  # a sum that was doubted is not doubted again
        self._note = note.model_copy(
            update={
                "boottime_ns": reading.boottime_ns,
                "wall": reading.wall,
                "newest": max(note.newest, reading.wall) if doubt is None else note.newest,
                "spent_ns": spent_ns,
                "steps": note.steps + (abs(step_ns) >= NOTED_STEP_NS),
                "doubt": doubt,
                "doubted_ns": 0 if doubt is None else note.doubted_ns + passed_ns,
            }
        )
        self._last = reading
        return self._verdict(step_ns)

    def confirm(self) -> TimeVerdict:
        """
        Take a technician's word that the wall time is right.

        Raises:
            ClockError: It is earlier than this program.
        """
        reading, note = _Reading.of(self._clock), self._note
        if reading.wall < BUILT_ON:  # (1)
            message = f"it cannot be {reading.wall:%Y-%m-%d %H:%M} UTC: this program was made on {edge_lfr.BUILT_ON}"
            raise ClockError(message)
        self._note = note.model_copy(  # (6)
            update={
                "boottime_ns": reading.boottime_ns,
                "wall": reading.wall,
                "newest": reading.wall,
                "spent_ns": 0,
                "doubt": None,
                "doubted_ns": 0,
                "overruled": max(note.newest, self._not_before, note.overruled or BUILT_ON),
            }
        )
        self._last = reading
        return self._verdict(0)

    def take_back(self, note: TimeNote) -> None:
        """Remember again what was so before a confirmation that nobody could keep."""
        self._note = note

    def _impossible(self, wall: datetime) -> Doubt | None:
        if wall < BUILT_ON:
            return Doubt.BEFORE_BUILD
        overruled = self._note.overruled
        not_before = BUILT_ON if overruled is not None and self._not_before <= overruled else self._not_before
        newest = max(self._note.newest, not_before)
        return Doubt.BEFORE_NEWEST if newest - wall > timedelta(seconds=MAX_STEP_NS / SECOND_NS) else None

    def _is_synchronised_now(self, reading: _Reading) -> bool:
        if self._asked_ns is not None and reading.boottime_ns - self._asked_ns < ASK_AGAIN_NS:
            return False
        self._asked_ns = reading.boottime_ns
        return self._is_synchronised()

    def _verdict(self, step_ns: int) -> TimeVerdict:
        note = self._note
        return TimeVerdict(
            now=note.wall,
            doubt=note.doubt,
            doubted_s=note.doubted_ns / SECOND_NS,
            steps=note.steps,
            step_s=step_ns / SECOND_NS,
        )


def _step_ns(before: _Reading, after: _Reading) -> int:
    """How far somebody set the wall time between two readings; 0 where slewing and reading may explain it."""
    passed_ns = after.boottime_ns - before.boottime_ns
    went = after.wall - before.wall
    went_ns = (went.days * 86_400 + went.seconds) * SECOND_NS + went.microseconds * 1_000
    ahead_ns = went_ns - passed_ns
    explained_ns = passed_ns * MAX_SLEW_PPM // 1_000_000 + before.uncertainty_ns + after.uncertainty_ns + 2_000
    if abs(ahead_ns) <= explained_ns:
        return 0
    return ahead_ns - explained_ns if ahead_ns > 0 else ahead_ns + explained_ns
