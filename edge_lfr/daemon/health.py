"""What the appliance says about itself: how it is, what is wrong, what it counted, how long things take and wait."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from typing import Any, Final

import edge_lfr
from edge_lfr.biometrics.locking import TALLY
from edge_lfr.clock import Clock
from edge_lfr.daemon.arming.armament import Armament
from edge_lfr.daemon.arming.mandate import Mandate
from edge_lfr.daemon.arming.standing import Notice
from edge_lfr.daemon.latency import LatencyLog
from edge_lfr.daemon.noting.recorder import Recorder
from edge_lfr.daemon.path_loop import PathLoop
from edge_lfr.daemon.process_use import process_use
from edge_lfr.daemon.progress import Progress
from edge_lfr.governance.authority.judgement import VerifiedAuthority
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
    Spans,
    StageSpans,
    StatusMessage,
    WatchlistMessage,
)
from edge_lfr.pipeline.stage_times import StageTimes
from edge_lfr.terms import Mode

MB: Final = 1e6

MAX_REASONS: Final = 64
"""As many as the status message holds. What is wrong with the whole appliance comes before what is wrong with one
camera or thread, and is not half of that: only a further camera or thread can be cut off."""

HARMLESS: Final = frozenset(
    {
        "threshold-extrapolated",
        "metrics-unavailable",
        Notice.ENDS_SOON.value,
        Notice.ENDS_NOW.value,
        Notice.COUNTERSIGN_DUE.value,
        Notice.STALE_SOON.value,
    }
)
"""Reasons that are said, and do not make a running appliance a degraded one."""


TRUSTED: Final = "trusted"
"""What is said of a clock that nobody doubts."""


@dataclass(slots=True, eq=False)
class Health:
    """Reads the parts of a running appliance; owns only what state it is in since when."""

    mode: Mode
    clock: Clock
    pack: OpenPack
    cameras: Mapping[str, Camera]
    loop: PathLoop
    outbox: Outbox
    counters: Counters
    latency: LatencyLog
    times: StageTimes
    progress: Progress
    recorder: Recorder
    link: MqttLink | None = None
    """Set once it exists: the link asks this record, and this record asks the link."""

    armament: Armament | None = None
    stalled: tuple[str, ...] = ()
    """Threads that are over their limit: the watchdog is not fed."""

    has_metrics: bool = True
    """False where the metrics that were asked for cannot be served."""

    mandate: Mandate | None = None
    """What the appliance may rely on; None where nobody said."""

    bars: tuple[str, ...] = ()
    """Why nobody may be compared, as codes."""

    notices: tuple[str, ...] = ()
    """What somebody should know of a deployment, as codes; it stops nothing."""

    has_list: bool = False
    """A list lies sealed in the store, searched or not; as of the latest look, for who reads this waits for no disk."""

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
        found: list[str] = []
        armament = self.armament  # a wipe in another thread may take it away
        found.extend(dict.fromkeys((*self.bars, *self.notices)))
        is_paused, is_idle = self.state is DeviceState.PAUSED, armament is None and not self.bars
        idle = (
            is_paused and Notice.TRUST_CHANGED.value not in self.notices,
            is_idle and not self.has_list,
            is_idle and self.has_list and not is_paused,
        )
        found.extend(compress(("paused", "no-watchlist", "watchlist-not-searched"), idle))
        if self.link is not None and self.link.status.state is not LinkState.CONNECTED:
            found.append(f"broker-{self.link.status.state.value}")
        if self.link is not None:
            found.extend(self.link.status.complaints)
        found.extend(self.outbox.complaints)
        if not self.recorder.is_healthy:
            found.append("ledger-refuses")
        if TALLY.unlocked_bytes > 0:
            found.append("memory-unlocked")
        if not self.has_metrics:
            found.append("metrics-unavailable")
        if armament is not None and armament.floor.evidence == "extrapolated":
            found.append("threshold-extrapolated")
        found.extend(
            f"camera-{camera_id}-down"
            for camera_id, camera in self.cameras.items()
            if camera.status.state is CameraState.DOWN
        )
        found.extend(f"stalled-{name}" for name in self.stalled)
        return tuple(dict.fromkeys(found))[:MAX_REASONS]

    def in_words(self) -> str:
        """One line for `systemctl status`; from memory: who says it feeds the watchdog, and must wait for no disk."""
        up = sum(camera.status.state is CameraState.UP for camera in self.cameras.values())
        counts = self.outbox.latest_counts
        waiting = "outbox unreadable" if counts is None else f"{counts.stored} alerts waiting"
        return f"{self.status().state.value}: {up} of {len(self.cameras)} cameras up, {waiting}"

    def status(self) -> StatusMessage:
        """The appliance in one line; what the broker and the outbox say is added by the link."""
        reasons = self.reasons()
        state = self.state
        if state is DeviceState.RUNNING and not HARMLESS.issuperset(reasons):
            state = DeviceState.DEGRADED
        return StatusMessage(
            state=state,
            mode=self.mode,
            boot_id=self.outbox.boot_id,
            since=self._since,
            reasons=reasons,
            software=edge_lfr.__version__,
            **self._mandate_facts(),
        )

    def _mandate_facts(self) -> dict[str, Any]:
        if self.mandate is None:
            return {}
        doubt, verified = self.mandate.time.doubt, self.mandate.authority
        facts: dict[str, Any] = {"clock": TRUSTED if doubt is None else doubt.value}
        if isinstance(verified, VerifiedAuthority):
            facts |= {"authority_id": verified.authority.authority_id, "window_ends_at": verified.runs_until}
        return facts

    def camera_messages(self) -> tuple[CameraMessage, ...]:
        return tuple(_camera_message(camera.status, self.mode) for camera in self.cameras.values())

    def health(self) -> HealthMessage:
        """Counters and numbers of the moment."""
        return HealthMessage(
            mode=self.mode,
            boot_id=self.outbox.boot_id,
            at=self.clock.utc_now(),
            uptime_s=self.uptime_s,
            counters=self.all_counters(),
            measures=self.measures(),
            stages={
                name: StageSpans(
                    count=spans.count,
                    total_ms=round(spans.total_ms, 3),
                    p50_ms=round(spans.p50_ms, 3),
                    p99_ms=round(spans.p99_ms, 3),
                )
                for name, spans in self.times.summary().items()
            },
            latency={
                name: Spans(count=spans.count, p50_ms=spans.p50_ms, p99_ms=spans.p99_ms)
                for name, spans in self.latency.summary().items()
            },
        )

    def measures(self) -> dict[str, float]:
        """Values of the moment by name, the unit in it; nothing that stands for a person."""
        use = process_use()
        found: dict[str, float] = {
            "memory_resident_mb": use.resident_bytes / MB,
            "memory_peak_mb": use.peak_bytes / MB,
            "memory_children_mb": use.children_bytes / MB,
            "memory_locked_mb": use.locked_bytes / MB,
            "memory_unlocked_mb": use.unlocked_bytes / MB,
            "descriptors": use.descriptors,
            "threads": use.threads,
            "children": use.children,
        }
        found |= {f"idle_s.{name}": age_s for name, age_s in self.progress.ages_s().items()}
        found |= {f"frame_waiting_s.{camera_id}": age_s for camera_id, age_s in self.waiting_frames()}
        oldest_s = self.outbox.oldest_age_s()
        if oldest_s is not None:
            found["outbox_oldest_s"] = oldest_s
        return {name: round(value, 3) for name, value in found.items()}

    def waiting_frames(self) -> Iterator[tuple[str, float]]:
        """Each camera that has a frame waiting for the path, and for how long, seconds."""
        now_ns = self.clock.monotonic_ns()
        for camera_id, camera in self.cameras.items():
            since_ns = camera.waits_since_ns
            if since_ns is not None:
                yield camera_id, max(0, now_ns - since_ns) / 1e9

    def watchlist(self) -> WatchlistMessage:
        """Which watchlist is searched; digests and counts, no names."""
        pack_id, pack_digest = self.pack.entry.id, self.pack.digest
        armament = self.armament
        if armament is None:
            return WatchlistMessage(mode=self.mode, digest=None, pack_id=pack_id, pack_digest=pack_digest)
        choice = armament.gallery.choice
        times = choice.times
        return WatchlistMessage(
            mode=self.mode,
            digest=armament.watchlist.digest,
            references=armament.gallery.references,
            templates=armament.gallery.templates,
            created_at=armament.watchlist.created_at,
            list_id=None if armament.watchlist.origin is None else armament.watchlist.origin.list_id,
            expires_at=armament.watchlist.wipe_at,
            pack_id=pack_id,
            pack_digest=pack_digest,
            threshold=armament.threshold,
            threshold_evidence=armament.floor.evidence,
            index=choice.serving.value,
            index_reason=choice.reason.value,
            index_recall=choice.recall,
            index_exact_ms=None if times is None else (times.exact_1_ms, times.exact_8_ms),
            index_graph_ms=None if times is None else (times.graph_1_ms, times.graph_8_ms),
            index_build_s=choice.build_s,
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


def _camera_message(status: CameraStatus, mode: Mode) -> CameraMessage:
    return CameraMessage(
        mode=mode,
        camera=status.camera_id,
        state=status.state.value,
        size_wh=None if status.size is None else (status.size.width, status.size.height),
        error_code=status.error_code,
        restarts=status.restarts,
    )
