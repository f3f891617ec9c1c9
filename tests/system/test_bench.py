"""A measurement that is ended before its time, as a service manager or a timeout ends it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulators.leftovers import processes_in

PROGRAM = str(Path(sys.executable).with_name("edge-lfr"))


@pytest.mark.shared
@pytest.mark.parametrize("verb", ["memory", "speed"])
def test_an_ended_bench_leaves_nothing(verb: str, tmp_path: Path, shared_models: Path) -> None:
    """SIGTERM while the clip is made: no broker, no other process, and no folder stays."""
    bench = subprocess.Popen(
        [PROGRAM, "bench", verb, "--quick", "--json", "--shared", str(shared_models.parent)],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        give_up_at = time.monotonic() + 60
        while not any("make_walkby" in line for line in processes_in(tmp_path)) and time.monotonic() < give_up_at:
            time.sleep(0.1)
        bench.send_signal(signal.SIGTERM)
        _, words = bench.communicate(timeout=60)
    finally:
        bench.kill()
    assert 130 == bench.returncode, words
    assert [] == list(tmp_path.iterdir())
    assert [] == processes_in(tmp_path)
