"""
Whether the appliance looks, and whom it compares with: the watchlist in use, the path that searches it, the cameras.

Every change meets the path between two passes only, and what a watchlist leaves behind is destroyed with it.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.armament import Armament, arm
from edge_lfr.daemon.assembly import Nets, assemble
from edge_lfr.daemon.chronicle import Chronicle
from edge_lfr.daemon.health import Health
from edge_lfr.daemon.path_loop import PathLoop
from edge_lfr.daemon.reporter import DaemonReporter
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.path import Path
from edge_lfr.pipeline.reporting.alert import AlertWriter, Basis
from edge_lfr.pipeline.reporting.states import DeviceState
from edge_lfr.pipeline.stage_times import StageTimes
from edge_lfr.watchlist.store import SealedStore

log = structlog.get_logger()

CAMERAS_STOP_S: Final = 10.0
"""Longest wait for all cameras of an appliance that falls silent; killing a decoder takes parts of a second. Chosen."""


@dataclass(slots=True, eq=False, kw_only=True)
class Operation:
    """
    The verbs that change what the appliance does.

    Called from the main thread at start and end, and from the control socket's threads one at a time in between.
    """

    config: ApplianceConfig
    pack: OpenPack
    nets: Nets
    store: SealedStore
    alerts: AlertWriter
    reporter: DaemonReporter
    cameras: Mapping[str, Camera]
    loop: PathLoop
    times: StageTimes
    health: Health
    chronicle: Chronicle
    _track_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def take_watchlist(self) -> None:
        """
        Open the live list and search it from the next pass on; the list before is destroyed.

        Raises:
            EdgeLfrError: As `armament.arm`; what was searched before still is.
        """
        armament = arm(self.store, self.pack.entry, self.config.gallery, Conditions.of(self.config))
        try:
            path = assemble(
                self.nets, armament, self.config, self.reporter, lambda: next(self._track_ids), times=self.times
            )
            basis = Basis(
                references=armament.watchlist,
                watchlist_digest=armament.watchlist.digest,
                pack_id=self.pack.entry.id,
                pack_digest=self.pack.digest,
                threshold_evidence=armament.floor.evidence,
            )
        except BaseException:
            armament.destroy()
            raise
        self._exchange(armament, path, meanwhile=lambda: self.alerts.rest_on(basis))
        armament.begin_index(self.chronicle.index_chosen)

    def disarm(self) -> None:
        """Search nothing, and destroy the vectors."""
        self._exchange(None, None)

    def start_cameras(self) -> None:
        for camera in self.cameras.values():
            camera.start()

    def stop_cameras(self) -> None:
        for camera in self.cameras.values():
            camera.stop()

    def pause(self) -> None:
        """Hold no frame and compare nobody; the watchlist stays."""
        for camera in self.cameras.values():
            camera.pause()
        try:
            self.loop.end_tracks()
        finally:
            self.health.enter(DeviceState.PAUSED)

    def wake(self) -> None:
        """Look, if there is a watchlist to compare with."""
        if self.health.armament is not None:
            self.start_cameras()
            for camera in self.cameras.values():
                camera.resume()
        self.health.enter(self.state_when_awake())

    def fall_silent(self) -> None:
        """
        No list, no cameras, no frames: in this order, so that no camera that hangs keeps a list alive.

        A camera that does not stop in time goes on trying in a thread of its own; nobody takes its frames.
        """
        try:
            self.disarm()
        finally:
            self.health.enter(DeviceState.DISARMED)
            self._stop_cameras_in_time()

    def state_when_awake(self) -> DeviceState:
        return DeviceState.DISARMED if self.health.armament is None else DeviceState.RUNNING

    def _exchange(
        self, armament: Armament | None, path: Path | None, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        try:
            self.loop.swap(path, meanwhile)
        finally:
            old, self.health.armament = self.health.armament, armament
            if old is not None:
                old.destroy()
                self.chronicle.disarmed(old.watchlist.digest, "replaced" if armament is not None else None)
            if armament is not None:
                self.chronicle.armed(armament)

    def _stop_cameras_in_time(self) -> None:
        stops = {
            camera_id: threading.Thread(target=_stop, args=(camera_id, camera), name="camera-stop", daemon=True)
            for camera_id, camera in self.cameras.items()
        }
        for thread in stops.values():
            thread.start()
        deadline_s = time.monotonic() + CAMERAS_STOP_S
        for camera_id, thread in stops.items():
            thread.join(max(deadline_s - time.monotonic(), 0.0))
            if thread.is_alive():
                log.error("camera.lingers", camera=camera_id, waited_s=CAMERAS_STOP_S)


def _stop(camera_id: str, camera: Camera) -> None:
    try:
        camera.stop()
    except Exception as error:  # noqa: BLE001  # one camera must not keep the others running
        log.error("camera.not-stopped", camera=camera_id, error=type(error).__name__)
