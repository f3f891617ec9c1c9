"""The clip of the two packaged portraits, as the script makes it."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from edge_lfr.evaluation.truth import Truth
from edge_lfr.evaluation.walkby.plan import TURN_PAUSE_S

SCRIPT = Path(__file__).resolve().parents[4] / "scripts" / "make_walkby"
SMALL = ("--size", "160x90", "--faces", "6x18", "--fps", "2")


def made(folder: Path, *options: str) -> Truth:
    """What is true of a built-in clip, drawn small and with few frames."""
    command = [sys.executable, str(SCRIPT), "--built-in", "--out", str(folder / "clip.mp4"), *SMALL, *options]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert (folder / "clip.mp4").stat().st_size > 0
    return Truth.load(folder / "clip.json")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return made(tmp_path_factory.mktemp("full"))


def test_the_built_in_crowd_is_large_enough(full: Truth) -> None:
    """Twelve passages of the listed person and forty of the other, in two minutes."""
    mated = [passage for passage in full.passages if passage.is_mated]
    assert (12, 40) == (len(mated), len(full.passages) - len(mated))
    assert {("astronaut", True), ("hopper", False)} == {(one.person, one.is_mated) for one in full.passages}
    assert max(passage.ends_s for passage in full.passages) <= 120.0


def test_the_listed_person_never_meets_herself(full: Truth) -> None:
    """Her passages lie apart, so that each can be an alert of its own."""
    mated = [passage for passage in full.passages if passage.is_mated]
    pauses = [round(after.starts_s - before.ends_s, 2) for before, after in pairwise(mated)]
    assert min(pauses) >= TURN_PAUSE_S


def test_several_of_the_others_walk_at_once(full: Truth) -> None:
    """The other person is a crowd: three and more at a time."""
    others = [passage for passage in full.passages if not passage.is_mated]
    present = [sum(one.starts_s <= second < one.ends_s for one in others) for second in range(118)]
    assert max(present) >= 3


def test_a_quick_built_in_clip(tmp_path: Path) -> None:
    """A few seconds hold one passage of the listed person and two of the other."""
    truth = made(tmp_path, "--quick", "--watchlist-out", str(tmp_path / "list"))
    assert [False, False, True] == sorted(passage.is_mated for passage in truth.passages)
    assert {"watchlist.csv", "ref-0001.png"} == {path.name for path in (tmp_path / "list").iterdir()}
