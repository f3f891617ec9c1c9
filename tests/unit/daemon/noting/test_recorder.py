"""The daemon's way into the ledger: nobody is told no, nobody waits long, and what the disk refuses comes later."""

import json
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.daemon.noting.recorder import DAEMON, MAX_KEPT, Recorder
from edge_lfr.daemon.noting.refusal_limit import LINES_AN_HOUR, MAX_SOURCES, RefusalLimit
from edge_lfr.governance.ledger.errors import LedgerDamagedError
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.terms import Mode
from simulators.clock import StoppedClock
from simulators.ledgers import ALERT, new_ledger, verified

TECHNICIAN = Actor.of_uid(1000)
LIMIT_S = 5.0


def recorder_in(folder: Path, clock: StoppedClock | None = None, *, head_every_s: float = 60.0) -> Recorder:
    clock = StoppedClock() if clock is None else clock
    return Recorder(lambda: new_ledger(folder, clock), clock, Mode.TRAINING, head_every_s=head_every_s)


def lines(folder: Path) -> list[dict[str, Any]]:
    """Every line but heads and the beginning; the chain of all of them verifies."""
    data = (folder / FILE_NAME).read_bytes()
    assert verified(data).is_whole
    found = [json.loads(line) for line in data.splitlines()]
    return [line for line in found if line["event"] not in {"begun", "head"}]


def events(folder: Path) -> list[str]:
    return [line["event"] for line in lines(folder)]


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """No file of this process may grow over the ledger's size."""
    size = (folder / FILE_NAME).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def until(is_so: Any) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_a_noted_event_is_on_the_disk_when_note_returns(tmp_path: Path) -> None:
    """Before the thread runs, while it runs, and after: the line is there at once, with who and what."""
    recorder = recorder_in(tmp_path)
    recorder.note(LedgerEvent.STARTED, DAEMON, version="0.1.0", cameras=None)
    assert ["started"] == events(tmp_path)
    recorder.start()
    recorder.note(LedgerEvent.PAUSED, TECHNICIAN)
    assert ["started", "paused"] == events(tmp_path)
    recorder.stop()
    recorder.note(LedgerEvent.STOPPED, DAEMON)
    assert ["started", "paused", "stopped"] == events(tmp_path)
    assert [{"part": "daemon"}, {"uid": 1000}, {"part": "daemon"}] == [line["who"] for line in lines(tmp_path)]
    assert recorder.is_healthy


def test_what_the_path_notes_comes_in_order(tmp_path: Path) -> None:
    """An alert waits for no disk, and no later line overtakes it."""
    recorder = recorder_in(tmp_path)
    recorder.start()
    for _ in range(20):
        recorder.note(LedgerEvent.ALERT, DAEMON, alert=ALERT, watchlist_sha256="ab" * 32)
    recorder.note(LedgerEvent.PAUSED, TECHNICIAN)
    assert [*["alert"] * 20, "paused"] == events(tmp_path)
    recorder.stop()


def test_an_alert_never_waits_for_who_holds_the_ledger(tmp_path: Path) -> None:
    """The path's thread returns at once; another one goes on after its patience."""
    recorder = recorder_in(tmp_path)
    recorder.start()
    with recorder._writing:  # a disk that hangs within a write
        begun_s = time.monotonic()
        recorder.note(LedgerEvent.ALERT, DAEMON, alert=ALERT, watchlist_sha256="ab" * 32)
        assert time.monotonic() - begun_s < 0.5
        recorder.note(LedgerEvent.PAUSED, TECHNICIAN)
        assert time.monotonic() - begun_s < LIMIT_S
    until(lambda: recorder.kept == 0)
    recorder.stop()
    assert ["alert", "paused"] == events(tmp_path)


def test_what_a_full_disk_refuses_comes_later_in_order_and_says_so(tmp_path: Path) -> None:
    """Meanwhile the recorder is not healthy; afterwards it is, and each line says how late it is."""
    clock = StoppedClock()
    recorder = recorder_in(tmp_path, clock)
    recorder.start()
    until(lambda: recorder.head() is not None)
    with full_disk(tmp_path):
        recorder.note(LedgerEvent.PAUSED, TECHNICIAN)
        recorder.note(LedgerEvent.RESUMED, TECHNICIAN)
        recorder.note(LedgerEvent.ALERT, DAEMON, alert=ALERT, watchlist_sha256="ab" * 32)
        assert not recorder.is_healthy
        assert "cannot be written" in (recorder.failure or "")
        assert 3 == recorder.kept
        clock.sleep(7.5)
    until(lambda: not recorder.kept)
    recorder.stop()
    assert ["paused", "resumed", "alert"] == events(tmp_path)
    assert [7.5, 7.5, 7.5] == [line["facts"]["late_s"] for line in lines(tmp_path)]


def test_memory_is_bounded_and_what_it_could_not_hold_is_told(tmp_path: Path) -> None:
    """A disk that refuses for long costs lines, never memory without end, and the ledger says how many."""
    recorder = recorder_in(tmp_path)
    with full_disk(tmp_path):
        for _ in range(MAX_KEPT + 3):
            recorder.note(LedgerEvent.PAUSED, TECHNICIAN)
        assert MAX_KEPT == recorder.kept
        assert not recorder.is_healthy
    recorder.stop()
    assert [{"lines": 3}] == [line["facts"] for line in lines(tmp_path) if line["event"] == "unrecorded"]
    assert recorder.is_healthy


def test_a_ledger_that_could_not_be_begun_is_begun_later(tmp_path: Path) -> None:
    """An appliance that cannot write starts, says that it cannot record, and records once it can."""
    folder = tmp_path / "state"
    folder.write_bytes(b"in the way")
    recorder = recorder_in(folder)
    recorder.note(LedgerEvent.STARTED, DAEMON, version="0.1.0")
    assert not recorder.is_healthy
    assert recorder.ledger is None
    folder.unlink()
    recorder.start()
    until(lambda: recorder.is_healthy)
    recorder.stop()
    assert ["started"] == events(folder)


def test_what_is_no_ledger_keeps_the_appliance_from_starting(tmp_path: Path) -> None:
    """Somebody has to look at it; nothing is written over."""
    (tmp_path / FILE_NAME).write_bytes(b"something else\n")
    with pytest.raises(LedgerDamagedError):
        recorder_in(tmp_path)
    assert b"something else\n" == (tmp_path / FILE_NAME).read_bytes()


def test_a_head_comes_at_the_start_each_interval_and_with_weight(tmp_path: Path) -> None:
    """The head to be published is the newest one, and whoever publishes is told of each."""
    recorder = recorder_in(tmp_path, head_every_s=0.05)
    told = threading.Semaphore(0)
    recorder.on_head = told.release
    recorder.start()
    assert told.acquire(timeout=LIMIT_S)
    first = recorder.signed
    assert first is not None
    recorder.note(LedgerEvent.LOGIN, TECHNICIAN)  # light: signed within the interval
    assert told.acquire(timeout=LIMIT_S)
    second = recorder.signed
    assert second is not None
    recorder.note(LedgerEvent.PAUSED, TECHNICIAN)  # of weight: signed at once
    assert told.acquire(timeout=LIMIT_S)
    third = recorder.signed
    assert third is not None
    assert first.content.n < second.content.n < third.content.n
    recorder.stop()
    message = recorder.head()
    assert message is not None
    assert recorder.signed is not None
    assert recorder.signed.content.n == message.head.content.n
    published = recorder.signed.document()
    assert verified((tmp_path / FILE_NAME).read_bytes(), published=[published]).is_whole


def test_nobody_fills_the_disk_with_refusals(tmp_path: Path) -> None:
    """
    So many an hour have their line, the others one with their number at the next head; no other event is held back.

    After the hour there is room again; before, further ones are counted again.
    """
    clock = StoppedClock()
    recorder = recorder_in(tmp_path, clock, head_every_s=0.05)
    for _ in range(LINES_AN_HOUR + 40):
        recorder.note(LedgerEvent.REFUSED, TECHNICIAN, code="control", verb="wipe")
    recorder.note(LedgerEvent.PAUSED, TECHNICIAN)
    assert [*["refused"] * LINES_AN_HOUR, "paused"] == events(tmp_path)
    recorder.start()
    until(lambda: lines(tmp_path)[-1]["facts"].get("refusals") == 40)
    assert {"uid": 1000} == lines(tmp_path)[-1]["who"]
    recorder.note(LedgerEvent.REFUSED, TECHNICIAN, code="control", verb="stop")
    until(lambda: lines(tmp_path)[-1]["facts"].get("refusals") == 1)
    clock.sleep(3600.0)
    recorder.note(LedgerEvent.REFUSED, TECHNICIAN, code="control", verb="stop")
    recorder.stop()
    assert {"code": "control", "verb": "stop"} == lines(tmp_path)[-1]["facts"]


def test_nobody_hides_the_refusals_of_another(tmp_path: Path) -> None:
    """Whoever may send messages and sends them without end leaves every user of the box his own lines."""
    recorder = recorder_in(tmp_path)
    for _ in range(LINES_AN_HOUR * 3):
        recorder.note(LedgerEvent.REFUSED, DAEMON, code="signed", verb="ack")
    recorder.note(LedgerEvent.REFUSED, TECHNICIAN, code="control", verb="wipe")
    recorder.note(LedgerEvent.REFUSED, Actor.of_uid(1001), code="control", verb="remove")
    assert [{"uid": 1000}, {"uid": 1001}] == [line["who"] for line in lines(tmp_path)[-2:]]
    recorder.stop()
    last = lines(tmp_path)[-1]
    assert ({"part": "daemon"}, LINES_AN_HOUR * 2) == (last["who"], last["facts"]["refusals"])


def test_the_sources_of_refusals_are_bounded() -> None:
    """Whoever comes with ever new names shares one budget with all who do, and takes no memory."""
    clock = StoppedClock()
    limit = RefusalLimit(clock)
    for uid in range(MAX_SOURCES):
        assert limit.admits(Actor.of_uid(uid))
    admitted = [limit.admits(Actor.of_uid(uid)) for uid in range(MAX_SOURCES, 10 * MAX_SOURCES)]
    assert LINES_AN_HOUR == sum(admitted)
    assert limit.admits(Actor.of_uid(0))
    assert {None: 9 * MAX_SOURCES - LINES_AN_HOUR} == limit.take_untold()
    assert {} == limit.take_untold()
    clock.sleep(3600.0)
    limit.take_untold()
    assert limit.admits(Actor.of_uid(10 * MAX_SOURCES))
    assert [Actor.of_uid(10 * MAX_SOURCES)] == list(limit._budgets)


def test_a_fact_that_may_not_be_there_is_a_defect_and_no_line(tmp_path: Path) -> None:
    """A label or an address does not get in, and whoever tried goes on."""
    recorder = recorder_in(tmp_path)
    recorder.note(LedgerEvent.ALERT, DAEMON, alert=ALERT, watchlist_sha256="ab" * 32, reference="SUSP-0042")
    recorder.note(LedgerEvent.DISARMED, DAEMON, code="rtsp://10.0.0.1/a b")
    assert [] == events(tmp_path)
    assert recorder.is_healthy
