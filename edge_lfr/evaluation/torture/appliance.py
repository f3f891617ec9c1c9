"""
The appliance as it is, out of its own commands: a load of a bundle, and `edge-lfr run` on a clip, killed, begun anew.

A rehearsal gives broker, desk, bundle and clip. Every list that is found is the one that was loaded, the ledger
verifies, no picture of the bundle lies anywhere in clear, and every alert that was ever stored reaches the desk.
"""

import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edge_lfr.clock import SystemClock
from edge_lfr.evaluation.bench.ground import prepared_ground
from edge_lfr.evaluation.demo import PACK_OF_FOLDER, RUN_GRACE_S
from edge_lfr.evaluation.demo_events import Subscriber
from edge_lfr.evaluation.processes import RehearsalError
from edge_lfr.evaluation.rehearsal import Rehearsal, Scenario, rehearsal
from edge_lfr.evaluation.torture.alert_history import MAX_ROWS
from edge_lfr.evaluation.torture.laws import Broken, Law
from edge_lfr.evaluation.torture.lists import Content, look_into, store_in
from edge_lfr.evaluation.torture.moments import draw_moment
from edge_lfr.evaluation.torture.rounds import Chronicler, Tally
from edge_lfr.evaluation.walkby.script import walkby_script
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.file import FILE_NAME as LEDGER_NAME
from edge_lfr.pipeline.reporting.outbox import FILE_NAME as OUTBOX_NAME
from edge_lfr.pipeline.reporting.rows import RowFile, RowState
from edge_lfr.terms import Mode

ENROLMENT: Final = "watchlist load"
RUN: Final = "run"

PLAN: Final[Mapping[str, int]] = {ENROLMENT: 15, RUN: 10}
"""Kills of each, besides the 500; chosen, since each takes seconds."""

LAWS: Final = {
    ENROLMENT: (Law.LIST, Law.REMAINS, Law.KEYS, Law.CHAIN, Law.PLAIN),
    RUN: (Law.LIST, Law.REMAINS, Law.KEYS, Law.CHAIN, Law.DESK),
}

PIECE: Final = slice(2_000, 2_064)
"""Of a portrait's file: behind its head, which others may share. Chosen."""

LAST_MESSAGES_S: Final = 10.0
"""The daemon ends when its alerts are acknowledged; the terminal may still be printing them."""

POLL_S: Final = 0.1


class Appliance:
    """One rehearsal, with its list loaded once."""

    def __init__(self, staged: Rehearsal, folder: Path, chronicler: Chronicler) -> None:
        self._staged = staged
        self._folder = folder
        self._chronicler = chronicler
        self._store = store_in(folder / "state")
        self._loaded = self._content()

    def tortured(self, name: str, kills: int, seed: int) -> Tally:
        """
        Measure one of the two commands, and kill it so many times.

        Raises:
            RehearsalError: It failed without being killed.
        """
        load = ("watchlist", "load", str(self._folder / "watchlist.lfrw"), "--accept-partial")
        verbs = load if name == ENROLMENT else ("run", "--once")
        tally = Tally(name, LAWS[name], kills)
        before_ns = SystemClock().monotonic_ns()
        self._staged.command(*verbs)
        tally.span_s = (SystemClock().monotonic_ns() - before_ns) / 1e9
        (self._load if name == ENROLMENT else self._run)(tally, seed, verbs)
        return tally

    def _load(self, tally: Tally, seed: int, verbs: tuple[str, ...]) -> None:
        """Load the same bundle again, and kill that."""
        pieces = [path.read_bytes()[PIECE] for path in sorted((self._folder / "watchlist").glob("*.jpg"))]
        for moment_s, broken in self._kills(tally, seed, verbs):
            self._tell(tally, moment_s, [*broken, *self._in_clear(pieces)])

    def _run(self, tally: Tally, seed: int, verbs: tuple[str, ...]) -> None:
        """
        Run the daemon on its clip, kill it, begin it anew; the last one comes to its end.

        There is no desk before half of the kills: what is stored waits, and is to reach it all the same.
        """
        desk = None
        stored = self._waiting()
        for moment_s, broken in self._kills(tally, seed, verbs):
            stored |= self._waiting()
            self._tell(tally, moment_s, list(broken))
            if desk is None and tally.kills >= tally.wanted // 2:
                desk = self._staged.start_control_room(lambda _announcement: None)
        if desk is None:
            raise AssertionError
        self._staged.finish(self._staged.start_daemon(), tally.span_s + RUN_GRACE_S)
        seen = _seen_at(desk, stored)
        self._tell(tally, 0.0, [*self._look(tally), *self._undelivered(stored, seen)])
        tally.found["a stored alert that waited for the desk, and reached it"] += len(stored & seen)

    def _kills(self, tally: Tally, seed: int, verbs: tuple[str, ...]) -> Iterator[tuple[float, tuple[Broken, ...]]]:
        """Begin the command and kill it, as often as is wanted; what a look at the remains says."""
        chance = random.Random(f"{seed} {tally.name}")  # noqa: S311 - picks moments, not keys
        while tally.kills < tally.wanted:
            moment_s = draw_moment(chance, tally.span_s)
            process = self._command(*verbs)
            try:
                process.wait(moment_s)
                tally.missed += 1
                if process.returncode != 0:
                    raise RehearsalError(f"{tally.name} ended with status {process.returncode}, and nobody killed it")
            except subprocess.TimeoutExpired:
                tally.kills += 1
            finally:
                process.kill()
                process.wait()
            self._chronicler.count(tally.kills, tally.wanted)
            yield moment_s, tuple(self._look(tally))

    def _command(self, *verbs: str) -> subprocess.Popen[bytes]:
        command = [str(Path(sys.executable).with_name("edge-lfr")), *verbs, "--config", str(self._staged.config_path)]
        with (self._folder / "killed.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - this program's own commands
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _look(self, tally: Tally) -> Iterator[Broken]:
        look = look_into(self._store)
        tally.found["the whole list" if look.content == self._loaded else "another list or none"] += 1
        yield from look.broken
        if look.content != self._loaded:
            yield Broken(Law.LIST, f"found {0 if look.content is None else len(look.content)} references")
        if (self._mode_folder / LEDGER_NAME).exists():
            try:
                self._staged.command("ledger", "verify")
            except RehearsalError as error:
                yield Broken(Law.CHAIN, error.message)

    def _tell(self, tally: Tally, moment_s: float, found: list[Broken]) -> None:
        for broken in found:
            tally.broken[broken.law] += 1
            self._chronicler.broken(tally.name, tally.kills, moment_s, broken, self._folder)

    def _in_clear(self, pieces: list[bytes]) -> Iterator[Broken]:
        for path in (self._folder / "state").rglob("*"):
            if path.is_file() and any(piece in content for content in [path.read_bytes()] for piece in pieces):
                yield Broken(Law.PLAIN, path.name)

    def _content(self) -> Content:
        content = look_into(self._store).content
        if content is None:
            message = "no list was loaded"
            raise RehearsalError(message)
        return content

    @property
    def _mode_folder(self) -> Path:
        return self._folder / "state" / Mode.TRAINING.value

    @contextmanager
    def _outbox(self) -> Iterator[RowFile]:
        file = RowFile(self._mode_folder / OUTBOX_NAME, KeyEncryptingKey.load(self._mode_folder), max_rows=MAX_ROWS)
        try:
            yield file
        finally:
            file.close()

    def _waiting(self) -> set[str]:
        """Alerts that are stored, and that nobody has acknowledged."""
        with self._outbox() as file:
            return {row.alert_id for row in file.pending() if row.kind.wants_acknowledgement}

    def _undelivered(self, stored: set[str], seen: set[str]) -> Iterator[Broken]:
        with self._outbox() as file:
            for alert_id in sorted(stored):
                row = file.find(alert_id)
                if row is None or row.state is not RowState.ACKNOWLEDGED or alert_id not in seen:
                    state = "gone" if row is None else row.state.value
                    yield Broken(Law.DESK, f"{alert_id}: {state}; at the desk: {alert_id in seen}")


def _seen_at(desk: Subscriber, stored: set[str]) -> set[str]:
    """What the desk's terminal has printed: all that is stored, or whatever it is when the time is over."""
    clock = SystemClock()
    give_up_ns = clock.monotonic_ns() + round(LAST_MESSAGES_S * 1e9)
    while True:
        seen = {message.alert_id for message in desk.messages()}
        if stored <= seen or clock.monotonic_ns() >= give_up_ns:
            return seen
        clock.sleep(POLL_S)


@contextmanager
def appliance(shared: Path, folder: Path, chronicler: Chronicler) -> Iterator[Appliance]:
    """
    Set everything up in *folder*.

    Raises:
        EdgeLfrError: A part is missing, or did not do its work.
    """
    with prepared_ground(shared) as ground, rehearsal(folder) as staged:
        clip, listed = folder / "walkby.mp4", folder / "watchlist"
        data = ("--data", str(shared / "data"))
        staged.script(walkby_script(), "--out", str(clip), "--watchlist-out", str(listed), "--quick", *data)
        models = ground.models_directory
        staged.configure(Scenario(pack=PACK_OF_FOLDER, models_directory=models, cameras=(str(clip),), index="exact"))
        staged.load_watchlist(listed)
        yield Appliance(staged, folder, chronicler)
