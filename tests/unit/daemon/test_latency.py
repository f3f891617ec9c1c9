"""Percentiles of the delivery time."""

from edge_lfr.daemon.latency import LatencyLog


def test_percentiles_are_nearest_rank() -> None:
    """Of 1 to 100 ms, half do not exceed 50 and 99 do not exceed 99."""
    log = LatencyLog()
    for span_ms in range(100, 0, -1):
        log.add(0, span_ms * 1_000_000)
    summary = log.summary()
    assert (100, 50.0, 99.0, 100.0) == (summary.count, summary.p50_ms, summary.p99_ms, summary.max_ms)


def test_no_alert_has_no_latency() -> None:
    """Before the first alert there is no number, not a zero."""
    assert LatencyLog().summary().p50_ms is None
