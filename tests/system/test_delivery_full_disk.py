"""A disk that is really full: the system refuses the write, and every alert still arrives."""

import subprocess
import sys
from pathlib import Path

FILL_AND_FREE = """
import resource, sys
from pathlib import Path
from edge_lfr.clock import SystemClock
from edge_lfr.governance.trust import Role, TrustStore, create_key
from edge_lfr.console.control_room import ControlRoom
from edge_lfr.pipeline.reporting.rows import RowState
from simulators.appliance import TOPICS, Appliance, eventually
from simulators.broker import Broker

folder = Path(sys.argv[1])
TRUST = folder / "trust.d" / "control.toml"
key = create_key(Role.CONTROL, folder / "control.key", TRUST, name="desk", clock=SystemClock())
with Broker(folder) as broker:
    van = Appliance(folder, broker.config(), trust=TrustStore.load(folder / "trust.d"))
    van.link.start()
    van.alert("before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, hard))
    full = [van.alert(f"full-{number}") for number in range(5)]
    assert van.outbox.counts().spooled == 5, van.outbox.counts()
    room = ControlRoom(broker.config(), TOPICS, key, print, on_failure=print, clock=SystemClock())
    room.start()
    assert all(van.outbox.wait_acknowledged(alert_id, 10.0) is RowState.ACKNOWLEDGED for alert_id in full)
    assert van.link.is_alive
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert eventually(lambda: van.outbox.counts().spooled == 0)
    assert eventually(lambda: van.outbox.counts().acknowledged == 6)
    room.stop()
    van.end()
    print("all arrived")
"""


def test_a_full_disk_loses_nothing_while_the_daemon_lives(tmp_path: Path) -> None:
    """Alerts are sent from memory, acknowledged, and written down when there is room again."""
    tests = Path(__file__).resolve().parents[1]
    result = subprocess.run(
        [sys.executable, "-c", FILL_AND_FREE, str(tmp_path)],
        env={"PYTHONPATH": str(tests), "PATH": "/usr/bin:/bin:/usr/sbin"},
        cwd=tests.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "all arrived" in result.stdout, result.stdout + result.stderr
    assert 0 == result.returncode
