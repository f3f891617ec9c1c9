"""Alerts that a killed run stored without a line: found at the next start, whatever there is of them."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_lfr.daemon.noting.unnoted import unnoted
from edge_lfr.pipeline.reporting.alert import AlertWriter
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
