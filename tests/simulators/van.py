"""A whole appliance in a temporary folder: the daemon as a process, a street that a test fills with people."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_lfr.clock import SystemClock
from edge_lfr.governance.trust import Role, SigningKey, create_key
from simulators.appliance import IDENTITY
from simulators.issuer import bundle_of
from simulators.watchlists import CSV_HEADER, csv_row

ENTRY_POINT = Path(sys.executable).with_name("edge-lfr")
PICTURES_PER_SECOND = 8
EMPTY_S = 1.3
"""Longer than a track lives without a face, so that the next person is another passage."""


class Van:
    """Configuration, street, trust and watchlist of one appliance."""

    def __init__(self, folder: Path, models: Path, london: Path, broker_port: int) -> None:
        self.folder = folder
        self._london = london
        self._street = folder / "street"
        self._street.mkdir()
        self.key: SigningKey = create_key(
            Role.CONTROL, folder / "control.key", folder / "trust.d" / "control.toml", name="desk", clock=SystemClock()
        )
        self.config = folder / "edge-lfr.toml"
        self.config.write_text(
            f"""
mode = "training"
force = "{IDENTITY.force}"
device = "{IDENTITY.device}"
state_directory = "state"
runtime_directory = "run"
[models]
pack = "yunet-0095"
directory = {json.dumps(str(models))}
[[cameras]]
id = "north"
source = "street/"
pictures_per_second = {PICTURES_PER_SECOND}
[reporting.broker]
host = "127.0.0.1"
port = {broker_port}
reconnect_s = [0.2, 1.0]
[trust]
directory = "trust.d"
"""
        )

    def show(self, people: Sequence[str], seconds: float) -> None:
        """Let one person after the other stand in the street, each for *seconds*, and leave it empty in between."""
        for old in self._street.iterdir():
            old.unlink()
        number = 0
        for person in people:
            for _ in range(round(seconds * PICTURES_PER_SECOND)):
                shutil.copy(self._london / "smiling" / person, self._street / f"{number:05d}.jpg")
                number += 1
            for _ in range(round(EMPTY_S * PICTURES_PER_SECOND)):
                cv2.imwrite(str(self._street / f"{number:05d}.jpg"), np.full((600, 600, 3), 128, np.uint8))
                number += 1

    def watchlist(self, people: Sequence[str], name: str = "list") -> Path:
        """A folder with the neutral pictures of some people."""
        source = self.folder / name
        source.mkdir()
        rows = [CSV_HEADER]
        for person in people:
            shutil.copy(self._london / "neutral" / person, source / person)
            rows.append(csv_row(reference_of(person), person))
        (source / "watchlist.csv").write_text("\n".join(rows) + "\n")
        return source

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of a technician, to its end."""
        done = subprocess.run(
            [str(ENTRY_POINT), *arguments],
            env=self._environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def load(self, people: Sequence[str], name: str = "list") -> None:
        bundle = bundle_of(self.watchlist(people, name), self.folder, device=f"{IDENTITY.force}/{IDENTITY.device}")
        done = self.run("watchlist", "load", str(bundle))
        assert 0 == done.returncode, done.stderr

    def status(self) -> dict[str, Any]:
        """What the daemon says of itself; an empty answer while it does not answer."""
        done = self.run("status", "--json")
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    @contextmanager
    def daemon(
        self, *arguments: str, command: Sequence[str] = (str(ENTRY_POINT),), environ: Mapping[str, str] | None = None
    ) -> Iterator["Daemon"]:
        """The daemon, until it ends or the block does; another *command* than its own runs it with a defect."""
        with (self.folder / "daemon.log").open("a") as log:
            process = subprocess.Popen(
                [*command, "run", *arguments],
                env=self._environment() | dict(environ or {}),
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            try:
                yield Daemon(process)
            finally:
                if process.poll() is None:
                    process.terminate()
                process.communicate(timeout=30)

    def log(self) -> str:
        return (self.folder / "daemon.log").read_text()

    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("EDGE_LFR")}
        return {**clean, "EDGE_LFR_CONFIG": str(self.config), "COLUMNS": "120"}


class Daemon:
    """`edge-lfr run` as a process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def summary(self) -> dict[str, Any]:
        """The last line of a `--once` run, when it has ended by itself."""
        out, _ = self.process.communicate(timeout=120)
        assert 0 == self.process.returncode
        return dict(json.loads(out.splitlines()[-1]))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def reference_of(person: str) -> str:
    return f"ref-{person.removesuffix('.jpg')}"
