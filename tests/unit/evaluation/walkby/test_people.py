"""Who walks and who is listed."""

from pathlib import Path
from shutil import copyfile

import cv2
import numpy as np
import pytest

from edge_lfr.evaluation.walkby.people import (
    FaceFinder,
    PortraitError,
    cast_built_in,
    cast_from_folders,
    pictures_in,
    write_watchlist,
)
from edge_lfr.watchlist.enrolling.folder import read_source
from simulators.clock import StoppedClock

MODEL = "face_detection_yunet_2023mar.onnx"


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_packaged_portraits_make_a_cast() -> None:
    """Without a folder one person is listed and another is not, and both walk as often as asked."""
    cast = cast_built_in(mated=3, non_mated=5, rng=rng())
    assert (3, 5, 1) == (len(cast.mated), len(cast.non_mated), len(cast.listed))
    assert {"astronaut"} == {portrait.person for portrait, _ in cast.mated}
    assert {"hopper"} == {portrait.person for portrait in cast.non_mated}
    assert {cast.listed[0].reference_id} == {reference_id for _, reference_id in cast.mated}


def test_the_packaged_portraits_differ_in_light() -> None:
    """The same person never walks with quite the same picture."""
    first, second = cast_built_in(mated=2, non_mated=0, rng=rng()).mated
    assert not np.array_equal(first[0].pixels, second[0].pixels)


def test_only_who_is_not_listed_is_mirrored() -> None:
    """The rear admiral's face lies on either side of his picture, the astronaut's never moves."""
    cast = cast_built_in(mated=8, non_mated=8, rng=rng())
    assert 1 == len({round(portrait.box_xyxy.centre_xy[0]) for portrait, _ in cast.mated})
    assert 2 == len({round(portrait.box_xyxy.centre_xy[0]) for portrait in cast.non_mated})


@pytest.mark.shared
def test_a_varied_face_is_where_its_box_says(shared_models: Path) -> None:
    """Turned, stretched or mirrored: the detector finds the face in the box that the truth is made from."""
    cast = cast_built_in(mated=4, non_mated=8, rng=rng())
    finder = FaceFinder(shared_models / MODEL)
    for portrait in (*(portrait for portrait, _ in cast.mated), *cast.non_mated):
        found = finder.find(portrait.pixels)
        assert found is not None
        assert found.iou(portrait.box_xyxy) > 0.75


def test_the_watchlist_folder_names_pictures_that_open(tmp_path: Path) -> None:
    """Every row of the CSV file has the columns of a watchlist and a picture beside it."""
    cast = cast_built_in(mated=1, non_mated=0, rng=rng())
    write_watchlist(cast, tmp_path / "list", clock=StoppedClock())
    source = read_source(tmp_path / "list")
    assert ["ref-0001"] == [entry.reference_id for entry in source.entries]
    assert cv2.imread(str(source.rows[0].picture)) is not None


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """A folder without pictures, or none at all, is an error that says so."""
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(PortraitError, match="no pictures"):
            pictures_in(folder)


def test_an_absent_detector_is_refused(tmp_path: Path) -> None:
    """Without the net there is no truth, hence no clip."""
    with pytest.raises(PortraitError, match=r"absent\.onnx"):
        FaceFinder(tmp_path / "absent.onnx")


@pytest.mark.shared
def test_folders_make_a_cast_of_different_people(shared_models: Path, shared_data: Path) -> None:
    """The mated enrol with another picture than they walk with; nobody who is not mated is listed."""
    cast = cast_from_folders(
        enrolled=shared_data / "london" / "neutral",
        walking=shared_data / "london" / "smiling",
        others=shared_data / "fairface",
        filler=shared_data / "congress",
        finder=FaceFinder(shared_models / MODEL),
        mated=2,
        non_mated=5,
        fillers=3,
        rng=rng(),
    )
    listed = {entry.reference_id: entry for entry in cast.listed}
    assert (2, 5, 5) == (len(cast.mated), len(cast.non_mated), len(listed))
    for portrait, reference_id in cast.mated:
        assert listed[reference_id].person == portrait.person
        assert listed[reference_id].picture.name == portrait.path.name
        assert listed[reference_id].picture != portrait.path
    assert not {portrait.person for portrait in cast.non_mated} & {entry.person for entry in cast.listed}
    assert 7 == len({portrait.person for portrait, _ in cast.mated} | {p.person for p in cast.non_mated})


@pytest.mark.shared
def test_too_few_people_are_refused(shared_models: Path, shared_data: Path, tmp_path: Path) -> None:
    """More mated than the folders can give is an error, not a smaller clip."""
    for kind in ("neutral", "smiling"):
        (tmp_path / kind).mkdir()
        for name in ("001.jpg", "002.jpg"):
            copyfile(shared_data / "london" / kind / name, tmp_path / kind / name)
    with pytest.raises(PortraitError, match="mated"):
        cast_from_folders(
            enrolled=tmp_path / "neutral",
            walking=tmp_path / "smiling",
            others=shared_data / "fairface",
            filler=None,
            finder=FaceFinder(shared_models / MODEL),
            mated=3,
            non_mated=0,
            fillers=0,
            rng=rng(),
        )
