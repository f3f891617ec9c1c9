"""
The life of the process: built in the order of its dependencies, taken down in reverse, watched in between.

The main thread owns the life cycle, one thread owns inference, one each camera, one the delivery; requests of
technicians come from the control socket's threads and meet the path only between two passes.
"""

import os
import resource
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final, NoReturn

import structlog

from edge_lfr.biometrics.locking import TALLY
from edge_lfr.clock import Clock, SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.arming.mandate import Mandate
from edge_lfr.daemon.arming.oversight import Overseer
from edge_lfr.daemon.arming.standing import Notice
from edge_lfr.daemon.assembly import open_nets
from edge_lfr.daemon.control.local_socket import ControlServer
from edge_lfr.daemon.control.requests import Requests
from edge_lfr.daemon.ending.certifier import Certifier
from edge_lfr.daemon.ending.housekeeping import catch_up
from edge_lfr.daemon.ending.wiping import Wiping
from edge_lfr.daemon.health import Health
from edge_lfr.daemon.heartbeat import Heartbeat
from edge_lfr.daemon.latency import LatencyLog
from edge_lfr.daemon.lock import START_PATIENCE_S, hold_state
from edge_lfr.daemon.metrics import CONTENT_TYPE, Metrics
from edge_lfr.daemon.metrics_server import MetricsServer
from edge_lfr.daemon.notify import Notifier
from edge_lfr.daemon.noting.chronicle import Chronicle
from edge_lfr.daemon.noting.recorder import DAEMON, open_recorder
from edge_lfr.daemon.operation import Operation
from edge_lfr.daemon.path_loop import PathLoop
from edge_lfr.daemon.progress import CONTROL_LIMIT_S, LINK_LIMIT_S, PATH_LIMIT_S, Progress, camera_limit_s
from edge_lfr.daemon.reporter import DaemonReporter
from edge_lfr.daemon.stop_signals import StopSignals
from edge_lfr.daemon.summary import RunSummary, summarise
from edge_lfr.errors import ArmingRefusedError, WatchlistMissingError
from edge_lfr.governance.clock_note import TrustedTime
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.governance.trust import TrustStore
from edge_lfr.governance.trust_folder import folder_digest
from edge_lfr.inference.packs import open_configured
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.capture.source import CameraState
from edge_lfr.pipeline.reporting.alert import AlertWriter
from edge_lfr.pipeline.reporting.announcer import SelfDescription
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.down import refuse_revocation
from edge_lfr.pipeline.reporting.link import MqttLink
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.states import DeviceState, TrustMessage
from edge_lfr.pipeline.reporting.topics import Identity, Topics
from edge_lfr.pipeline.selftest import run_selftest
from edge_lfr.pipeline.stage_times import StageTimes
from edge_lfr.terms import Mode
from edge_lfr.watchlist.records.pseudonyms import officer_of
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause
from edge_lfr.watchlist.wiping.ended_list import EndedList, seconds_since

log = structlog.get_logger()

LOOK_S: Final = 0.1
"""How often the main thread looks whether all others go on and whether file sources have ended."""

DELIVERY_LIMIT_S: Final = 10.0
"""With `--once`, how long alerts may take to reach the broker after the last frame; they stay stored afterwards."""

UNLOCKED_REMEDY: Final = "LimitMEMLOCK=infinity in the unit, `ulimit -l unlimited` in a shell"

Replace = Callable[[EndedList, Mapping[str, str]], NoReturn]
"""Begins this program anew after a wipe, with the service manager's variables."""


def run_daemon(
    config: ApplianceConfig,
    *,
    once: bool = False,
    clock: Clock | None = None,
    after_wipe: EndedList | None = None,
    replace: Replace | None = None,
) -> RunSummary:
    """
    Run until told to stop (SIGTERM, SIGINT, the `stop` verb), or with *once* until all file sources have ended.

    Args:
        config: The whole configuration.

        once: End with the file sources; a missing watchlist is then an error instead of a state, and the summary says
            what each track came to, for comparison with a truth file.

        clock: The machine's when not given.

        after_wipe: What the process did whose place this one took; it is proved and certified.

        replace: Called when a wipe is done and everything else has ended in order; without it the process goes on.

    Raises:
        EdgeLfrError: It cannot start.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash writes no memory to the disk
    notifier = Notifier.from_environment(os.environ)  # before anything starts a child
    with hold_state(config.mode_directory, patience_s=START_PATIENCE_S):
        clock = SystemClock() if clock is None else clock
        may_be_replaced = replace is not None and not once
        daemon = Daemon(config, clock, notifier, keep_track_ends=once, may_be_replaced=may_be_replaced)
        with daemon.running(is_watchlist_required=once, after_wipe=after_wipe):
            daemon.wait(once=once)
        ended = daemon.uncertified()
        if ended is not None and replace is not None:
            replace(ended, notifier.environment())
        return daemon.summary()


class Daemon:
    """The parts of one appliance, from their proof to their end."""

    def __init__(
        self,
        config: ApplianceConfig,
        clock: Clock,
        notifier: Notifier,
        *,
        keep_track_ends: bool,
        may_be_replaced: bool = False,
    ) -> None:
        """Open and prove everything that may refuse: pack, self-test, keys, trust, outbox."""
        self._config = config
        self._clock = clock
        self._ending = threading.Event()
        self._signals = StopSignals()
        self._exit_status = os.EX_OK
        pack = open_configured(config.models, config.models_directory)
        run_selftest(pack)
        nets = open_nets(pack, config)
        kek = KeyEncryptingKey.load(config.mode_directory, create=True)
        store = SealedStore(config.watchlist_directory, kek, mode=config.mode, clock=clock, officer=officer_of(config))
        keys = DeviceKeys.load(config.device_directory, create=True)
        identity = Identity(force=config.force, device=config.device, mode=config.mode, own_key=keys.fingerprint)
        mandate = Mandate(
            config=config,
            trust_digest=folder_digest(config.trust.directory),  # before the keys: what changes then is seen
            trust=TrustStore.load(config.trust.directory, roots_alone=config.mode is Mode.OPERATIONAL),
            device_fingerprint=keys.fingerprint,
            watch=TrustedTime.begin(config.mode_directory, clock=clock),
            is_recorded=lambda: self._recorder.is_healthy,
        )
        counters = Counters()
        self._recorder = open_recorder(config, keys.signing, clock)
        self._chronicle = Chronicle(self._recorder, counters, clock)
        latency = LatencyLog()
        times = StageTimes()
        retention = config.retention.chosen
        self._outbox = Outbox(config.mode_directory / FILE_NAME, kek, config.reporting, clock, retention=retention)
        alerts = AlertWriter(
            config.reporting, identity, self._outbox, clock, retention=retention, witness=self._chronicle
        )
        self._reporter = DaemonReporter(alerts, counters, latency, clock, keep_track_ends=keep_track_ends)
        self._cameras = {
            camera.id: Camera(camera, on_frame=self._notify_loop, on_discard=counters.discard, clock=clock)
            for camera in config.cameras
        }
        self._loop = PathLoop(self._cameras, clock, latency, warm_up=nets.embedder.warm_up, on_broken=self._break)
        self._progress = Progress()
        self._health = Health(
            mode=config.mode,
            clock=clock,
            pack=pack,
            cameras=self._cameras,
            loop=self._loop,
            outbox=self._outbox,
            counters=counters,
            latency=latency,
            times=times,
            progress=self._progress,
            recorder=self._recorder,
        )
        self._link = MqttLink(
            config.reporting,
            Topics(identity),
            self._outbox,
            mandate.trust,
            clock,
            description=SelfDescription(
                status=self._health.status,
                cameras=self._health.camera_messages,
                watchlist=self._health.watchlist,
                health=self._health.health,
                trust=lambda: TrustMessage.of(mandate.trust, config.mode),
                ledger_head=self._recorder.head,
            ),
            counters=counters,
            look_at_clock=mandate.look_at_clock,
            on_accepted=latency.accepted,
            on_revocation=self._revoke if mandate.is_needed else refuse_revocation,
            witness=self._chronicle,
        )
        self._health.link = self._link
        self._health.mandate = mandate
        self._recorder.on_head = self._link.changed
        self._operation = Operation(
            config=config,
            pack=pack,
            nets=nets,
            store=store,
            alerts=alerts,
            reporter=self._reporter,
            cameras=self._cameras,
            loop=self._loop,
            times=times,
            health=self._health,
            chronicle=self._chronicle,
            mandate=mandate,
        )
        self._wiping = Wiping(
            operation=self._operation,
            store=store,
            clock=clock,
            chronicle=self._chronicle,
            may_be_replaced=may_be_replaced,
        )
        self._certifier = Certifier(
            device=identity.addressee,
            store=store,
            folder=config.mode_directory,
            kek=kek,
            signing=keys.signing,
            on_certified=self._chronicle.proved,
            is_recorded=lambda: self._recorder.is_healthy,
        )
        self._overseer = Overseer(
            mandate=mandate,
            operation=self._operation,
            clock=clock,
            one_at_a_time=threading.Lock(),
            ending=self._ending,
            end_list=self._end_list,
            note=self._recorder.note,
            on_trust=self._link.believe,
            on_changed=self._link.changed,
        )
        self._requests = Requests(
            overseer=self._overseer,
            one_at_a_time=self._overseer.one_at_a_time,
            operation=self._operation,
            health=self._health,
            outbox=self._outbox,
            alerts=alerts,
            wiping=self._wiping,
            certifier=self._certifier,
            chronicle=self._chronicle,
            progress=self._progress,
            ending=self._ending,
            on_changed=self._link.changed,
        )
        self._control = ControlServer(config.control_socket, self._requests.handlers())
        self._heartbeat = Heartbeat(self._progress, notifier, clock, self._health.in_words)

    def _notify_loop(self) -> None:
        self._loop.notify()

    def _revoke(self, untrusted: bytes) -> None:
        self._overseer.revoke(untrusted)

    def _end_list(self, cause: WipeCause, by: Actor) -> None:
        self._requests.end_list(cause, by)

    @contextmanager
    def running(self, *, is_watchlist_required: bool, after_wipe: EndedList | None = None) -> Iterator[None]:
        """Start everything, and take it down in reverse whatever happens."""
        with ExitStack() as parts:
            parts.callback(self._outbox.close)
            parts.callback(self._recorder.stop)
            self._begin_ledger()
            self._operation.keep_holding(Notice.TRUST_CHANGED)
            self._overseer.begin()
            try:
                self._operation.begin()
            except (WatchlistMissingError, ArmingRefusedError) as error:
                if is_watchlist_required:
                    raise
                log.warning("operation.not-begun", code=error.code, reason=error.message, remedy=error.advice)
            parts.callback(self._operation.disarm)
            parts.callback(self._loop.stop)  # also of one that is interrupted while it warms up
            self._loop.start()
            self._link.start()
            parts.callback(self._link.stop)
            self._control.start()
            parts.callback(self._control.stop)
            parts.callback(self._loop.stop)  # before the link: the last tracks still have something to tell
            parts.callback(self._operation.stop_cameras)
            if self._health.armament is not None:
                self._operation.start_cameras()
            self._offer_metrics(parts)
            parts.enter_context(self._signals.heard())
            self._health.enter(self._operation.state_when_awake())
            self._link.changed()
            self._begin_watch()
            log.info("daemon.running", state=self._health.state.value, cameras=len(self._cameras))
            if after_wipe is not None:
                self._certifier.begin(after_wipe, answering_in_s=seconds_since(after_wipe.begun_ns, self._clock))
            yield
            if self.uncertified() is None:
                self._heartbeat.stopping()
            self._ending.set()
            with self._requests.one_at_a_time:  # a request that is under way ends first, and no other one begins
                self._health.enter(DeviceState.STOPPED)
            parts.callback(self._end_ledger)
            log.info("daemon.stopping")

    def wait(self, *, once: bool) -> None:
        """Until told to end; with *once* until the file sources have ended and their alerts are with the broker."""
        while self._goes_on():
            if once and all(camera.status.state is CameraState.ENDED for camera in self._cameras.values()):
                self._loop.swap(None)
                self._wait_for_delivery()
                return

    def uncertified(self) -> EndedList | None:
        """The list after whose wipe this process shall begin anew; None when it shall not, or was told to end."""
        return self._wiping.ended if self._wiping.wants_replacement and not self._signals.were_sent else None

    def summary(self) -> RunSummary:
        return summarise(self._health, exit_status=self._exit_status, track_ends=self._reporter.track_ends())

    def _begin_ledger(self) -> None:
        """What happened and was not noted then comes first."""
        catch_up(self._config, self._outbox, self._chronicle, self._clock)
        self._chronicle.started(self._config, self._health.pack.digest)
        self._recorder.start()

    def _end_ledger(self) -> None:
        """Who ended this run, or what."""
        if self._signals.were_sent:
            by, code = DAEMON, "signal"
        elif self.uncertified() is not None:
            by, code = DAEMON, "replaced"
        elif self._exit_status != os.EX_OK:
            by, code = DAEMON, "thread-ended"
        elif self._requests.stopped_by is not None:
            by, code = self._requests.stopped_by, "request"
        else:
            by, code = DAEMON, "sources-ended"
        self._chronicle.stopped(by, code)

    def _offer_metrics(self, parts: ExitStack) -> None:
        port = self._config.health.metrics_port
        if port > 0:
            server = MetricsServer(port, CONTENT_TYPE, Metrics(self._health).text)
            self._health.has_metrics = server.start()
            parts.callback(server.stop)

    def _begin_watch(self) -> None:
        """Everything has started: from here on each thread has to go on."""
        if TALLY.unlocked_bytes > 0:
            log.warning("memory.unlocked", unlocked_bytes=TALLY.unlocked_bytes, remedy=UNLOCKED_REMEDY)
        self._progress.watch("path", self._loop, PATH_LIMIT_S)
        self._progress.watch("link", self._link, LINK_LIMIT_S)
        self._progress.watch("control", self._control, CONTROL_LIMIT_S)
        for section in self._config.cameras:
            self._progress.watch(f"camera-{section.id}", self._cameras[section.id], camera_limit_s(section))
        self._heartbeat.ready()

    def _goes_on(self) -> bool:
        """One turn of the main thread: wait a moment, look after the others; False when it is time to end."""
        if self._ending.wait(LOOK_S) or self._signals.were_sent:
            return False
        self._heartbeat.beat()
        self._overseer.look()
        self._health.stalled = self._heartbeat.stalled
        if not (self._loop.is_alive and self._link.is_alive and self._control.is_alive):
            log.error(
                "daemon.thread-ended",
                path=self._loop.is_alive,
                link=self._link.is_alive,
                control=self._control.is_alive,
            )
            self._break()
            return False
        return True

    def _wait_for_delivery(self) -> None:
        """Give the broker a moment; what it does not take stays stored for the next run."""
        looks = round(DELIVERY_LIMIT_S / LOOK_S)
        while looks > 0 and self._outbox.counts().stored and self._goes_on():
            looks -= 1

    def _break(self) -> None:
        """Nobody would be seen or told any more: end, so that the service manager starts a fresh process."""
        self._exit_status = os.EX_SOFTWARE
        self._ending.set()
