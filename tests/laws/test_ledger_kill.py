"""Processes that append to one ledger and are killed at any instant leave a whole chain with all that was written."""

import json
import subprocess
import sys
from pathlib import Path

ROUNDS = 30


def test_killed_writers_lose_nothing_and_break_nothing(tmp_path: Path) -> None:
    """After each of 30 kills of two writers: whole, nothing acknowledged missing, nothing twice, little unreported."""
    done = subprocess.run(
        [sys.executable, "-m", "simulators.killed_ledger", str(tmp_path), str(ROUNDS)],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    assert ROUNDS == len(rounds)
    for number, found in enumerate(rounds, 1):
        assert found["is_whole"], found
        assert {"torn", "torn-end", "unvouched", "unvouched-end"} >= set(found["codes"])
        assert [] == found["missing"]
        assert 0 == found["doubled"]
        assert found["unreported"] <= 2 * number  # a writer may die between its write and its word
    assert rounds[-1]["acknowledged"] > ROUNDS
