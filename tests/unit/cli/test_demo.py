"""What `edge-lfr demo` says in the end."""

import io
import json

import pytest
from rich.console import Console

from edge_lfr.cli.demo import TerminalNarrator, _tell
from edge_lfr.evaluation.demo import DemoResult
from edge_lfr.evaluation.demo_summary import RunReport, summarise
from edge_lfr.evaluation.truth import Truth

RUN = RunReport(frames_decoded=60, frames_processed=50, frames_dropped=10, latency_ms_p50=80.0, latency_ms_p99=90.0)
NOBODY = Truth(clip="clip.mp4", fps=10.0, size=(1280, 720), passages=())


@pytest.mark.parametrize(
    ("result", "schema", "rows"),
    [
        (DemoResult(RUN, summarise(NOBODY, [], RUN)), "lfr.demo/1", 6),
        (DemoResult(RUN, None), "lfr.demo-run/1", 3),
    ],
)
def test_the_last_line_has_the_rows_of_a_measurement(
    result: DemoResult, schema: str, rows: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a made clip and with somebody's own: one object, in it the form that every measurement has."""
    nowhere = Console(file=io.StringIO())
    _tell(result, TerminalNarrator(nowhere, nowhere), as_json=True)
    told = json.loads(capsys.readouterr().out.rstrip().rpartition("\n")[2])
    assert schema == told["schema"]
    assert rows == len(told["rows"])
    assert {"name": "dropped", "value": 10, "unit": "frames", "target": None, "ok": True} in told["rows"]
    assert "track_ends" not in told
