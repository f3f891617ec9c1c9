"""The delivery side of an appliance without cameras: outbox, writer and link, as the daemon composes them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.biometrics.outcomes import Candidate, Decision, DecisionReason, Outcome
from edge_lfr.biometrics.samples import Face, Frame
from edge_lfr.clock import Clock, SystemClock
from edge_lfr.config.reporting import BrokerConfig, ReportingConfig
from edge_lfr.config.retention import RetentionProfile
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.trust import TrustStore
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.pipeline.reporting.alert import AlertWriter, Basis
from edge_lfr.pipeline.reporting.announcer import SelfDescription
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.down import OnRevocation, refuse_revocation
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.link import MqttLink
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.states import (
    CameraMessage,
    DeviceState,
    HealthMessage,
    LedgerHeadMessage,
    StatusMessage,
    TrustMessage,
    WatchlistMessage,
)
from edge_lfr.pipeline.reporting.topics import Identity, Topics
from edge_lfr.terms import Mode
from simulators.retention import DAY

IDENTITY = Identity(force="testshire", device="van-1", mode=Mode.TRAINING)
TOPICS = Topics(IDENTITY)
LIVE_IDENTITY = Identity(force="testshire", device="van-1", mode=Mode.OPERATIONAL)
LIVE_TOPICS = Topics(LIVE_IDENTITY)
AUTHORITY_ID = "A-2026-0142"


def jpeg_of(pixels: NDArray[np.uint8]) -> bytes:
    is_encoded, jpeg = cv2.imencode(".jpg", pixels)
    assert is_encoded
    return jpeg.tobytes()


def noise(height: int, width: int, seed: int = 1) -> NDArray[np.uint8]:
    """A picture that compresses badly and shows nobody."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the watchlist of the simulator says about everybody."""

    label: str = "Subject Seven"
    category: str = "suspect"
    response_code: str = "observe"


class EveryReference:
    """A watchlist that has everybody."""

    def entry(self, reference_id: str) -> Entry:
        assert reference_id
        return Entry()

    def picture(self, reference_id: str) -> bytes:
        assert reference_id
        return jpeg_of(noise(300, 240))


def basis(mode: Mode = Mode.TRAINING) -> Basis:
    return Basis(
        references=EveryReference(),
        watchlist_digest="ab" * 32,
        pack_id="yunet-0095",
        pack_digest="cd" * 32,
        threshold_evidence="extrapolated",
        authority_id=AUTHORITY_ID if mode is Mode.OPERATIONAL else None,
        list_id="london-1",
    )


def frame_of(clock: Clock, camera_id: str = "north") -> Frame:
    return Frame(
        camera_id=camera_id,
        sequence=0,
        arrived_ns=clock.monotonic_ns(),
        captured_at=clock.utc_now(),
        media_time_s=1.5,
        pixels=noise(360, 640),
        on_destroy=lambda: None,
    )


def face_at(x: float, y: float, side: float = 80.0) -> Face:
    return Face(BoxXYXY(x, y, x + side, y + side), np.zeros((5, 2), np.float32), 0.9)


def match_of(reference_id: str, track_id: int = 1, score: float = 0.7, camera_id: str = "north") -> Decision:
    return Decision(
        track_id=track_id,
        camera_id=camera_id,
        outcome=Outcome.MATCH,
        reason=DecisionReason.CONSENSUS,
        threshold=0.55,
        candidates=(
            Candidate(reference_id=reference_id, score=score, rank=1),
            Candidate(reference_id="second", score=0.3, rank=2),
        ),
        looks=2,
    )


class Appliance:
    """One run of the delivery side; a second one on the same folder is the daemon after a restart."""

    def __init__(
        self,
        folder: Path,
        broker: BrokerConfig,
        *,
        trust: TrustStore | None = None,
        clock: Clock | None = None,
        retention: RetentionProfile = DAY,
        identity: Identity = IDENTITY,
        on_revocation: OnRevocation = refuse_revocation,
        look_at_clock: Callable[[], TimeVerdict] | None = None,
        trusted: TrustMessage | None = None,
        ledger_head: LedgerHeadMessage | None = None,
        **reporting: float,
    ) -> None:
        self.clock = SystemClock() if clock is None else clock
        self.config = ReportingConfig.model_validate({"broker": broker, **reporting})
        self.outbox = Outbox(folder / FILE_NAME, KeyEncryptingKey.load(folder, create=True), self.config, self.clock)
        self.identity = identity
        self.trusted = trusted
        self.ledger_head = ledger_head
        self.writer = AlertWriter(
            self.config, identity, self.outbox, self.clock, basis(identity.mode), retention=retention
        )
        self.counters = Counters()
        self.latencies_ms: list[float] = []
        self.link = MqttLink(
            self.config,
            Topics(identity),
            self.outbox,
            TrustStore() if trust is None else trust,
            self.clock,
            description=SelfDescription(
                self._status,
                self._cameras,
                self._watchlist,
                self._health,
                lambda: self.trusted,
                lambda: self.ledger_head,
            ),
            counters=self.counters,
            look_at_clock=lambda: believing(self.clock) if look_at_clock is None else look_at_clock(),
            on_accepted=lambda _alert_id, arrived_ns, accepted_ns: self.latencies_ms.append(
                (accepted_ns - arrived_ns) / 1e6
            ),
            on_revocation=on_revocation,
        )

    def alert(self, reference_id: str) -> str:
        """Somebody walks by."""
        alert = self.writer.write(match_of(reference_id), frame_of(self.clock), face_at(200, 100))
        assert alert is not None
        return alert.alert_id

    def end(self) -> None:
        self.link.stop()
        self.outbox.close()

    def _status(self) -> StatusMessage:
        return StatusMessage(
            state=DeviceState.RUNNING,
            mode=self.identity.mode,
            boot_id=self.outbox.boot_id,
            since=datetime(2026, 1, 1, tzinfo=UTC),
        )

    def _cameras(self) -> tuple[CameraMessage, ...]:
        return (CameraMessage(mode=self.identity.mode, camera="north", state="up"),)

    def _watchlist(self) -> WatchlistMessage:
        return WatchlistMessage(
            mode=self.identity.mode,
            digest="ab" * 32,
            references=1,
            templates=1,
            pack_id="p",
            pack_digest="cd" * 32,
        )

    def _health(self) -> HealthMessage:
        return HealthMessage(
            mode=self.identity.mode, boot_id=self.outbox.boot_id, at=self.clock.utc_now(), uptime_s=1.0
        )


def eventually(is_so: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    """Wait for another process or thread; True as soon as it is so."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
