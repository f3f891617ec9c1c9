"""From a sealed list to the first candidates: what is in the time, and what stays afterwards."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from numpy.typing import NDArray

from edge_lfr.daemon.arming.armament import Armament, take_into_use
from edge_lfr.evaluation.bench import gallery_start
from edge_lfr.evaluation.bench.gallery_start import ListSize, started
from edge_lfr.evaluation.bench.ground import PACK
from edge_lfr.evaluation.made_templates import make_templates
from edge_lfr.inference.catalogue import load_catalogue
from edge_lfr.watchlist.gallery.gallery import GalleryDestroyedError
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist
from simulators.silence import Silence

SIZE = ListSize(people=40, pictures=3)
DELAY_S = 0.05


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the sealed list is made for a while."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_opening_the_templates_is_part_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store whose rows open slowly makes the start slow: nothing between open store and candidates is left out."""
    vectors = StoredWatchlist.vectors

    def slow(self: StoredWatchlist) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        time.sleep(DELAY_S)
        return vectors(self)

    monkeypatch.setattr(StoredWatchlist, "vectors", slow)
    probe, _ = make_templates(1, pictures=1, dimension=256, seed=7)
    with structlog.testing.capture_logs(), started(SIZE, load_catalogue().pack(PACK), probe, Silence()) as found:
        assert found.first_s >= DELAY_S
        assert found.opening_s > 0.0
        assert found.size_mb > 0.0


def test_a_made_list_is_a_whole_one_and_goes_with_its_folder(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each person is found by each of the pictures; afterwards there are no templates and no file."""
    vectors, owners = make_templates(SIZE.people, pictures=SIZE.pictures, dimension=256)
    armed = []

    def counted(*args: Any, **options: Any) -> Armament:
        armed.append(take_into_use(*args, **options))
        return armed[-1]

    monkeypatch.setattr(gallery_start, "take_into_use", counted)
    with (
        structlog.testing.capture_logs(),
        started(SIZE, load_catalogue().pack(PACK), vectors[:1], Silence()) as found,
    ):
        assert (120, 40) == (found.gallery.templates, found.gallery.references)
        assert owners == [best.reference_id for best, *_ in found.gallery.search(vectors)]
        assert list(own_folder.iterdir())
    assert gallery_start.STARTS == len(armed)
    with pytest.raises(GalleryDestroyedError):
        found.gallery.search(vectors)
    assert [] == list(own_folder.iterdir())


def test_a_start_that_fails_leaves_nothing(own_folder: Path) -> None:
    """A probe of another length stops it: the list is closed, and its folder goes."""
    probe, _ = make_templates(1, pictures=1, dimension=256, seed=7)
    with (
        structlog.testing.capture_logs(),
        pytest.raises(ValueError, match="unit length"),
        started(SIZE, load_catalogue().pack(PACK), 2 * probe, Silence()),
    ):
        pass
    assert [] == list(own_folder.iterdir())
