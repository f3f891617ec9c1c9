"""The demo as a newcomer runs it: a summary that holds against the truth, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulators.leftovers import processes_in

PROGRAM = str(Path(sys.executable).with_name("edge-lfr"))
PROMISED = {
    "passages",
    "mated",
    "true_alerts",
    "false_alerts",
    "missed",
    "latency_ms_p50",
    "latency_ms_p99",
    "frames",
    "dropped",
    "rows",
}


def start(folder: Path, shared: Path, *options: str) -> subprocess.Popen[str]:
    """The quick demo with *folder* for everything that it makes."""
    return subprocess.Popen(
        [PROGRAM, "demo", "--quick", "--json", "--shared", str(shared), *options],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(folder), "HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.shared
def test_the_demo_finds_who_is_listed_and_nobody_else(tmp_path: Path, shared_models: Path) -> None:
    """Clip, watchlist, broker, daemon and control room: every listed person alerts, and nothing stays behind."""
    demo = start(tmp_path, shared_models.parent)
    output, words = demo.communicate(timeout=280)
    assert output, words
    summary = json.loads(output.strip().rpartition("\n")[2])
    assert set() == PROMISED - set(summary)
    found = {name: summary[name] for name in ("passages", "mated", "true_alerts", "false_alerts", "missed", "doubled")}
    expected = {"passages": 6, "mated": 2, "true_alerts": 2, "false_alerts": 0, "missed": 0, "doubled": 0}
    assert expected == found, words
    rows = {row["name"]: row for row in summary["rows"]}
    assert [0, 0, 0] == [rows[name]["value"] for name in ("missed", "false alerts", "alerted twice")]
    assert all(set(row) == {"name", "value", "unit", "target", "ok"} for row in rows.values())
    assert "Person" not in output + words
    assert [] == list(tmp_path.iterdir())
    assert [] == processes_in(tmp_path)


@pytest.mark.shared
def test_the_built_in_portraits_make_a_demo(tmp_path: Path, shared_models: Path) -> None:
    """Two packaged portraits are enough: the listed one alerts, the other one does not."""
    demo = start(tmp_path, shared_models.parent, "--portraits", "built-in")
    output, words = demo.communicate(timeout=280)
    assert output, words
    summary = json.loads(output.strip().rpartition("\n")[2])
    found = {name: summary[name] for name in ("passages", "mated", "true_alerts", "false_alerts", "doubled")}
    assert {"passages": 3, "mated": 1, "true_alerts": 1, "false_alerts": 0, "doubled": 0} == found, words


@pytest.mark.shared
def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, shared_models: Path) -> None:
    """SIGTERM in the middle: children are ended and the folder with clip, keys and watchlist is removed."""
    demo = start(tmp_path, shared_models.parent)
    give_up_at = time.monotonic() + 60
    while not list(tmp_path.glob("*/walkby.mp4")) and time.monotonic() < give_up_at:
        time.sleep(0.1)
    demo.send_signal(signal.SIGTERM)
    demo.communicate(timeout=60)
    assert 130 == demo.returncode
    assert [] == list(tmp_path.iterdir())
    assert [] == processes_in(tmp_path)
