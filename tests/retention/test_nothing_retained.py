"""
The promise to passers-by, with the real daemon: people who are on no list walk by, and then everything is searched.

The control shows that the search can find what it looks for: with destruction off, and copies planted where the program
leaves none, it finds every kind.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_lfr.config.identification import IndexChoice
from retention.needles import Kind
from retention.rig import SILENT, Outcome, Rig
from retention.street import make_street
from retention.watch import FLUSH, LIFETIMES

pytestmark = [pytest.mark.shared, pytest.mark.root]

STAGES = ("faces.detection", "faces.alignment", "identification.matching")
"""Those that hold pixels and vectors when they fail; `scripts/retention_search` takes all."""

MEMORY_OF_DAEMON, MEMORY_OF_CHILD = "memory of daemon", "memory of child"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, installed_packs: Path, shared_data: Path) -> Iterator[Rig]:
    """Its folder goes at the end: the control has planted probes there."""
    folder = tmp_path_factory.mktemp("retention")
    try:
        yield Rig(folder, installed_packs, make_street(folder, shared_data, people=3, seconds=8.0))
    finally:
        shutil.rmtree(folder)


def found(outcome: Outcome) -> dict[str, tuple[str, ...]]:
    """Every place where anything lay, and what."""
    return {f"{finding.moment}, {finding.place}": finding.where for finding in outcome.findings if finding.hits}


def looked_for(outcome: Outcome) -> set[Kind]:
    return {kind for kind, count in outcome.needles.items() if count >= 10}


def test_nothing_is_left_of_people_who_are_not_listed(rig: Rig) -> None:
    """A second after the last face, at the clip's end, after SIGTERM, and in all that was written or sent."""
    outcome = rig.walk()
    assert {} == found(outcome)
    assert set(Kind) == looked_for(outcome)
    assert IndexChoice.EXACT == outcome.index
    assert 0 == outcome.exit_status
    assert {SILENT, "street empty", "clip ended", "SIGTERM", "process gone"} == {it.moment for it in outcome.findings}
    assert all(it.searched_bytes > 50 << 20 for it in outcome.findings if it.place == MEMORY_OF_DAEMON)
    assert 2 == sum(it.searched_bytes > 10 << 20 for it in outcome.findings if it.place == MEMORY_OF_CHILD)
    assert all(it.searched_bytes > 0 for it in outcome.findings if it.moment == "process gone")
    assert {*LIFETIMES.values(), FLUSH} == {it.name for it in outcome.lifetimes}


def test_nothing_is_left_when_a_stage_fails(rig: Rig) -> None:
    """An exception is one lost frame, and not one face more in memory; here a graph serves, and exact search too."""
    outcome = rig.failures(STAGES, index=IndexChoice.HNSW)
    assert {} == found(outcome)
    assert set(Kind) == looked_for(outcome)
    assert IndexChoice.HNSW == outcome.index
    assert 0 == outcome.exit_status


def test_the_search_finds_what_is_not_destroyed(rig: Rig) -> None:
    """With destruction off, and copies planted where the program leaves none, every kind is found where it can be."""
    outcome = rig.control()
    in_memory: Counter[Kind] = Counter()
    for finding in outcome.findings:
        if finding.place == MEMORY_OF_DAEMON:
            in_memory.update(finding.counts)
        if finding.moment == "process gone":
            assert finding.counts.get(Kind.PROBE, 0) > 0, finding.place
    assert set(Kind) == set(in_memory)
    in_child = [it.counts for it in outcome.findings if it.place == MEMORY_OF_CHILD and it.moment == SILENT]
    assert [True] == [counts.get(Kind.FRAME, 0) > 0 for counts in in_child]
