"""The real entry point as a process of its own, on a configuration in a temporary folder."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENTRY_POINT = Path(sys.executable).with_name("edge-lfr")

CONFIG = """
mode = "training"
force = "anytown"
device = "van-1"
state_directory = "state"
runtime_directory = "run"
[models]
pack = "yunet-0095"
[[cameras]]
id = "north"
source = "clip.mp4"
[reporting.broker]
host = "127.0.0.1"
port = 1
[trust]
directory = "trust.d"
"""
"""Port 1 is one that nobody listens at."""


@dataclass(frozen=True)
class Finished:
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        result = json.loads(self.out)
        assert isinstance(result, dict)
        return result


class Command:
    """`edge-lfr` with one configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "edge-lfr.toml"
        self.config.write_text(CONFIG)

    def __call__(self, *arguments: str, environ: dict[str, str] | None = None) -> Finished:
        """Run it to its end; a traceback on stderr is a failure of whatever test asked for it."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("EDGE_LFR")}
        done = subprocess.run(
            [str(ENTRY_POINT), *arguments],
            env={**clean, "EDGE_LFR_CONFIG": str(self.config), "COLUMNS": "120", **(environ or {})},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "a defect" not in done.stderr, done.stderr
        return Finished(done.returncode, done.stdout, done.stderr)
