"""
The appliance watches clips, and what it concludes is written down.

It is the daemon's own: the decoder in its process, stages and threshold as the daemon assembles them, the alert writer
and the outbox. Only time is another: it is that of the clips, so that a slow machine sees what a fast one does.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.biometrics.outcomes import Alert, Candidate, Decision, DecisionReason, Discard, TrackEnd
from edge_lfr.biometrics.samples import Face, Frame, Track
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.arming.armament import Armament, arm
from edge_lfr.daemon.assembly import open_nets, stages_of
from edge_lfr.evaluation.bench.ground import BenchError
from edge_lfr.evaluation.bench.playing import played
from edge_lfr.evaluation.truth import Event
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline import path as pipeline_path
from edge_lfr.pipeline.identification.agreement import Candidates
from edge_lfr.pipeline.identification.decision import Decider
from edge_lfr.pipeline.reporting.alert import AlertWriter, Basis
from edge_lfr.pipeline.reporting.discard import Counters
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.topics import Identity
from edge_lfr.watchlist.sealed.store import SealedStore

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When the first clip begins; any moment would do."""


@dataclass(frozen=True, slots=True)
class Look:
    """One comparison: where and when, and what was found."""

    media_time_s: float
    box_xyxy: BoxXYXY
    reason: DecisionReason
    candidates: tuple[Candidate, ...]
    """Best first; empty when the search could not be completed."""


@dataclass(slots=True)
class Record:
    """What one clip came to."""

    frames: int = 0
    looks: list[Look] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    ends: list[TrackEnd] = field(default_factory=list)


class MediaClock:
    """Time as it passes in the clips."""

    def __init__(self) -> None:
        self._now_ns = 1_000_000_000

    def monotonic_ns(self) -> int:
        return self._now_ns

    def boottime_ns(self) -> int:
        return self._now_ns

    def utc_now(self) -> datetime:
        return BEGIN + timedelta(microseconds=self._now_ns // 1000)

    def sleep(self, seconds: float) -> None:
        self._now_ns += round(seconds * 1e9)

    def set_ns(self, now_ns: int) -> None:
        self._now_ns = now_ns


class _WritingDecider(Decider):
    """Decides as its parent does, and tells what it was given."""

    def tell(self, listener: Callable[[Track, Decision, Candidates | None], None]) -> None:
        self._listener = listener

    def decide(self, track: Track, candidates: Candidates | None) -> Decision:
        decision = super().decide(track, candidates)
        self._listener(track, decision, candidates)
        return decision


class Appliance:
    """One path with one watchlist; satisfies `path.Reporter`."""

    def __init__(self, config: ApplianceConfig, pack: OpenPack, kek: KeyEncryptingKey, armament: Armament) -> None:
        """Assemble it; `close` gives the outbox's file back."""
        self._config = config
        self._clock = MediaClock()
        self._outbox = Outbox(config.mode_directory / FILE_NAME, kek, config.reporting, self._clock)
        self._alerts = AlertWriter(
            config.reporting,
            Identity(force=config.force, device=config.device, mode=config.mode),
            self._outbox,
            self._clock,
            Basis(
                references=armament.watchlist,
                watchlist_digest=armament.watchlist.digest,
                pack_id=pack.entry.id,
                pack_digest=pack.digest,
                threshold_evidence=armament.floor.evidence,
            ),
            retention=config.retention.chosen,
        )
        track_ids = itertools.count(1)
        stages = stages_of(
            open_nets(pack, config),
            config,
            lambda: next(track_ids),
            gallery=armament.gallery,
            threshold=armament.threshold,
        )
        decider = _WritingDecider(config.decision, armament.threshold, armament.watchlist.lookalikes)
        decider.tell(self._note_look)
        self._path = pipeline_path.Path(replace(stages, decider=decider), self)
        self.counters = Counters()
        self._media_time_s = 0.0
        self._placeless: dict[int, Alert] = {}
        self._record = Record()

    @classmethod
    @contextmanager
    def armed(cls, config: ApplianceConfig, pack: OpenPack) -> Iterator[tuple["Appliance", Armament]]:
        """Open the watchlist of the configuration's store, and take everything down afterwards."""
        kek = KeyEncryptingKey.load(config.mode_directory)
        armament = arm(SealedStore(config.watchlist_directory, kek), pack.entry, config.gallery, Conditions.of(config))
        try:
            appliance = cls(config, pack, kek, armament)
            try:
                yield appliance, armament
            finally:
                appliance._outbox.close()
        finally:
            armament.destroy()

    @property
    def messages(self) -> int:
        """What waits in the outbox."""
        return self._outbox.counts().stored

    def watch(self, clip: Path, progress: Callable[[int], None]) -> Record:
        """
        See every frame of a clip in its own time, and afterwards nothing for longer than a passage lasts.

        Raises:
            BenchError: Some frame did not reach the path.
        """
        self._record = Record()
        begins_ns = self._clock.monotonic_ns()
        for frame in played(clip, self.counters.discard):
            if frame.media_time_s is None:
                frame.destroy()
                message = "a frame of a clip has no time"
                raise BenchError(message)
            self._media_time_s = frame.media_time_s
            self._clock.set_ns(begins_ns + round(frame.media_time_s * 1e9))
            frame.arrived_ns, frame.captured_at = self._clock.monotonic_ns(), self._clock.utc_now()
            self._path.identify([frame])
            self._record.frames += 1
            progress(self._record.frames)
        self._path.end_all()
        self._path.rest()
        self._clock.sleep(self._config.reporting.passage_gap_s + 1.0)
        return self._record

    # What the path reports ----------------------------------------------------------------------------------------

    def match(
        self,
        decision: Decision,
        frame: Frame | None = None,
        face: Face | None = None,
        others: Sequence[Face] = (),
        *,
        first_good_ns: int | None = None,  # noqa: ARG002 - a latency, which this does not measure
    ) -> None:
        """Write the alert as the daemon does, and note whom it names and where."""
        alert = self._alerts.write(decision, frame, face, others)
        if alert is None:
            return
        if face is None:
            self._placeless[decision.track_id] = alert  # the end of its track follows, and says where
        else:
            self._note_event(alert, self._media_time_s, face.box_xyxy)

    def discard(self, discard: Discard) -> None:
        self.counters.discard(discard)

    def track_ended(self, end: TrackEnd) -> None:
        self._record.ends.append(end)
        alert = self._placeless.pop(end.track_id, None)
        if alert is not None and end.last_media_s is not None:
            self._note_event(alert, end.last_media_s, end.last_box_xyxy)

    def _note_event(self, alert: Alert, media_time_s: float, box_xyxy: BoxXYXY) -> None:
        self._record.events.append(
            Event(
                alert_id=alert.alert_id,
                reference_id=alert.reference_id,
                media_time_s=media_time_s,
                box_xyxy=box_xyxy,
                is_sighting=alert.is_sighting,
            )
        )

    def _note_look(self, track: Track, decision: Decision, candidates: Candidates | None) -> None:
        self._record.looks.append(
            Look(self._media_time_s, track.face.box_xyxy, decision.reason, () if candidates is None else candidates)
        )
