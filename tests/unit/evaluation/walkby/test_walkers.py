"""People who walk in one clip are named in a file."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_lfr.evaluation.walkby.people import FaceFinder, PortraitError
from edge_lfr.evaluation.walkby.walkers import Walker, load_walkers, portrait_of, save_walkers


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Order, people and references survive the file."""
    walkers = (
        Walker(picture=Path("one.jpg"), person="p-1", reference_id="ref-1"),
        Walker(picture=Path("two.jpg"), person="p-2", reference_id=None),
    )
    save_walkers(walkers, tmp_path / "walkers.json")
    assert walkers == load_walkers(tmp_path / "walkers.json")


@pytest.mark.parametrize("text", [None, "", "{}", '[{"picture": "one.jpg"}]'])
def test_a_file_that_names_nobody_is_refused(tmp_path: Path, text: str | None) -> None:
    """A missing file and one of another format are errors that say how it is made."""
    path = tmp_path / "walkers.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(PortraitError, match="no list of walkers"):
        load_walkers(path)


@pytest.mark.shared
def test_a_walker_without_a_face_is_refused(tmp_path: Path, shared_models: Path) -> None:
    """A picture of nothing, and one that is not there, cannot walk."""
    finder = FaceFinder(shared_models / "face_detection_yunet_2023mar.onnx")
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((320, 320, 3), 128, dtype=np.uint8))
    for name in ("grey.png", "absent.png"):
        walker = Walker(picture=tmp_path / name, person="nobody", reference_id=None)
        with pytest.raises(PortraitError, match="no clear face"):
            portrait_of(walker, finder)


@pytest.mark.shared
def test_a_walker_is_a_portrait(shared_data: Path, shared_models: Path) -> None:
    """The person keeps the name that the file gives, and the face is where the detector finds it."""
    picture = min((shared_data / "london" / "smiling").glob("*.jpg"))
    finder = FaceFinder(shared_models / "face_detection_yunet_2023mar.onnx")
    portrait = portrait_of(Walker(picture=picture, person="p-1", reference_id=None), finder)
    assert ("p-1", picture) == (portrait.person, portrait.path)
    assert portrait.box_xyxy.width > 100.0
