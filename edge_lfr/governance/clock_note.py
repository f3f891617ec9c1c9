"""
What is remembered of the clock, on the disk of one mode's state folder; and what the kernel says of it.

    <mode folder>/clock.json    the note of the latest watch

It is written when the first look of a boot, a step or a doubt has something to say, and every ten minutes. Only who
holds the state folder writes it; everybody else may glance.
"""

import ctypes
import os
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol, Self

import structlog
from pydantic import ValidationError

from edge_lfr.clock import Clock, SystemClock
from edge_lfr.durable_files import write_durably
from edge_lfr.errors import EdgeLfrError, LedgerError
from edge_lfr.governance.ledger.file import FILE_NAME as LEDGER_NAME
from edge_lfr.governance.ledger.file import newest_time
from edge_lfr.governance.trusted_time import BUILT_ON, SECOND_NS, Doubt, TimeNote, TimeVerdict, TimeWatch

FILE_NAME: Final = "clock.json"

MAX_NOTE_BYTES: Final = 4_096
"""Ten times what a note takes; chosen, not measured."""

NOTE_EVERY_NS: Final = 600 * SECOND_NS
"""By so much the newest time that a power cut leaves may be too old; a file is written 144 times a day. Chosen."""

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

CLOCKS: Final = Path("/sys/class/rtc")
"""The machine's own clocks, which go on while it is off; rtc(4), and ABI/stable/sysfs-class-rtc of the kernel."""

TIMEX_BYTES: Final = 256
"""`struct timex` of adjtimex(2) has 208 bytes on 64-bit Linux; the first four, when zero, ask without changing."""

TIME_ERROR: Final = 5
"""What adjtimex(2) gives for a clock that nobody synchronises."""

TIMEDATECTL: Final = "/usr/bin/timedatectl"

ASKING_LIMIT_S: Final = 2.0
"""`timedatectl` asks a service that may have to be started; chosen, not measured."""


class ClockNoteError(EdgeLfrError):
    """What is to be remembered of the clock cannot be written."""

    code = "clock.note"
    exit_status = os.EX_IOERR
    remedy = "see that the disk of the state folder has room and can be written, then confirm the time again"


class Kernel(Protocol):
    """What a watch asks besides the clocks; tests bring one that they can turn."""

    def boot_id(self) -> str:
        """Another text after each boot."""
        ...

    def is_synchronised(self) -> bool:
        """Whether a time server holds the wall time, and nobody has set it since."""
        ...

    def has_rtc(self) -> bool:
        """Whether the wall time of this boot came from a clock that goes on while the machine is off."""
        ...


class SystemKernel:
    """The kernel of this machine."""

    def boot_id(self) -> str:
        return BOOT_ID.read_text(encoding="ascii").strip()

    def is_synchronised(self) -> bool:
        """
        Ask the kernel, which takes the mark away when somebody sets the time.

        A service may not call adjtimex (`ProtectClock=`), so that there the service manager's `timedatectl` is asked.
        """
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
        return _timedatectl_says_so() if state < 0 else state != TIME_ERROR

    def has_rtc(self) -> bool:
        """A container has none, nor have many small boards; one whose battery is dead is none."""
        return any(_gave_the_time(folder) for folder in CLOCKS.glob("*"))


def _gave_the_time(folder: Path) -> bool:
    """Whether the kernel took its time from this clock at boot, and it is not earlier than this program."""
    try:
        gave_it = (folder / "hctosys").read_text(encoding="ascii").strip() == "1"
        return gave_it and int((folder / "since_epoch").read_text(encoding="ascii")) >= BUILT_ON.timestamp()
    except (OSError, ValueError):
        return False


def _timedatectl_says_so() -> bool:
    command = [TIMEDATECTL, "show", "--property=NTPSynchronized", "--value"]
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    try:
        said = subprocess.run(  # noqa: S603 - every word is a constant of this program
            command, env=environment, capture_output=True, text=True, timeout=ASKING_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.returncode == os.EX_OK and said.stdout.strip() == "yes"


class TrustedTime:
    """The watch over the wall time, with what it remembers on the disk; for whoever holds the state folder."""

    def __init__(self, path: Path, watch: TimeWatch, written: TimeNote | None) -> None:
        self._path = path
        self._watch = watch
        self._written = written
        self._log = structlog.get_logger()

    @classmethod
    def begin(
        cls,
        directory: Path,
        *,
        clock: Clock | None = None,
        kernel: Kernel | None = None,
        not_before: datetime | None = None,
    ) -> Self:
        """
        Go on from what was noted in *directory*, the mode's state folder.

        Args:
            directory: Where `clock.json` lies, or will.

            clock: The machine's own by default.

            kernel: Likewise.

            not_before: A time that is known to have been; of the last line of the ledger there, by default.
        """
        clock = SystemClock() if clock is None else clock
        kernel = SystemKernel() if kernel is None else kernel
        path = directory / FILE_NAME
        noted = read_note(path)
        if not_before is None:
            not_before = _last_line_at(directory, clock)
        watch = TimeWatch(
            clock,
            noted,
            boot_id=kernel.boot_id(),
            is_synchronised=kernel.is_synchronised,
            has_rtc=kernel.has_rtc,
            not_before=not_before,
        )
        return cls(path, watch, noted if isinstance(noted, TimeNote) else None)

    def look(self) -> TimeVerdict:
        """
        Judge the wall time now, and note what must be remembered; to be called about every second.

        A disk that fails does not change the verdict; the note is written at a later look.
        """
        verdict = self._watch.look()
        if self._is_worth_noting():
            try:
                self._write()
            except OSError as error:
                self._log.warning("clock.not-noted", reason=error.strerror)
        return verdict

    def glance(self) -> TimeVerdict:
        """Judge the wall time now, and note nothing."""
        return self._watch.look()

    def confirm(self) -> TimeVerdict:
        """
        Take a technician's word that the wall time is right; it is on the disk when this returns.

        Raises:
            ClockError: It is earlier than this program.
            ClockNoteError: It cannot be noted, so that everything is as before.
        """
        before = self._watch.note
        verdict = self._watch.confirm()
        try:
            self._write()
        except OSError as error:
            self._watch.take_back(before)
            raise ClockNoteError(f"{self._path}: cannot be written: {error.strerror}") from error
        return verdict

    def _is_worth_noting(self) -> bool:
        note, written = self._watch.note, self._written
        return (
            written is None
            or (written.boot_id, written.doubt, written.steps) != (note.boot_id, note.doubt, note.steps)
            or note.boottime_ns - written.boottime_ns >= NOTE_EVERY_NS
        )

    def _write(self) -> None:
        note = self._watch.note
        write_durably(self._path, note.model_dump_json(indent=1).encode() + b"\n")
        self._written = note


def glance(directory: Path, *, clock: Clock | None = None, kernel: Kernel | None = None) -> TimeVerdict:
    """Judge the wall time from what was noted in *directory*, and note nothing: for all others."""
    return TrustedTime.begin(directory, clock=clock, kernel=kernel).glance()


def _last_line_at(directory: Path, clock: Clock) -> datetime | None:
    """When the ledger was last written; one that cannot be read says nothing, and `ledger verify` says why."""
    try:
        return newest_time(directory / LEDGER_NAME, clock)
    except LedgerError as error:
        structlog.get_logger().warning("clock.ledger-unread", code=error.code)
        return None


def read_note(path: Path) -> TimeNote | Doubt | None:
    """Give what was noted; None where there is no file yet, and a doubt where there is one that is none."""
    try:
        with path.open("rb") as file:
            untrusted = file.read(MAX_NOTE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError:
        return Doubt.NOTE_BROKEN
    if len(untrusted) > MAX_NOTE_BYTES:
        return Doubt.NOTE_BROKEN
    try:
        return TimeNote.model_validate_json(untrusted)
    except ValidationError:
        return Doubt.NOTE_BROKEN
