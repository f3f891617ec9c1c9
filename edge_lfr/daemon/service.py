"""
One running appliance: built in the order of its dependencies, taken down in reverse, asked through the local socket.

The main thread owns the life cycle, one thread owns inference, one each camera, one the delivery; requests of
technicians come from the control socket's threads and meet the path only between two passes.
"""

import itertools
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from edge_lfr.biometrics.outcomes import TrackEnd
from edge_lfr.clock import Clock, SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.armament import Armament, arm
from edge_lfr.daemon.assembly import Nets, assemble, open_nets
from edge_lfr.daemon.control import ControlServer, Handler
from edge_lfr.daemon.control_protocol import Request, Verb
from edge_lfr.daemon.health import Health
from edge_lfr.daemon.latency import LatencyLog
from edge_lfr.daemon.lock import hold_state
from edge_lfr.daemon.path_loop import PathLoop
from edge_lfr.daemon.reporter import DaemonReporter
from edge_lfr.errors import ControlError, WatchlistMissingError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.trust import TrustStore
from edge_lfr.inference.packs import open_configured
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.capture.source import CameraState
from edge_lfr.pipeline.path import Path
from edge_lfr.pipeline.reporting.alert import AlertWriter, Basis
from edge_lfr.pipeline.reporting.announcer import SelfDescription
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.link import MqttLink
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.states import DeviceState
from edge_lfr.pipeline.reporting.topics import Identity, Topics
from edge_lfr.pipeline.selftest import run_selftest
from edge_lfr.watchlist.store import SealedStore

log = structlog.get_logger()

LOOK_S: Final = 0.1
"""How often the main thread looks whether file sources have ended."""

DELIVERY_LIMIT_S: Final = 10.0
"""With `--once`, how long alerts may take to reach the broker after the last frame; they stay stored afterwards."""

TEST_ALERT_LIMIT_S: Final = 15.0
"""How long a test alert waits for the control room, unless the request says otherwise."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What one run of the daemon came to: counts and times, nothing about anybody."""

    exit_status: int
    frames_decoded: int
    frames_processed: int
    frames_dropped: int
    alerts: int
    sightings: int
    latency_ms_p50: float | None
    latency_ms_p99: float | None
    counters: Mapping[str, int]
    track_ends: tuple[TrackEnd, ...]


def run_daemon(config: ApplianceConfig, *, once: bool = False, clock: Clock | None = None) -> RunSummary:
    """
    Run until told to stop (SIGTERM, SIGINT, the `stop` verb), or with *once* until all file sources have ended.

    Args:
        config: The whole configuration.

        once: End with the file sources; a missing watchlist is then an error instead of a state, and the summary says
            what each track came to, for comparison with a truth file.

        clock: The machine's when not given.

    Raises:
        EdgeLfrError: It cannot start.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash writes no memory to the disk
    with hold_state(config.mode_directory):
        daemon = Daemon(config, SystemClock() if clock is None else clock, keep_track_ends=once)
        with daemon.running(is_watchlist_required=once):
            daemon.wait(once=once)
        return daemon.summary()


class Daemon:
    """The parts of one appliance and what technicians may ask of them."""

    def __init__(self, config: ApplianceConfig, clock: Clock, *, keep_track_ends: bool) -> None:
        """Open and prove everything that may refuse: pack, self-test, keys, trust, outbox."""
        self._config = config
        self._clock = clock
        self._ending = threading.Event()
        self._is_signalled = False
        self._exit_status = os.EX_OK
        self._asking = threading.Lock()  # one technician's request at a time changes the appliance
        self._pack = open_configured(config.models, config.models_directory)
        run_selftest(self._pack)
        self._nets: Nets = open_nets(self._pack, config)
        kek = KeyEncryptingKey.load(config.mode_directory, create=True)
        self._store = SealedStore(config.watchlist_directory, kek, clock=clock)
        identity = Identity(force=config.force, device=config.device, mode=config.mode.value)
        self._counters = Counters()
        self._latency = LatencyLog()
        self._outbox = Outbox(config.mode_directory / FILE_NAME, kek, config.reporting, clock)
        self._alerts = AlertWriter(config.reporting, identity, self._outbox, clock)
        self._reporter = DaemonReporter(self._alerts, self._counters, keep_track_ends=keep_track_ends)
        self._cameras = {
            camera.id: Camera(camera, on_frame=self._notify_loop, on_discard=self._counters.discard, clock=clock)
            for camera in config.cameras
        }
        self._loop = PathLoop(self._cameras, clock, on_broken=self._break)
        self._health = Health(
            clock=clock,
            pack=self._pack,
            cameras=self._cameras,
            loop=self._loop,
            outbox=self._outbox,
            counters=self._counters,
            latency=self._latency,
        )
        self._track_ids = itertools.count(1)
        self._link = MqttLink(
            config.reporting,
            Topics(identity),
            self._outbox,
            TrustStore.load(config.trust.directory),
            clock,
            description=SelfDescription(
                status=self._health.status,
                cameras=self._health.camera_messages,
                watchlist=self._health.watchlist,
                health=self._health.health,
            ),
            counters=self._counters,
            on_accepted=lambda _, arrived_ns, accepted_ns: self._latency.add(arrived_ns, accepted_ns),
        )
        self._health.link = self._link

    def _notify_loop(self) -> None:
        self._loop.notify()

    # The life of the process --------------------------------------------------------------------------------------

    @contextmanager
    def running(self, *, is_watchlist_required: bool) -> Iterator[None]:
        """Start everything, and take it down in reverse whatever happens."""
        with ExitStack() as parts:
            parts.callback(self._outbox.close)
            try:
                self._take_watchlist()
            except WatchlistMissingError:
                if is_watchlist_required:
                    raise
                log.warning("watchlist.absent", remedy=WatchlistMissingError.remedy)
            parts.callback(self._disarm)
            self._link.start()
            parts.callback(self._link.stop)
            control = ControlServer(self._config.control_socket, self._handlers())
            control.start()
            parts.callback(control.stop)
            self._loop.start()
            parts.callback(self._loop.stop)
            parts.callback(self._stop_cameras)
            if self._health.armament is not None:
                self._start_cameras()
            parts.enter_context(self._signals())
            self._health.enter(self._state_when_awake())
            self._link.changed()
            log.info("daemon.running", state=self._health.state.value, cameras=len(self._cameras))
            yield
            self._ending.set()
            with self._asking:  # a request that is under way ends first, and no other one begins
                self._health.enter(DeviceState.STOPPED)
            log.info("daemon.stopping")

    def wait(self, *, once: bool) -> None:
        """Until told to end; with *once* until the file sources have ended and their alerts are with the broker."""
        while not self._ending.wait(LOOK_S) and not self._is_signalled:
            if not (self._loop.is_alive and self._link.is_alive):
                log.error("daemon.thread-ended", path=self._loop.is_alive, link=self._link.is_alive)
                self._break()
            if once and all(camera.status.state is CameraState.ENDED for camera in self._cameras.values()):
                self._loop.swap(None)
                self._wait_for_delivery()
                return

    def summary(self) -> RunSummary:
        counters = self._health.all_counters()
        latency = self._latency.summary()
        statuses = [camera.status for camera in self._cameras.values()]
        return RunSummary(
            exit_status=self._exit_status,
            frames_decoded=sum(status.frames_decoded for status in statuses),
            frames_processed=sum(self._loop.frames_processed.values()),
            frames_dropped=sum(status.frames_superseded + status.frames_no_slot for status in statuses),
            alerts=counters.get("alerts", 0),
            sightings=counters.get("sightings", 0),
            latency_ms_p50=latency.p50_ms,
            latency_ms_p99=latency.p99_ms,
            counters=counters,
            track_ends=self._reporter.track_ends(),
        )

    def _wait_for_delivery(self) -> None:
        """Give the broker a moment; what it does not take stays stored for the next run."""
        waited_s = 0.0
        while self._outbox.counts().stored and waited_s < DELIVERY_LIMIT_S and not self._is_signalled:
            self._ending.wait(LOOK_S)
            waited_s += LOOK_S

    def _break(self) -> None:
        """Nobody would be seen or told any more: end, so that the service manager starts a fresh process."""
        self._exit_status = os.EX_SOFTWARE
        self._ending.set()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT end the daemon in order; only where this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        old = {number: signal.signal(number, self._note_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    def _note_signal(self, *_: object) -> None:
        """Only a plain attribute: the handler may interrupt this very thread inside the event's own lock."""
        self._is_signalled = True

    # Watchlist and cameras ----------------------------------------------------------------------------------------

    def _take_watchlist(self) -> None:
        """Open the live list and search it from the next pass on; the list before is destroyed."""
        armament = arm(self._store, self._pack.entry, self._config.gallery, self._config.decision)
        path = assemble(self._nets, armament, self._config, self._reporter, lambda: next(self._track_ids))
        basis = Basis(
            references=armament.watchlist,
            watchlist_digest=armament.watchlist.digest,
            pack_id=self._pack.entry.id,
            pack_digest=self._pack.digest,
            threshold_evidence=armament.floor.evidence,
        )
        self._exchange(armament, path, meanwhile=lambda: self._alerts.rest_on(basis))
        armament.begin_index()

    def _disarm(self) -> None:
        """Search nothing, and destroy the vectors."""
        self._exchange(None, None)

    def _exchange(
        self, armament: Armament | None, path: Path | None, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        self._loop.swap(path, meanwhile)
        old, self._health.armament = self._health.armament, armament
        if old is not None:
            old.destroy()

    def _start_cameras(self) -> None:
        for camera in self._cameras.values():
            camera.start()

    def _stop_cameras(self) -> None:
        for camera in self._cameras.values():
            camera.stop()

    def _state_when_awake(self) -> DeviceState:
        return DeviceState.DISARMED if self._health.armament is None else DeviceState.RUNNING

    # What technicians may ask -------------------------------------------------------------------------------------

    def _handlers(self) -> Mapping[str, Handler]:
        changing: Mapping[Verb, Handler] = {
            Verb.RELOAD: self._reload,
            Verb.REMOVE: self._remove,
            Verb.WIPE: self._wipe,
            Verb.PAUSE: self._pause,
            Verb.RESUME: self._resume,
        }
        return {
            Verb.STATUS: lambda _: self._health.local_status(),
            Verb.CAMERAS: lambda _: {"cameras": self._health.local_status()["cameras"]},
            Verb.TEST_ALERT: self._test_alert,
            Verb.STOP: self._stop,
            **{verb: partial(self._change, handler) for verb, handler in changing.items()},
        }

    def _change(self, handler: Handler, request: Request) -> Mapping[str, object]:
        """Run a request that changes the appliance, one at a time, and tell the broker what came of it."""
        with self._asking:
            if self._ending.is_set():
                message = "the daemon is stopping"
                raise ControlError(message, remedy="ask again when it runs")
            answer = handler(request)
        self._link.changed()
        return answer

    def _reload(self, _: Request) -> Mapping[str, object]:
        self._take_watchlist()
        if self._health.state is not DeviceState.PAUSED:
            self._wake()
        return self._watchlist_facts()

    def _remove(self, request: Request) -> Mapping[str, object]:
        remaining = self._store.remove(request.texts("reference_ids"))
        if remaining:
            return self._reload(request)
        self._fall_silent()
        return self._watchlist_facts()

    def _wipe(self, _: Request) -> Mapping[str, object]:
        """Stop matching, destroy the data key, zero the matrix, unlink the files: in this order."""
        self._stop_cameras()
        self._loop.swap(None)
        try:
            wiped = self._store.wipe()
        finally:
            self._fall_silent()
        return {"keys": wiped.keys, "lists": wiped.lists}

    def _fall_silent(self) -> None:
        """No list, no cameras, no frames."""
        self._stop_cameras()
        self._disarm()
        self._health.enter(DeviceState.DISARMED)

    def _pause(self, _: Request) -> Mapping[str, object]:
        for camera in self._cameras.values():
            camera.pause()
        self._loop.end_tracks()
        self._health.enter(DeviceState.PAUSED)
        return {"state": self._health.state.value}

    def _resume(self, _: Request) -> Mapping[str, object]:
        self._wake()
        return {"state": self._health.state.value}

    def _wake(self) -> None:
        if self._health.armament is not None:
            self._start_cameras()
            for camera in self._cameras.values():
                camera.resume()
        self._health.enter(self._state_when_awake())

    def _test_alert(self, request: Request) -> Mapping[str, object]:
        alert = self._alerts.write_test()
        state = self._outbox.wait_acknowledged(alert.alert_id, request.seconds("timeout_s", TEST_ALERT_LIMIT_S))
        return {"alert_id": alert.alert_id, "state": None if state is None else state.value}

    def _stop(self, _: Request) -> Mapping[str, object]:
        self._ending.set()
        return {"state": DeviceState.STOPPED.value}

    def _watchlist_facts(self) -> dict[str, Any]:
        return self._health.watchlist().model_dump(mode="json", by_alias=True)
