"""
The main job from end to end, as separate processes: a walk-by clip or the user's own camera enters, a summary leaves.

The stages are those of a deployment: a pack is installed, a watchlist is loaded, a broker, a control-room terminal and
the daemon are started. Everything is made in one folder, which the caller removes, and the watchlist is wiped first.
"""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, TimeoutExpired
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from pydantic import ValidationError

import edge_lfr
from edge_lfr.clock import SystemClock
from edge_lfr.evaluation.demo_children import Child, Children, DemoError, start_broker
from edge_lfr.evaluation.demo_events import Announcement, Subscriber
from edge_lfr.evaluation.demo_summary import DemoSummary, RunReport, summarise
from edge_lfr.evaluation.truth import Truth
from edge_lfr.governance.trust import create_control_key

PACK_OF_FOLDER: Final = "yunet-0095"
"""What is installed where there is a folder of models."""

PACK_OF_NETWORK: Final = "yunet-sface"
"""What a networked machine installs from its publishers' addresses."""

PASSAGE_GAP_S: Final = 5.0
"""
With the built-in crowd: after how long without a match the listed person's next passage is an alert of its own.

Longer than the matches of one passage lie apart: a track that has alerted matches again after two looks, 2 s each
(found: 4.0 to 4.4 s), and the passage is over before there are more. Shorter than from the last match of a passage to
the first one of the next (found: 5.7 s and more): the pause in the clip (`TURN_PAUSE_S`) and what lies around it.
"""

RUN_GRACE_S: Final = 120.0
"""Time beyond the clip's own length in which the daemon has to start, finish and deliver."""

LISTENING_S: Final = 20.0
"""Starting Python and connecting to loopback takes a second; a loaded machine is given more."""

LAST_MESSAGES_S: Final = 5.0
"""The daemon ends when its alerts are acknowledged; the terminal may still be printing them."""

PASSED_ON: Final = (
    *("PATH", "LANG", "LC_ALL", "TZ", "HOME", "VIRTUAL_ENV", "OMP_NUM_THREADS"),
    *("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""Of the environment, what the children see; overrides of the configuration are not among it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the user asked for."""

    folder: Path
    """Where everything is made."""

    shared: Path | None
    """Folder with `models/` and `data/`; None: packs come from their addresses, and portraits are the built-in ones."""

    models_directory: Path
    """Where packs are installed and found again by the next demo."""

    source: str | None = None
    """A camera, stream or file of the user instead of a made clip."""

    watchlist: Path | None = None
    """A folder of pictures and CSV instead of the one that is made with the clip."""

    is_quick: bool = False
    """A clip of some seconds."""

    wants_built_in: bool = False
    """The two portraits of installed packages walk, also where there is a folder of portraits."""

    @property
    def is_built_in(self) -> bool:
        """Whether the made clip shows the two portraits of installed packages."""
        return self.wants_built_in or self.shared is None


class Narrator(Protocol):
    """Who tells the user what happens."""

    def stage(self, text: str) -> None: ...

    def message(self, announcement: Announcement) -> None: ...


@dataclass(frozen=True, slots=True)
class DemoResult:
    """How the run ended; without a clip there is no truth to hold it against."""

    run: RunReport
    summary: DemoSummary | None


def run_demo(options: DemoOptions, narrator: Narrator) -> DemoResult:
    """
    Set up, run, and hold what came out against what was put in.

    Raises:
        EdgeLfrError: A part did not do its work.
    """
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment["GLIBC_TUNABLES"] = "glibc.malloc.perturb=255"  # freed memory is overwritten
    with (
        TemporaryDirectory(prefix="lfr-") as runtime,  # a socket's path is short, a kept folder's may not be
        Children(options.folder, environment) as children,
    ):
        demo = _Demo(options, narrator, children, Path(runtime))
        try:
            return demo.run()
        finally:
            demo.wipe()


class _Demo:
    """One run; a class because every stage needs the same folder, children and configuration."""

    def __init__(self, options: DemoOptions, narrator: Narrator, children: Children, runtime: Path) -> None:
        self._options = options
        self._narrator = narrator
        self._children = children
        self._runtime = runtime
        self._program = str(Path(sys.executable).with_name("edge-lfr"))
        self._config = options.folder / "demo.toml"
        self._key = options.folder / "control-room.pem"
        self._clip = options.folder / "walkby.mp4"
        self._truth = options.folder / "walkby.json"
        self._made_watchlist = options.folder / "watchlist"
        self._has_watchlist = False
        self._daemon: Child | None = None

    def run(self) -> DemoResult:
        say = self._narrator.stage
        create_control_key(
            self._key, self._options.folder / "trust.d" / "control-room.toml", name="demo", clock=SystemClock()
        )
        port = start_broker(self._children, self._options.folder)
        say(f"broker: mosquitto on 127.0.0.1:{port}")
        self._write_config(port)
        self._install_pack()
        if self._options.source is None or self._options.watchlist is None:
            say("making a walk-by clip and its watchlist")
            self._make_walkby()
        say("enrolling the watchlist")
        self._load_watchlist()
        subscriber = self._start_subscriber()
        say("control room: a terminal in another process listens and acknowledges")
        self._daemon = self._children.start("daemon", self._command("run", "--once"), stdout=PIPE)
        say(f"daemon: started; {self._what_plays()}")
        run = self._wait_for(self._daemon)
        subscriber.wait_for(run.alerts + run.sightings, LAST_MESSAGES_S)
        if self._options.source is not None:
            return DemoResult(run, None)
        return DemoResult(run, summarise(Truth.load(self._truth), subscriber.events(run), run))

    def wipe(self) -> None:
        """Destroy the watchlist with the appliance's own verb; the folder goes afterwards."""
        if not self._has_watchlist:
            return
        if self._daemon is not None:
            self._children.stop(self._daemon)
        try:
            self._children.run("wipe", self._command("watchlist", "wipe", "--yes"))
        except DemoError as error:  # what ended the run matters more, and the folder is removed all the same
            self._narrator.stage(f"the watchlist could not be wiped: {error.message}")
        else:
            self._narrator.stage("watchlist wiped")

    def _command(self, *verbs: str) -> list[str]:
        return [self._program, *verbs, "--config", str(self._config)]

    @property
    def _pack(self) -> str:
        return PACK_OF_NETWORK if self._options.shared is None else PACK_OF_FOLDER

    def _write_config(self, port: int) -> None:
        """A configuration as a user would write it; JSON's strings are TOML's."""
        folder, source = self._options.folder, self._options.source
        # One listed person comes many times within two minutes; an operation would call these sightings of one alert.
        comes_again = source is None and self._options.is_built_in
        reporting = f"[reporting]\npassage_gap_s = {PASSAGE_GAP_S}\n\n" if comes_again else ""
        if source is not None and "://" not in source:
            source = str(Path(source).absolute())
        self._config.touch(mode=0o600)  # a camera's address may hold its password
        self._config.write_text(
            f"""\
mode = "training"
force = "demo"
device = "van"
state_directory = {json.dumps(str(folder / "state"))}
runtime_directory = {json.dumps(str(self._runtime))}

[models]
pack = "{self._pack}"
directory = {json.dumps(str(self._options.models_directory))}

[[cameras]]
id = "street"
source = {json.dumps(str(self._clip) if source is None else source)}
playback = "realtime"

[gallery]
index = "hnsw"

{reporting}[reporting.broker]
host = "127.0.0.1"
port = {port}

[trust]
directory = {json.dumps(str(folder / "trust.d"))}
""",
            encoding="utf-8",
        )

    def _install_pack(self) -> None:
        """Install what is missing; a pack that is there is verified by digest and taken."""
        try:
            self._children.run("verify", self._command("models", "verify"))
        except DemoError:
            self._narrator.stage(f"installing pack {self._pack}")
            source = [] if self._options.shared is None else [str(self._options.shared / "models")]
            self._children.run("install", self._command("models", "install", *source))
            if self._options.shared is None:
                self._children.run("selftest", self._command("models", "selftest", "--record"))
        self._narrator.stage(f"pack {self._pack}: installed and verified by digest")

    def _make_walkby(self) -> None:
        script = Path(edge_lfr.__file__).parents[1] / "scripts" / "make_walkby"
        if not script.is_file():
            message = "clips are made by a script of the checkout, and this is an installed package"
            raise DemoError(message, remedy="run scripts/demo in a checkout, or name --source and --watchlist")
        command = [sys.executable, str(script), "--out", str(self._clip), "--truth", str(self._truth)]
        command += ["--watchlist-out", str(self._made_watchlist)]
        if self._options.is_quick or self._options.source is not None:
            command.append("--quick")
        if self._options.shared is None or self._options.is_built_in:
            command.append("--built-in")
        else:
            command += ["--data", str(self._options.shared / "data")]
        self._children.run("make_walkby", command)

    def _load_watchlist(self) -> None:
        folder = self._made_watchlist if self._options.watchlist is None else self._options.watchlist
        self._has_watchlist = True
        report = json.loads(
            self._children.run("watchlist", [*self._command("watchlist", "load", str(folder)), "--json"])
        )
        self._narrator.stage(
            f"watchlist: {report['enrolled_references']} people enrolled and sealed, {report['rejected']} rows rejected"
        )

    def _start_subscriber(self) -> Subscriber:
        command = [*self._command("alerts", "watch"), "--key", str(self._key), "--json"]
        terminal = self._children.start("control-room", command, stdout=PIPE)
        if terminal.process.stdout is None:
            raise AssertionError
        subscriber = Subscriber(terminal.process.stdout, self._narrator.message)
        if not subscriber.wait_until_listening(LISTENING_S):
            raise DemoError(f"the control room does not reach the broker:\n{terminal.last_words()}")
        return subscriber

    def _what_plays(self) -> str:
        if self._options.source is not None:
            return "ctrl-C ends it"
        passages = Truth.load(self._truth).passages
        mated = sum(passage.is_mated for passage in passages)
        seconds = max(passage.ends_s for passage in passages)
        return f"{len(passages)} people walk by within {seconds:.0f} s, {mated} of them listed"

    def _wait_for(self, daemon: Child) -> RunReport:
        """Let the daemon finish; a ctrl-C ends a run on the user's own source in good order."""
        limit_s = None
        if self._options.source is None:
            limit_s = max(passage.ends_s for passage in Truth.load(self._truth).passages) + RUN_GRACE_S
        try:
            output, _ = daemon.process.communicate(timeout=limit_s)
        except TimeoutExpired:
            raise DemoError(f"the daemon did not end within {limit_s:.0f} s:\n{daemon.last_words()}") from None
        except KeyboardInterrupt:
            if self._options.source is None:
                raise
            daemon.process.terminate()
            output, _ = daemon.process.communicate()
        if daemon.process.returncode != 0:
            raise DemoError(f"the daemon ended with status {daemon.process.returncode}:\n{daemon.last_words()}")
        try:
            return RunReport.model_validate_json(output.strip().rpartition("\n")[2])
        except ValidationError as error:
            raise DemoError(f"the daemon's last line is no report: {error.error_count()} fields are wrong") from error
