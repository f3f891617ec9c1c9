"""
Who walks by and who is listed: portraits enter, people with their enrolment pictures leave.

Two sources: folders of portraits (a person enrols with one picture and walks with another), or, where there are none,
the two public-domain portraits that ship inside scikit-image and matplotlib.
"""

import csv
import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.clock import Clock
from edge_lfr.errors import EdgeLfrError
from edge_lfr.evaluation.made_entries import MADE_SOURCE, TAKEN_ON, made_entry
from edge_lfr.pipeline.faces.quality import yaw_share
from edge_lfr.terms import Category, ResponseCode
from edge_lfr.watchlist.enrolling.columns import csv_fields
from edge_lfr.watchlist.enrolling.folder import COLUMNS, CSV_NAME

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png"})

RESPONSES: Final = {
    Category.WANTED_BY_COURTS: ResponseCode.ARREST,
    Category.MISSING_AT_RISK: ResponseCode.SAFEGUARD,
}
"""What an officer would be asked to do about the made-up people of a clip."""

MIN_PORTRAIT_SCORE: Final = 0.85
"""Portraits with a lower detection score are left out: heads turned away or covered; chosen, not measured."""

MAX_PORTRAIT_YAW: Final = 0.6
"""Likewise profiles: half of such a head lies outside a tight portrait. Nose shift in inter-eye distances; by eye."""


class PortraitError(EdgeLfrError):
    """There are no portraits, or no faces in them, to make a clip from."""

    code = "walkby.portraits"
    exit_status = 66
    remedy = "name folders of portraits, or install the extra `demo` for the built-in ones"


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """One picture of one person, and where the face is in it."""

    person: str
    path: Path
    pixels: NDArray[np.uint8]
    """uint8 (height, width, 3), BGR."""

    box_xyxy: BoxXYXY


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One person of the watchlist that is made with the clip."""

    reference_id: str
    person: str
    picture: Path
    category: Category


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everybody that a clip needs."""

    mated: tuple[tuple[Portrait, str], ...]
    """
    Who walks and is listed: the portrait that walks and the reference id.

    From folders it is another picture than the enrolled one; built in, it is the enrolled one in another light.
    """

    non_mated: tuple[Portrait, ...]
    listed: tuple[Listed, ...]


class FaceFinder:
    """Finds the one face of a portrait with the YuNet net, by OpenCV's own wrapper."""

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise PortraitError(
                f"the face detector {model.name} is not in {model.parent.name}/", remedy="name it with --detector FILE"
            )
        self._net = cv2.FaceDetectorYN.create(str(model), "", (320, 320), MIN_PORTRAIT_SCORE)

    def find(self, pixels: NDArray[np.uint8]) -> BoxXYXY | None:
        """The box of the face, or None where there is no clear and roughly frontal one, or more than one."""
        height, width = pixels.shape[:2]
        self._net.setInputSize((width, height))
        rows = cast("NDArray[np.float32] | None", self._net.detect(pixels)[1])
        if rows is None or len(rows) != 1:
            return None
        if abs(yaw_share(rows[0][4:14].reshape(5, 2))) > MAX_PORTRAIT_YAW:
            return None
        x, y, w, h = (float(value) for value in rows[0][:4])
        return BoxXYXY(x, y, x + w, y + h)


def pictures_in(folder: Path) -> list[Path]:
    """
    The pictures of a folder in order of name.

    Raises:
        PortraitError: The folder does not exist or holds no picture.
    """
    found = (
        sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES) if folder.is_dir() else []
    )
    if not found:
        raise PortraitError(f"no pictures in {folder}")
    return found


def portraits_from(paths: Sequence[Path], count: int, finder: FaceFinder, *, prefix: str) -> list[Portrait]:
    """The first *count* of *paths* that show one clear face."""
    found: list[Portrait] = []
    for path in paths:
        if len(found) == count:
            break
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if pixels is None:
            continue
        picture = np.asarray(pixels, dtype=np.uint8)
        box = finder.find(picture)
        if box is not None:
            found.append(Portrait(person=f"{prefix}-{path.stem}", path=path, pixels=picture, box_xyxy=box))
    return found


def cast_from_folders(
    *,
    enrolled: Path,
    walking: Path,
    others: Path,
    filler: Path | None,
    finder: FaceFinder,
    mated: int,
    non_mated: int,
    fillers: int,
    rng: np.random.Generator,
) -> Cast:
    """
    Draw people from folders: the same file name in *enrolled* and *walking* is the same person.

    Half of the non-mated are people of *walking* who are not enrolled (pictured like the mated), half are *others*.

    Raises:
        PortraitError: The folders hold too few faces.
    """
    pairs = [path for path in pictures_in(walking) if (enrolled / path.name).is_file()]
    order = [pairs[index] for index in rng.permutation(len(pairs))]
    own = portraits_from(order, mated + non_mated // 2, finder, prefix=walking.parent.name)
    if len(own) < mated:
        raise PortraitError(f"{walking} and {enrolled} share {len(own)} usable portraits; {mated} mated were asked for")
    strangers = pictures_in(others)
    strangers = [strangers[index] for index in rng.permutation(len(strangers))]
    absent = own[mated:]
    absent += portraits_from(strangers, non_mated - len(absent), finder, prefix=others.name)
    if len(absent) < non_mated:
        raise PortraitError(f"{others} holds too few usable portraits for {non_mated} non-mated passages")
    listed: list[Listed] = []
    walkers: list[tuple[Portrait, str]] = []
    for number, portrait in enumerate(own[:mated], start=1):
        reference_id = f"ref-{number:04d}"
        walkers.append((portrait, reference_id))
        listed.append(
            Listed(
                reference_id=reference_id,
                person=portrait.person,
                picture=enrolled / portrait.path.name,
                category=Category.WANTED_BY_COURTS if number % 2 else Category.MISSING_AT_RISK,
            )
        )
    if filler is not None:
        listed += [
            Listed(
                reference_id=f"fill-{number:04d}",
                person=f"filler-{path.stem}",
                picture=path,
                category=Category.WANTED_BY_COURTS,
            )
            for number, path in enumerate(pictures_in(filler)[:fillers], start=1)
        ]
    return Cast(mated=tuple(walkers), non_mated=tuple(absent), listed=tuple(listed))


ASTRONAUT_BOX: Final = BoxXYXY(178.0, 63.0, 268.0, 176.0)
HOPPER_BOX: Final = BoxXYXY(183.0, 120.0, 353.0, 332.0)
"""Where YuNet finds the two faces; the pictures never change, so no detector is needed to walk them."""

STRETCH: Final = (0.95, 1.05)
TILT_DEG: Final = 4.0
"""How far the shape of a packaged portrait varies: enough to move every pixel, and still the same face; by eye."""


def cast_built_in(*, mated: int, non_mated: int, rng: np.random.Generator) -> Cast:
    """
    Make a crowd from two public-domain portraits: the astronaut is listed, the rear admiral is not.

    There are only two faces, so the same people walk many times, each time in another light and a little out of shape;
    the rear admiral mirrored, too. This exercises every stage, and says little about how well people are told apart.

    Raises:
        PortraitError: scikit-image or matplotlib is not installed.
    """
    astronaut = _packaged("skimage", "data/astronaut.png")
    hopper = _packaged("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")
    reference_id = "ref-0001"
    return Cast(
        mated=tuple((_varied("astronaut", astronaut, ASTRONAUT_BOX, rng), reference_id) for _ in range(mated)),
        non_mated=tuple(_varied("hopper", hopper, HOPPER_BOX, rng, may_mirror=True) for _ in range(non_mated)),
        listed=(
            Listed(
                reference_id=reference_id,
                person="astronaut",
                picture=astronaut,
                category=Category.MISSING_AT_RISK,
            ),
        ),
    )


def write_watchlist(cast: Cast, folder: Path, *, clock: Clock) -> None:
    """Write *folder* as `edge-lfr watchlist build` takes it: `watchlist.csv` and the pictures, copied."""
    folder.mkdir(parents=True, exist_ok=True)
    at = clock.utc_now()
    with (folder / CSV_NAME).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for number, listed in enumerate(cast.listed, start=1):
            picture = f"{listed.reference_id}{listed.picture.suffix.lower()}"
            shutil.copyfile(listed.picture, folder / picture)
            entry = made_entry(
                listed.reference_id,
                at,
                label=f"Person {number:03d}",
                category=listed.category,
                response_code=RESPONSES[listed.category],
            )
            rows.writerow(csv_fields(entry, picture=picture, picture_source=MADE_SOURCE, taken_on=TAKEN_ON))


def _packaged(package: str, path: str) -> Path:
    """A file inside an installed package, without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is not None and spec.origin is not None and (found := Path(spec.origin).parent / path).is_file():
        return found
    raise PortraitError(f"the portrait {path} of {package} is not installed")


def _varied(person: str, path: Path, box: BoxXYXY, rng: np.random.Generator, *, may_mirror: bool = False) -> Portrait:
    """The same picture once more: turned and stretched a little about the face, in another light, with some noise."""
    loaded = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if loaded is None:
        raise PortraitError(f"{path.name} is not readable")
    height, width = loaded.shape[:2]
    stretch, (x, y) = float(rng.uniform(*STRETCH)), box.centre_xy
    onto = cv2.getRotationMatrix2D((x, y), float(rng.uniform(-TILT_DEG, TILT_DEG)), 1.0)
    onto[0] = stretch * onto[0] + (0.0, 0.0, (1.0 - stretch) * x)
    turned = cv2.warpAffine(loaded, onto, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    half = stretch * box.width / 2
    if may_mirror and rng.random() < 0.5:  # noqa: PLR2004 - half of them
        turned, x = turned[:, ::-1], width - x
    pixels = turned.astype(np.float32) / 255.0
    pixels = pixels ** float(rng.uniform(0.8, 1.25))
    pixels *= np.asarray([rng.uniform(0.88, 1.08), 1.0, rng.uniform(0.92, 1.08)], dtype=np.float32)
    pixels += rng.normal(0.0, 0.01, pixels.shape).astype(np.float32)
    return Portrait(
        person=person,
        path=path,
        pixels=(np.clip(pixels, 0.0, 1.0) * 255.0).astype(np.uint8),
        box_xyxy=BoxXYXY(x - half, box.y0, x + half, box.y1),
    )
