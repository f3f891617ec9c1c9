from pathlib import Path

from edge_lfr.evaluation.bench.live import LiveScene, live_rows
from edge_lfr.evaluation.demo_summary import LatencyPart, RunReport

SCENE = LiveScene(clip=Path("clip.mp4"), seconds=10.0, watchlist=Path("list"))
QUIET = RunReport(frames_decoded=100, frames_processed=98, frames_dropped=2)


def test_a_run_without_alerts_reaches_no_latency_target() -> None:
    """What was never measured is not fast."""
    missed = [row.name for row in live_rows(QUIET, SCENE) if not row.ok]
    assert [
        "live: frame arrived to PUBACK, p50",
        "live: frame arrived to PUBACK, p99",
        "live: first good face to PUBACK, p50",
    ] == missed


def test_a_slow_percentile_misses_its_own_target_alone() -> None:
    """The median may be good while the tail is not."""
    latency = {
        "frame_to_puback": LatencyPart(count=9, p50_ms=80.0, p99_ms=501.0),
        "first_good_face_to_puback": LatencyPart(count=9, p50_ms=600.0, p99_ms=2000.0),
    }
    rows = live_rows(QUIET.model_copy(update={"latency": latency}), SCENE)
    assert ["live: frame arrived to PUBACK, p99"] == [row.name for row in rows if not row.ok]
