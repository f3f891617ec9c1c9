"""
Faces of one frame enter; tracks leave: one passage of one person is one track. Only numbers are kept between frames.

In the manner of ByteTrack (Zhang et al., "ByteTrack: multi-object tracking by associating every detection box", ECCV
2022): clear detections are associated first, and only then may weak ones (half hidden, smeared) continue the tracks
that are left; a weak detection never starts one. Motion is taken as constant between two frames, and by the clock, not
by the frame count, so that dropped frames and changing frame rates do not matter. Time alone does not lose a face that
no frame has missed: where frames are far apart, the next one may continue its track.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.biometrics.samples import Face, Track
from edge_lfr.config.faces import TrackingConfig

VELOCITY_SMOOTHING: Final = 0.6
"""Weight of the newest velocity; the rest is the one before. Chosen, not measured."""

MAX_SHIFT: Final = 1.0
"""
Centres this many face sizes apart may still be one face, although the boxes hardly overlap.

At a few frames a second a passer-by close to the camera moves half a face and more between frames, and the velocity of
a new track is not known yet. Heads side by side are about 1.6 face widths apart and more, so this does not join
neighbours.
"""

MAX_SIZE_RATIO: Final = 1.5
"""Boxes that do not overlap enough must be of about one size; a face grows by 15 % in 0.1 s at the very most."""

NS_PER_S: Final = 1e9


@dataclass(frozen=True, slots=True)
class Followed:
    """What one frame did to the tracks of its camera."""

    present: tuple[Track, ...]
    """Tracks with a detection in this frame, in order of their id."""

    ended: tuple[int, ...]
    """Tracks that have been lost for too long; their ids never come back."""


@dataclass(slots=True)
class Trajectory:
    """One track between two frames: where it was, and how it moves."""

    track: Track
    velocity: tuple[float, float, float, float] | None = None
    """Of centre x, centre y, width and height in pixels a second; None until two detections have been seen."""

    was_missed: bool = False
    """The newest frame had no detection of it."""

    def predicted(self, now_ns: int) -> BoxXYXY:
        """Where the box would be now."""
        box = self.track.face.box_xyxy
        elapsed_s = max(now_ns - self.track.last_seen_ns, 0) / NS_PER_S
        if self.velocity is None:
            return box
        vx, vy, vw, vh = (value * elapsed_s for value in self.velocity)
        x, y = box.centre_xy
        half_width, half_height = max(box.width + vw, box.width / 2) / 2, max(box.height + vh, box.height / 2) / 2
        return BoxXYXY(x + vx - half_width, y + vy - half_height, x + vx + half_width, y + vy + half_height)

    def continued(self, face: Face, now_ns: int) -> None:
        """Take *face* as the same one, now."""
        elapsed_s = (now_ns - self.track.last_seen_ns) / NS_PER_S
        if elapsed_s > 0.0:
            old, new = self.track.face.box_xyxy, face.box_xyxy
            change = (
                new.centre_xy[0] - old.centre_xy[0],
                new.centre_xy[1] - old.centre_xy[1],
                new.width - old.width,
                new.height - old.height,
            )
            before = self.velocity
            newest = tuple(value / elapsed_s for value in change)
            smoothed = (
                newest
                if before is None
                else tuple(
                    VELOCITY_SMOOTHING * now + (1.0 - VELOCITY_SMOOTHING) * then
                    for now, then in zip(newest, before, strict=True)
                )
            )
            self.velocity = (smoothed[0], smoothed[1], smoothed[2], smoothed[3])
        self.track = Track(
            track_id=self.track.track_id,
            camera_id=self.track.camera_id,
            face=face,
            first_seen_ns=self.track.first_seen_ns,
            last_seen_ns=max(now_ns, self.track.last_seen_ns),
        )


class Tracker:
    """Follows the faces before one camera."""

    def __init__(
        self, camera_id: str, config: TrackingConfig, min_starting_score: float, new_track_id: Callable[[], int]
    ) -> None:
        self._camera_id = camera_id
        self._config = config
        self._min_starting_score = min_starting_score
        self._new_track_id = new_track_id
        self._trajectories: dict[int, Trajectory] = {}

    def follow(self, faces: Sequence[Face], now_ns: int) -> Followed:
        """
        Give every face of a frame to the track it continues, or start one.

        Args:
            faces: All detections of one frame, including those below the starting score; none when the camera has
                been silent for so long that nobody there is followed any more.

            now_ns: CLOCK_MONOTONIC of the frame; never earlier than that of the frame before.
        """
        ended = self._end_lost(now_ns, can_continue=True)
        clear = [face for face in faces if face.detection_score >= self._min_starting_score]
        weak = [
            face
            for face in faces
            if self._config.min_continuing_score <= face.detection_score < self._min_starting_score
        ]
        open_ids = set(self._trajectories)
        predicted = {track_id: self._trajectories[track_id].predicted(now_ns) for track_id in open_ids}
        present: list[int] = []

        first = associate(predicted, [face.box_xyxy for face in clear], self._config.min_iou, may_jump=True)
        for track_id, index in first:
            self._trajectories[track_id].continued(clear[index], now_ns)
            present.append(track_id)
            del predicted[track_id]

        second = associate(predicted, [face.box_xyxy for face in weak], self._config.min_iou, may_jump=False)
        for track_id, index in second:
            self._trajectories[track_id].continued(weak[index], now_ns)
            present.append(track_id)

        taken = {index for _, index in first}
        present += [self._start(face, now_ns) for index, face in enumerate(clear) if index not in taken]
        for track_id, trajectory in self._trajectories.items():
            trajectory.was_missed = track_id not in present
        ended += self._end_lost(now_ns, can_continue=False)
        return Followed(
            present=tuple(self._trajectories[track_id].track for track_id in sorted(present)),
            ended=tuple(sorted(ended)),
        )

    def end_all(self) -> tuple[int, ...]:
        """End every track: the camera went down or was paused, and nobody knows who stands there when it is back."""
        ended = tuple(sorted(self._trajectories))
        self._trajectories.clear()
        return ended

    def _start(self, face: Face, now_ns: int) -> int:
        track_id = self._new_track_id()
        track = Track(
            track_id=track_id, camera_id=self._camera_id, face=face, first_seen_ns=now_ns, last_seen_ns=now_ns
        )
        self._trajectories[track_id] = Trajectory(track)
        return track_id

    def _end_lost(self, now_ns: int, *, can_continue: bool) -> tuple[int, ...]:
        """End the tracks whose time is over: later for those no frame has missed, if this one *can continue* them."""
        lost_ns, gap_ns = self._config.max_lost_s * NS_PER_S, self._config.max_gap_s * NS_PER_S
        ended = tuple(
            track_id
            for track_id, trajectory in self._trajectories.items()
            if now_ns - trajectory.track.last_seen_ns
            > (gap_ns if can_continue and not trajectory.was_missed else lost_ns)
        )
        for track_id in ended:
            del self._trajectories[track_id]
        return ended


def associate(
    predicted: dict[int, BoxXYXY], boxes: Sequence[BoxXYXY], min_iou: float, *, may_jump: bool
) -> tuple[tuple[int, int], ...]:
    """
    Pair tracks with boxes greedily, the best pair first.

    Pairs that overlap by *min_iou* come first, in descending order of overlap. With *may_jump*, boxes left over may
    then go to tracks left over whose predicted centre is near and whose size is about the same, nearest first. Equal
    pairs go to the older track. Greedy needs no solver, and where faces are apart it finds the same pairs as an optimal
    assignment.

    Returns:
        Pairs of track id and index into *boxes*; each at most once.
    """
    ranked = sorted(
        (-affinity, track_id, index)
        for track_id, place in predicted.items()
        for index, box in enumerate(boxes)
        if (affinity := _affinity(place, box, min_iou, may_jump=may_jump)) is not None
    )
    pairs: list[tuple[int, int]] = []
    used_tracks: set[int] = set()
    used_boxes: set[int] = set()
    for _, track_id, index in ranked:
        if track_id not in used_tracks and index not in used_boxes:
            used_tracks.add(track_id)
            used_boxes.add(index)
            pairs.append((track_id, index))
    return tuple(pairs)


def _affinity(one: BoxXYXY, other: BoxXYXY, min_iou: float, *, may_jump: bool) -> float | None:
    """Overlap (0 to 1), or minus the distance of the centres in face sizes; None: not one face."""
    if one.x0 < other.x1 and other.x0 < one.x1:  # most pairs lie side by side
        overlap = one.iou(other)
        if overlap > 0.0 and overlap >= min_iou:
            return overlap
    if not may_jump:
        return None
    size_one, size_other = max(one.width, 0.0) + max(one.height, 0.0), max(other.width, 0.0) + max(other.height, 0.0)
    smaller, larger = (size_one, size_other) if size_one <= size_other else (size_other, size_one)
    if smaller <= 0.0 or larger > MAX_SIZE_RATIO * smaller:
        return None
    dx, dy = (one.x0 + one.x1 - other.x0 - other.x1) / 2, (one.y0 + one.y1 - other.y0 - other.y1) / 2
    shift = float((dx * dx + dy * dy) ** 0.5) / ((size_one + size_other) / 4.0)
    return -shift if shift <= MAX_SHIFT else None
