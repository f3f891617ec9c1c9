"""Alerts that a killed run stored without a line: found at the next start, whatever there is of them."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_lfr.daemon.ending.housekeeping import catch_up
from edge_lfr.daemon.noting.unnoted import forget_noted, unnoted
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.pipeline.reporting.alert import AlertWriter
from edge_lfr.pipeline.reporting.holds import HoldReason
from simulators.appliance import IDENTITY, basis, face_at, frame_of, match_of
from simulators.operations import Box
from simulators.retention import DAY

ALERTS = 40


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    box.close()


def test_a_month_of_alerts_is_never_in_memory_at_once(box: Box) -> None:
    """Each is opened, with its faces, and let go of before the next one: a few of them at a time, and not all."""
    outbox, ledger = box.health.outbox, box.health.recorder.ledger
    writer = AlertWriter(box.config.reporting, IDENTITY, outbox, box.clock, basis(), retention=DAY)
    for number in range(ALERTS):
        assert writer.write(match_of(f"r{number}", number), frame_of(box.clock), face_at(200, 100)) is not None
    row = outbox.load(outbox.in_time()[0])
    assert row is not None
    stored = ALERTS * len(row.message)
    tracemalloc.start()
    try:
        found = unnoted(outbox, ledger, box.clock)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert ALERTS == len(found)
    assert peak < stored / 4


def test_a_daemon_begins_with_what_was_done_before_it(box: Box, tmp_path: Path) -> None:
    """A deed without its line gets it, and one whose line a killed process wrote is taken off: each has one line."""
    outbox, recorder = box.health.outbox, box.health.recorder
    writer = AlertWriter(box.config.reporting, IDENTITY, outbox, box.clock, basis(), retention=DAY)
    alert = writer.write(match_of("r1"), frame_of(box.clock), face_at(200, 100))
    assert alert is not None
    at = box.clock.utc_now()
    outbox.holds.place(alert.alert_id, HoldReason.EVIDENCE, note="case 7", held_by=1000, at=at)
    (held,) = outbox.deeds.untold()
    recorder.note(held.event, held.who, **held.line_facts(at, late_from_s=1.0))
    box.clock.advance(5)
    outbox.holds.release(alert.alert_id, by=Actor.of_uid(1001), at=box.clock.utc_now())
    box.clock.advance(5)
    for _ in range(2):
        catch_up(box.config, outbox, box.chronicle, box.clock)
    lines = [json.loads(line) for line in (tmp_path / FILE_NAME).read_bytes().splitlines()]
    told = [line for line in lines if line["event"].startswith("legal")]
    assert ["legal-hold", "legal-hold-released"] == [line["event"] for line in told]
    assert [{"uid": 1000}, {"uid": 1001}] == [line["who"] for line in told]
    assert (held.id, 5.0) == (told[0]["facts"]["deed"], told[1]["facts"]["late_s"])
    assert () == outbox.deeds.untold()


def test_a_deed_whose_line_is_not_there_is_not_taken_off(box: Box) -> None:
    """A line of another deed that says the same is not its line: held, released and held again are three."""
    outbox, recorder = box.health.outbox, box.health.recorder
    writer = AlertWriter(box.config.reporting, IDENTITY, outbox, box.clock, basis(), retention=DAY)
    alert = writer.write(match_of("r1"), frame_of(box.clock), face_at(200, 100))
    assert alert is not None
    at = box.clock.utc_now()
    for _ in range(2):
        outbox.holds.place(alert.alert_id, HoldReason.EVIDENCE, note="case 7", held_by=1000, at=at)
        outbox.holds.release(alert.alert_id, by=Actor.of_uid(1000), at=at)
    first, *others = outbox.deeds.untold()
    recorder.note(first.event, first.who, **first.line_facts(at, late_from_s=1.0))
    assert recorder.ledger is not None
    forget_noted(outbox.deeds, recorder.ledger, box.clock)
    assert tuple(others) == outbox.deeds.untold()
