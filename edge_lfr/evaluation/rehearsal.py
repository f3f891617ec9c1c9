"""
One appliance with its broker and its control room, each a process of its own, as a deployment has them.

A folder and a configuration enter; the daemon's own report and what the control room saw leave. Everything is made in
that one folder, which the caller removes, and the watchlist is wiped before.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, TimeoutExpired
from tempfile import TemporaryDirectory
from typing import Any, Final

import structlog
from pydantic import ValidationError

from edge_lfr.clock import SystemClock
from edge_lfr.evaluation.demo_events import Announcement, Subscriber
from edge_lfr.evaluation.demo_summary import RunReport
from edge_lfr.evaluation.processes import Child, Children, RehearsalError, start_broker
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.trust import Role, create_key
from edge_lfr.inference.allocator import TUNABLES

log = structlog.get_logger()

FORCE: Final = "demo"
DEVICE: Final = "van"

LISTENING_S: Final = 20.0
"""Starting Python and connecting to loopback takes a second; a loaded machine is given more."""

PASSED_ON: Final = (
    *("PATH", "LANG", "LC_ALL", "TZ", "HOME", "VIRTUAL_ENV", "OMP_NUM_THREADS"),
    *("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""Of the environment, what the children see; overrides of the configuration are not among it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What the appliance is to be: as much of its configuration as a rehearsal varies."""

    pack: str
    models_directory: Path
    cameras: Sequence[str]
    """Sources, one a camera: files, streams or devices."""

    playback: str = "realtime"
    index: str = "hnsw"
    further: str = ""
    """More sections, as they stand in a configuration file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What became of a watchlist folder."""

    references: int
    rejected: int
    """Rows that are not in the list, whether the issuer or the appliance left them out."""


class Rehearsal:
    """The processes of one run; made by `rehearsal`."""

    def __init__(self, folder: Path, runtime: Path, children: Children, port: int) -> None:
        self.folder = folder
        self.broker_port = port
        self._runtime = runtime
        self._children = children
        self._program = str(Path(sys.executable).with_name("edge-lfr"))
        self.config_path = folder / "appliance.toml"
        self._key = folder / "control-room.pem"
        self._trainer = folder / "trainer.pem"
        self.has_watchlist = False
        self._daemon: Child | None = None

    def configure(self, scenario: Scenario) -> None:
        """Write a configuration as a user would; JSON's strings are TOML's."""
        cameras = "".join(
            f'[[cameras]]\nid = "{_camera_id(number)}"\nsource = {json.dumps(source)}\n'
            f"playback = {json.dumps(scenario.playback)}\n\n"
            for number, source in enumerate(scenario.cameras)
        )
        self.config_path.touch(mode=0o600)  # a camera's address may hold its password
        self.config_path.write_text(
            f"""\
mode = "training"
force = "{FORCE}"
device = "{DEVICE}"
state_directory = {json.dumps(str(self.folder / "state"))}
runtime_directory = {json.dumps(str(self._runtime))}

[models]
pack = "{scenario.pack}"
directory = {json.dumps(str(scenario.models_directory))}

{cameras}[gallery]
index = "{scenario.index}"

{scenario.further}[reporting.broker]
host = "127.0.0.1"
port = {self.broker_port}

[trust]
directory = {json.dumps(str(self.folder / "trust.d"))}
""",
            encoding="utf-8",
        )

    def command(self, *verbs: str) -> str:
        """
        Run one command of the appliance to its end, and give back what it printed.

        Raises:
            RehearsalError: It failed.
        """
        return self._children.run(verbs[0], self._command(*verbs))

    def script(self, path: Path, *options: str) -> None:
        """
        Run a script of the checkout in this interpreter.

        Raises:
            RehearsalError: It failed.
        """
        self._children.run(path.name, [sys.executable, str(path), *options])

    def load_watchlist(self, folder: Path) -> Listed:
        """
        Make a bundle of a folder as its issuer does, enrol it, and say what became of it.

        Raises:
            RehearsalError: Nothing of the folder may be listed, or nothing of it was enrolled.
        """
        self.has_watchlist = True
        bundle = self.folder / "watchlist.lfrw"
        keys = DeviceKeys.load(self.folder / "state" / "device", create=True)
        named = ("--device", f"{FORCE}/{DEVICE}", "--list-id", FORCE, "--issuer", FORCE)
        drawn = ("--extracted-at", SystemClock().utc_now().isoformat())
        whose = ("--training", "--key", str(self._trainer), "--to", keys.receiving.recipient.text)
        build = (str(folder), str(bundle), *whose, *named, *drawn, "--leave-out-refused", "--force", "--json")
        built: dict[str, Any] = json.loads(self._children.run("build", [self._program, "watchlist", "build", *build]))
        load = self._command("watchlist", "load", str(bundle), "--accept-partial", "--json")
        report: dict[str, Any] = json.loads(self._children.run("watchlist", load))
        return Listed(references=report["enrolled_references"], rejected=report["rejected"] + len(built["refused"]))

    def start_control_room(self, on_message: Callable[[Announcement], None]) -> Subscriber:
        """
        Start a terminal that listens and acknowledges.

        Raises:
            RehearsalError: It does not reach the broker.
        """
        command = [*self._command("alerts", "watch"), "--key", str(self._key), "--json"]
        terminal = self._children.start("control-room", command, stdout=PIPE)
        if terminal.process.stdout is None:
            raise AssertionError
        subscriber = Subscriber(terminal.process.stdout, on_message)
        if not subscriber.wait_until_listening(LISTENING_S):
            raise RehearsalError(f"the control room does not reach the broker:\n{terminal.last_words()}")
        return subscriber

    def start_daemon(self, *, is_once: bool = True) -> Child:
        """Start the appliance; unless *is_once* is false it ends with its file sources."""
        once = ["--once"] if is_once else []
        self._daemon = self._children.start("daemon", [*self._command("run"), *once], stdout=PIPE)
        return self._daemon

    def finish(self, daemon: Child, limit_s: float | None) -> RunReport:
        """
        Let the daemon come to its end, and read its report.

        Args:
            daemon: From `start_daemon`.

            limit_s: How long that may take; None for a source of the user, which a ctrl-C ends in good order.

        Raises:
            RehearsalError: It took longer, failed, or its last line is no report.
        """
        try:
            output, _ = daemon.process.communicate(timeout=limit_s)
        except TimeoutExpired:
            raise RehearsalError(f"the daemon did not end within {limit_s:.0f} s:\n{daemon.last_words()}") from None
        except KeyboardInterrupt:
            if limit_s is not None:
                raise
            daemon.process.terminate()
            output, _ = daemon.process.communicate()
        if daemon.process.returncode != 0:
            raise RehearsalError(f"the daemon ended with status {daemon.process.returncode}:\n{daemon.last_words()}")
        try:
            return RunReport.model_validate_json(output.strip().rpartition("\n")[2])
        except ValidationError as error:
            message = f"the daemon's last line is no report: {error.error_count()} fields are wrong"
            raise RehearsalError(message) from error

    def wipe(self) -> RehearsalError | None:
        """Destroy the watchlist with the appliance's own verb, and say why when that failed."""
        if not self.has_watchlist:
            return None
        self.has_watchlist = False
        if self._daemon is not None:
            self._children.stop(self._daemon)
        try:
            self.command("watchlist", "wipe", "--yes")
        except RehearsalError as error:
            return error
        return None

    def _command(self, *verbs: str) -> list[str]:
        return [self._program, *verbs, "--config", str(self.config_path)]


@contextmanager
def rehearsal(folder: Path) -> Iterator[Rehearsal]:
    """
    Start a broker, trust a control room and an issuer; in the end the watchlist is wiped, then every process ends.

    Args:
        folder: Where everything is made; the caller's to remove.

    Raises:
        BrokerUnavailableError: There is no Mosquitto, or it does not listen.
        RehearsalError: The watchlist could not be wiped; logged only where something else failed before.
    """
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment["GLIBC_TUNABLES"] = TUNABLES  # freed memory is overwritten
    with (
        TemporaryDirectory(prefix="lfr-") as runtime,  # a socket's path is short, a kept folder's may not be
        Children(folder, environment) as children,
    ):
        for role, name in ((Role.CONTROL, "control-room"), (Role.TRAIN, "trainer")):
            trust = folder / "trust.d" / f"{name}.toml"
            create_key(role, folder / f"{name}.pem", trust, name=FORCE, clock=SystemClock())
        staged = Rehearsal(folder, Path(runtime), children, start_broker(children, folder))
        try:
            yield staged
        except BaseException:
            failure = staged.wipe()
            if failure is not None:
                log.error("rehearsal.watchlist-left", folder=str(folder), reason=str(failure))
            raise
        failure = staged.wipe()
        if failure is not None:
            raise failure


def _camera_id(number: int) -> str:
    return "street" if number == 0 else f"street-{number + 1}"
