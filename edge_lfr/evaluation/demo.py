"""
The main job from end to end, as separate processes: a walk-by clip or the user's own camera enters, a summary leaves.

The stages are those of a deployment: a pack is installed, a watchlist is loaded, a broker, a control-room terminal and
the daemon are started. Everything is made in one folder, which the caller removes, and the watchlist is wiped first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from edge_lfr.evaluation.demo_events import Announcement
from edge_lfr.evaluation.demo_summary import DemoSummary, RunReport, summarise
from edge_lfr.evaluation.processes import RehearsalError
from edge_lfr.evaluation.rehearsal import Rehearsal, Scenario, rehearsal
from edge_lfr.evaluation.truth import Passage, Truth
from edge_lfr.evaluation.walkby.script import walkby_script

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

LAST_MESSAGES_S: Final = 5.0
"""The daemon ends when its alerts are acknowledged; the terminal may still be printing them."""


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
    with rehearsal(options.folder) as staged:
        demo = _Demo(options, narrator, staged)
        try:
            return demo.run()
        finally:
            demo.wipe()


class _Demo:
    """One run; a class because every stage needs the same options and processes."""

    def __init__(self, options: DemoOptions, narrator: Narrator, staged: Rehearsal) -> None:
        self._options = options
        self._narrator = narrator
        self._staged = staged
        self._clip = options.folder / "walkby.mp4"
        self._truth = options.folder / "walkby.json"
        self._made_watchlist = options.folder / "watchlist"

    def run(self) -> DemoResult:
        say, staged = self._narrator.stage, self._staged
        say(f"broker: mosquitto on 127.0.0.1:{staged.broker_port}")
        staged.configure(self._scenario())
        self._install_pack()
        if self._options.source is None or self._options.watchlist is None:
            say("making a walk-by clip and its watchlist")
            self._make_walkby()
        say("enrolling the watchlist")
        self._load_watchlist()
        subscriber = staged.start_control_room(self._narrator.message)
        say("control room: a terminal in another process listens and acknowledges")
        daemon = staged.start_daemon()
        say(f"daemon: started; {self._what_plays()}")
        run = staged.finish(daemon, self._limit_s())
        subscriber.wait_for(run.alerts + run.sightings, LAST_MESSAGES_S)
        if self._options.source is not None:
            return DemoResult(run, None)
        return DemoResult(run, summarise(Truth.load(self._truth), subscriber.events(run), run))

    def wipe(self) -> None:
        """Destroy the watchlist; what ended the run matters more, and the folder is removed all the same."""
        if not self._staged.has_watchlist:
            return
        failure = self._staged.wipe()
        said = "watchlist wiped" if failure is None else f"the watchlist could not be wiped: {failure.message}"
        self._narrator.stage(said)

    @property
    def _pack(self) -> str:
        return PACK_OF_NETWORK if self._options.shared is None else PACK_OF_FOLDER

    def _scenario(self) -> Scenario:
        source = self._options.source
        # One listed person comes many times within two minutes; an operation would call these sightings of one alert.
        comes_again = source is None and self._options.is_built_in
        if source is not None and "://" not in source:
            source = str(Path(source).absolute())
        return Scenario(
            pack=self._pack,
            models_directory=self._options.models_directory,
            cameras=(str(self._clip) if source is None else source,),
            further=f"[reporting]\npassage_gap_s = {PASSAGE_GAP_S}\n\n" if comes_again else "",
        )

    def _install_pack(self) -> None:
        """Install what is missing; a pack that is there is verified by digest and taken."""
        try:
            self._staged.command("models", "verify")
        except RehearsalError:
            self._narrator.stage(f"installing pack {self._pack}")
            source = [] if self._options.shared is None else [str(self._options.shared / "models")]
            self._staged.command("models", "install", *source)
            if self._options.shared is None:
                self._staged.command("models", "selftest", "--record")
        self._narrator.stage(f"pack {self._pack}: installed and verified by digest")

    def _make_walkby(self) -> None:
        options = ["--out", str(self._clip), "--truth", str(self._truth), "--watchlist-out", str(self._made_watchlist)]
        if self._options.is_quick or self._options.source is not None:
            options.append("--quick")
        if self._options.shared is None or self._options.is_built_in:
            options.append("--built-in")
        else:
            options += ["--data", str(self._options.shared / "data")]
        self._staged.script(walkby_script(), *options)

    def _load_watchlist(self) -> None:
        folder = self._made_watchlist if self._options.watchlist is None else self._options.watchlist
        listed = self._staged.load_watchlist(folder)
        self._narrator.stage(
            f"watchlist: {listed.references} people enrolled and sealed, {listed.rejected} rows rejected"
        )

    def _what_plays(self) -> str:
        if self._options.source is not None:
            return "ctrl-C ends it"
        passages = Truth.load(self._truth).passages
        mated = sum(passage.is_mated for passage in passages)
        return f"{len(passages)} people walk by within {_length_s(passages):.0f} s, {mated} of them listed"

    def _limit_s(self) -> float | None:
        if self._options.source is not None:
            return None
        return _length_s(Truth.load(self._truth).passages) + RUN_GRACE_S


def _length_s(passages: Sequence[Passage]) -> float:
    return max(passage.ends_s for passage in passages)
