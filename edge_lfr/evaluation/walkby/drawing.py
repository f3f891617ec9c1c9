"""
A plan and heads enter; frames and the truth about them leave, one by one.

Order of a frame: background, people and the lamp post from far to near, light, sensor noise. The caller compresses.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.evaluation.truth import TruthBox
from edge_lfr.evaluation.walkby import plan
from edge_lfr.evaluation.walkby.heads import ABOVE, BELOW, LEFT, RIGHT, Head
from edge_lfr.evaluation.walkby.plan import Pose, Scene, Walk

MIN_INSIDE_SHARE: Final = 0.25
"""Less of a face inside the picture than this is no longer in the truth."""

NOISE_SIGMA: Final = 2.5
"""Sensor noise in levels of 255, per frame; a typical indoor picture of a surveillance camera; chosen, not measured."""

NOBODY: Final = 0
POST: Final = 255
SHIFT: Final = 4
"""Fixed-point bits for polygons drawn at fractions of a pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """What is drawn on: the picture, and who is seen where."""

    canvas: NDArray[np.uint8]
    """uint8 (height, width, 3), BGR."""

    owner: NDArray[np.uint8]
    """uint8 (height, width): place of the nearest person, from 1; `NOBODY` or `POST`."""

    def part(self, rows: slice, columns: slice) -> "Layers":
        """A view of a part of both."""
        return Layers(canvas=self.canvas[rows, columns], owner=self.owner[rows, columns])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sight:
    """One person in one frame."""

    walk: Walk
    head: Head
    pose: Pose
    smear_xy: tuple[float, float]
    """How far the person moves during the exposure, in pixels."""

    place: int
    """In order from far to near, from 1: the person's mark in the owner layer."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One finished frame."""

    pixels: NDArray[np.uint8]
    """uint8 (height, width, 3), BGR; valid until the next frame is asked for."""

    boxes: tuple[tuple[int, TruthBox], ...]
    """Index of the walk, and where its face is."""


def draw_clip(
    scene: Scene,
    walks: Sequence[Walk],
    heads: Sequence[Head],
    background: Iterator[NDArray[np.uint8]],
    rng: np.random.Generator,
) -> Iterator[Drawn]:
    """Draw every frame of the scene over *background*, which must not end before it; pictures of any size."""
    size = scene.size
    light_map = _light_map(size, rng)
    drift_hz = float(rng.uniform(0.03, 0.06))
    noise = rng.normal(0.0, NOISE_SIGMA, (size.height + 64, size.width + 64, 3)).astype(np.int8)
    owner = np.zeros((size.height, size.width), dtype=np.uint8)
    for frame in range(scene.frames):
        source = next(background)
        canvas = np.asarray(
            cv2.resize(source, (size.width, size.height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8
        ).copy()
        owner[...] = NOBODY
        boxes = _draw_people(scene, walks, heads, frame, Layers(canvas=canvas, owner=owner))
        gain = 1.0 + 0.22 * float(np.sin(2 * np.pi * drift_hz * frame / scene.fps)) + float(rng.normal(0.0, 0.006))
        lit = cv2.multiply(canvas, light_map, scale=gain, dtype=cv2.CV_8U)
        top, left = (int(value) for value in rng.integers(0, 64, 2))
        grain = noise[top : top + size.height, left : left + size.width]
        yield Drawn(pixels=np.asarray(cv2.add(lit, grain, dtype=cv2.CV_8U), dtype=np.uint8), boxes=boxes)


def plain_street(size: SizeWH, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A wall, a pavement and some joints: a background where no video is at hand."""
    picture = np.empty((size.height, size.width, 3), dtype=np.float32)
    horizon = int(size.height * 0.35)
    picture[:horizon] = np.linspace(205, 170, horizon, dtype=np.float32)[:, None, None]
    picture[horizon:] = np.linspace(95, 135, size.height - horizon, dtype=np.float32)[:, None, None]
    for number in range(-12, 13):
        foot = (int(size.width * (0.5 + number * 0.16)), size.height)
        cv2.line(picture, (int(size.width * (0.5 + number * 0.03)), horizon), foot, (88, 90, 92), 1, cv2.LINE_AA)
    picture += cv2.GaussianBlur(rng.normal(0.0, 40.0, picture.shape).astype(np.float32), (0, 0), 3.0)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _light_map(size: SizeWH, rng: np.random.Generator) -> NDArray[np.float32]:
    """float32 (height, width, 3): shade on one side of the street and warmer light on the other."""
    across = 1.0 / (1.0 + np.exp(-(np.linspace(-1.0, 1.0, size.width) + rng.uniform(-0.3, 0.3)) * 6.0))
    shade = 0.68 + 0.34 * across
    tint = np.stack([shade * (1.04 - 0.06 * across), shade, shade * (0.97 + 0.05 * across)], axis=1)
    return np.ascontiguousarray(np.broadcast_to(tint[None], (size.height, size.width, 3)), dtype=np.float32)


def _draw_people(
    scene: Scene, walks: Sequence[Walk], heads: Sequence[Head], frame: int, layers: Layers
) -> tuple[tuple[int, TruthBox], ...]:
    time_s = frame / scene.fps
    poses = [(index, pose) for index, walk in enumerate(walks) if (pose := walk.pose(time_s)) is not None]
    poses.sort(key=lambda entry: entry[1].face_px)
    post_px = plan.POST_FACE_SHARE * scene.face_px[1] if scene.post else float("inf")
    post_drawn = not scene.post
    for place, (index, pose) in enumerate(poses, start=1):
        if not post_drawn and pose.face_px > post_px:
            _draw_post(scene, layers)
            post_drawn = True
        later = walks[index].pose(time_s + scene.exposure_s) or pose
        smear = (later.centre_xy[0] - pose.centre_xy[0], later.centre_xy[1] - pose.centre_xy[1])
        sight = Sight(walk=walks[index], head=heads[index], pose=pose, smear_xy=smear, place=place)
        _draw_person(sight, layers)
    if not post_drawn:
        _draw_post(scene, layers)
    boxes = []
    for place, (index, pose) in enumerate(poses, start=1):
        box = pose.box_xyxy(heads[index].face_ratio)
        inside = box.clipped_to(scene.size)
        if inside.area < MIN_INSIDE_SHARE * box.area:
            continue
        pixels = inside.to_pixels()
        region = layers.owner[pixels.y0 : pixels.y1, pixels.x0 : pixels.x1]
        visible = pose.fade * float(np.count_nonzero(region == place)) / region.size * inside.area / box.area
        corners = (round(value, 2) for value in (box.x0, box.y0, box.x1, box.y1))
        x0, y0, x1, y1 = corners
        truth = TruthBox(
            frame=frame,
            time_s=round(time_s, 4),
            x0=x0,
            y0=y0,
            x1=x1,
            y1=y1,
            hidden_share=round(min(max(1.0 - visible, 0.0), 1.0), 3),
        )
        boxes.append((index, truth))
    return tuple(boxes)


def _draw_post(scene: Scene, layers: Layers) -> None:
    left = round(plan.POST_LANE_X * scene.size.width)
    right = left + max(round(plan.POST_WIDTH * scene.size.width), 2)
    shade = np.linspace(60, 105, right - left).astype(np.uint8)
    layers.canvas[:, left:right] = shade[None, :, None]
    layers.owner[:, left:right] = POST


def _draw_person(sight: Sight, layers: Layers) -> None:
    """Draw body, neck and head; the owner layer is marked wherever they cover."""
    x, y = sight.pose.centre_xy
    unit = sight.pose.face_px
    height, width = layers.owner.shape
    left, right = max(int(x - 1.7 * unit), 0), min(int(x + 1.7 * unit) + 1, width)
    top = max(int(y - 1.7 * unit), 0)
    if left >= right or top >= height:
        return
    region = layers.part(slice(top, None), slice(left, right))
    before = region.canvas.copy() if sight.pose.fade < 1.0 else None
    centre = np.asarray((x - left, y - top))
    for points, colour in _body(unit, sight.walk, sight.head):
        fixed = np.rint((points + centre) * (1 << SHIFT)).astype(np.int32)
        cv2.fillPoly(region.canvas, [fixed], colour, cv2.LINE_AA, SHIFT)
        cv2.fillPoly(region.owner, [fixed], sight.place, cv2.LINE_8, SHIFT)
    _draw_head(sight, region, (x - left, y - top))
    if before is not None:
        region.canvas[...] = cv2.addWeighted(region.canvas, sight.pose.fade, before, 1.0 - sight.pose.fade, 0.0)


def _body(unit: float, walk: Walk, head: Head) -> tuple[tuple[NDArray[np.float64], tuple[float, float, float]], ...]:
    """Outlines around the middle of the face, from back to front."""

    def shape(*corners: tuple[float, float]) -> NDArray[np.float64]:
        mirrored = [(-x, y) for x, y in reversed(corners)]
        return np.asarray([*corners, *mirrored], dtype=np.float64) * unit

    neck = shape((0.3, 0.4), (0.34, 1.3))
    legs = shape((0.75, 4.6), (0.6, 9.5))
    torso = shape((0.25, 1.02), (0.7, 1.12), (1.1, 1.3), (1.3, 1.7), (1.35, 4.4), (1.0, 4.9))
    dimmed = tuple(0.75 * value for value in head.skin_bgr)
    return (
        (legs, walk.trousers_bgr),
        (neck, (dimmed[0], dimmed[1], dimmed[2])),
        (torso, walk.cloth_bgr),
    )


def _draw_head(sight: Sight, region: Layers, centre_xy: tuple[float, float]) -> None:
    head, unit = sight.head, sight.pose.face_px
    level = max((n for n, width in enumerate(head.face_px) if width >= unit), default=0)
    source = head.levels[level]
    scale = unit / head.face_px[level]
    left, top = int(np.floor(centre_xy[0] - (LEFT + 0.1) * unit)), int(np.floor(centre_xy[1] - (ABOVE + 0.1) * unit))
    width, height = int((LEFT + RIGHT + 0.2) * unit) + 2, int((ABOVE + BELOW + 0.2) * unit) + 2
    share_x, share_y = head.centre_shares
    middle = (share_x * source.shape[1] - 0.5, share_y * source.shape[0] - 0.5)
    onto = cv2.getRotationMatrix2D(middle, -sight.pose.roll_deg, scale)
    onto[0, 2] += centre_xy[0] - left - middle[0] - 0.5
    onto[1, 2] += centre_xy[1] - top - middle[1] - 0.5
    patch = cv2.warpAffine(source, onto, (width, height), flags=cv2.INTER_LINEAR)
    patch = _smeared(np.asarray(patch, dtype=np.float32), sight)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, region.owner.shape[1]), min(top + height, region.owner.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    part = patch[y0 - top : y1 - top, x0 - left : x1 - left]
    under = region.canvas[y0:y1, x0:x1]
    opacity = part[:, :, 3]
    blended = under * (1.0 - opacity[:, :, None]) + part[:, :, :3]
    under[...] = np.clip(blended, 0.0, 255.0).astype(np.uint8)
    region.owner[y0:y1, x0:x1][opacity > 0.5] = sight.place  # noqa: PLR2004 - more head than background


def _smeared(patch: NDArray[np.float32], sight: Sight) -> NDArray[np.float32]:
    """Blur along the way of one exposure, and this person's lack of focus."""
    dx, dy = sight.smear_xy
    length = float(np.hypot(dx, dy))
    if length > 1.0:
        reach = int(np.ceil(length / 2)) + 1
        kernel = np.zeros((2 * reach + 1, 2 * reach + 1), dtype=np.float32)
        ends = [
            (round((reach + sign * dx / 2) * (1 << SHIFT)), round((reach + sign * dy / 2) * (1 << SHIFT)))
            for sign in (-1, 1)
        ]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_8, SHIFT)
        patch = np.asarray(cv2.filter2D(patch, -1, kernel / kernel.sum()), dtype=np.float32)
    sigma = sight.walk.defocus_share * sight.pose.face_px
    if sigma > 0.3:  # noqa: PLR2004 - less does nothing to whole pixels
        patch = np.asarray(cv2.GaussianBlur(patch, (0, 0), sigma), dtype=np.float32)
    return patch
