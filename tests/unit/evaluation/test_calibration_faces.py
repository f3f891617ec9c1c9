"""From labelled pictures to vectors with groups."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_lfr.config.faces import QualityConfig
from edge_lfr.evaluation.calibration_faces import (
    CalibrationError,
    embedded,
    first_of_each_group,
    labelled_portraits,
)
from edge_lfr.inference.packs import OpenPack

COLUMNS = ("file", "age", "gender", "race")


class Witness:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.counts: list[tuple[int, int]] = []

    def stage(self, text: str) -> None:
        """Nothing of this is looked at."""

    def count(self, done: int, total: int) -> None:
        self.counts.append((done, total))


def labels(folder: Path, *rows: tuple[str, str, str, str]) -> Path:
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder


def test_groups_are_race_and_gender(tmp_path: Path) -> None:
    """In order of file name, whatever the order of the labels."""
    folder = labels(tmp_path, ("b.jpg", "20-29", "Female", "Indian"), ("a.jpg", "30-39", "Male", "White"))
    found = [(portrait.path.name, portrait.group) for portrait in labelled_portraits(folder)]
    assert [("a.jpg", "White, Male"), ("b.jpg", "Indian, Female")] == found


@pytest.mark.parametrize(
    "row", [("../a.jpg", "1", "Male", "White"), ("a.jpg", "1", "", "White"), ("", "1", "Male", "White")]
)
def test_labels_that_cannot_be_used_are_refused(tmp_path: Path, row: tuple[str, str, str, str]) -> None:
    """Nobody is put into a group by guess, and no file elsewhere is read."""
    with pytest.raises(CalibrationError, match="a row without"):
        labelled_portraits(labels(tmp_path, row))


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    """The message names the file that is missing, and one without rows."""
    with pytest.raises(CalibrationError, match=r"labels\.csv"):
        labelled_portraits(tmp_path)
    with pytest.raises(CalibrationError, match="no rows"):
        labelled_portraits(labels(tmp_path))


def test_a_quick_answer_takes_the_same_number_of_each_group(tmp_path: Path) -> None:
    """The first ones, so that it can be repeated."""
    rows = [(f"{number}.jpg", "1", ("Male", "Female")[number % 2], "White") for number in range(8)]
    found = first_of_each_group(labelled_portraits(labels(tmp_path, *rows)), 2)
    assert ["0.jpg", "1.jpg", "2.jpg", "3.jpg"] == [portrait.path.name for portrait in found]


@pytest.mark.shared
def test_faces_become_vectors_and_the_rest_is_counted(tmp_path: Path, pack: OpenPack, shared_data: Path) -> None:
    """Unit vectors of one person each; whoever has no face that can be compared is counted with the reason."""
    names = sorted(path.name for path in (shared_data / "london" / "neutral").iterdir())[:9]
    for name in names:
        (tmp_path / name).write_bytes((shared_data / "london" / "neutral" / name).read_bytes())
    assert cv2.imwrite(str(tmp_path / "grey.png"), np.full((200, 200, 3), 128, np.uint8))
    rows = [(name, "20-29", "Female", "White") for name in names] + [("grey.png", "20-29", "Male", "Black")]
    witness = Witness()
    with embedded(labelled_portraits(labels(tmp_path, *rows)), pack, QualityConfig(), witness) as population:
        vectors = population.vectors
        assert ("Black, Male", "White, Female") == population.names
        assert [1] * 9 == population.groups.tolist()
        assert {"Black, Male": {"no-face": 1}, "White, Female": {}} == population.left_out
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(9), abs=1e-5)
        scores = vectors @ vectors.T - np.eye(9)
        assert scores.max() < 0.6  # nine different people
    assert 0 == np.count_nonzero(vectors)
    assert [(done, 10) for done in range(1, 11)] == witness.counts


@pytest.mark.shared
def test_a_missing_picture_is_an_error(tmp_path: Path, pack: OpenPack) -> None:
    """A population that nobody described is not calibrated with."""
    portraits = labelled_portraits(labels(tmp_path, ("absent.jpg", "1", "Male", "White")))
    with (
        pytest.raises(CalibrationError, match="missing or broken"),
        embedded(portraits, pack, QualityConfig(), Witness()),
    ):
        pass
