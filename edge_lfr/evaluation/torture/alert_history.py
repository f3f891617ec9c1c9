"""What an outbox was told to hold over some kills, and a look at what it does hold."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from edge_lfr.clock import SystemClock
from edge_lfr.errors import SealBrokenError
from edge_lfr.evaluation.torture.laws import Broken, Law, Verdict
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.signed import Refusal
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.holds import Holds
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.rows import RowFile, RowState

MAX_ROWS: Final = 1_000_000
"""A look stores nothing."""

STATE_OF: Final = {"accept": RowState.ACCEPTED, "acknowledge": RowState.ACKNOWLEDGED}
RANK: Final = {state: rank for rank, state in enumerate(RowState)}


@dataclass(slots=True)
class Known:
    """One alert, as far as the children told."""

    expires_at: float
    is_stored: bool = False
    least: RowState = RowState.STORED
    most: RowState = RowState.STORED
    is_held: bool | None = False
    """None: a hold or a release was begun, and nobody was told how it ended."""

    was_held: bool = False
    """At any time: it may be there although its time is over."""


@dataclass(slots=True)
class AlertHistory:
    """An outbox over some kills."""

    folder: Path
    kills: int = 0
    alerts: dict[str, Known] = field(default_factory=dict)
    remembered: set[str] = field(default_factory=set)

    def hear(self, lines: Sequence[str]) -> None:
        """Take down what a child told, in its order."""
        for line in lines:
            word, *rest = line.split()
            if word == "storing":
                self.alerts[rest[0]] = Known(float(rest[1]))
            elif word == "stored":
                self.alerts[rest[0]].is_stored = True
            elif word == "purged":
                continue
            elif rest[0] == "remember":
                if word == "done":
                    self.remembered.add(rest[1])
            else:
                self._hear_of(self.alerts[rest[1]], rest[0], is_done=word == "done")

    @staticmethod
    def _hear_of(known: Known, verb: str, *, is_done: bool) -> None:
        state = STATE_OF.get(verb)
        if state is None:
            known.is_held = verb == "hold" if is_done else None
            known.was_held |= verb == "hold"
        elif is_done:
            known.least = max(known.least, state, key=RANK.__getitem__)
        else:
            known.most = max(known.most, state, key=RANK.__getitem__)


def look_at(history: AlertHistory, outbox: Outbox, message_of: Callable[[str], bytes]) -> Verdict:
    """
    Open the outbox as the next process does, purge it, and hold every row to what was told.

    Args:
        history: What was told.

        outbox: Just opened; closed when this returns.

        message_of: What an alert of that id says.
    """
    tomorrow = datetime.now(tz=UTC) + timedelta(days=1)
    try:
        forgotten = [one for one in history.remembered if outbox.remember(one, tomorrow) is not Refusal.SEEN]
        before_s = datetime.now(tz=UTC).timestamp()
        outbox.purge(believing(SystemClock()))
        after_s = datetime.now(tz=UTC).timestamp()
        counts = outbox.counts()
        rows = counts.stored + counts.accepted + counts.acknowledged
    finally:
        outbox.close()
    broken = [Broken(Law.SEEN, f"{len(forgotten)} of {len(history.remembered)}")] if forgotten else []
    kek = KeyEncryptingKey.load(history.folder)
    file = RowFile(history.folder / FILE_NAME, kek, max_rows=MAX_ROWS)
    try:
        held = Holds(file, kek).alert_ids()
        least = most = 0
        found = "what was told"
        for alert_id, known in history.alerts.items():
            row = file.find(alert_id)
            least += row is not None and known.expires_at > after_s
            most += row is not None and known.expires_at > before_s
            broken += _broken(alert_id, known, row.state if row else None, is_held=alert_id in held, until_s=before_s)
            if row is None:
                continue
            try:
                loaded = file.load(row.row_id)
            except SealBrokenError:
                loaded = None
            if loaded is None or loaded.message != message_of(alert_id):
                broken.append(Broken(Law.ALERTS, f"{alert_id} says something else"))
            if not known.is_stored:
                known.is_stored, found = True, "an alert that nobody was told of"
        if not least <= rows <= most:
            broken.append(Broken(Law.DOUBLED, f"{rows} rows, of {least} to {most} alerts"))
    finally:
        file.close()
    return Verdict(found, tuple(broken))


def _broken(alert_id: str, known: Known, found: RowState | None, *, is_held: bool, until_s: float) -> Iterator[Broken]:
    is_over = known.expires_at <= until_s
    if known.is_held is not None and known.is_held is not is_held:
        yield Broken(Law.HOLDS, f"{alert_id}: held {is_held}, told {known.is_held}")
    if found is None:
        if is_held:
            yield Broken(Law.HOLDS, f"{alert_id} is held, and gone")
        elif known.is_stored and not is_over:
            yield Broken(Law.ALERTS, f"{alert_id} is lost")
        return
    if is_over and not is_held:
        yield Broken(Law.PURGED, f"{alert_id} is there after its time")
    if not RANK[known.least] <= RANK[found] <= RANK[known.most]:
        yield Broken(Law.STATES, f"{alert_id}: {found}, told {known.least} to {known.most}")
