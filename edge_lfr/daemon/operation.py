"""
Whether the appliance looks, and whom it compares with: the watchlist in use, the path that searches it, the cameras.

Every change meets the path between two passes only, and what a watchlist leaves behind is destroyed with it.
"""

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.arming import held
from edge_lfr.daemon.arming.armament import Armament, arm, arm_in_operation
from edge_lfr.daemon.arming.facts import ArmingRefusal
from edge_lfr.daemon.arming.held import Standstill
from edge_lfr.daemon.arming.judgement import require_trusted
from edge_lfr.daemon.arming.mandate import Mandate
from edge_lfr.daemon.assembly import Nets, assemble
from edge_lfr.daemon.health import Health
from edge_lfr.daemon.noting.chronicle import Chronicle
from edge_lfr.daemon.path_loop import PathLoop
from edge_lfr.daemon.reporter import DaemonReporter
from edge_lfr.errors import ArmingRefusedError
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.path import Path
from edge_lfr.pipeline.reporting.alert import AlertWriter, Basis
from edge_lfr.pipeline.reporting.states import DeviceState
from edge_lfr.pipeline.stage_times import StageTimes
from edge_lfr.watchlist.sealed.store import SealedStore

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
    mandate: Mandate
    refused: ArmingRefusedError | None = None
    """Why the latest attempt to compare somebody was refused."""

    is_paused: bool = False
    """Somebody said so, and nobody has said otherwise: the appliance does not begin by itself."""

    held_for: str | None = None
    """Why it was held; None for a pause that a technician asked for."""

    _track_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def begin(self) -> None:
        """
        At the start: take the live list into use, unless a pause of the process before lasts; then it stays sealed.

        Raises:
            ArmingRefusedError: Such a pause lasts; or as `take_watchlist`.
            EdgeLfrError: As `take_watchlist`.
        """
        if self.is_paused and self.held_for is None:
            message = "not armed: the appliance was paused, and nobody has said that it shall go on"
            remedy = "`edge-lfr resume`, while the daemon runs"
            raise ArmingRefusedError(message, step="pause", reason=ArmingRefusal.PAUSED, remedy=remedy)
        self.take_watchlist()

    def take_watchlist(self) -> None:
        """
        Open the live list and search it from the next pass on; the list before is destroyed.

        Raises:
            ArmingRefusedError: It may not be searched; nobody is compared any more, and no frame is held.
            EdgeLfrError: As `armament.arm`; what was searched before still is.
        """
        if self.held_for is not None:
            message = "not armed: whom this appliance trusts was changed, and nobody has said that it shall go on"
            remedy = "see `edge-lfr keys show`, then `edge-lfr resume`"
            raise ArmingRefusedError(message, step="trust", reason=ArmingRefusal.HELD, remedy=remedy)
        try:
            armament = self._armed()
        except ArmingRefusedError as error:
            self.refused = error
            self.fall_silent()
            raise
        self.refused = None
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
                authority_id=None if armament.authority is None else armament.authority.authority.authority_id,
                list_id=None if armament.watchlist.origin is None else armament.watchlist.origin.list_id,
            )
        except BaseException:
            armament.destroy()
            raise
        self._exchange(armament, path, meanwhile=lambda: self.alerts.rest_on(basis))
        armament.begin_index(self.chronicle.index_chosen)

    def _armed(self) -> Armament:
        """Ask the clock and the authority, as of now, and open the list if they let it be searched."""
        verdict, armament = self.mandate.look_at_clock(), self.health.armament
        self.mandate.read_authority()
        self.mandate.searched = None if armament is None else armament.watchlist.origin
        if self.mandate.is_needed:
            return arm_in_operation(self.store, self.pack.entry, self.config.gallery, self.mandate)
        require_trusted(verdict)
        return arm(
            self.store,
            self.pack.entry,
            self.config.gallery,
            Conditions.of(self.config),
            verdict,
            trust=self.mandate.trust,
        )

    def leave_out(self, reference_ids: Collection[str]) -> int:
        """
        Search the list without whose time is over, and give the number that remain; none: it was wiped with the last.

        Whoever is left out is found no more from the first moment, through the seconds in which a long list is made
        anew, and also where the list without them cannot be taken into use.

        Raises:
            EdgeLfrError: As `SealedStore.remove`, or as `take_watchlist`; nobody is compared any more.
        """
        armament = self.health.armament
        searched = None if armament is None else armament.watchlist.list_id
        if armament is not None:
            armament.gallery.forget(reference_ids)
        try:
            verdict = self.mandate.look_at_clock()
            remaining = self.store.remove(reference_ids, verdict, of_list=searched, have_expired=True)
            if remaining:
                self.take_watchlist()
                if not self.is_paused:
                    self.wake()
        except BaseException:
            self.fall_silent()
            raise
        if not remaining:
            self.fall_silent()
        return remaining

    def mute(self) -> None:
        """Compare nobody from the next pass on, and wait for nothing else; what must be destroyed still is there."""
        self.loop.end_path()

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
        self.is_paused = True
        for camera in self.cameras.values():
            camera.pause()
        try:
            self.loop.end_tracks()
        finally:
            self.health.enter(DeviceState.PAUSED)
            held.keep(self.config.mode_directory, Standstill.PAUSED, "pause")

    def hold(self, reason: str) -> None:
        """Compare nobody, and open no list, until somebody says that it shall go on; a restart does not say so."""
        self.held_for = reason
        try:
            held.keep(self.config.mode_directory, Standstill.HELD, reason)
        finally:
            self._stand_still()

    def keep_holding(self, reason: str) -> None:
        """At the start: go on with a hold or a pause that the process before this one began, if it did."""
        if held.is_kept(self.config.mode_directory, Standstill.HELD):
            self.begin_held(reason)
        if held.is_kept(self.config.mode_directory, Standstill.PAUSED):
            log.warning("operation.paused")
            self.is_paused = True

    def begin_held(self, reason: str) -> None:
        """At the start, before a list is open: begin with a hold."""
        log.warning("operation.held", reason=reason)
        self.held_for, self.is_paused = reason, True
        held.keep(self.config.mode_directory, Standstill.HELD, reason)

    def _stand_still(self) -> None:
        try:
            self.fall_silent()
        finally:
            self.is_paused = True
            self.health.enter(DeviceState.PAUSED)

    def resume(self) -> None:
        """
        Go on after a pause or a hold.

        Raises:
            ArmingRefusedError: Nobody may be compared; the appliance begins by itself once that changes.
            EdgeLfrError: As `take_watchlist`.
        """
        self._let_go_on()
        if self.health.armament is None and (self.mandate.is_needed or not self.store.is_empty()):
            try:
                self.take_watchlist()
            except BaseException:
                self.health.enter(self.state_when_awake())  # paused it is no more
                raise
        self.wake()

    def wake(self) -> None:
        """Look, if there is a watchlist to compare with."""
        self._let_go_on()
        if self.health.armament is not None:
            self.start_cameras()
            for camera in self.cameras.values():
                camera.resume()
        self.health.enter(self.state_when_awake())

    def _let_go_on(self) -> None:
        if self.held_for is not None:
            held.end(self.config.mode_directory, Standstill.HELD)
        if self.is_paused:
            held.end(self.config.mode_directory, Standstill.PAUSED)
        self.is_paused, self.held_for = False, None

    def fall_silent(self) -> None:
        """
        No list, no cameras, no frames: in this order, so that no camera that hangs keeps a list alive.

        A pause stays one: whoever asked for it was told that it lasts until somebody ends it. A camera that does not
        stop in time goes on trying in a thread of its own; nobody takes its frames.
        """
        try:
            self.disarm()
        finally:
            self.health.enter(DeviceState.PAUSED if self.is_paused else DeviceState.DISARMED)
            self._stop_cameras_in_time()
            self.health.has_list = self.has_list()

    def has_list(self) -> bool:
        """Whether a list lies there, searched or not; where the disk says nothing, as if one did."""
        try:
            return not self.store.is_empty()
        except OSError:
            return True

    def state_when_awake(self) -> DeviceState:
        if self.is_paused:
            return DeviceState.PAUSED
        return DeviceState.DISARMED if self.health.armament is None else DeviceState.RUNNING

    def _exchange(
        self, armament: Armament | None, path: Path | None, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        try:
            if path is None:
                self.loop.end_path()
            else:
                self.loop.swap(path, meanwhile)
        finally:
            old, self.health.armament = self.health.armament, armament
            if old is not None:
                old.destroy()
                self.chronicle.disarmed(old.watchlist.digest, "replaced" if armament is not None else None)
            if armament is not None:
                self.health.has_list = True
                self.chronicle.armed(armament)

    def _stop_cameras_in_time(self) -> None:
        stops = {
            camera_id: threading.Thread(target=_stop, args=(camera_id, camera), name="camera-stop", daemon=True)
            for camera_id, camera in self.cameras.items()
        }
        for camera_id, thread in tuple(stops.items()):
            try:
                thread.start()
            except RuntimeError as error:  # no thread left: the next camera may have one again
                log.error("camera.not-stopped", camera=camera_id, error=type(error).__name__)
                del stops[camera_id]
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
