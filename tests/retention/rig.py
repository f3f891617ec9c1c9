"""One appliance under search: the tapped daemon, a broker that stores, a wire-tap between them, and the moments."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge_lfr.config.identification import IndexChoice
from edge_lfr.daemon.control.local_socket import ControlClient, Verb
from edge_lfr.errors import DaemonAbsentError
from edge_lfr.evaluation.bench.ground import BenchError
from retention.needles import MIN_BYTES, Kind, NeedleTable, in_text
from retention.processes import CHILD, DAEMON, family, search_memory
from retention.recorder import Recorder
from retention.street import Street
from retention.tapping import CALM, CONTROL, EVENT_SOCKET, GO_ON, LOOK, STAGES, Listener, letter_of
from retention.watch import BUSY, Lifetimes, Watch
from simulators.broker import Broker
from simulators.issuer import bundle_of
from simulators.van import ENTRY_POINT

TAPPED_DAEMON: Final = Path(__file__).with_name("tapped_daemon.py")
AGE_S: Final = 1.0
"""After the last face: what is then still there was retained."""

ELSEWHERE: Final = (Path("/dev/shm"), Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - looked at, not written
TOLD_AS_TEXT: Final = frozenset({Kind.PROBE, Kind.WIDE_PROBE, Kind.CROP})
"""What a program might write as hexadecimal or base64."""

MAX_FILE_BYTES: Final = 64 << 20

SILENT: Final = "camera silent"
GONE: Final = "process gone"

START_S: Final = 60.0
"""Within so long the daemon answers, and a graph of some twenty templates serves; chosen for a busy machine."""

FACES_FIRST: Final = 12
"""Frames with faces before anything is looked for: several people were compared by then."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look at one kind of place came to."""

    moment: str
    place: str
    counts: Mapping[Kind, int]
    """Fragments found, by kind."""

    searched_bytes: int
    where: tuple[str, ...] = ()

    @property
    def hits(self) -> int:
        return sum(self.counts.values())


@dataclass(slots=True)
class Outcome:
    """All looks of one run."""

    findings: list[Finding] = field(default_factory=list)
    needles: Counter[Kind] = field(default_factory=Counter)
    lifetimes: tuple[Lifetimes, ...] = ()
    not_searched: list[str] = field(default_factory=list)
    """New files outside the appliance's folder that are too large, and any that cannot be read."""

    index: IndexChoice | None = None
    """What the status said that serves, before anybody was seen."""

    exit_status: int | None = None


class Rig:
    """A folder with an appliance in it; each run starts from the same enrolled state."""

    def __init__(self, folder: Path, models: Path, street: Street) -> None:
        """Enrol the people who do not walk."""
        self.folder = folder
        self.street = street
        self._models = models
        self._write_config(port=1, playback="realtime")
        bundle = bundle_of(street.watchlist, folder, device="testshire/van-1")
        done = subprocess.run(
            [str(ENTRY_POINT), "watchlist", "load", str(bundle), "--accept-partial"],
            env=self._environment(),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            message = f"the people who do not walk were not enrolled: {done.stderr.strip()}"
            raise BenchError(message, remedy="see `edge-lfr doctor`")
        shutil.copytree(folder / "state", folder / "enrolled")

    def control(self) -> Outcome:
        """The same search where nothing is destroyed: with a silent camera, and after SIGTERM."""
        with self.running(is_control=True) as run:
            run.watch.until(lambda watch: watch.frames_with_faces >= FACES_FIRST, "faces")
            run.silence()
            run.watch.until_age(AGE_S)
            run.look(SILENT)
            run.resume()
            run.end()
        return run.outcome

    def walk(self, index: IndexChoice = IndexChoice.AUTO) -> Outcome:
        """Look with a silent camera, with an empty street, after the clip's end, and after SIGTERM."""
        with self.running(index=index) as run:
            run.watch.until(lambda watch: watch.frames_with_faces >= FACES_FIRST, "faces")
            run.silence()
            run.watch.until_age(AGE_S)
            run.look(SILENT)
            run.resume()
            run.watch.until(lambda watch: watch.media_time_s > self.street.empty_from_s, "the empty street")
            run.watch.until_age(AGE_S)
            run.look("street empty")
            run.wait_for_the_clips_end()
            run.look("clip ended")
            run.end()
        return run.outcome

    def failures(self, stages: Sequence[str] = STAGES, index: IndexChoice = IndexChoice.AUTO) -> Outcome:
        """Let one stage after the other fail while faces are in view, then let the daemon come to its end."""
        with self.running("--once", playback="every-frame", index=index) as run:
            for stage in stages:
                run.watch.until_more_faces(2, f"faces for {stage}")
                with run.watch.expecting_failure(stage):
                    run.listener.order(letter_of(stage))
                run.watch.until_age(AGE_S)
                run.look(f"failure of {stage}")
                run.listener.order(CALM)
                run.resume()
            run.end(by_itself=True)
        return run.outcome

    def decoder_dies(self) -> Outcome:
        """Kill the decoder while faces are in view; then SIGTERM."""
        with self.running() as run:
            run.watch.until(lambda watch: watch.frames_with_faces >= FACES_FIRST, "faces")
            run.kill_decoder()
            run.watch.until_age(AGE_S)
            run.look("failure of capture")
            run.end()
        return run.outcome

    def ended_in_view(self) -> Outcome:
        """SIGTERM while faces are in view."""
        with self.running() as run:
            run.watch.until(lambda watch: watch.frames_with_faces >= FACES_FIRST, "faces")
            run.end()
        return run.outcome

    @contextmanager
    def running(
        self,
        *arguments: str,
        playback: str = "realtime",
        index: IndexChoice = IndexChoice.AUTO,
        is_control: bool = False,
    ) -> Iterator["Run"]:
        """
        Give the daemon, its broker and its wire-tap; all are gone afterwards, and the files have been searched.

        Args:
            arguments: Of `edge-lfr run`.

            playback: Of the clip.

            index: How the gallery is searched. The cameras begin once a graph that is asked for serves; `auto` leaves
                so few templates to exact search.

            is_control: Destruction is switched off, and copies are planted.
        """
        for name in ("state", "run", "temporary", "broker"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        shutil.copytree(self.folder / "enrolled", self.folder / "state", dirs_exist_ok=True)
        store = self.folder / "broker" / "store"
        store.mkdir(mode=0o777)
        persistence = f"persistence true\npersistence_location {store}/\nautosave_interval 1"
        broker = Broker(self.folder / "broker", options=persistence)
        began = time.time()
        with broker, Recorder(broker.port) as recorder:
            self._write_config(port=recorder.port, playback=playback, index=index)
            environment = self._environment() | {"TMPDIR": str(self.folder / "temporary")}
            if is_control:
                environment |= {CONTROL: "1", "RETENTION_PLANT_PORT": str(recorder.port)}
            run = Run(self.street, arguments, environment, self.folder)
            try:
                run.begin(IndexChoice.HNSW if index is IndexChoice.HNSW else IndexChoice.EXACT)
                yield run
            finally:
                run.kill()
            broker.stop()
            run.look_at_files(files_in(self.folder, began), recorder.captured())

    def _write_config(self, *, port: int, playback: str, index: IndexChoice = IndexChoice.AUTO) -> None:
        """Where a graph serves, every probe comes near enough to be searched exactly after it."""
        (self.folder / "edge-lfr.toml").write_text(
            f"""
mode = "training"
force = "testshire"
device = "van-1"
state_directory = "state"
runtime_directory = "run"
[models]
pack = "yunet-0095"
directory = {json.dumps(str(self._models))}
[gallery]
index = "{index}"
rescore_band = 1.0
[[cameras]]
id = "north"
source = {json.dumps(str(self.street.clip))}
playback = "{playback}"
stale_after_s = 60.0
[reporting.broker]
host = "127.0.0.1"
port = {port}
reconnect_s = [0.2, 1.0]
[trust]
directory = "trust.d"
"""
        )

    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("EDGE_LFR")}
        return {**clean, "EDGE_LFR_CONFIG": str(self.folder / "edge-lfr.toml")}


class Run:
    """One life of the tapped daemon."""

    def __init__(self, street: Street, arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._street = street
        self._folder = folder
        self.watch = Watch()
        self.listener = Listener(self.watch.take)
        self.outcome = Outcome()
        with (folder / "stdout.log").open("wb") as out, (folder / "stderr.log").open("wb") as log:
            descriptor = self.listener.theirs.fileno()
            self.process = subprocess.Popen(
                [sys.executable, str(TAPPED_DAEMON), "run", *arguments],
                env={**environment, EVENT_SOCKET: str(descriptor)},
                pass_fds=(descriptor,),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )
        self.listener.start()

    def begin(self, index: IndexChoice) -> None:
        """
        Let the cameras begin, once the status says that this index serves: nobody has been seen before.

        Raises:
            BenchError: It does not.
        """
        control = ControlClient(self._folder / "run" / "control.sock")
        deadline = time.monotonic() + START_S
        while self.outcome.index is not index:
            if time.monotonic() > deadline or self.watch.is_exiting:
                message = f"the gallery is to be searched by {index}, and is by {self.outcome.index or 'nothing'}"
                raise BenchError(message, remedy=BUSY)
            time.sleep(0.05)
            with suppress(DaemonAbsentError):
                self.outcome.index = IndexChoice(control.request(Verb.STATUS)["watchlist"]["index"])
        self.listener.order(LOOK)

    def silence(self) -> None:
        """The camera goes on living and gives nothing any more."""
        self._signal_decoders(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_decoders(signal.SIGCONT)

    def kill_decoder(self) -> None:
        self._signal_decoders(signal.SIGKILL)

    def wait_for_the_clips_end(self) -> None:
        deadline = time.monotonic() + 30.0
        while len(family(self.process.pid)) > 1:
            if time.monotonic() > deadline:
                message = "the clip does not end"
                raise BenchError(message, remedy=BUSY)
            time.sleep(0.05)

    def end(self, *, by_itself: bool = False) -> None:
        """Stop it, look at what its memory holds just before it is gone, and let it go."""
        if not by_itself:
            self.process.send_signal(signal.SIGTERM)
        self.watch.until(lambda watch: watch.is_exiting, "the end", timeout_s=60.0)
        self.look("end of --once" if by_itself else "SIGTERM")
        self.listener.order(GO_ON)
        self.outcome.exit_status = self.process.wait(timeout=30)

    def kill(self) -> None:
        """Whatever happened, nothing is left running."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.listener.close()
        self.outcome.lifetimes = self.watch.lifetimes()

    def look(self, moment: str) -> None:
        """Search the memory of the daemon and of its children, as it is now."""
        needles = self.watch.needles()
        self.outcome.needles = Counter(needle.kind for needle in needles)
        table = NeedleTable(needle.content for needle in needles)
        result = search_memory(self.process.pid, table)
        innocent = self._innocent({hit.needle for found in result.found for hit in found.hits})
        for process in (DAEMON, CHILD):
            found = [entry for entry in result.found if entry.process == process]
            counts: Counter[Kind] = Counter()
            where = []
            for entry in found:
                here = Counter(needles[hit.needle].kind for hit in entry.hits if hit.needle not in innocent)
                counts += here
                size = entry.range.end - entry.range.begin
                where += [
                    f"{count} x {kind} in {entry.range.name or 'anonymous'} of {size} bytes"
                    for kind, count in here.items()
                ]
            self.outcome.findings.append(
                Finding(moment, f"memory of {process}", counts, result.searched_bytes[process], tuple(where))
            )

    def look_at_files(self, files: Iterable[Path], streams: Iterable[bytes]) -> None:
        """Search what is left when the process is gone: files, the broker's store, and what went over the wire."""
        needles = self.watch.needles()
        forms = [(needle.kind, needle.content) for needle in needles]
        forms += [(needle.kind, form) for needle in needles if needle.kind in TOLD_AS_TEXT for form in in_text(needle)]
        table = NeedleTable(form for _, form in forms)
        places: dict[str, tuple[Counter[Kind], list[str], list[int]]] = {}

        def search(place: str, name: str, content: bytes) -> None:
            counts, where, sizes = places.setdefault(place, (Counter(), [], []))
            hits = table.search(content + bytes(MIN_BYTES))
            counts.update(forms[hit.needle][0] for hit in hits)
            sizes.append(len(content))
            if hits:
                where.append(f"{len(hits)} in {name}")

        for name in ("state, run, temporary and other files", "logs", "broker's store", "captured traffic"):
            places[name] = (Counter(), [], [])
        for path in files:
            try:
                if path.stat().st_size > MAX_FILE_BYTES and not path.is_relative_to(self._folder):
                    self.outcome.not_searched.append(path.name)
                    continue
                content = path.read_bytes()
            except FileNotFoundError:
                continue  # of another process, and gone
            except OSError:
                self.outcome.not_searched.append(path.name)
                continue
            search(_place_of(path), path.name, content)
        for stream in streams:
            search("captured traffic", "a stream", stream)
        for place, (counts, where, sizes) in places.items():
            self.outcome.findings.append(Finding(GONE, place, counts, sum(sizes), tuple(where)))

    def _innocent(self, found: set[int]) -> set[int]:
        """Fragments that the street without people shows as well."""
        if not found:
            return set()
        needles = self.watch.needles()
        order = sorted(found)
        pixels = NeedleTable(needles[index].content for index in order)
        return {
            order[hit.needle] for frame in self._street.empty_frames() for hit in pixels.search(frame.data.cast("B"))
        }

    def _signal_decoders(self, number: signal.Signals) -> None:
        for child in family(self.process.pid)[1:]:
            os.kill(child, number)


def _place_of(path: Path) -> str:
    if path.suffix == ".log" and path.parent.name != "broker":
        return "logs"
    return "broker's store" if "broker" in path.parts else "state, run, temporary and other files"


def files_in(folder: Path, began: float, elsewhere: Iterable[Path] = ELSEWHERE) -> Iterator[Path]:
    """Everything in the appliance's folder, and whatever else is new where programs leave files; each once."""
    yield from (path for path in folder.rglob("*") if path.is_file())
    own = {folder, *folder.parents}
    for path in (path for base in elsewhere for path in base.iterdir() if path not in own):
        with suppress(OSError):  # other programs come and go there
            if path.stat().st_mtime >= began:
                inner = path.rglob("*") if path.is_dir() else [path]
                yield from (file for file in inner if file.is_file())
