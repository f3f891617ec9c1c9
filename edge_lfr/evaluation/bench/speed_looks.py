"""
The economy of looks: a clip enters; how many faces the path embeds, beside embedding all of them, and who is alerted.

Both ways see the same detections of the same frames and decide alike; only what is embedded differs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.outcomes import DiscardReason, Outcome
from edge_lfr.biometrics.samples import Face, Frame
from edge_lfr.evaluation.bench.playing import CAMERA, played
from edge_lfr.evaluation.bench.report import Row, Witness
from edge_lfr.evaluation.bench.speed_clip import MIN_FACE_PX, Street, shown_at_s
from edge_lfr.evaluation.bench.speed_stages import Bench, CountingReporter
from edge_lfr.pipeline.path import Path

PEOPLE: Final = 5
"""In view, where the cost of a frame is measured."""

MAX_SHARE: Final = 0.2
"""Of that, what the path may embed."""


class EveryFace:
    """Embeds every detected face of some size in every frame, and decides as the path does."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        stages = bench.stages([CAMERA])
        self._tracker = stages.trackers[CAMERA]
        self._matcher, self._decider = stages.matcher, stages.decider
        self.embeddings = 0
        self.alerted: set[str] = set()

    def see(self, pixels_bgr: NDArray[np.uint8], faces: Sequence[Face], now_ns: int) -> None:
        """Take one frame; its pixels are there until this returns."""
        config, bench = self._bench.config, self._bench
        tracks = [
            track
            for track in self._tracker.follow(faces, now_ns).present
            if track.face.detection_score >= config.detection.min_detection_score
            and track.face.box_xyxy.width >= MIN_FACE_PX
        ]
        self.embeddings += len(tracks)
        for start in range(0, len(tracks), config.looks.max_batch):
            batch = tracks[start : start + config.looks.max_batch]
            samples = [bench.nets.aligner.align(pixels_bgr, track.face, track.track_id) for track in batch]
            probes = bench.nets.embedder.extract(samples)
            for track, found in zip(batch, self._matcher.search(probes), strict=True):
                decision = self._decider.decide(track, found)
                if decision.outcome is Outcome.MATCH:
                    self.alerted.add(decision.candidates[0].reference_id)
            for sample, probe in zip(samples, probes, strict=True):
                sample.destroy()
                probe.destroy()


@dataclass(slots=True)
class HeldFrames:
    """Copies of some frames of the clip that show many people; a bounded number, in their order."""

    limit: int
    pictures: list[NDArray[np.uint8]] = field(default_factory=list)
    people: list[int] = field(default_factory=list)

    def offer(self, pixels_bgr: NDArray[np.uint8], people: int) -> None:
        """Keep the picture, where there is room or in place of the one with the fewest people."""
        if len(self.pictures) >= self.limit:
            fewest = min(range(len(self.people)), key=self.people.__getitem__)
            if self.people[fewest] >= min(people, PEOPLE):
                return
            del self.pictures[fewest], self.people[fewest]
        self.pictures.append(pixels_bgr.copy())
        self.people.append(people)

    def destroy(self) -> None:
        """Zero the copies."""
        for picture in self.pictures:
            picture.fill(0)
        self.pictures.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Economy:
    """What both ways came to on one clip."""

    frames: int
    passages: int
    """People who walked by, by the truth; without one, tracks whose face was good enough."""

    embeddings: int
    every_face: int
    alerted: frozenset[str]
    alerted_by_every_face: frozenset[str]
    has_truth: bool
    mated: int
    """Passages of people who are listed; 0 without a truth."""

    discards: Mapping[DiscardReason, int]

    def rows(self) -> Iterator[Row]:
        passages = max(self.passages, 1)
        yield Row.shown("looks: frames", self.frames, "frames")
        yield Row.shown("looks: passages", self.passages, "passages")
        yield Row.shown("looks: embeddings a passage", round(self.embeddings / passages, 2), "embeddings")
        every = round(self.every_face / passages, 2)
        yield Row.shown(f"looks: embeddings a passage, every face of {MIN_FACE_PX} px", every, "embeddings")
        is_compared = self.embeddings > 0 and self.every_face > 0
        share = round(self.embeddings / self.every_face, 4) if is_compared else None
        yield Row.at_most("looks: embeddings / every face", share, MAX_SHARE)
        if self.has_truth:
            both = self.alerted & self.alerted_by_every_face
            one_alone = self.alerted ^ self.alerted_by_every_face
            yield Row.shown("looks: people alerted by both ways", len(both), "people")
            # two ways that alert for nobody agree about nothing
            disagreed = len(one_alone) if is_compared and (both or one_alone or not self.mated) else None
            yield Row.exactly("looks: people alerted by one way alone", disagreed, 0, "people")
        yield from drop_rows("drops", self.discards)


def measure_economy(bench: Bench, street: Street, held: HeldFrames, witness: Witness) -> Economy:
    """Play the clip once, go both ways, and put copies of frames with many people into *held*."""
    reporter = CountingReporter()
    path = Path(bench.stages([CAMERA]), reporter)
    every_face = EveryFace(bench)
    now_ns = 0

    def see(pixels_bgr: NDArray[np.uint8], faces: tuple[Face, ...]) -> None:
        held.offer(
            pixels_bgr, sum(face.detection_score >= bench.config.detection.min_detection_score for face in faces)
        )
        every_face.see(pixels_bgr, faces, now_ns)

    frames = embeddings = 0
    passages = [] if street.truth is None else street.truth.passages
    expected = max((box.frame for passage in passages for box in passage.boxes), default=0) + 1
    bench.detector.listener = see
    try:
        for frame in played(street.clip):
            now_ns = _stamp(frame, frames)
            embeddings += path.identify([frame])
            frames += 1
            witness.count(min(frames, expected), expected)
    finally:
        bench.detector.listener = None
    path.end_all()
    return Economy(
        frames=frames,
        passages=len(passages) if passages else reporter.faces_seen,
        embeddings=embeddings,
        every_face=every_face.embeddings,
        alerted=frozenset(reporter.alerted),
        alerted_by_every_face=frozenset(every_face.alerted),
        has_truth=street.truth is not None,
        mated=sum(passage.is_mated for passage in passages),
        discards=dict(reporter.discards),
    )


def drop_rows(name: str, discards: Mapping[DiscardReason, int]) -> Iterator[Row]:
    """Tell under *name* what ended without an alert, by cause."""
    for reason in DiscardReason:
        yield Row.shown(f"{name}: {reason}", discards.get(reason, 0), _unit_of(reason))


def _unit_of(reason: DiscardReason) -> str:
    """What ended: a reason begins with it."""
    return f"{reason.value.partition('-')[0]}s"


def _stamp(frame: Frame, number: int) -> int:
    """Let the frame arrive when the clip says, whatever this machine takes for it."""
    frame.arrived_ns = 1_000_000_000 + round(shown_at_s(frame, number) * 1e9)
    return frame.arrived_ns
