"""What the appliance says about itself: to the broker, and in more words to a technician at the local socket."""

import resource
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

import edge_lfr
from edge_lfr.clock import Clock
from edge_lfr.daemon.armament import Armament
from edge_lfr.daemon.latency import LatencyLog
from edge_lfr.daemon.path_loop import PathLoop
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.capture.camera import Camera
from edge_lfr.pipeline.capture.source import CameraState, CameraStatus
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.link import MqttLink
from edge_lfr.pipeline.reporting.link_status import LinkState
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.states import (
    CameraMessage,
    DeviceState,
    HealthMessage,
    StatusMessage,
    WatchlistMessage,
)

STATUS_SCHEMA: Final = "lfr.local-status/1"


@dataclass(slots=True, eq=False)
class Health:
    """Reads the parts of a running appliance; owns only what state it is in since when."""

    clock: Clock
    pack: OpenPack
    cameras: Mapping[str, Camera]
    loop: PathLoop
    outbox: Outbox
    counters: Counters
    latency: LatencyLog
    link: MqttLink | None = None
    """Set once it exists: the link asks this record, and this record asks the link."""

    armament: Armament | None = None
    state: DeviceState = DeviceState.STARTING
    _began_ns: int = field(init=False)
    _since: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._began_ns = self.clock.monotonic_ns()
        self._since = self.clock.utc_now()

    def enter(self, state: DeviceState) -> None:
        """Note a change of state and its time."""
        if state is not self.state:
            self.state = state
            self._since = self.clock.utc_now()

    def reasons(self) -> tuple[str, ...]:
        """Codes of what is wrong now; each is something that a person can mend."""
        found = [
            f"camera-{camera_id}-down"
            for camera_id, camera in self.cameras.items()
            if camera.status.state is CameraState.DOWN
        ]
        if self.link is not None and self.link.status.state is not LinkState.CONNECTED:
            found.append(f"broker-{self.link.status.state.value}")
        if self.link is not None:
            found.extend(self.link.status.complaints)
        if self.outbox.counts().spooled:
            found.append("disk-refuses")
        armament = self.armament  # a wipe in another thread may take it away
        if armament is None:
            found.append("no-watchlist")
        elif armament.floor.evidence == "extrapolated":
            found.append("threshold-extrapolated")
        return tuple(found)

    def status(self) -> StatusMessage:
        """The appliance in one line; what the broker and the outbox say is added by the link."""
        reasons = self.reasons()
        state = self.state
        if state is DeviceState.RUNNING and any(reason != "threshold-extrapolated" for reason in reasons):
            state = DeviceState.DEGRADED
        return StatusMessage(
            state=state,
            mode="training",
            boot_id=self.outbox.boot_id,
            since=self._since,
            reasons=reasons,
            software=edge_lfr.__version__,
        )

    def camera_messages(self) -> tuple[CameraMessage, ...]:
        return tuple(_camera_message(camera.status) for camera in self.cameras.values())

    def health(self) -> HealthMessage:
        """Counters and numbers of the moment."""
        latency = self.latency.summary()
        measures = {
            "memory_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "path_idle_s": (self.clock.monotonic_ns() - self.loop.last_turn_ns) / 1e9,
        }
        if latency.p50_ms is not None and latency.p99_ms is not None:
            measures |= {"latency_p50_ms": latency.p50_ms, "latency_p99_ms": latency.p99_ms}
        return HealthMessage(
            boot_id=self.outbox.boot_id,
            at=self.clock.utc_now(),
            uptime_s=self.uptime_s,
            counters=self.all_counters(),
            measures=measures,
        )

    def watchlist(self) -> WatchlistMessage:
        """Which watchlist is searched; digests and counts, no names."""
        pack_id, pack_digest = self.pack.entry.id, self.pack.digest
        armament = self.armament
        if armament is None:
            return WatchlistMessage(digest=None, pack_id=pack_id, pack_digest=pack_digest)
        return WatchlistMessage(
            digest=armament.watchlist.digest,
            references=armament.gallery.references,
            templates=armament.gallery.templates,
            created_at=armament.watchlist.created_at,
            pack_id=pack_id,
            pack_digest=pack_digest,
            threshold=armament.threshold,
            threshold_evidence=armament.floor.evidence,
            index=armament.gallery.index.value,
        )

    @property
    def uptime_s(self) -> float:
        return (self.clock.monotonic_ns() - self._began_ns) / 1e9

    def all_counters(self) -> dict[str, int]:
        """What was counted where it ended, and the frames of each camera."""
        found = self.counters.snapshot()
        for camera_id, camera in self.cameras.items():
            status = camera.status
            found[f"frames-decoded.{camera_id}"] = status.frames_decoded
            found[f"frames-processed.{camera_id}"] = self.loop.frames_processed[camera_id]
        found["path-failures"] = self.loop.failures
        return found

    def local_status(self) -> dict[str, Any]:
        """Everything, for `edge-lfr status`."""
        armament = self.armament
        floor = None if armament is None else armament.floor
        status = self.status().model_copy(
            update={"last_seq": self.outbox.last_seq, "outbox": self.outbox.counts()},
        )
        return {
            "schema": STATUS_SCHEMA,
            "status": status.model_dump(mode="json", by_alias=True),
            "watchlist": self.watchlist().model_dump(mode="json", by_alias=True),
            "expected_false_alerts_per_1000": None if floor is None else floor.false_alerts_per_1000,
            "cameras": [_camera_facts(camera.status) for camera in self.cameras.values()],
            "broker": _link_facts(self.link),
            "provider": {"detector": self.pack.detector.provider, "embedder": self.pack.embedder.provider},
            "latency": asdict(self.latency.summary()),
            "counters": self.all_counters(),
            "uptime_s": round(self.uptime_s, 1),
        }


def _link_facts(link: MqttLink | None) -> dict[str, Any]:
    if link is None:
        return {"state": LinkState.STOPPED.value, "reason": None, "nobody_listening": False}
    status = link.status
    return {
        "state": status.state.value,
        "reason": status.reason,
        "since": status.since.isoformat(),
        "nobody_listening": status.nobody_listening,
        "in_flight": status.in_flight,
    }


def _camera_facts(status: CameraStatus) -> dict[str, Any]:
    """All that a camera says of itself; its decoder's confinement and locks among it."""
    size = None if status.size is None else str(status.size)
    return {**asdict(status), "state": status.state.value, "size": size}


def _camera_message(status: CameraStatus) -> CameraMessage:
    return CameraMessage(
        camera=status.camera_id,
        state=status.state.value,
        size_wh=None if status.size is None else (status.size.width, status.size.height),
        error_code=status.error_code,
        restarts=status.restarts,
    )
