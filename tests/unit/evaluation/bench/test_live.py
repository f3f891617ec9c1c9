from pathlib import Path

from edge_lfr.evaluation.bench.live import LiveScene, live_rows
from edge_lfr.evaluation.demo_summary import LatencyPart, RunReport, StageReport

SCENE = LiveScene(clip=Path("clip.mp4"), seconds=10.0, watchlist=Path("list"), people_in_view=5.0)
QUIET = RunReport(frames_decoded=100, frames_processed=98, frames_dropped=2)


def test_a_run_without_alerts_reaches_no_latency_target() -> None:
    """What was never measured is not fast."""
    missed = [row.name for row in live_rows(QUIET, SCENE) if not row.ok]
    assert [
        "live: frame arrived to PUBACK, p50",
        "live: frame arrived to PUBACK, maximum of fewer than 20",
        "live: first good face to PUBACK, p50",
    ] == missed


def test_a_slow_percentile_misses_its_own_target_alone() -> None:
    """The median may be good while the tail is not."""
    latency = {
        "frame_to_puback": LatencyPart(count=40, p50_ms=80.0, p99_ms=501.0),
        "first_good_face_to_puback": LatencyPart(count=40, p50_ms=600.0, p99_ms=2000.0),
    }
    rows = live_rows(QUIET.model_copy(update={"latency": latency}), SCENE)
    assert ["live: frame arrived to PUBACK, p99"] == [row.name for row in rows if not row.ok]


def test_few_alerts_have_a_maximum_and_no_p99() -> None:
    """A percentile of a handful of alerts would be their largest under another name; how many there were is told."""
    latency = {"frame_to_puback": LatencyPart(count=19, p50_ms=80.0, p99_ms=300.0, max_ms=501.0)}
    rows = {row.name: row for row in live_rows(QUIET.model_copy(update={"latency": latency}), SCENE)}
    assert 19 == rows["live: alerts timed"].value
    assert "live: frame arrived to PUBACK, p99" not in rows
    largest = rows["live: frame arrived to PUBACK, maximum of fewer than 20"]
    assert (501.0, "<= 500", False) == (largest.value, largest.target, largest.ok)


def test_stages_stand_in_the_order_of_the_path() -> None:
    """Whichever ran first, and whether it ran at all: two runs have the same rows."""
    stages = {
        "reporting": StageReport(count=3, total_ms=3.0, p50_ms=1.0, p99_ms=1.0),
        "faces.detection": StageReport(count=100, total_ms=100.0, p50_ms=1.0, p99_ms=1.0),
    }
    some = {row.name: row.value for row in live_rows(QUIET.model_copy(update={"stages": stages}), SCENE)}
    assert list(some) == [row.name for row in live_rows(QUIET, SCENE)]
    assert (1.0, 1.0) == (some["live: faces.detection, p50"], some["live: faces.detection, p99"])
    assert (1.0, None) == (some["live: reporting, p50"], some["live: reporting, p99"])
