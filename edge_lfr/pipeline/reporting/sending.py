"""
Which rows are sent next, and which wait: numbers in memory, no clock, no network, no disk.

New rows go at once. A row that nobody listened to, that the broker refused, that was lost with its connection, or that
was accepted and never acknowledged comes again later. Every row may arrive twice: its alert id is idempotent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from edge_lfr.pipeline.reporting.rows import PendingRow, RowKind, RowState

WINDOW: Final = 16
"""Rows with the client library at once; with the few retained messages it stays below the broker's usual 20."""

PROBE_S: Final = (1.0, 2.0, 5.0)
"""While nobody listens, the oldest waiting row is tried again after these times: a control room that comes back is
served within five seconds, and a van's uplink is not spent on the silence (chosen, not measured)."""

REFUSED_S: Final = (2.0, 5.0, 15.0, 60.0)
"""A refusal is a matter for people: permissions, limits, quotas (chosen, not measured)."""

UNACKNOWLEDGED_S: Final = (30.0, 60.0, 120.0, 300.0)
"""The broker has it and no control room says so: its queue may have died with it (chosen, not measured)."""

SUSPECT_AFTER: Final = 2
"""Connections that a row was lost with before it travels alone, so that one bad row never holds up the others."""


@dataclass(slots=True)
class _Trial:
    """What happened to a row in this run."""

    due_ns: int
    refusals: int = 0
    lost: int = 0
    resends: int = 0
    is_held: bool = False
    """Nobody listened; waits for the probe of its topic."""


@dataclass(slots=True)
class _Silence:
    """Nobody subscribes to a topic."""

    tries: int = 0
    probe_due_ns: int = 0


@dataclass(slots=True)
class SendingPlan:
    """The link thread's own; not for other threads."""

    window: int = WINDOW
    _in_flight: dict[int, PendingRow] = field(default_factory=dict)
    _trials: dict[int, _Trial] = field(default_factory=dict)
    _silences: dict[bool, _Silence] = field(default_factory=dict)
    """By whether the topic is the sightings'."""

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def nobody_listening(self) -> bool:
        """The last alert that was tried had no subscriber."""
        return False in self._silences

    def choose(self, rows: Sequence[PendingRow], now_ns: int) -> tuple[PendingRow, ...]:
        """The rows to send now, in order; *rows* are all that are pending, oldest first."""
        self._forget_all_but(rows)
        flying = {row.row_id for row in self._in_flight.values()}
        free = max(0, self.window - len(flying))
        fresh: list[PendingRow] = []
        again: list[PendingRow] = []
        suspects: list[PendingRow] = []
        probed: set[bool] = set()
        for row in rows:
            trial = self._trials.get(row.row_id)
            if row.row_id in flying:
                continue
            if trial is None:
                (fresh if row.state is RowState.STORED else again).append(row)
            elif trial.is_held:
                silence = self._silences.get(_is_sighting(row))
                if silence is None or (silence.probe_due_ns <= now_ns and _is_sighting(row) not in probed):
                    probed.add(_is_sighting(row))
                    again.append(row)
            elif trial.due_ns <= now_ns:
                (suspects if trial.lost >= SUSPECT_AFTER else again).append(row)
        again.sort(key=lambda row: (row.state is not RowState.STORED, row.row_id))
        chosen = (fresh + again)[:free]
        if not chosen and not flying:
            return tuple(suspects[:1])
        return tuple(chosen)

    def next_due_ns(self, now_ns: int) -> int | None:
        """When `choose` may have something to say again without news; None when only news can help."""
        flying = {row.row_id for row in self._in_flight.values()}
        dues = [trial.due_ns for row_id, trial in self._trials.items() if row_id not in flying and not trial.is_held]
        if any(trial.is_held for trial in self._trials.values()):
            dues.extend(silence.probe_due_ns for silence in self._silences.values())
        return min((due for due in dues if due > now_ns), default=None)

    def sent(self, mid: int, row: PendingRow) -> None:
        self._in_flight[mid] = row

    def accepted(self, mid: int, now_ns: int) -> PendingRow | None:
        """The broker has the row and a subscriber for it; None for what is not a row."""
        row = self._in_flight.pop(mid, None)
        if row is None:
            return None
        self._silences.pop(_is_sighting(row), None)
        trial = self._trial(row, now_ns)
        trial.is_held = False
        trial.due_ns = now_ns + _wait_ns(UNACKNOWLEDGED_S, trial.resends)
        trial.resends += 1
        trial.refusals = trial.lost = 0
        return row

    def no_subscriber(self, mid: int, now_ns: int) -> PendingRow | None:
        """The broker took the row and threw it away."""
        row = self._in_flight.pop(mid, None)
        if row is None:
            return None
        trial = self._trial(row, now_ns)
        silence = self._silences.get(_is_sighting(row))
        if silence is None:
            silence = self._silences[_is_sighting(row)] = _Silence()
            silence.probe_due_ns = now_ns + _wait_ns(PROBE_S, 0)
        elif trial.is_held:  # it was the probe
            silence.tries += 1
            silence.probe_due_ns = now_ns + _wait_ns(PROBE_S, silence.tries)
        trial.is_held = True
        trial.lost = 0
        return row

    def refused(self, mid: int, now_ns: int) -> PendingRow | None:
        """The broker does not take the row."""
        row = self._in_flight.pop(mid, None)
        if row is not None:
            self.postpone(row, now_ns)
        return row

    def postpone(self, row: PendingRow, now_ns: int) -> None:
        """The row cannot go now; later perhaps."""
        trial = self._trial(row, now_ns)
        trial.is_held = False
        trial.lost = 0
        trial.due_ns = now_ns + _wait_ns(REFUSED_S, trial.refusals)
        trial.refusals += 1

    def disconnected(self, now_ns: int) -> bool:
        """
        What was under way is lost or was not, nobody knows; and what the broker had may have died with it.

        Returns:
            Whether a row now is suspected of ending connections; it comes again later, and alone.
        """
        for trial in self._trials.values():
            trial.is_held = False
            if not trial.refusals and trial.lost < SUSPECT_AFTER:
                trial.due_ns = now_ns
        has_suspect = False
        for row in self._in_flight.values():
            trial = self._trial(row, now_ns)
            trial.lost += 1
            if trial.lost >= SUSPECT_AFTER:
                has_suspect = True
                trial.due_ns = now_ns + _wait_ns(REFUSED_S, trial.lost - SUSPECT_AFTER)
        self._in_flight.clear()
        self._silences.clear()
        return has_suspect

    def _trial(self, row: PendingRow, now_ns: int) -> _Trial:
        return self._trials.setdefault(row.row_id, _Trial(due_ns=now_ns))

    def _forget_all_but(self, rows: Sequence[PendingRow]) -> None:
        if self._trials:
            present = {row.row_id for row in rows}
            for row_id in [row_id for row_id in self._trials if row_id not in present]:
                del self._trials[row_id]


def _is_sighting(row: PendingRow) -> bool:
    return row.kind is RowKind.SIGHTING


def _wait_ns(waits_s: Sequence[float], tries: int) -> int:
    return round(waits_s[min(tries, len(waits_s) - 1)] * 1e9)
