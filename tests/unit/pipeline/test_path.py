"""The whole path on real nets: who is listed is told, and whatever happens, nothing stays."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import count
from pathlib import Path as FilePath
from typing import Any, NoReturn

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.biometrics.features import Probe
from edge_lfr.biometrics.outcomes import Candidate, Decision, Discard, DiscardReason, TrackEnd
from edge_lfr.biometrics.samples import Face, Frame
from edge_lfr.config.faces import DetectionConfig, LooksConfig, QualityConfig, TrackingConfig
from edge_lfr.config.identification import DecisionConfig, GalleryConfig
from edge_lfr.daemon.path_loop import WAIT_S
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.faces.alignment import Aligner
from edge_lfr.pipeline.faces.detection import FaceDetector
from edge_lfr.pipeline.faces.looks import LookPlanner
from edge_lfr.pipeline.faces.tracking import Tracker
from edge_lfr.pipeline.identification.decision import Decider
from edge_lfr.pipeline.identification.embedding import Embedder
from edge_lfr.pipeline.identification.matching import Matcher
from edge_lfr.pipeline.path import (
    FLUSH,
    SETTLE_AFTER_NS,
    SETTLE_WITHIN_NS,
    STAGES,
    TIMED_STAGES,
    Path,
    Stages,
    describe,
)
from edge_lfr.pipeline.stage_times import ALL_STAGES, StageTimes
from edge_lfr.watchlist.gallery.gallery import Gallery

pytestmark = pytest.mark.shared

CAMERA = "north"
THRESHOLD = 0.6


@dataclass
class Told:
    """A reporter that remembers what it was told."""

    matches: list[Decision] = field(default_factory=list)
    first_good_ns: list[int | None] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    discards: list[Discard] = field(default_factory=list)
    ends: list[TrackEnd] = field(default_factory=list)

    def match(
        self,
        decision: Decision,
        frame: Frame | None = None,
        face: Face | None = None,
        others: Sequence[Face] = (),
        *,
        first_good_ns: int | None = None,
    ) -> None:
        assert frame is None or (frame.pixels.any() and face is not None), "told while its frame is still there"
        self.matches.append(decision)
        self.first_good_ns.append(first_good_ns)
        self.others.append(len(others))

    def discard(self, discard: Discard) -> None:
        self.discards.append(discard)

    def track_ended(self, end: TrackEnd) -> None:
        self.ends.append(end)


def read(path: FilePath, width: int = 320) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(cv2.resize(picture, (width, width * picture.shape[0] // picture.shape[1])), dtype=np.uint8)


def frame_of(pixels: NDArray[np.uint8], number: int, interval_s: float = 0.25) -> Frame:
    owned = pixels.copy()
    return Frame(
        camera_id=CAMERA,
        sequence=number,
        arrived_ns=round(number * interval_s * 1e9),
        captured_at=datetime(2026, 1, 1, tzinfo=UTC),
        media_time_s=number * interval_s,
        pixels=owned,
        on_destroy=lambda: owned.fill(0),
    )


def template(pack: OpenPack, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The vector of the only face of a picture."""
    face = FaceDetector(pack.detector, pack.entry.detector, DetectionConfig()).detect(picture)[0]
    aligner = Aligner(pack.entry.embedder, 1)
    embedder = Embedder(pack.embedder, pack.entry.embedder, pack.digest, 1)
    with aligner.align(picture, face, 0) as sample:
        return embedder.extract([sample])[0].vector.copy()


@pytest.fixture(scope="module")
def people(shared_data: FilePath) -> list[str]:
    return sorted(file.name for file in (shared_data / "london" / "smiling").glob("*.jpg"))[:4]


@pytest.fixture(scope="module")
def gallery(pack: OpenPack, shared_data: FilePath, people: list[str]) -> Iterator[Gallery]:
    """The first two people, enrolled with their neutral pictures."""
    vectors = np.stack([template(pack, read(shared_data / "london" / "neutral" / name, 480)) for name in people[:2]])
    built = Gallery(
        vectors, ["listed-0", "listed-1"], pack_digest=pack.digest, config=GalleryConfig(), threshold=THRESHOLD
    )
    yield built
    built.destroy()


@pytest.fixture
def stages(pack: OpenPack, gallery: Gallery) -> Stages:
    ids = count(1)
    return Stages(
        detector=FaceDetector(pack.detector, pack.entry.detector, DetectionConfig(), min_score=0.3),
        trackers={CAMERA: Tracker(CAMERA, TrackingConfig(), 0.6, lambda: next(ids))},
        zones={CAMERA: None},
        quality=QualityConfig(),
        planner=LookPlanner(LooksConfig()),
        aligner=Aligner(pack.entry.embedder, 16),
        embedder=Embedder(pack.embedder, pack.entry.embedder, pack.digest, 16),
        matcher=Matcher(gallery, pack_digest=pack.digest),
        decider=Decider(DecisionConfig(), THRESHOLD),
        max_gap_s=3.0,
    )


def walk(path: Path, pixels: NDArray[np.uint8], frames: int = 4) -> list[Frame]:
    shown = [frame_of(pixels, number) for number in range(frames)]
    for frame in shown:
        path.identify([frame])
    path.end_all()
    return shown


def test_a_listed_person_is_told_once(stages: Stages, shared_data: FilePath, people: list[str]) -> None:
    """Two agreeing looks make one match, of the right reference; the passage then ends without a discard."""
    told = Told()
    walk(Path(stages, told), read(shared_data / "london" / "smiling" / people[0]), frames=6)
    assert ["listed-0"] == [match.candidates[0].reference_id for match in told.matches]
    assert [None] == [end.discard for end in told.ends]
    assert 2 == told.matches[0].looks


def test_a_bystander_becomes_a_number(stages: Stages, shared_data: FilePath, people: list[str]) -> None:
    """Somebody who is not listed is looked at, counted, and nothing else."""
    told = Told()
    walk(Path(stages, told), read(shared_data / "london" / "smiling" / people[2]))
    assert [] == told.matches
    assert [DiscardReason.TRACK_NON_MATCH] == [end.discard and end.discard.reason for end in told.ends]
    assert told.ends[0].was_sufficient


def test_the_others_in_the_frame_are_named_to_the_reporter(
    stages: Stages, shared_data: FilePath, people: list[str]
) -> None:
    """No picture that leaves may show a bystander, so the reporter learns where they are."""
    told = Told()
    pair = np.hstack([read(shared_data / "london" / "smiling" / name) for name in (people[0], people[3])])
    walk(Path(stages, told), pair)
    assert [1] == told.others


def test_every_frame_is_zeroed_when_its_pass_ends(stages: Stages, shared_data: FilePath, people: list[str]) -> None:
    """Match or not, the frame's pixels, the samples and the probes are gone when `identify` returns."""
    shown = walk(Path(stages, Told()), read(shared_data / "london" / "smiling" / people[0]))
    assert not any(frame.pixels.any() for frame in shown)
    assert_arenas_are_empty(stages)


def assert_arenas_are_empty(stages: Stages) -> None:
    for owner in (stages.aligner, stages.embedder):
        arena: Any = owner.arena
        assert not arena.block.any()
        assert 16 == arena.free_slots


class Broken:
    """A stage that fails, whichever verb it is asked for."""

    def __getattr__(self, verb: str) -> Any:
        def fail(*_: object, **__: object) -> NoReturn:
            message = f"{verb} failed"
            raise RuntimeError(message)

        return fail


@pytest.mark.parametrize("stage", ["detector", "trackers", "planner", "aligner", "embedder", "matcher", "decider"])
def test_a_failing_stage_leaves_nothing_behind(
    stages: Stages, shared_data: FilePath, people: list[str], stage: str
) -> None:
    """An exception anywhere destroys frame, sample and probe on its way out."""
    broken: Any = {CAMERA: Broken()} if stage == "trackers" else Broken()
    path = Path(replace(stages, **{stage: broken}), Told())
    frame = frame_of(read(shared_data / "london" / "smiling" / people[0]), 0)
    with pytest.raises(RuntimeError, match="failed"):
        path.identify([frame])
    assert not frame.pixels.any()
    assert_arenas_are_empty(stages)


def test_a_failing_reporter_leaves_nothing_behind(stages: Stages, shared_data: FilePath, people: list[str]) -> None:
    """Not even a match that cannot be told keeps its pixels."""
    broken: Any = Broken()
    path = Path(stages, broken)
    shown = [frame_of(read(shared_data / "london" / "smiling" / people[0]), number) for number in range(3)]
    for frame in shown:
        with suppress(RuntimeError):
            path.identify([frame])
    assert not any(frame.pixels.any() for frame in shown)
    assert_arenas_are_empty(stages)


def test_tracks_of_a_silent_camera_end(stages: Stages, shared_data: FilePath, people: list[str]) -> None:
    """A camera that went away has nobody left to follow; what was known of them is forgotten."""
    told = Told()
    path = Path(stages, told)
    path.identify([frame_of(read(shared_data / "london" / "smiling" / people[2]), 0)])
    path.expire(round(0.5e9))
    assert [] == told.ends
    path.expire(round(5e9))
    assert 1 == len(told.ends)


def test_a_match_says_since_when_the_face_was_good_enough(
    stages: Stages, shared_data: FilePath, people: list[str]
) -> None:
    """It is the first frame that could have been compared: not one before, with a face too dark to be."""
    told = Told()
    path = Path(stages, told)
    pixels = read(shared_data / "london" / "smiling" / people[0])
    path.identify([frame_of((pixels // 12).astype(np.uint8), 0)])
    for number in range(1, 6):
        path.identify([frame_of(pixels, number)])
    assert [round(0.25e9)] == told.first_good_ns
    assert DiscardReason.LOOK_LOW_QUALITY in [discard.reason for discard in told.discards]


def test_every_stage_of_a_pass_is_timed(stages: Stages, shared_data: FilePath, people: list[str]) -> None:
    """By its printed name, once a pass in which it had anything to do; together they are no more than the pass."""
    times = StageTimes()
    path = Path(stages, Told(), times)
    pixels = read(shared_data / "london" / "smiling" / people[0])
    path.identify([frame_of(pixels, 0)])
    path.identify([frame_of(np.zeros_like(pixels), 1)])
    found = times.summary()
    assert {*TIMED_STAGES, ALL_STAGES} == set(found)
    assert 2 == found[ALL_STAGES].count
    assert 1 == found["identification.embedding"].count
    assert sum(found[stage].total_ms for stage in TIMED_STAGES) <= found[ALL_STAGES].total_ms


class CountedFlushes:
    """An embedder that says how often it was flushed."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.extract = embedder.extract
        self.flushes = 0

    def flush(self) -> None:
        self.flushes += 1
        self._embedder.flush()


def test_what_the_runtime_keeps_is_overwritten_though_frames_keep_coming(
    stages: Stages, shared_data: FilePath, people: list[str]
) -> None:
    """Once, a moment after the last embedding; a turn without one does not put it off, and nothing is flushed twice."""
    embedder: Any = CountedFlushes(stages.embedder)
    path = Path(replace(stages, embedder=embedder), Told())
    pixels = read(shared_data / "london" / "smiling" / people[2])
    path.settle(0)
    path.identify([frame_of(pixels, 0)])
    flushes = []
    for turn in range(8):
        path.settle(turn * SETTLE_AFTER_NS // 3)
        flushes.append(embedder.flushes)
        path.identify([frame_of(np.zeros_like(pixels), turn + 1, interval_s=0.1)])
    assert [0, 0, 0, 1, 1, 1, 1, 1] == flushes
    path.identify([frame_of(pixels, 20, interval_s=0.1)])
    path.settle(10 * SETTLE_AFTER_NS)
    path.rest()
    assert 2 == embedder.flushes
    path.settle(20 * SETTLE_AFTER_NS)
    assert 2 == embedder.flushes


def test_what_the_runtime_keeps_is_overwritten_though_faces_keep_coming(
    stages: Stages, shared_data: FilePath, people: list[str]
) -> None:
    """On a busy street there is no pause to wait for: the oldest copy is never older than promised, and it is timed."""
    embedder: Any = CountedFlushes(stages.embedder)
    times = StageTimes()
    path = Path(replace(stages, embedder=embedder), Told(), times)
    sides = [read(shared_data / "london" / "smiling" / name) for name in people[2:4]]
    step_ns = SETTLE_AFTER_NS // 2
    flushes = []
    for turn in range(10):
        path.end_all()  # somebody else each time
        assert 1 == path.identify([frame_of(sides[turn % 2], turn, interval_s=step_ns / 1e9)])
        path.settle(turn * step_ns)
        flushes.append(embedder.flushes)
    waits = -(-SETTLE_WITHIN_NS // step_ns)
    assert [*[0] * waits, *[1] * (10 - waits)] == flushes
    assert 1 == times.summary()[FLUSH].count
    assert FLUSH not in {line.stage for line in STAGES}
    path.rest()
    path.rest()
    assert 2 == times.summary()[FLUSH].count


def test_what_the_runtime_keeps_is_overwritten_within_what_is_promised() -> None:
    """The loop looks once a turn: half a second after the last embedding, and a second after the first one."""
    turn_ns = round(WAIT_S * 1e9)
    assert SETTLE_AFTER_NS + turn_ns <= 500_000_000
    assert SETTLE_WITHIN_NS + turn_ns <= 1_000_000_000


class OnceBroken(Told):
    """A reporter that fails at the first track that ends."""

    def track_ended(self, end: TrackEnd) -> None:
        super().track_ended(end)
        if len(self.ends) == 1:
            message = "no room to count"
            raise OSError(message)


def test_a_passage_that_cannot_be_told_costs_no_other(stages: Stages, shared_data: FilePath, people: list[str]) -> None:
    """Who comes into view in that very frame is followed on, and who ends beside it is told."""
    told = OnceBroken()
    path = Path(stages, told)
    pixels = read(shared_data / "london" / "smiling" / people[2])
    both = np.hstack([pixels, read(shared_data / "london" / "smiling" / people[3])])
    path.identify([frame_of(both, 0)])
    with pytest.raises(OSError, match="no room"):
        path.identify([frame_of(pixels, 1, interval_s=10.0)])
    assert [1, 2] == [end.track_id for end in told.ends]
    path.identify([frame_of(np.zeros_like(pixels), 2, interval_s=10.0)])
    assert [1, 2, 3] == [end.track_id for end in told.ends]


def test_the_printed_path_names_real_stages() -> None:
    """`edge-lfr pipeline show` prints modules that exist, in the order in which frames pass them."""
    names = [line.stage for line in STAGES]
    assert all(find_spec(f"edge_lfr.pipeline.{name}") is not None for name in names)
    phases = [name.split(".")[0] for name in names]
    assert sorted(phases) == phases
    assert len(STAGES) == len(describe().splitlines())


class ScriptedMatcher:
    """Finds what a test says, as a function of how many searches there were."""

    def __init__(self, score_at: Callable[[int], float]) -> None:
        self.searches = 0
        self._score_at = score_at

    def search(self, probes: Sequence[Probe]) -> tuple[tuple[Candidate, ...], ...]:
        found = []
        for _ in probes:
            found.append((Candidate(reference_id="listed-0", score=self._score_at(self.searches), rank=1),))
            self.searches += 1
        return tuple(found)


def test_one_lucky_hit_does_not_spend_the_looks(stages: Stages, shared_data: FilePath, people: list[str]) -> None:
    """After a hit that nothing confirms, looks keep their distance, and some are left for the good face at the end."""
    told = Told()
    matcher: Any = ScriptedMatcher(lambda search: 0.7 if search == 0 else 0.2)
    path = Path(replace(stages, matcher=matcher), told)
    pixels = read(shared_data / "london" / "smiling" / people[0])
    for number in range(20):
        path.identify([frame_of(pixels, number, interval_s=0.1)])
    assert matcher.searches <= LooksConfig().max_looks // 2
    matcher._score_at = lambda _: 0.7
    for number in range(20, 40):
        path.identify([frame_of(pixels, number, interval_s=0.1)])
    assert 1 == len(told.matches)
