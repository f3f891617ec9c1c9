"""
A watchlist of any size, made out of a few hundred portraits: half large pictures, half small ones, none twice.

Crop, size and brightness of every picture are drawn with a fixed seed. A person stands under many references, one
picture each, so that the search for lookalikes has more to find than in any real list.
"""

import csv
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.clock import SystemClock
from edge_lfr.evaluation.bench.ground import SHARED_REMEDY, BenchError
from edge_lfr.evaluation.made_entries import MADE_SOURCE, TAKEN_ON, made_entry
from edge_lfr.governance.age_files import AgeRecipient
from edge_lfr.governance.trust import SigningKey
from edge_lfr.terms import Category, Mode
from edge_lfr.watchlist.bundle.building import plan_bundle
from edge_lfr.watchlist.bundle.manifest import SCHEMA, BundleHead
from edge_lfr.watchlist.bundle.writing import write_bundle
from edge_lfr.watchlist.enrolling.columns import csv_fields
from edge_lfr.watchlist.enrolling.folder import COLUMNS, CSV_NAME, read_source

SEED: Final = 20
LARGE: Final = ("london/neutral", "london/smiling")
"""Portraits of 600 pixels, as a custody camera's are when they are sent on."""

SMALL: Final = ("fairface", "congress")
"""Portraits of some 200 pixels."""

JPEG_QUALITY: Final = 90
WRITERS: Final = 2


@dataclass(frozen=True, slots=True)
class _Picture:
    """One file to be made."""

    origin: Path
    path: Path
    crop_xy: tuple[float, float]
    """Share of width and of height that is cut away on the left and at the top."""

    size: float
    brightness: float


def write_source(shared: Path, folder: Path, pictures: int) -> Path:
    """
    Write *pictures* pictures and their CSV into a new *folder*, and give it.

    Raises:
        BenchError: The pictures to start from are missing.
    """
    large, small = _files(shared, LARGE), _files(shared, SMALL)
    if not large or not small:
        raise BenchError(f"no portraits in {shared / 'data'}", remedy=SHARED_REMEDY)
    folder.mkdir()
    drawn = random.Random(SEED)  # noqa: S311 - makes pictures, not keys
    planned = list(_planned(drawn, large, small, folder, pictures))
    with (folder / CSV_NAME).open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(COLUMNS)
        at = SystemClock().utc_now()
        for reference, picture in planned:
            entry = made_entry(reference, at, label="Bench", category=Category.WITNESS)
            words = csv_fields(entry, picture=picture.path.name, picture_source=MADE_SOURCE, taken_on=TAKEN_ON)
            lines.writerow(words)
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(_write, (picture for _, picture in planned)):
            pass
    return folder


def write_list(folder: Path, out: Path, *, device: str, key: SigningKey, recipient: AgeRecipient) -> Path:
    """
    Make a bundle of a folder from `write_source` for training, as an issuer does, and give it.

    Args:
        folder: With its CSV.

        out: The bundle; must not exist.

        device: Whose list it is, as `force/device`.

        key: Of an issuer for training.

        recipient: The device's.

    Raises:
        BenchError: A made entry or picture is refused.
    """
    now = SystemClock().utc_now()
    plan = plan_bundle(read_source(folder), now)
    if plan.refused:
        message = f"{len(plan.refused)} made entries are refused, the first one for {plan.refused[0].reasons[0]}"
        raise BenchError(message)
    head = BundleHead.model_validate(
        {
            "schema": SCHEMA,
            "mode": Mode.TRAINING,
            "issuer": "bench",
            "devices": (device,),
            "list_id": "bench",
            "extracted_at": now,
        }
    )
    write_bundle(out, head.with_entries(plan.entries), plan.pictures, issuer=key, recipients=[recipient])
    return out


def _files(shared: Path, folders: tuple[str, ...]) -> list[Path]:
    return sorted(path for folder in folders for path in (shared / "data" / folder).glob("*.jpg"))


def _planned(
    drawn: random.Random, large: list[Path], small: list[Path], folder: Path, pictures: int
) -> Iterator[tuple[str, _Picture]]:
    """Give reference ids and what their pictures are made of."""
    for number in range(pictures):
        yield (
            f"BENCH-{number:05}",
            _Picture(
                origin=drawn.choice(large if drawn.random() < 1 / 2 else small),
                path=folder / f"{number:06}.jpg",
                crop_xy=(drawn.uniform(0, 0.02), drawn.uniform(0, 0.02)),
                size=drawn.uniform(0.9, 1.0),
                brightness=drawn.uniform(0.85, 1.1),
            ),
        )


def _write(picture: _Picture) -> None:
    pixels = np.asarray(cv2.imread(str(picture.origin)), dtype=np.uint8)
    height, width = pixels.shape[:2]
    cut: NDArray[np.uint8] = pixels[int(height * picture.crop_xy[1]) :, int(width * picture.crop_xy[0]) :]
    shrunk = cv2.resize(cut, None, fx=picture.size, fy=picture.size, interpolation=cv2.INTER_AREA)
    lit = cv2.convertScaleAbs(shrunk, alpha=picture.brightness)
    if not cv2.imwrite(str(picture.path), lit, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
        raise BenchError(f"a picture cannot be written into {picture.path.parent}")
