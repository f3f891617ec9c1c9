"""
The whole path: frames enter, alerts and discards leave, and everything biometric in between ends with `identify`.

One thread owns it. A pass takes the newest frame of every camera that has one; detection runs per frame, tracking per
camera, and then one embedding batch and one search serve all faces that are due, of all cameras.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Final, Protocol

from edge_lfr.biometrics.features import Probe
from edge_lfr.biometrics.geometry import BoxXYXY, PolygonXY
from edge_lfr.biometrics.outcomes import Candidate, Decision, DecisionReason, Discard, DiscardReason, Outcome, TrackEnd
from edge_lfr.biometrics.samples import AlignedFace, Face, Frame, Quality, Track
from edge_lfr.config.faces import QualityConfig
from edge_lfr.pipeline.faces.alignment import Aligner
from edge_lfr.pipeline.faces.detection import FaceDetector
from edge_lfr.pipeline.faces.looks import LookPlanner
from edge_lfr.pipeline.faces.quality import assess_geometry, assess_sample
from edge_lfr.pipeline.faces.tracking import Tracker
from edge_lfr.pipeline.identification.decision import Decider
from edge_lfr.pipeline.identification.embedding import Embedder
from edge_lfr.pipeline.identification.matching import Matcher
from edge_lfr.pipeline.stage_times import PassClock, StageTimes


@dataclass(frozen=True, slots=True)
class StageLine:
    """One line of the path as it is printed."""

    stage: str
    turns: str
    into: str
    ends: str


STAGES: Final = (
    StageLine("capture", "camera", "Frame", "a frame that a newer one supersedes is zeroed"),
    StageLine("faces.detection", "Frame", "Face", "nothing; a face holds no pixels"),
    StageLine("faces.tracking", "Face", "Track", "a track that is not seen any more, with its scores"),
    StageLine("faces.quality", "Track", "Quality", "faces not worth a comparison become a counter"),
    StageLine("faces.looks", "Quality", "Track due", "nothing; the postponed are counted"),
    StageLine("faces.alignment", "Frame, Track", "AlignedFace", "blurred and dark samples are zeroed"),
    StageLine("identification.embedding", "AlignedFace", "Probe", "nothing yet: the search follows at once"),
    StageLine("identification.matching", "Probe", "Candidate", "probe and sample are zeroed"),
    StageLine("identification.decision", "Candidate", "Decision", "a match starts the track's evidence anew"),
    StageLine("reporting", "Decision", "Alert | Discard", "every frame of the pass is zeroed"),
)
"""The order of `Path.identify`, for people; a test holds it to the code."""


TIMED_STAGES: Final = tuple(line.stage for line in STAGES[1:])
"""What a pass is timed by; capture is another process."""

DETECTION, TRACKING, QUALITY, LOOKS, ALIGNMENT, EMBEDDING, MATCHING, DECISION, REPORTING = TIMED_STAGES

SETTLE_AFTER_NS: Final = 250_000_000
"""So long after the last embedding the runtime's copies are overwritten. With the longest wait of a turn of the loop,
0.25 s, that is within 0.5 s; the pass of that turn and the neutral run itself come on top, some hundredths."""


SETTLE_WITHIN_NS: Final = 700_000_000
"""So long after the first embedding since they are overwritten although faces keep coming: on a busy street there is
never such a pause. With the longest wait of a turn of the loop, 0.25 s, that is within the second that is promised."""

FLUSH: Final = "flush"
"""Stands among the stages for overwriting the runtime's copies; it lies between two passes."""

UNCONFIRMED: Final = frozenset(
    {DecisionReason.TOO_FEW_HITS, DecisionReason.SUBJECTS_DISAGREE, DecisionReason.MARGIN_ASKS_LOOK}
)
"""This look was a hit that others have to confirm; an earlier hit alone does not hurry the next look."""


def describe() -> str:
    """The path as a table: what each stage takes, gives, and ends."""
    width = max(len(line.stage) for line in STAGES)
    turns = max(len(f"{line.turns} -> {line.into}") for line in STAGES)
    return "\n".join(
        f"{line.stage:<{width}}  {f'{line.turns} -> {line.into}':<{turns}}  ends here: {line.ends}" for line in STAGES
    )


class Reporter(Protocol):
    """Where the path ends: a match becomes an alert, everything else a number."""

    def match(
        self,
        decision: Decision,
        frame: Frame | None = None,
        face: Face | None = None,
        others: Sequence[Face] = (),
        *,
        first_good_ns: int | None = None,
    ) -> None:
        """
        Tell a human; without frame and face when the track ended before its last look could be taken.

        Args:
            decision: The match.

            frame: The one whose look completed it.

            face: Where in it.

            others: All other faces in the frame: no picture that leaves may show them.

            first_good_ns: When the first frame arrived (CLOCK_MONOTONIC) in which this track's face was good enough to
                be compared.
        """
        ...

    def discard(self, discard: Discard) -> None:
        """Count what ended."""
        ...

    def track_ended(self, end: TrackEnd) -> None:
        """Count what one passage came to; a track that reached quality is a *face seen*."""
        ...


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of one appliance, each with its own section of the configuration."""

    detector: FaceDetector
    trackers: Mapping[str, Tracker]
    zones: Mapping[str, PolygonXY | None]
    quality: QualityConfig
    planner: LookPlanner
    aligner: Aligner
    embedder: Embedder
    matcher: Matcher
    decider: Decider
    max_gap_s: float
    """A camera silent for longer than this has nobody left to follow."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One face that is compared in this pass."""

    frame: Frame
    faces: tuple[Face, ...]
    """All that were detected in the frame."""

    track: Track
    geometry: Quality


@dataclass(slots=True)
class _Seen:
    """Where a track was first and last, and since when its face is good enough; forgotten when it ends."""

    first_media_s: float | None
    last_media_s: float | None
    last_box_xyxy: BoxXYXY
    first_good_ns: int | None = None

    def good_at(self, arrived_ns: int) -> None:
        """Its face was worth a comparison in the frame that arrived then."""
        if self.first_good_ns is None:
            self.first_good_ns = arrived_ns


class Path:
    """The stages in their order, with what they have to remember between passes: tracks, looks and scores by number."""

    def __init__(self, stages: Stages, reporter: Reporter, times: StageTimes | None = None) -> None:
        """
        Put the stages in their order.

        Args:
            stages: Used by this path alone, in one thread.

            reporter: Told of matches while their frame is still there.

            times: Where the time of each stage of `STAGES` but capture, and of the whole *pass*, is noted, pass by
                pass, and that of each *flush* between two; None where nobody asks.
        """
        self._stages = stages
        self._reporter = reporter
        self._times = StageTimes() if times is None else times
        self._clock = PassClock(self._times, TIMED_STAGES)
        self._last_frame_ns: dict[str, int] = {}
        self._seen: dict[int, _Seen] = {}
        self._has_embedded = False
        self._settles_at_ns: int | None = None
        self._settles_by_ns: int | None = None

    def identify(self, frames: Sequence[Frame]) -> int:
        """
        Take one frame of each of several cameras from picture to verdict, and destroy them.

        Args:
            frames: At most one of each camera; owned by this call from here on.

        Returns:
            How many faces were compared.
        """
        with self._clock, ExitStack() as owned:  # every frame, sample and probe of the pass ends with this block
            for frame in frames:
                owned.enter_context(frame)
            present = [look for frame in frames for look in self._follow(frame)]
            due = self._choose(present)
            samples = self._align(due, owned)
            probes = self._extract([sample for _, sample in samples], owned)
            candidates = self._search(probes)
            for _, sample in samples:  # nobody needs them any more
                sample.destroy()
            for (look, _), found in zip(samples, candidates, strict=True):
                self._conclude(look, found)
            with self._clock[REPORTING]:
                for frame in frames:
                    frame.destroy()
        return len(samples)

    def expire(self, now_ns: int) -> None:
        """End the tracks of cameras that have sent nothing for so long that nobody there can still be followed."""
        silent_before_ns = now_ns - round(self._stages.max_gap_s * 1e9)
        for camera_id, tracker in self._stages.trackers.items():
            if self._last_frame_ns.get(camera_id, now_ns) < silent_before_ns:
                self._end(camera_id, tracker.follow((), now_ns).ended)
                del self._last_frame_ns[camera_id]
                self._stages.detector.destroy_buffers()  # nothing else overwrites what is left of its last frame

    def settle(self, now_ns: int) -> None:
        """
        Overwrite what the runtime keeps of the last embedded faces, once no face has been embedded for a moment.

        Where faces never cease, at latest when the oldest copy is 0.7 s old (`SETTLE_WITHIN_NS`). To be called after
        every turn of the loop, whether it had frames or not: on a street where frames never cease, `rest` never comes.

        Args:
            now_ns: CLOCK_MONOTONIC.
        """
        if self._has_embedded:
            self._has_embedded = False
            self._settles_at_ns = now_ns + SETTLE_AFTER_NS
            if self._settles_by_ns is None:
                self._settles_by_ns = now_ns + SETTLE_WITHIN_NS
        if self._settles_at_ns is None or self._settles_by_ns is None:
            return
        if now_ns >= min(self._settles_at_ns, self._settles_by_ns):
            self._flush()

    def rest(self) -> None:
        """No camera has a frame: overwrite what the stages and the runtime keep of the last ones."""
        self._stages.detector.destroy_buffers()
        self._flush()

    def _flush(self) -> None:
        is_owed = self._has_embedded or self._settles_at_ns is not None
        with self._times.measured(FLUSH) if is_owed else nullcontext():
            self._stages.embedder.flush()  # also where nothing is owed: a path before may have failed to
        self._has_embedded = False
        self._settles_at_ns = self._settles_by_ns = None

    def end_all(self) -> None:
        """End every track: the cameras are paused, gone, or the watchlist changes."""
        for camera_id, tracker in self._stages.trackers.items():
            self._end(camera_id, tracker.end_all())

    def _follow(self, frame: Frame) -> list[_Look]:
        """Detection, tracking and the geometric part of quality for one frame."""
        clock = self._clock
        with clock[DETECTION]:
            faces = self._stages.detector.detect(frame.pixels)
        with clock[TRACKING]:
            followed = self._stages.trackers[frame.camera_id].follow(faces, frame.arrived_ns)
        self._last_frame_ns[frame.camera_id] = frame.arrived_ns
        for track in followed.present:
            seen = self._seen.setdefault(
                track.track_id, _Seen(frame.media_time_s, frame.media_time_s, track.face.box_xyxy)
            )
            seen.last_media_s, seen.last_box_xyxy = frame.media_time_s, track.face.box_xyxy
        self._end(frame.camera_id, followed.ended)  # after the above: it tells others, and may fail
        zone = self._stages.zones[frame.camera_id]
        with clock[QUALITY]:
            return [
                _Look(frame, faces, track, assess_geometry(track.face, frame.size, self._stages.quality, zone))
                for track in followed.present
            ]

    def _choose(self, present: Sequence[_Look]) -> list[_Look]:
        """The looks that this pass takes; those it cannot take are counted as postponed."""
        with self._clock[LOOKS]:
            now_ns = max((look.frame.arrived_ns for look in present), default=0)
            plan = self._stages.planner.choose([(look.track, look.geometry) for look in present], now_ns)
            by_track = {look.track.track_id: look for look in present}
            for track in plan.postponed:
                self._seen[track.track_id].good_at(by_track[track.track_id].frame.arrived_ns)
                self._reporter.discard(_discard(DiscardReason.LOOK_POSTPONED, track))
            return [by_track[track.track_id] for track in plan.due]

    def _align(self, due: Iterable[_Look], owned: ExitStack) -> list[tuple[_Look, AlignedFace]]:
        """The canonical samples of the faces that are due and good enough, each owned by the pass."""
        samples: list[tuple[_Look, AlignedFace]] = []
        for look in due:
            track_id, arrived_ns = look.track.track_id, look.frame.arrived_ns
            with self._clock[ALIGNMENT]:
                sample = owned.enter_context(self._stages.aligner.align(look.frame.pixels, look.track.face, track_id))
            with self._clock[QUALITY]:
                quality = assess_sample(look.geometry, sample.pixels, self._stages.quality)
            self._stages.planner.taken(track_id, quality, arrived_ns)
            if quality.is_sufficient:
                self._seen[track_id].good_at(arrived_ns)
                samples.append((look, sample))
            else:
                sample.destroy()
                self._reporter.discard(_discard(DiscardReason.LOOK_LOW_QUALITY, look.track))
        return samples

    def _extract(self, samples: Sequence[AlignedFace], owned: ExitStack) -> tuple[Probe, ...]:
        """One batch of vectors over faces and cameras, each owned by the pass."""
        if not samples:
            return ()
        self._has_embedded = True  # also where it fails half-way
        with self._clock[EMBEDDING]:
            probes = self._stages.embedder.extract(samples)
        for probe in probes:
            owned.enter_context(probe)
        return probes

    def _search(self, probes: Sequence[Probe]) -> tuple[tuple[Candidate, ...] | None, ...]:
        """One search for all probes, which end with it."""
        if not probes:
            return ()
        with self._clock[MATCHING]:
            candidates = self._stages.matcher.search(probes)
            for probe in probes:
                probe.destroy()
        return candidates

    def _conclude(self, look: _Look, candidates: tuple[Candidate, ...] | None) -> None:
        """One decision: a match is reported while its frame is still there, everything else waits for the next look."""
        track = look.track
        with self._clock[DECISION]:
            decision = self._stages.decider.decide(track, candidates)
        if decision.outcome is Outcome.MATCH:
            self._stages.planner.settled(track.track_id)
            others = [face for face in look.faces if face is not track.face]
            first_good_ns = self._seen[track.track_id].first_good_ns
            with self._clock[REPORTING]:
                self._reporter.match(decision, look.frame, track.face, others, first_good_ns=first_good_ns)
        elif decision.reason in UNCONFIRMED:
            self._stages.planner.hit(track.track_id, look.frame.arrived_ns)

    def _end(self, camera_id: str, track_ids: Iterable[int]) -> None:
        """Forget tracks that ended, and count what became of them; one that cannot be told keeps none of the others."""
        with ExitStack() as ends:
            for track_id in reversed(tuple(track_ids)):
                ends.callback(self._end_one, camera_id, track_id)

    def _end_one(self, camera_id: str, track_id: int) -> None:
        seen = self._seen.pop(track_id, None)
        history = self._stages.planner.end(track_id)
        verdict = self._stages.decider.end(track_id, camera_id)
        if isinstance(verdict, Decision):  # its last look could not be taken any more; the match is not lost
            self._reporter.match(verdict, first_good_ns=None if seen is None else seen.first_good_ns)
            verdict = None
        elif verdict is not None and not history.was_sufficient:
            verdict = Discard(reason=DiscardReason.TRACK_LOW_QUALITY, camera_id=camera_id, track_id=track_id)
        if seen is None:  # it was in no frame that a pass went through: there is no passage to tell of
            return
        self._reporter.track_ended(
            TrackEnd(
                track_id=track_id,
                camera_id=camera_id,
                first_media_s=seen.first_media_s,
                last_media_s=seen.last_media_s,
                last_box_xyxy=seen.last_box_xyxy,
                looks=history.looks,
                was_sufficient=history.was_sufficient,
                quality_reasons=() if history.best_quality is None else history.best_quality.reasons,
                discard=verdict,
            )
        )


def _discard(reason: DiscardReason, track: Track) -> Discard:
    return Discard(reason=reason, camera_id=track.camera_id, track_id=track.track_id)
