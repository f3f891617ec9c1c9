"""
Who walks where and when: numbers enter, paths leave; no picture.

The camera hangs above the heads and looks along the street, so people come out of the middle of the picture, move down
and outwards as they come near, and cover one another only where their paths cross.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from edge_lfr.biometrics.geometry import BoxXYXY, SizeWH
from edge_lfr.errors import EdgeLfrError

HORIZON: Final = 0.06
DESCENT: Final = 0.80
"""The middle of a face moves from just under the picture's top to (at full size) its lower border; picture heights."""

SPREAD: Final = 0.36
"""How far from the middle the outermost lane reaches at full size, in widths of the picture."""

LANES: Final = (-0.9, -0.3, 0.3, 0.9)
"""Four lanes; at full size they are 1.6 face widths and more apart."""

FADE_IN_S: Final = 0.4
"""People appear gradually, as if out of the dark; what cannot be seen of them yet counts as hidden."""

POST_LANE_X: Final = 0.30
POST_WIDTH: Final = 0.02
POST_FACE_SHARE: Final = 0.7
"""A lamp post: its place and width in picture widths; people whose face is smaller than this share pass behind it."""

MAX_COVERED: Final = 0.2
"""Of a passage's time with a usable face, the mean share of the face that others may hide."""

CANDIDATE_PATHS: Final = 24

TURN_DURATION_S: Final = (5.0, 5.6)
"""Whoever comes again and again walks briskly, so that many turns fit; shortest and longest."""

TURN_PAUSE_S: Final = 4.0
"""From the end of a turn to the next one's start, at least; see the demo's `PASSAGE_GAP_S`. Chosen, not measured."""


class PlanError(EdgeLfrError):
    """What was asked for does not fit into the clip."""

    code = "walkby.plan"
    exit_status = 64
    remedy = "ask for a longer clip with --seconds, or for fewer passages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is the same for the whole clip."""

    size: SizeWH
    fps: float
    seconds: float
    face_px: tuple[float, float] = (24.0, 140.0)
    """Width of a face when it appears, and when it reaches the lower border."""

    exposure_s: float = 1 / 80
    """Shutter time, which smears what moves; an indoor or evening setting."""

    post: bool = True

    @property
    def frames(self) -> int:
        return round(self.seconds * self.fps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """One person at one moment."""

    centre_xy: tuple[float, float]
    face_px: float
    roll_deg: float
    fade: float
    """0 not there yet, 1 fully there."""

    def box_xyxy(self, face_ratio: float) -> BoxXYXY:
        x, y = self.centre_xy
        half_width, half_height = self.face_px / 2, self.face_px * face_ratio / 2
        return BoxXYXY(x - half_width, y - half_height, x + half_width, y + half_height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """One person's way through the scene."""

    scene: Scene
    starts_s: float
    duration_s: float
    """Until the face has its full size; the person leaves the picture shortly after."""

    lanes: tuple[float, float]
    """Where the walk begins and ends, -1 to 1."""

    steps_hz: float
    phase: float
    defocus_share: float
    """Blur of this person in face widths (sigma)."""

    cloth_bgr: tuple[int, int, int]
    trousers_bgr: tuple[int, int, int]

    @property
    def ends_s(self) -> float:
        """When the middle of the face leaves the picture."""
        first, last = self.scene.face_px
        gone = last * (1.0 - HORIZON) / DESCENT
        return self.starts_s + self.duration_s * (1 / first - 1 / gone) / (1 / first - 1 / last)

    def pose(self, time_s: float) -> Pose | None:
        """Where the person is, or None before and after the passage."""
        if not self.starts_s <= time_s < self.ends_s:
            return None
        since = time_s - self.starts_s
        share = since / self.duration_s
        first, last = self.scene.face_px
        face_px = 1.0 / (1 / first + (1 / last - 1 / first) * share)
        nearness = face_px / last
        eased = min(share, 1.0) ** 2 * (3 - 2 * min(share, 1.0))
        lane = self.lanes[0] + (self.lanes[1] - self.lanes[0]) * eased
        stride = 2 * math.pi * (self.steps_hz * since + self.phase)
        size = self.scene.size
        x = size.width * (0.5 + SPREAD * lane * nearness) + 0.04 * face_px * math.sin(stride / 2)
        y = size.height * (HORIZON + DESCENT * nearness) - 0.04 * face_px * math.cos(stride)
        return Pose(
            centre_xy=(x, y),
            face_px=face_px,
            roll_deg=3.0 * math.sin(stride / 2 + 1.0),
            fade=min(1.0, since / FADE_IN_S),
        )


def plan_turns(scene: Scene, count: int, rng: np.random.Generator) -> tuple[Walk, ...]:
    """
    Lay *count* walks of one person into the scene, each well after the one before.

    Raises:
        PlanError: The scene is too short for so many.
    """
    gap = max(_last_start_s(scene) - 0.3, 0.0) / max(count - 1, 1)
    walks = tuple(_random_walk(scene, 0.3 + number * gap, rng, TURN_DURATION_S) for number in range(count))
    if any(after.starts_s - before.ends_s < TURN_PAUSE_S for before, after in pairwise(walks)):
        raise PlanError(f"{count} passages of one person, one after the other, do not fit into {scene.seconds:g} s")
    return walks


def plan_walks(scene: Scene, count: int, rng: np.random.Generator, among: Sequence[Walk] = ()) -> tuple[Walk, ...]:
    """
    Lay *count* walks into the scene, in order of their start, beside those that are *among* them already.

    Starts are spread evenly with jitter. Of several random paths the first is taken on which nobody (neither
    the newcomer nor those already planned) is hidden by others for much of the passage; where there is none, the least
    bad.
    """
    gap = max(_last_start_s(scene) - 0.3, 0.0) / max(count - 1, 1)
    walks: list[Walk] = []
    for number in range(count):
        best: tuple[float, Walk] | None = None
        for _ in range(CANDIDATE_PATHS):
            jitter = float(rng.uniform(-0.35, 0.35)) * gap if 0 < number < count - 1 else 0.0
            walk = _random_walk(scene, 0.3 + number * gap + jitter, rng)
            near_in_time = [
                other for other in (*among, *walks) if other.ends_s > walk.starts_s and other.starts_s < walk.ends_s
            ]
            covered = _worst_cover(scene, walk, near_in_time)
            if best is None or covered < best[0]:
                best = (covered, walk)
            if covered <= MAX_COVERED:
                break
        if best is not None:
            walks.append(best[1])
    return tuple(sorted(walks, key=lambda walk: walk.starts_s))


def spread(mated: int, non_mated: int, rng: np.random.Generator) -> tuple[bool, ...]:
    """Which of the passages, in order of time, are mated: evenly spread over the clip."""
    count = mated + non_mated
    if mated == 0:
        return (False,) * count
    offset = float(rng.uniform(0.0, count / mated - 1e-6))
    places = {int(offset + number * count / mated) % count for number in range(mated)}
    return tuple(number in places for number in range(count))


def _last_start_s(scene: Scene) -> float:
    return scene.seconds - 8.0 if scene.seconds > 12.0 else scene.seconds * 0.2  # noqa: PLR2004 - the longest walk takes 8 s


def _random_walk(
    scene: Scene, starts_s: float, rng: np.random.Generator, duration_s: tuple[float, float] = (5.0, 6.6)
) -> Walk:
    begin = float(rng.choice(LANES)) + float(rng.uniform(-0.1, 0.1))
    crosses = rng.random() < 0.5  # noqa: PLR2004 - half of them change lanes
    end = float(rng.choice(LANES)) + float(rng.uniform(-0.1, 0.1)) if crosses else begin
    shortest, longest = duration_s if scene.seconds > 12.0 else (0.55 * scene.seconds, 0.7 * scene.seconds)  # noqa: PLR2004 - as above
    shades = [int(value) for value in rng.integers(20, 170, 6)]
    return Walk(
        scene=scene,
        starts_s=max(starts_s, 0.0),
        duration_s=float(rng.uniform(shortest, longest)),
        lanes=(begin, end),
        steps_hz=float(rng.uniform(1.7, 2.1)),
        phase=float(rng.random()),
        defocus_share=float(rng.choice([0.0, 0.0, 0.008, 0.016])),
        cloth_bgr=(shades[0], shades[1], shades[2]),
        trousers_bgr=(shades[3] // 2, shades[4] // 2, shades[5] // 2),
    )


def _worst_cover(scene: Scene, walk: Walk, others: Sequence[Walk]) -> float:
    """The largest mean share of a usable face, of *walk* or one of *others*, that they hide of one another."""
    times = np.arange(walk.starts_s, walk.ends_s, 0.2)
    usable_px = 1.5 * scene.face_px[0]
    shares: dict[int, list[float]] = {}
    for time_s in times:
        mine = walk.pose(float(time_s))
        if mine is None:
            continue
        hidden = 0.0
        for index, other in enumerate(others):
            theirs = other.pose(float(time_s))
            if theirs is None:
                continue
            if mine.face_px < theirs.face_px:
                hidden = max(hidden, _covered_share(mine, theirs))
            elif theirs.face_px >= usable_px:
                shares.setdefault(index, []).append(_covered_share(theirs, mine))
        if mine.face_px >= usable_px:
            shares.setdefault(-1, []).append(hidden)
    return max((sum(values) / len(values) for values in shares.values()), default=0.0)


def _covered_share(far: Pose, near: Pose) -> float:
    """Share of the far face behind the near person's head or shoulders."""
    face = far.box_xyxy(1.3)
    x, y = near.centre_xy
    head = BoxXYXY(x - 0.65 * near.face_px, y - 1.1 * near.face_px, x + 0.65 * near.face_px, y + 0.9 * near.face_px)
    body = BoxXYXY(x - 1.35 * near.face_px, y + 0.9 * near.face_px, x + 1.35 * near.face_px, y + 9.0 * near.face_px)
    return min(1.0, (_shared_area(face, head) + _shared_area(face, body)) / face.area)


def _shared_area(one: BoxXYXY, other: BoxXYXY) -> float:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(width, 0.0) * max(height, 0.0)
