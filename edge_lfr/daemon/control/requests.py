"""
What may be asked of the running appliance: one method a verb, called from the control socket's threads.

Who may ask for which stands in `rights`.
"""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import structlog

from edge_lfr.daemon.arming.oversight import Overseer
from edge_lfr.daemon.control.hold_requests import HoldRequests
from edge_lfr.daemon.control.local_socket import MAX_PEERS, Handler
from edge_lfr.daemon.control.protocol import Request, Verb, refusal
from edge_lfr.daemon.control.rights import require_right
from edge_lfr.daemon.ending.certifier import Certifier
from edge_lfr.daemon.ending.unsearched import destroy_other_modes
from edge_lfr.daemon.ending.wiping import Wiping
from edge_lfr.daemon.health import Health
from edge_lfr.daemon.local_status import camera_facts, local_status
from edge_lfr.daemon.noting.chronicle import Chronicle
from edge_lfr.daemon.operation import Operation
from edge_lfr.daemon.progress import Progress, request_limit_s
from edge_lfr.errors import ArmingRefusedError, ControlError, DaemonBusyError, EdgeLfrError
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.pipeline.reporting.alert import AlertWriter
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.states import DeviceState
from edge_lfr.watchlist.wiping.certificate import WipeCause

log = structlog.get_logger()

WIPE_PATIENCE_S: Final = 0.5
"""How long a wipe waits for another request, of the two seconds that it has; chosen, not measured."""

OTHERS_LIMIT_S: Final = 60.0
"""How long a wipe that is done waits for the request that it did not wait for; taking a list into use takes seconds.
Chosen, with room for a slow disk."""

MAX_WAITING: Final = MAX_PEERS // 2
"""So many requests may wait for the one that is at work."""

TEST_ALERT_LIMIT_S: Final = 15.0
"""How long a test alert waits for the control room, unless the request says otherwise."""


@dataclass(slots=True, eq=False, kw_only=True)
class Requests:
    """Answers; what changes the appliance runs one at a time, and never once it is ending."""

    operation: Operation
    health: Health
    outbox: Outbox
    alerts: AlertWriter
    wiping: Wiping
    certifier: Certifier
    chronicle: Chronicle
    overseer: Overseer
    progress: Progress
    ending: threading.Event
    """Set by `stop`, and by whatever else ends the daemon."""

    on_changed: Callable[[], None]
    """What the appliance says of itself is to be said anew."""

    own_uid: int = field(default_factory=os.geteuid)
    """Of the user that the daemon runs as, who may ask for everything."""

    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    """Held by a request that changes something; who ends the daemon waits for it."""

    one_test_alert: threading.Lock = field(default_factory=threading.Lock)
    """Held by the test alert that waits for its acknowledgement."""

    _waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_WAITING), init=False)

    stopped_by: Actor | None = field(default=None, init=False)
    """Who ended the daemon, where somebody did."""

    def handlers(self) -> Mapping[str, Handler]:
        changing: Mapping[Verb, Handler] = {
            Verb.RELOAD: self._reload,
            Verb.REMOVE: self._remove,
            Verb.PAUSE: self._pause,
            Verb.RESUME: self._resume,
            Verb.RECHECK: self._recheck,
            Verb.CLOCK_CONFIRM: self._confirm_clock,
        }
        answering: Mapping[Verb, Handler] = {
            Verb.STATUS: lambda _: local_status(self.health),
            Verb.CAMERAS: lambda _: {"cameras": camera_facts(self.health)},
            Verb.CERTIFICATE: self._certificate,
            Verb.WIPE: self._wipe,
            Verb.TEST_ALERT: self._test_alert,
            Verb.STOP: self._stop,
            **HoldRequests(self.outbox, self.chronicle, self.health.clock).handlers(),
            **{verb: partial(self._change, handler) for verb, handler in changing.items()},
        }
        return {verb: partial(self._answer, handler) for verb, handler in answering.items()}

    def _answer(self, handler: Handler, request: Request) -> Mapping[str, object]:
        """Whoever asked and did not get it has a line in the ledger."""
        try:
            require_right(request, self.own_uid)
            return handler(request)
        except EdgeLfrError as error:
            self.chronicle.refused(request.verb.value, error.code, request.who)
            raise

    def _change(self, handler: Handler, request: Request) -> Mapping[str, object]:
        """Run a request that changes the appliance, one at a time, and tell the broker what came of it."""
        self._wait_my_turn()
        try:
            return self._at_work(handler, request)
        finally:
            self.one_at_a_time.release()
            self.on_changed()

    def _wait_my_turn(self) -> None:
        """Whoever waits holds a place of the socket: some are kept free for whoever wipes, stops or looks."""
        if not self._waiting.acquire(blocking=False):
            message = f"{MAX_WAITING} requests wait for another one already"
            raise DaemonBusyError(message, remedy="see `edge-lfr status`, and ask again")
        try:
            self.one_at_a_time.acquire()
        finally:
            self._waiting.release()

    def _at_work(self, handler: Handler, request: Request) -> Mapping[str, object]:
        if self.ending.is_set():
            message = "the daemon is stopping"
            raise ControlError(message, remedy="ask again when it runs")
        by = self.chronicle.acting(request.who, request.verb.value)
        with by, self.progress.span(f"request-{request.verb.value}", request_limit_s(request.verb)):
            return handler(request)

    def _reload(self, request: Request) -> Mapping[str, object]:
        """Search the live list; where that is refused, say why: a list may be loaded before its deployment begins."""
        try:
            self.operation.take_watchlist()
        except ArmingRefusedError as error:
            self.chronicle.refused(request.verb.value, error.code, request.who)
            return {**self._watchlist_facts(), "refused": refusal(error)}
        if self.operation.is_paused:  # whoever paused it says when it goes on
            self.health.enter(self.operation.state_when_awake())
        else:
            self.operation.wake()
        return self._watchlist_facts()

    def _recheck(self, request: Request) -> Mapping[str, object]:
        """Keys, revocations or the authority have been changed by whoever asks."""
        self.overseer.recheck(request.who)
        return self._standing()

    def _confirm_clock(self, request: Request) -> Mapping[str, object]:
        """The wall time is right: a technician has compared it."""
        self.overseer.confirm_clock(request.who)
        return self._standing()

    def _standing(self) -> dict[str, Any]:
        return {"state": self.health.state.value, "reasons": list(self.health.reasons())}

    def _remove(self, request: Request) -> Mapping[str, object]:
        """Whoever was removed is searched no more, also where the list without them cannot be taken into use."""
        reference_ids = request.texts("reference_ids")
        armament = self.health.armament
        if armament is not None and self.operation.store.live_list_id() != armament.watchlist.list_id:
            self._reload(request)  # another list has taken its place: that one is meant
            armament = self.health.armament
        if set(reference_ids) == set(self._listed()):
            self.end_list(WipeCause.REMOVED_LAST, request.who)
            return self._watchlist_facts()
        remaining = self.operation.store.remove(reference_ids)
        self.chronicle.removed(len(set(reference_ids)), request.who)
        try:
            if remaining:
                return {**self._reload(request), "references": remaining}
        except BaseException:
            self.operation.fall_silent()
            raise
        self.operation.fall_silent()
        return self._watchlist_facts()

    def _listed(self) -> tuple[str, ...]:
        """Everybody on the live list, also where it is not searched now: who removes them all wipes, with a proof."""
        armament = self.health.armament
        if armament is not None:
            return armament.watchlist.reference_ids
        with self.operation.store.open() as stored:
            return stored.reference_ids

    def _wipe(self, request: Request) -> Mapping[str, object]:
        """
        Destroy the list; then this process ends in order and begins anew, and the new one proves it.

        Another request that does not end keeps no list alive; what it takes into use meanwhile goes when it has ended.
        """
        is_alone = self.one_at_a_time.acquire(timeout=WIPE_PATIENCE_S)
        try:
            answer = self._at_work(self._end_all, request)
            if not is_alone and self.one_at_a_time.acquire(timeout=OTHERS_LIMIT_S):
                is_alone = True
                self.operation.fall_silent()
            return answer
        finally:
            if is_alone:
                self.one_at_a_time.release()
            self.on_changed()

    def _end_all(self, request: Request) -> Mapping[str, object]:
        """The list that is searched; and what was loaded while another mode was configured, which nobody searches."""
        others: Mapping[str, object] = {}
        is_left = False
        try:
            answer = self.end_list(WipeCause.COMMAND, request.who)
        finally:
            try:
                others = destroy_other_modes(self.operation.config, request.who)
            except (EdgeLfrError, OSError) as error:
                is_left = True
                log.error("watchlist.other-mode-left", error=type(error).__name__)
        return {**answer, "other_modes": others, "is_other_mode_left": is_left}

    def end_list(self, cause: WipeCause, by: Actor) -> Mapping[str, object]:
        """Destroy every list, and see to the proof; for whoever holds `one_at_a_time`, or before anybody may ask."""
        try:
            ended = self.wiping.wipe(cause, by)
        except EdgeLfrError:
            partly = self.wiping.ended
            if partly is not None and not self.wiping.wants_replacement:
                self.certifier.begin(partly, answering_in_s=None)
            raise
        if self.wiping.wants_replacement:
            self.ending.set()
        else:
            self.certifier.begin(ended, answering_in_s=None)
        return {**ended.facts(), "is_replaced": self.wiping.wants_replacement}

    def _certificate(self, _: Request) -> Mapping[str, object]:
        """The certificate of the last wipe; None while the proof is under way."""
        latest = self.certifier.latest
        return {"certificate": None if latest is None else latest.decode()}

    def _pause(self, request: Request) -> Mapping[str, object]:
        self.operation.pause()
        self.chronicle.paused(request.who)
        return {"state": self.health.state.value}

    def _resume(self, request: Request) -> Mapping[str, object]:
        self.operation.resume()
        self.chronicle.resumed(request.who)
        return {"state": self.health.state.value}

    def _test_alert(self, request: Request) -> Mapping[str, object]:
        """One at a time: a request that waits takes one of a few places, which a wipe may need."""
        timeout_s = request.seconds("timeout_s", TEST_ALERT_LIMIT_S)
        if not self.one_test_alert.acquire(blocking=False):
            message = "a test alert is under way already"
            raise DaemonBusyError(message, remedy="wait for its answer, and ask again")
        try:
            alert = self.alerts.write_test()
            state = self.outbox.wait_acknowledged(alert.alert_id, timeout_s)
        finally:
            self.one_test_alert.release()
        self.chronicle.tested(alert.alert_id, None if state is None else state.value, request.who)
        return {"alert_id": alert.alert_id, "state": None if state is None else state.value}

    def _stop(self, request: Request) -> Mapping[str, object]:
        self.stopped_by = request.who
        self.wiping.stay()
        self.ending.set()
        return {"state": DeviceState.STOPPED.value}

    def _watchlist_facts(self) -> dict[str, Any]:
        return self.health.watchlist().model_dump(mode="json", by_alias=True)
