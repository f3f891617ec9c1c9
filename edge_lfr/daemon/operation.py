"""
Whether the appliance looks, and whom it compares with: the watchlist in use, the path that searches it, the cameras.

Every change meets the path between two passes only, and what a watchlist leaves behind is destroyed with it.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.armament import Armament, arm
from edge_lfr.daemon.assembly import Nets, assemble
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
    _track_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def take_watchlist(self) -> None:
        """
        Open the live list and search it from the next pass on; the list before is destroyed.

        Raises:
            EdgeLfrError: As `armament.arm`; what was searched before still is.
        """
        armament = arm(self.store, self.pack.entry, self.config.gallery, Conditions.of(self.config))
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
        self._exchange(armament, path, meanwhile=lambda: self.alerts.rest_on(basis))
        armament.begin_index()

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
        self.loop.end_tracks()
        self.health.enter(DeviceState.PAUSED)

    def wake(self) -> None:
        """Look, if there is a watchlist to compare with."""
        if self.health.armament is not None:
            self.start_cameras()
            for camera in self.cameras.values():
                camera.resume()
        self.health.enter(self.state_when_awake())

    def fall_silent(self) -> None:
        """No list, no cameras, no frames."""
        self.stop_cameras()
        self.disarm()
        self.health.enter(DeviceState.DISARMED)

    def state_when_awake(self) -> DeviceState:
        return DeviceState.DISARMED if self.health.armament is None else DeviceState.RUNNING

    def _exchange(
        self, armament: Armament | None, path: Path | None, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        self.loop.swap(path, meanwhile)
        old, self.health.armament = self.health.armament, armament
        if old is not None:
            old.destroy()
