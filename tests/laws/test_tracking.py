"""Laws of the tracker, over made-up crowds; scipy's optimal assignment is the oracle for the greedy one."""

from importlib import import_module
from itertools import count

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.biometrics.samples import Face
from edge_lfr.config.faces import TrackingConfig
from edge_lfr.pipeline.faces.tracking import Tracker, associate

linear_sum_assignment = import_module("scipy.optimize").linear_sum_assignment  # it publishes no types

MIN_IOU = 0.2

boxes = st.builds(
    lambda x, y, width: BoxXYXY(x, y, x + width, y + 1.3 * width),
    st.floats(0, 600),
    st.floats(0, 400),
    st.floats(10, 120),
)
faces = st.builds(
    lambda box, score: Face(box_xyxy=box, landmarks_xy=np.zeros((5, 2), dtype=np.float32), detection_score=score),
    boxes,
    st.floats(0.2, 1.0),
)
scenes = st.lists(st.tuples(st.floats(0.0, 1.5), st.lists(faces, max_size=8)), max_size=8)


@given(st.lists(boxes, max_size=8), st.lists(boxes, max_size=8), st.booleans())
def test_pairs_are_disjoint_and_nothing_that_fits_is_left(
    tracks: list[BoxXYXY],
    found: list[BoxXYXY],
    jump: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    """No track and no box is used twice, and no two that overlap enough are both left over."""
    pairs = associate(dict(enumerate(tracks)), found, MIN_IOU, may_jump=jump)
    used_tracks, used_boxes = {track for track, _ in pairs}, {box for _, box in pairs}
    assert len(pairs) == len(used_tracks) == len(used_boxes)
    left = [
        (track, box)
        for track in set(range(len(tracks))) - used_tracks
        for box in set(range(len(found))) - used_boxes
        if tracks[track].iou(found[box]) >= MIN_IOU
    ]
    assert [] == left


@given(scenes)
@settings(deadline=None)
def test_ids_are_never_reused_and_only_clear_faces_start(scene: list[tuple[float, list[Face]]]) -> None:
    """Every id is present until it ends once; a detection is used once; new ids have a clear face."""
    ids = count(1)
    tracker = Tracker("gate", TrackingConfig(), 0.6, lambda: next(ids))
    known: set[int] = set()
    gone: set[int] = set()
    now_ns = 0
    for step_s, found in scene:
        now_ns += round(step_s * 1e9)
        followed = tracker.follow(found, now_ns)
        present = [track.track_id for track in followed.present]
        assert sorted(set(present)) == present
        assert not gone & set(present)
        assert set(followed.ended) <= known - gone
        assert len({id(track.face) for track in followed.present}) == len(present)
        assert all(t.face.detection_score >= 0.6 for t in followed.present if t.track_id not in known)
        assert all(t.last_seen_ns == now_ns and any(t.face is face for face in found) for t in followed.present)
        clear = sum(face.detection_score >= 0.6 for face in found)
        assert len(present) >= clear
        known |= set(present)
        gone |= set(followed.ended)
    assert set(tracker.end_all()) == known - gone


def crowd(rng: np.random.Generator, people: int) -> tuple[dict[int, BoxXYXY], list[BoxXYXY]]:
    """Faces on crossing paths, and where they are a frame later, with the jitter of a detector."""
    tracks, found = {}, []
    for number in range(people):
        width = float(rng.uniform(24, 140))
        x, y = float(rng.uniform(0, 1280)), float(rng.uniform(0, 720))
        tracks[number] = BoxXYXY(x, y, x + width, y + 1.3 * width)
        dx, dy = rng.normal(0.0, 0.12 * width, 2)
        grown = width * float(rng.uniform(0.95, 1.08))
        found.append(BoxXYXY(x + dx, y + dy, x + dx + grown, y + dy + 1.3 * grown))
    return tracks, found


def test_greedy_pairs_as_an_optimal_assignment_where_people_cross() -> None:
    """Among 2,000 crowds of 12 people, fewer than 1 in 100 tracks are paired otherwise than optimally."""
    rng = np.random.default_rng(7)
    differing = total = 0
    for _ in range(2000):
        tracks, found = crowd(rng, 12)
        overlap = np.asarray([[tracks[track].iou(box) for box in found] for track in tracks])
        gated = np.where(overlap >= MIN_IOU, overlap, 0.0)
        rows, columns = linear_sum_assignment(-gated)
        optimal = {(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if gated[r, c] > 0.0}
        greedy = set(associate(tracks, found, MIN_IOU, may_jump=False))
        total += len(optimal)
        differing += len(optimal - greedy)
    assert differing / total < 0.01
