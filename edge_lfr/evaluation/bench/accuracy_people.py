"""
Who is listed and who walks by: labelled portraits enter, three kinds of people leave. The same seed chooses the same.

People of one set are pictured twice: half of them are enrolled with one picture, and all of them walk with the other.
Strangers of another set walk too, as many of each group. Everybody else fills the watchlist.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from edge_lfr.evaluation.bench.ground import SHARED_REMEDY, BenchError
from edge_lfr.evaluation.walkby.people import Cast, FaceFinder, Listed, pictures_in
from edge_lfr.evaluation.walkby.walkers import Walker
from edge_lfr.terms import Category

DETECTOR: Final = "face_detection_yunet_2023mar.onnx"


@dataclass(frozen=True, slots=True)
class Person:
    """One person with the picture that walks."""

    key: str
    """Names nobody; the same in all clips."""

    group: str
    """As labelled in the set that the picture is of."""

    picture: Path


@dataclass(frozen=True, slots=True)
class Crowd:
    """Everybody who walks, who of them is listed, and the whole watchlist."""

    pictured_twice: tuple[Person, ...]
    """They walk once in every round."""

    strangers: tuple[Person, ...]
    """They walk once, and are not listed."""

    reference_ids: dict[str, str]
    """Key of a listed person to the reference."""

    cast: Cast
    """The watchlist alone."""

    @property
    def group_by_key(self) -> dict[str, str]:
        return {person.key: person.group for person in (*self.pictured_twice, *self.strangers)}

    def walker(self, person: Person) -> Walker:
        return Walker(picture=person.picture, person=person.key, reference_id=self.reference_ids.get(person.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many of whom; None takes all."""

    pictured_twice: int | None
    strangers: int
    fillers: int | None
    rounds: int


def gather(shared: Path, size: Size, rng: np.random.Generator) -> Crowd:
    """
    Choose the people.

    Args:
        shared: Folder with `data/` and `models/`.

        size: How many of whom.

        rng: The only source of chance.

    Raises:
        BenchError: There are no such pictures.

        PortraitError: A folder of pictures, or the detector that finds clear portraits, is missing.
    """
    data = shared / "data"
    london, fairface = data / "london", data / "fairface"
    everybody = _labelled(
        london / "london_info.csv",
        lambda row: Person(
            f"a-{row['face_id']}",
            f"{row['face_eth']} {row['face_gender']} (studio)",
            london / "smiling" / f"{row['face_id']}.jpg",
        ),
    )
    twice = everybody if size.pictured_twice is None else share(everybody, size.pictured_twice, rng)
    listed = share(twice, len(twice) // 2, rng)
    finder = FaceFinder(shared / "models" / DETECTOR)
    others = _labelled(
        fairface / "labels.csv",
        lambda row: Person(
            f"b-{Path(row['file']).stem}",
            f"{row['race']} {row['gender']}".lower() + " (street)",
            fairface / row["file"],
        ),
    )
    strangers = deal(others, size.strangers, rng, lambda person: _is_clear(person.picture, finder))
    walking = {person.key for person in strangers}
    fillers = [*pictures_in(data / "congress"), *(person.picture for person in others if person.key not in walking)]
    if size.fillers is not None:
        fillers = [fillers[index] for index in rng.permutation(len(fillers))[: size.fillers]]
    reference_ids = {person.key: f"ref-{number:04d}" for number, person in enumerate(listed, start=1)}
    entries = [
        *((reference_ids[person.key], london / "neutral" / person.picture.name) for person in listed),
        *((f"fill-{number:04d}", picture) for number, picture in enumerate(fillers, start=1)),
    ]
    watchlist = tuple(
        Listed(reference_id=reference_id, person=reference_id, picture=picture, category=Category.WANTED_BY_COURTS)
        for reference_id, picture in entries
    )
    return Crowd(twice, strangers, reference_ids, Cast(mated=(), non_mated=(), listed=watchlist))


def share(people: Sequence[Person], count: int, rng: np.random.Generator) -> tuple[Person, ...]:
    """Choose *count* so that every group has its share among them; chance decides where that is no whole number."""
    dealt = [
        ((place + float(rng.random())) / len(group), person)
        for group in _groups(people, rng)
        for place, person in enumerate(group)
    ]
    return tuple(person for _, person in sorted(dealt, key=lambda entry: entry[0])[:count])


def deal(
    people: Sequence[Person], count: int, rng: np.random.Generator, is_usable: Callable[[Person], bool]
) -> tuple[Person, ...]:
    """
    Choose *count* usable people, one of each group in turn, so that no group has more than one above another.

    Raises:
        BenchError: A group has too few for that.
    """
    groups = [iter(group) for group in _groups(people, rng)]
    groups = [groups[place] for place in rng.permutation(len(groups))]
    chosen: list[Person] = []
    while len(chosen) < count:
        for group in groups[: count - len(chosen)]:
            person = next((person for person in group if is_usable(person)), None)
            if person is None:
                raise BenchError(f"too few clear portraits for {count} strangers in equal groups")
            chosen.append(person)
    return tuple(chosen)


def rounds(
    crowd: Crowd, size: Size, blocks: int, rng: np.random.Generator
) -> tuple[tuple[tuple[Walker, ...], ...], ...]:
    """
    Lay out who walks when: in every round everybody who is pictured twice, and an equal part of the strangers.

    Returns:
        For each round its *blocks*, each with its walkers in order; nobody is twice in a round.
    """
    laid = []
    for number in range(size.rounds):
        people = [*crowd.pictured_twice, *crowd.strangers[number :: size.rounds]]
        walkers = [crowd.walker(people[place]) for place in rng.permutation(len(people))]
        laid.append(tuple(tuple(walkers[block::blocks]) for block in range(blocks)))
    return tuple(laid)


def _groups(people: Iterable[Person], rng: np.random.Generator) -> list[list[Person]]:
    """The people by group, groups in order of name, people in an order of chance."""
    groups: dict[str, list[Person]] = {}
    for person in people:
        groups.setdefault(person.group, []).append(person)
    return [[group[place] for place in rng.permutation(len(group))] for _, group in sorted(groups.items())]


def _labelled(path: Path, person_of: Callable[[dict[str, str]], Person]) -> tuple[Person, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(person_of(row) for row in csv.DictReader(file))
    except (OSError, KeyError) as error:
        raise BenchError(f"{path} does not label the pictures beside it", remedy=SHARED_REMEDY) from error


def _is_clear(picture: Path, finder: FaceFinder) -> bool:
    pixels = cv2.imread(str(picture), cv2.IMREAD_COLOR)
    return pixels is not None and finder.find(np.asarray(pixels, dtype=np.uint8)) is not None
