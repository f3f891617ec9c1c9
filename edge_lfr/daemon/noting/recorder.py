"""
What happens on its way into the ledger: written by whoever notes it, or kept in memory until the disk takes it.

Whoever notes is never told no: a ledger that refuses is a state of the appliance, which it says and does not arm with.
What the path's thread notes waits for no disk at all.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from edge_lfr.clock import Clock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.noting.refusal_limit import MAX_SOURCES, RefusalLimit
from edge_lfr.daemon.noting.untold_changes import told_here
from edge_lfr.errors import LedgerError
from edge_lfr.governance.ledger.errors import LedgerDamagedError, LedgerFactError, LedgerOwnerError
from edge_lfr.governance.ledger.events import Fact, LedgerEvent, check_facts
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.head import LedgerHead
from edge_lfr.governance.ledger.ledger import Ledger
from edge_lfr.governance.ledger.lines import Actor, Part
from edge_lfr.governance.trust import SigningKey
from edge_lfr.pipeline.reporting.states import LedgerHeadMessage
from edge_lfr.terms import Mode

log = structlog.get_logger()

DAEMON: Final = Actor.of_part(Part.DAEMON)

MAX_KEPT: Final = 1_024
"""Events in memory while the disk refuses, some 500 kB; forty times the busiest published deployment's day. Chosen."""

HEAD_EVERY_S: Final = 60.0
"""ARCHITECTURE, control and trust: every event is signed within the minute."""

RETRY_S: Final = 1.0
"""Between two tries while the disk refuses; chosen, not measured."""

PATIENCE_S: Final = 2.0
"""So long does whoever notes wait for the disk, and then goes on: a wipe has five seconds for everything. Chosen."""

STOP_LIMIT_S: Final = 12.0
"""For the last lines; a little over the time that the ledger waits for its lock."""

KEPT_S: Final = 1.0
"""A line that comes later than this after what it tells says by how much; chosen, not measured."""

FURTHER: Final = "further"
"""The code of a line that stands for refusals without their own."""

_OF_THE_PATH: Final = frozenset({LedgerEvent.ALERT, LedgerEvent.SIGHTING})
_LIMITED: Final = frozenset({LedgerEvent.REFUSED, LedgerEvent.LOGIN_REFUSED})


@dataclass(frozen=True, slots=True)
class _Noted:
    """One event that has no line yet."""

    event: LedgerEvent
    who: Actor
    facts: Mapping[str, Fact]
    at_ns: int


class Recorder:
    """The daemon's pen; any thread may note."""

    def __init__(
        self, open_ledger: Callable[[], Ledger], clock: Clock, mode: Mode, *, head_every_s: float = HEAD_EVERY_S
    ) -> None:
        """
        Open the ledger; a disk that refuses is tried again later.

        Raises:
            LedgerDamagedError, LedgerOwnerError: What lies there is no ledger, or not ours.
        """
        self._open_ledger = open_ledger
        self._clock = clock
        self._mode = mode
        self._head_every_s = head_every_s
        self._limit = RefusalLimit(clock)
        self._ledger: Ledger | None = None
        self._kept: deque[_Noted] = deque()
        self._noted_n = 0
        self._ended_n = 0
        self._lost = 0
        self._failure: str | None = None
        self._head: LedgerHead | None = None
        self._message: LedgerHeadMessage | None = None
        self._writing = threading.Lock()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        self._next_head_s = time.monotonic()
        self.on_head: Callable[[], None] = lambda: None
        """Called when there is a new head to be published; from any thread."""
        with self._writing:
            try:
                self._ledger = open_ledger()
            except (LedgerDamagedError, LedgerOwnerError):
                raise
            except LedgerError as error:
                self._fail(error)

    @property
    def is_healthy(self) -> bool:
        """Everything that was noted has its line, or will have it at once."""
        is_served = self._thread is None or self._thread.is_alive()
        return is_served and self._failure is None and self._lost == 0

    @property
    def failure(self) -> str | None:
        """Why not; from the system, about the disk."""
        return self._failure

    @property
    def kept(self) -> int:
        """Events that only memory holds."""
        return len(self._kept)

    @property
    def ledger(self) -> Ledger | None:
        """None while it could never be opened."""
        return self._ledger

    @property
    def signed(self) -> LedgerHead | None:
        """The newest head of this run."""
        return self._head

    def head(self) -> LedgerHeadMessage | None:
        """The newest head as it is published; from memory."""
        return self._message

    def note(self, event: LedgerEvent, who: Actor, **facts: Fact | None) -> None:
        """
        Have a line written; on the disk when this returns, but for the path's events and where the disk refuses.

        Never raises. A fact that is None is left out; facts that the ledger may not have are a defect, and logged.
        """
        known = {name: fact for name, fact in facts.items() if fact is not None}
        try:
            check_facts(event, known)
        except LedgerFactError as error:
            log.error("ledger.defect", ledger_event=event.value, reason=error.message)
            return
        if event in _LIMITED and not self._limit.admits(who):
            return
        with self._changed:
            if len(self._kept) >= MAX_KEPT:
                self._lost += 1
                if self._lost == 1:
                    log.error("ledger.lost", ledger_event=event.value, kept=MAX_KEPT)
                return
            self._keep(event, who, known)
            if self._thread is not None:
                n = self._noted_n
                if event not in _OF_THE_PATH:
                    self._changed.wait_for(lambda: self._ended_n >= n or self._failure is not None, PATIENCE_S)
                return
        self._write()

    def start(self) -> None:
        """Begin to sign every minute, and to write what others may not wait for."""
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write and sign what is left."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(STOP_LIMIT_S)
            if thread.is_alive():
                log.error("ledger.lingers", waited_s=STOP_LIMIT_S)
                return
        self._tell_untold()
        self._write()
        self._sign()
        if self._kept:
            log.error("ledger.unwritten", events=len(self._kept))

    def _run(self) -> None:
        while not self._is_stopping:
            if time.monotonic() >= self._next_head_s:
                self._tell_untold()
            self._write()
            if time.monotonic() >= self._next_head_s:
                self._sign()
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopping or self._has_work(), self._patience_s())

    def _has_work(self) -> bool:
        return bool(self._kept) and self._failure is None

    def _patience_s(self) -> float:
        until_head_s = max(0.0, self._next_head_s - time.monotonic())
        return until_head_s if self._failure is None else RETRY_S

    def _keep(self, event: LedgerEvent, who: Actor, facts: Mapping[str, Fact]) -> None:
        """With `_changed` held."""
        self._kept.append(_Noted(event, who, facts, self._clock.monotonic_ns()))
        self._noted_n += 1
        self._changed.notify_all()

    def _tell_untold(self) -> None:
        """With the head of each minute, in the name of whoever caused them; of several that share a line, in ours."""
        if len(self._kept) + MAX_SOURCES >= MAX_KEPT:
            return  # they stay counted
        for source, untold in self._limit.take_untold().items():
            with self._changed:
                who = DAEMON if source is None else source
                self._keep(LedgerEvent.REFUSED, who, {"code": FURTHER, "refusals": untold})

    def _write(self) -> None:
        """Write everything that is kept, in order, until the disk refuses."""
        with self._writing:
            while self._kept or self._tell_lost():
                noted = self._kept[0]
                try:
                    head = self._opened().append(noted.event, noted.who, self._with_delay(noted))
                    told_here(self._opened().path.parent, noted.event)
                except LedgerFactError as error:
                    log.error("ledger.defect", ledger_event=noted.event.value, reason=error.message)
                    head = None
                except LedgerError as error:
                    self._fail(error)
                    return
                self._succeed()
                if head is not None:
                    self._publish(head)
                with self._changed:
                    self._kept.popleft()
                    self._ended_n += 1
                    self._changed.notify_all()

    def _with_delay(self, noted: _Noted) -> Mapping[str, Fact]:
        late_s = (self._clock.monotonic_ns() - noted.at_ns) / 1e9
        if late_s < KEPT_S:
            return noted.facts
        return {**noted.facts, "late_s": round(late_s + float(noted.facts.get("late_s", 0)), 3)}

    def _sign(self) -> None:
        """The head of the minute."""
        with self._writing:
            self._next_head_s = time.monotonic() + self._head_every_s
            try:
                head = LedgerHead.read(self._opened().head())
            except LedgerError as error:
                self._fail(error)
                self._next_head_s = time.monotonic() + RETRY_S
                return
            self._succeed()
            self._publish(head)

    def _opened(self) -> Ledger:
        if self._ledger is None:
            self._ledger = self._open_ledger()
        return self._ledger

    def _publish(self, head: LedgerHead) -> None:
        if self._head is not None and head.content == self._head.content:
            return
        self._head, self._message = head, LedgerHeadMessage.of(head.document(), self._mode)
        self._next_head_s = time.monotonic() + self._head_every_s
        self.on_head()

    def _fail(self, error: LedgerError) -> None:
        if self._failure is None:
            log.error("ledger.refuses", reason=error.message, kept=len(self._kept))
        with self._changed:
            self._failure = error.message
            self._changed.notify_all()  # whoever waits need not any more

    def _succeed(self) -> None:
        if self._failure is not None:
            log.warning("ledger.accepts", kept=len(self._kept))
        self._failure = None

    def _tell_lost(self) -> bool:
        """Note how many had no room; False where each of them had."""
        with self._changed:
            lost, self._lost = self._lost, 0
            if lost:
                self._keep(LedgerEvent.UNRECORDED, DAEMON, {"lines": lost})
            return lost > 0


def open_recorder(config: ApplianceConfig, signing: SigningKey, clock: Clock) -> Recorder:
    """
    The recorder of this appliance in its mode.

    Raises:
        LedgerDamagedError, LedgerOwnerError: As `Recorder`.
    """
    path = config.mode_directory / FILE_NAME
    return Recorder(lambda: Ledger.open(path, signing, clock, device=config.device_in_mode), clock, config.mode)
