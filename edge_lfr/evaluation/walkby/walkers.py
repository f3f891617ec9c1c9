"""Who walks in one clip, person by person: a file that names pictures enters, portraits leave."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from edge_lfr.evaluation.walkby.people import FaceFinder, Portrait, PortraitError


class Walker(BaseModel):
    """One person who walks by once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    picture: Path
    """The portrait that walks."""

    person: str
    """The same in all clips in which this person walks; any word."""

    reference_id: str | None
    """The person's entry on the watchlist; None: not listed."""


_WALKERS: Final = TypeAdapter(tuple[Walker, ...])


def save_walkers(walkers: Iterable[Walker], path: Path) -> None:
    """Write what `load_walkers` reads."""
    path.write_bytes(_WALKERS.dump_json(tuple(walkers)))


def load_walkers(path: Path) -> tuple[Walker, ...]:
    """
    Read who walks, in order of their start.

    Raises:
        PortraitError: The file is missing or in another format.
    """
    try:
        return _WALKERS.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise PortraitError(f"{path.name} is no list of walkers", remedy="write it with `save_walkers`") from None


def portrait_of(walker: Walker, finder: FaceFinder) -> Portrait:
    """
    Read a walker's picture and find the face in it.

    Raises:
        PortraitError: It cannot be read, or shows no clear and roughly frontal face.
    """
    pixels = cv2.imread(str(walker.picture), cv2.IMREAD_COLOR)
    picture = None if pixels is None else np.asarray(pixels, dtype=np.uint8)
    box = None if picture is None else finder.find(picture)
    if picture is None or box is None:
        message = "a walker's picture shows no clear face"
        raise PortraitError(message, remedy="choose walkers with clear portraits")
    return Portrait(person=walker.person, path=walker.picture, pixels=picture, box_xyxy=box)
