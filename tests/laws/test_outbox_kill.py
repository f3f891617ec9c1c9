"""A process that is killed at any instant leaves every row that it had reported as stored, once."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from edge_lfr.clock import SystemClock
from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.pipeline.reporting.outbox import Outbox

CONFIG = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})
ROUNDS = 3

STORE_WITHOUT_END = """
import sys
from datetime import timedelta
from pathlib import Path
from edge_lfr.clock import SystemClock
from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.rows import RowKind

folder, clock = Path(sys.argv[1]), SystemClock()
config = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})
outbox = Outbox(folder / "outbox.sqlite", KeyEncryptingKey.load(folder), config, clock)
while True:
    seq = outbox.next_seq()
    alert_id = f"{outbox.boot_id}-{seq}"
    row_id = outbox.store(
        alert_id.encode() * 400,
        alert_id=alert_id,
        kind=RowKind.ALERT,
        seq=seq,
        expires_at=clock.utc_now() + timedelta(days=1),
    )
    assert row_id > 0
    print(alert_id, flush=True)
"""


def test_a_killed_process_loses_nothing_that_it_had_stored(tmp_path: Path) -> None:
    """What was reported is there, nothing is there twice, and at most the row under way is there unreported."""
    kek = KeyEncryptingKey.load(tmp_path, create=True)
    chance = random.Random(7)  # noqa: S311 - only to vary the instant
    reported: list[str] = []
    for _ in range(ROUNDS):
        process = subprocess.Popen(
            [sys.executable, "-c", STORE_WITHOUT_END, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout:
            reported.append(process.stdout.readline().strip())
            time.sleep(chance.uniform(0.0, 0.1))
            process.send_signal(signal.SIGKILL)
            lines = process.stdout.read().split("\n")
        process.wait()
        reported.extend(lines[:-1])
    outbox = Outbox(tmp_path / "outbox.sqlite", kek, CONFIG, SystemClock())
    rows = [row.alert_id for row in outbox.pending()]
    for row in outbox.pending():
        loaded = outbox.load(row.row_id)
        assert loaded is not None
        assert row.alert_id.encode() * 400 == loaded.message
    outbox.close()
    assert len(set(rows)) == len(rows)
    assert set() == set(reported) - set(rows)
    assert len(set(rows) - set(reported)) <= ROUNDS
