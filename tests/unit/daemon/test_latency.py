"""The percentiles that tell whether an alert is in time."""

from pathlib import Path

from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.daemon.latency import LatencyLog, LatencyPart, LatencySummary
from edge_lfr.daemon.reporter import DaemonReporter
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.pipeline.reporting.alert import AlertWriter
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.rows import RowKind
from simulators.appliance import IDENTITY, basis, face_at, frame_of, match_of
from simulators.clock import StoppedClock
from simulators.retention import DAY

MS = 1_000_000


def test_percentiles_are_nearest_ranks() -> None:
    """Half of the alerts were at most as late as p50, and 99 in 100 at most as late as p99."""
    log = LatencyLog()
    for late_ms in range(1, 101):
        log.add(LatencyPart.HANDOVER, 0, late_ms * MS)
    assert LatencySummary(count=100, p50_ms=50.0, p99_ms=99.0, max_ms=100.0) == log.summary()["handover"]


def test_without_alerts_there_is_no_latency() -> None:
    """No alert is not a fast alert."""
    assert {part.value: LatencySummary() for part in LatencyPart} == LatencyLog().summary()


def maxima(log: LatencyLog) -> dict[str, float | None]:
    return {part: spans.max_ms for part, spans in log.summary().items() if spans.count}


def test_an_alert_is_timed_in_its_parts() -> None:
    """The frame, the first good face, the disk and the broker: each part from its own beginning."""
    log = LatencyLog()
    log.stored("a", 100 * MS, 130 * MS, 40 * MS)
    log.accepted("a", 100 * MS, 142 * MS)
    expected = {
        "frame_to_stored": 30.0,
        "stored_to_puback": 12.0,
        "frame_to_puback": 42.0,
        "first_good_face_to_puback": 102.0,
    }
    assert expected == maxima(log)


def test_an_answer_may_come_before_the_path_has_noted_the_storing() -> None:
    """Two threads tell of one alert in any order, and no part is negative."""
    log = LatencyLog()
    log.accepted("a", 100 * MS, 120 * MS)
    log.stored("a", 100 * MS, 121 * MS, None)
    assert {"frame_to_stored": 21.0, "stored_to_puback": 0.0, "frame_to_puback": 20.0} == maxima(log)


def test_sightings_take_no_room_from_alerts(tmp_path: Path) -> None:
    """The link tells when the broker took an alert, never of a sighting: nothing is kept that would wait for it."""
    clock, latency = StoppedClock(), LatencyLog()
    config = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})
    outbox = Outbox(tmp_path / FILE_NAME, KeyEncryptingKey.load(tmp_path, create=True), config, clock)
    writer = AlertWriter(config, IDENTITY, outbox, clock, basis(), retention=DAY)
    reporter = DaemonReporter(writer, Counters(), latency, clock, keep_track_ends=False)
    for track_id in range(1, 4):
        reporter.match(match_of("somebody", track_id), frame_of(clock), face_at(200, 100))
    assert [RowKind.ALERT, RowKind.SIGHTING, RowKind.SIGHTING] == [row.kind for row in outbox.pending()]
    assert 1 == latency.summary()["frame_to_stored"].count
    assert 1 == len(latency._sending)
    outbox.close()


def test_what_is_never_acknowledged_is_forgotten() -> None:
    """A broker that is away for days costs no memory."""
    log = LatencyLog()
    for number in range(2_000):
        log.stored(f"{number}", number, number, None)
    log.accepted("0", 0, 10 * MS)
    assert 0 == log.summary()["stored_to_puback"].count
