"""The ledger as its writers use it: what a line says, when a head follows, and what happens when the disk refuses."""

import json
import os
import re
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.clock import SystemClock
from edge_lfr.errors import LedgerError
from edge_lfr.governance.documents import Kind, read_document
from edge_lfr.governance.ledger import ledger as ledger_module
from edge_lfr.governance.ledger.errors import (
    LedgerDamagedError,
    LedgerExportError,
    LedgerMissingError,
    LedgerOwnerError,
)
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME, newest_time
from edge_lfr.governance.ledger.head import HeadContent
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.ledger.ledger import _copy as copy_bytes
from simulators.clock import StoppedClock
from simulators.ledgers import (
    DAEMON,
    DEVICE,
    SAMPLES,
    TECHNICIAN,
    append,
    codes,
    new_ledger,
    signing_key,
    verified,
)

HOLD = """
import fcntl, sys, time
file = open(sys.argv[1])
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: StoppedClock) -> Ledger:
    return new_ledger(tmp_path, clock)


def rows(ledger: Ledger) -> list[dict[str, object]]:
    return [json.loads(line) for line in ledger.path.read_bytes().splitlines()]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A disk on which no file of this process may grow beyond *size*."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_ledger_begins_with_whose_it_is(ledger: Ledger) -> None:
    """The first line names the appliance, the ledger and the key; a head vouches for it; only its owner may read it."""
    first, head = rows(ledger)
    facts = first["facts"]
    assert isinstance(facts, dict)
    assert (1, "begun", "0" * 64) == (first["n"], first["event"], first["previous"])
    assert (DEVICE, ledger.id) == (facts["device"], facts["ledger"])
    assert "head" == head["event"]
    assert 0o600 == ledger.path.stat().st_mode & 0o777


def test_opening_again_goes_on(tmp_path: Path, ledger: Ledger) -> None:
    """A ledger that is there is neither begun again nor changed by being opened."""
    before = ledger.path.read_bytes()
    assert ledger.id == new_ledger(tmp_path).id
    assert before == ledger.path.read_bytes()


def test_a_line_of_weight_brings_its_head(ledger: Ledger) -> None:
    """What matters is signed in the same write; what anybody can cause waits for the minute."""
    head = ledger.append(LedgerEvent.THRESHOLD, TECHNICIAN, SAMPLES[LedgerEvent.THRESHOLD])
    assert head is not None
    assert 3 == head.content.n
    assert head.document() == ledger.head()
    assert None is ledger.append(LedgerEvent.LOGIN, TECHNICIAN, {})
    assert ["threshold", "head", "login"] == [row["event"] for row in rows(ledger)[2:]]
    assert {"uid": 1000} == rows(ledger)[2]["who"]


def test_the_head_of_the_minute(ledger: Ledger, clock: StoppedClock) -> None:
    """A new one where lines have come since the last; else the last one again, and the file does not grow."""
    append(ledger, LedgerEvent.LOGIN, LedgerEvent.REFUSED)
    first = ledger.head()
    size = ledger.path.stat().st_size
    clock.advance(60)
    assert first == ledger.head()
    assert size == ledger.path.stat().st_size
    document = read_document(first, Kind.LEDGER_HEAD, HeadContent)
    document.verify_with(signing_key().public)
    assert (ledger.id, 4) == (document.content.ledger, document.content.n)


def test_the_clock_goes_back(ledger: Ledger, clock: StoppedClock) -> None:
    """A line says what the clock says, and by how much that is before the line before."""
    append(ledger, LedgerEvent.LOGIN)
    clock.advance(-90.5)
    append(ledger, LedgerEvent.LOGIN)
    facts = rows(ledger)[-1]["facts"]
    assert isinstance(facts, dict)
    assert 90_500_000 == facts["clock_behind_us"]
    report = verified(ledger.path.read_bytes())
    assert (True, ["clock-back"]) == (report.is_whole, codes(report))


def test_the_newest_time(tmp_path: Path, ledger: Ledger, clock: StoppedClock) -> None:
    """The time of the last line is known without the key; without a ledger there is none."""
    clock.advance(7)
    append(ledger, LedgerEvent.LOGIN)
    assert clock.now == ledger.newest() == newest_time(ledger.path, clock)
    assert None is newest_time(tmp_path / "none", clock)


def test_a_full_disk_loses_nothing_and_leaves_nothing(ledger: Ledger) -> None:
    """Whoever wanted the line is told; the ledger is as it was, and goes on when there is room."""
    append(ledger, LedgerEvent.STARTED)
    before = ledger.path.read_bytes()
    for room in (0, 1, 100):
        with largest_file(len(before) + room), pytest.raises(LedgerError) as caught:
            append(ledger, LedgerEvent.STARTED)
        assert os.EX_IOERR == caught.value.exit_status
        assert before == ledger.path.read_bytes()
    append(ledger, LedgerEvent.STARTED)
    assert verified(ledger.path.read_bytes()).is_whole


def test_a_ledger_is_not_taken_over(tmp_path: Path, ledger: Ledger) -> None:
    """Another key or another appliance does not go on with it."""
    before = ledger.path.read_bytes()
    with pytest.raises(LedgerOwnerError, match="device key"):
        new_ledger(tmp_path, seed=2)
    with pytest.raises(LedgerOwnerError, match="anytown/van-2/training"):
        Ledger.open(ledger.path, signing_key(), StoppedClock(), device="anytown/van-2/training")
    assert before == ledger.path.read_bytes()


def test_a_ledger_that_is_gone_or_replaced_is_missed(tmp_path: Path, ledger: Ledger) -> None:
    """Nothing is written into a file that took its place, and no other is begun in silence."""
    kept = ledger.path.rename(tmp_path / "kept")
    with pytest.raises(LedgerMissingError):
        append(ledger, LedgerEvent.LOGIN)
    new_ledger(tmp_path)
    before = ledger.path.read_bytes()
    with pytest.raises(LedgerDamagedError, match="another file"):
        append(ledger, LedgerEvent.LOGIN)
    assert before == ledger.path.read_bytes()
    assert verified(kept.read_bytes()).is_whole


@pytest.mark.parametrize("content", [b"", b"\n", b"junk\n", b"[" * 5000, b"\0" * 10_000_000, b'{"at":"' + b"x" * 99])
def test_what_is_no_ledger_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """A file that does not begin as a ledger is refused, whatever its size, and stays as evidence."""
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    with pytest.raises(LedgerDamagedError):
        new_ledger(tmp_path)
    assert content == path.read_bytes()


def test_an_end_too_long_to_be_torn_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    """What no write of ours can have left is not sealed off."""
    with ledger.path.open("ab") as file:
        file.write(b"x" * 100_000)
    with pytest.raises(LedgerDamagedError):
        append(ledger, LedgerEvent.LOGIN)
    with pytest.raises(LedgerDamagedError):
        new_ledger(tmp_path)


@pytest.mark.parametrize("event", [LedgerEvent.LOGIN, LedgerEvent.ALERT])
def test_no_line_comes_behind_the_last_number(tmp_path: Path, ledger: Ledger, event: LedgerEvent) -> None:
    """Who adds a line with the largest number that there is makes a damaged ledger of it, and no defect."""
    append(ledger, LedgerEvent.LOGIN)
    last = rows(ledger)[-1] | {"n": 2**53, "event": event.value, "facts": SAMPLES[event]}
    with ledger.path.open("ab") as file:
        file.write(json.dumps(last, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    for each in SAMPLES:
        with pytest.raises(LedgerDamagedError, match="the number"):
            append(ledger, each)
    with pytest.raises(LedgerDamagedError):
        ledger.head()
    if event.is_weighty:
        with pytest.raises(LedgerDamagedError):
            new_ledger(tmp_path)


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_only_a_file_is_a_ledger(tmp_path: Path, kind: str) -> None:
    """Nothing is followed, waited for or written into that is not a file."""
    path = tmp_path / FILE_NAME
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(new_ledger(tmp_path / "other").path)
    else:
        os.mkfifo(path)
    with pytest.raises(LedgerError):
        new_ledger(tmp_path)


def test_a_stopped_process_does_not_hold_it_for_ever(ledger: Ledger) -> None:
    """Whoever cannot get the lock is told so in the end, instead of waiting for a process that was stopped."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(ledger.path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder.stdout:
        holder.stdout.readline()
        try:
            with pytest.raises(LedgerError, match="another process"):
                append(ledger, LedgerEvent.LOGIN)
        finally:
            holder.kill()
            holder.wait()
    append(ledger, LedgerEvent.LOGIN)


def test_threads_append_whole_lines(tmp_path: Path) -> None:
    """Any thread may append; every line is there, once, and in its order."""
    ledger = new_ledger(tmp_path, SystemClock())

    def write() -> None:
        for _ in range(20):
            append(ledger, LedgerEvent.LOGIN, LedgerEvent.THRESHOLD)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = verified(ledger.path.read_bytes())
    assert (True, 80, 80) == (report.is_whole, report.events["login"], report.events["threshold"])
    assert [] == codes(report)


def bytes_read() -> int:
    """By this process so far, from whatever file."""
    return int(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])  # type: ignore[index]


def test_a_long_ledger_costs_no_more(tmp_path: Path, ledger: Ledger) -> None:
    """What a line costs does not depend on how many there are: only the end is read."""
    line = ledger.path.read_bytes().splitlines()[1]
    with ledger.path.open("r+b") as file:
        file.truncate(2_000_000_000)  # a hole
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + line + b"\n")
    before = bytes_read()
    append(new_ledger(tmp_path), LedgerEvent.LOGIN)
    assert bytes_read() - before < 500_000


def test_an_export_is_a_whole_ledger(tmp_path: Path, ledger: Ledger, clock: StoppedClock) -> None:
    """A copy has the line that says so and ends with a head; the ledger goes on."""
    append(ledger, LedgerEvent.LOGIN)
    clock.now += timedelta(minutes=1)
    exported = ledger.export(tmp_path / "copy", TECHNICIAN)
    copy = (tmp_path / "copy").read_bytes()
    assert (ledger.path.read_bytes(), exported.size) == (copy, len(copy))
    report = verified(copy, published=[exported.head.document()])
    assert (True, 0, 1) == (report.is_whole, report.lines_after, report.events["exported"])
    append(ledger, LedgerEvent.LOGIN)
    assert ledger.path.read_bytes().startswith(copy)


def test_an_export_overwrites_nothing(tmp_path: Path, ledger: Ledger) -> None:
    """Where something has the name, it stays, and the ledger says nothing of a copy that was not made."""
    (tmp_path / "copy").write_text("mine")
    before = ledger.path.read_bytes()
    with pytest.raises(LedgerExportError):
        ledger.export(tmp_path / "copy", TECHNICIAN)
    assert ("mine", before) == ((tmp_path / "copy").read_text(), ledger.path.read_bytes())


def test_an_export_that_cannot_be_noted_is_not_made(tmp_path: Path, ledger: Ledger) -> None:
    """No copy without its line: where the disk refuses the line, nothing is copied."""
    size = ledger.path.stat().st_size
    with largest_file(size), pytest.raises(LedgerError):
        ledger.export(tmp_path / "copy", DAEMON)
    assert not (tmp_path / "copy").exists()
    assert size == ledger.path.stat().st_size


def refused_by_the_disk(*arguments: Any) -> None:
    """Copy to a disk that has room for 100 bytes."""
    with largest_file(100):
        copy_bytes(*arguments)


def broken_off(*arguments: Any) -> None:
    """Copy, and have somebody press Ctrl-C before it is done."""
    copy_bytes(*arguments)
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("copying", "error", "code"),
    [(refused_by_the_disk, LedgerExportError, "ledger.export"), (broken_off, KeyboardInterrupt, "interrupted")],
)
def test_an_export_that_fails_is_taken_back(
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    copying: Callable[..., None],
    error: type[BaseException],
    code: str,
) -> None:
    """No half copy stays, and no line that says that there is one: the next line names it, and why."""
    target = ledger.path.with_name("copy")
    monkeypatch.setattr(ledger_module, "_copy", copying)
    with pytest.raises(error):
        ledger.export(target, TECHNICIAN)
    assert not target.exists()
    exported, _, failed, _ = rows(ledger)[-4:]
    assert ("exported", "export-failed") == (exported["event"], failed["event"])
    assert {"what": "ledger", "line": exported["n"], "code": code} == failed["facts"]
    assert {"uid": 1000} == failed["who"]
    assert verified(ledger.path.read_bytes()).is_whole


def test_an_export_that_cannot_be_taken_back_is_told(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the ledger's disk refuses, too, whoever asked learns which line says what is not so."""

    def refused_for_good(*arguments: Any) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        copy_bytes(*arguments)

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(ledger_module, "_copy", refused_for_good)
    try:
        with pytest.raises(LedgerError, match="line 3, which says that it was made, still stands"):
            ledger.export(tmp_path / "copy", TECHNICIAN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "copy").exists()
