"""
Alerts with pictures are stored while others are accepted, acknowledged, held, released and purged; then the kill.

The child of a kill has three threads on one outbox: one stores, one does what the link and the control room do, one
purges. Before and after each call they tell; what was told to be done is done, and what was told to be begun may be. A
thread that ends takes the process with it, and is told: a work that stands still breaks no law.
"""

import hashlib
import os
import random
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

from edge_lfr.clock import SystemClock
from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.errors import HoldError
from edge_lfr.evaluation.torture.alert_history import AlertHistory, look_at
from edge_lfr.evaluation.torture.laws import Law, Verdict
from edge_lfr.evaluation.torture.teller import Teller
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.holds import HoldReason
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.rows import RowKind

CONFIG: Final = ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}})

MESSAGE_BYTES: Final = 40_000
"""About what an alert with its two pictures has."""

SHORT_LIFE_S: Final = 0.1
"""Of three alerts in four, at most: they are purged within one or two kills. Chosen, not measured."""

LONG_LIFE: Final = timedelta(days=1)

KILLS_AN_OUTBOX: Final = 12
"""Then another one is begun; chosen, not measured."""

PURGE_EVERY_S: Final = 0.005

DEEDS: Final = {
    "alerts stored": "stored ",
    "alerts acknowledged": "done acknowledge ",
    "alerts held": "done hold ",
    "purges that deleted": "purged ",
}
"""How the lines begin that tell of them."""


def message_of(alert_id: str) -> bytes:
    """What an alert of that id says; the same in every process."""
    return hashlib.shake_256(alert_id.encode()).digest(MESSAGE_BYTES)


def outbox_in(folder: Path) -> Outbox:
    """Open it, or begin it."""
    return Outbox(folder / FILE_NAME, KeyEncryptingKey.load(folder, create=True), CONFIG, SystemClock())


@dataclass(frozen=True, slots=True)
class AlertCase:
    """The next kill of an outbox."""

    history: AlertHistory
    children: tuple[tuple[str, ...], ...]
    doomed: frozenset[int] = frozenset({0})

    @property
    def folder(self) -> Path:
        return self.history.folder

    @property
    def goes_on(self) -> bool:
        return self.history.kills < KILLS_AN_OUTBOX

    def judge(self, told: Sequence[Sequence[str]]) -> Verdict:
        (lines,) = told
        self.history.kills += 1
        self.history.hear(lines)
        verdict = look_at(self.history, outbox_in(self.folder), message_of)
        if verdict.broken:
            self.history.kills = KILLS_AN_OUTBOX  # told once is enough
        done = {deed: sum(line.startswith(begin) for line in lines) for deed, begin in DEEDS.items()}
        return replace(verdict, done=done)


class AlertStoring:
    """One appliance's outbox."""

    name = "alerts"
    laws: tuple[Law, ...] = (
        *(Law.ALERTS, Law.DOUBLED, Law.STATES, Law.HOLDS, Law.SEEN, Law.PURGED),
        Law.SELF,
    )
    span_s = 0.3
    mark = None

    def __init__(self) -> None:
        self._history: AlertHistory | None = None

    def prepare(self, folder: Path, chance: random.Random) -> AlertCase:
        if self._history is None or self._history.kills >= KILLS_AN_OUTBOX:
            self._history = AlertHistory(folder)
        words = (self.name, str(self._history.folder), str(chance.randrange(1 << 30)))
        return AlertCase(self._history, (words,))


def work(teller: Teller, words: Sequence[str]) -> None:
    """The child."""
    folder, seed = words
    threading.excepthook = _end_with_the_thread
    teller.wait_for_go()
    with_outbox = _Appliance(teller, outbox_in(Path(folder)), int(seed))
    for each in (with_outbox.store, with_outbox.answer, with_outbox.purge):
        threading.Thread(target=each, daemon=True).start()
    while not teller.is_over():
        SystemClock().sleep(PURGE_EVERY_S)


def _end_with_the_thread(failed: threading.ExceptHookArgs) -> None:
    """The others would go on, and the kill find a process that looks well."""
    sys.excepthook(failed.exc_type, failed.exc_value or failed.exc_type(), failed.exc_traceback)
    sys.stderr.flush()
    os._exit(os.EX_SOFTWARE)


class _Appliance:
    """Three threads on one outbox, until the process dies."""

    def __init__(self, teller: Teller, outbox: Outbox, seed: int) -> None:
        self._teller = teller
        self._outbox = outbox
        self._seed = seed
        self._stored: list[tuple[str, int]] = []

    def store(self) -> None:
        chance = random.Random(self._seed)  # noqa: S311 - draws lives, not keys
        for number in count():
            seq = self._outbox.next_seq()
            alert_id = f"{self._outbox.boot_id}-{number}"
            is_short = chance.random() < 3 / 4
            life = timedelta(seconds=chance.uniform(0.0, SHORT_LIFE_S)) if is_short else LONG_LIFE
            expires_at = datetime.now(tz=UTC) + life
            self._teller.tell("storing", alert_id, repr(expires_at.timestamp()))
            row_id = self._outbox.store(
                message_of(alert_id), alert_id=alert_id, kind=RowKind.ALERT, seq=seq, expires_at=expires_at
            )
            if row_id > 0:  # on the disk, and not only in memory
                self._teller.tell("stored", alert_id)
            self._stored.append((alert_id, row_id))

    def answer(self) -> None:
        chance = random.Random(self._seed + 1)  # noqa: S311 - draws what happens next
        clock = SystemClock()
        for number in count():
            if not self._stored:
                clock.sleep(PURGE_EVERY_S)
                continue
            alert_id, row_id = chance.choice(self._stored[-30:])
            verb = chance.choice(("accept", "accept", "acknowledge", "hold", "release", "remember"))
            if verb in {"hold", "release"} and (alert_id in self._outbox.holds.alert_ids()) is (verb == "hold"):
                continue
            self._teller.tell("begun", verb, alert_id)
            if verb == "accept":
                self._outbox.mark_accepted(row_id)
            elif verb == "acknowledge":
                self._outbox.acknowledge(alert_id)
            elif verb == "remember":
                alert_id = f"message-{self._seed}-{number}"
                self._outbox.remember(alert_id, clock.utc_now() + LONG_LIFE)
            elif not self._keep_or_let_go(verb, alert_id):
                continue
            self._teller.tell("done", verb, alert_id)

    def _keep_or_let_go(self, verb: str, alert_id: str) -> bool:
        """Place a legal hold or release it; False where the alert was purged before."""
        at = SystemClock().utc_now()
        if verb == "release":
            self._outbox.holds.release(alert_id, by=Actor.of_uid(0), at=at)
            return True
        try:
            self._outbox.holds.place(alert_id, HoldReason.EVIDENCE, note="a case", held_by=0, at=at)
        except HoldError:
            return False
        return True

    def purge(self) -> None:
        clock = SystemClock()
        while True:
            if deleted := self._outbox.purge(believing(clock)).deleted:
                self._teller.tell("purged", str(deleted))
            clock.sleep(PURGE_EVERY_S)
