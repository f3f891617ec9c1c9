"""Chance decides who is listed and who walks, and no group gets more than its part."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edge_lfr.evaluation.bench.accuracy_people import Crowd, Person, Size, deal, gather, rounds, share
from edge_lfr.evaluation.bench.ground import BenchError
from edge_lfr.evaluation.walkby.people import Cast

GROUPS = ("one",) * 35 + ("two",) * 34 + ("three",) * 8 + ("four",) * 5 + ("five",)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def people(groups: tuple[str, ...] = GROUPS) -> tuple[Person, ...]:
    return tuple(Person(f"p-{number}", group, Path(f"{number}.jpg")) for number, group in enumerate(groups))


def test_every_group_has_its_share() -> None:
    """Half of all people are half of each group, but for one person where a group is odd."""
    chosen = Counter(person.group for person in share(people(), 41, rng()))
    assert 41 == chosen.total()
    for group, members in Counter(GROUPS).items():
        assert abs(chosen[group] - members / 2) <= 1.0


def test_the_same_seed_chooses_the_same() -> None:
    """A seed names the people; another one names others."""
    assert share(people(), 41, rng()) == share(people(), 41, rng())
    assert share(people(), 41, rng()) != share(people(), 41, np.random.default_rng(8))


def test_strangers_are_dealt_in_equal_groups() -> None:
    """Groups of any size give the same number, give or take one, and nobody is chosen twice or unusable."""
    crowd = people(("one",) * 30 + ("two",) * 20 + ("three",) * 25)
    chosen = deal(crowd, 32, rng(), lambda person: person.picture.stem[-1] != "7")
    assert {10, 11} == set(Counter(person.group for person in chosen).values())
    assert 32 == len({person.key for person in chosen})
    assert not [person for person in chosen if person.picture.stem[-1] == "7"]


def test_too_few_strangers_are_refused() -> None:
    """A group that is used up is an error, not a crowd out of balance."""
    with pytest.raises(BenchError, match="equal groups"):
        deal(people(("one",) * 30 + ("two",) * 2), 10, rng(), lambda _: True)


def test_nobody_walks_twice_in_a_round() -> None:
    """Whoever is pictured twice walks once in every round, strangers once in all; the listed carry their reference."""
    known, strangers = people()[:10], people()[10:18]
    crowd = Crowd(known, strangers, {known[0].key: "ref-0001"}, Cast(mated=(), non_mated=(), listed=()))
    laid = rounds(crowd, Size(pictured_twice=10, strangers=8, fillers=0, rounds=4), 3, rng())
    assert [3] * 4 == [len(blocks) for blocks in laid]
    walks = [[walker for block in blocks for walker in block] for blocks in laid]
    assert [12] * 4 == [len({walker.person for walker in walkers}) for walkers in walks]
    counts = Counter(walker.person for walkers in walks for walker in walkers)
    assert {4, 1} == set(counts.values())
    assert {"ref-0001"} == {walker.reference_id for walkers in walks for walker in walkers} - {None}
    assert [1] * 4 == [sum(walker.reference_id is not None for walker in walkers) for walkers in walks]


@pytest.mark.shared
def test_the_whole_crowd_is_as_large_as_the_pictures_allow(shared_data: Path) -> None:
    """Of 102 people pictured twice 51 are listed; 300 strangers walk, and all others fill the watchlist."""
    crowd = gather(
        shared_data.parent, Size(pictured_twice=None, strangers=300, fillers=None, rounds=4), np.random.default_rng(1)
    )
    assert (102, 51, 300) == (len(crowd.pictured_twice), len(crowd.reference_ids), len(crowd.strangers))
    assert 51 + 204 + 257 == len(crowd.cast.listed)
    assert {21, 22} == set(Counter(person.group for person in crowd.strangers).values())
    walking = {person.picture for person in (*crowd.pictured_twice, *crowd.strangers)}
    assert set() == walking & {entry.picture for entry in crowd.cast.listed}
