"""Importing does nothing: no thread, no socket, no file, no settings; and imports point down."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

WATCHED_IMPORT = """
import json, os, pkgutil, sys, threading

seen = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "os.remove", "os.rename"):
        seen.append(event)
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        seen.append(f"open {arguments[0]}")
sys.addaudithook(watch)

import edge_lfr
assert "onnxruntime" not in sys.modules, "the package's first lines come before any runtime"
names = [module.name for module in pkgutil.walk_packages(edge_lfr.__path__, "edge_lfr.")]
for name in names:
    if not name.endswith("__main__"):
        __import__(name)
print(json.dumps({
    "modules": len(names),
    "events": seen,
    "threads": [thread.name for thread in threading.enumerate()],
    "telemetry": os.environ.get("ORT_DISABLE_TELEMETRY"),
}))
"""


def test_importing_every_module_does_nothing() -> None:
    """No thread, no connection, no file written; and the runtime's telemetry is off before it could be imported."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    finished = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", WATCHED_IMPORT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == finished.returncode, finished.stderr
    found = json.loads(finished.stdout)
    assert found.pop("modules") > 30
    assert {"events": [], "threads": ["MainThread"], "telemetry": "1"} == found


def test_imports_point_down() -> None:
    """The layers of the tree hold: a phase knows nothing of another phase, nor of what stands above it."""
    finished = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == finished.returncode, finished.stdout + finished.stderr
