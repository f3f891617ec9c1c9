"""The matcher: one search for all probes and failures that stay failures."""

import numpy as np
import pytest
import structlog
from numpy.typing import NDArray

from edge_lfr.biometrics.buffers import Arena
from edge_lfr.biometrics.features import Probe
from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.errors import WatchlistModelError
from edge_lfr.pipeline.identification.matching import Matcher
from edge_lfr.watchlist.gallery.gallery import Gallery

AXES = np.eye(3, dtype=np.float32)


def gallery(*names: str, pack_digest: str = "pack") -> Gallery:
    return Gallery(
        AXES[: len(names)],
        names,
        pack_digest=pack_digest,
        config=GalleryConfig(index=IndexChoice.EXACT),
        threshold=0.6,
    )


def probe(vector: NDArray[np.float32], pack_digest: str = "pack") -> Probe:
    slot = Arena[np.float32](1, vector.shape, np.float32).take()
    slot.array[:] = vector
    return Probe(track_id=1, pack_digest=pack_digest, slot=slot)


def firsts(matcher: Matcher, *probes: Probe) -> list[str | None]:
    found = matcher.search(probes)
    return [None if candidates is None else candidates[0].reference_id for candidates in found]


NAN = np.full(3, np.nan, dtype=np.float32)


def test_each_probe_gets_its_candidates() -> None:
    """In the order of the probes; the probes stay as they are."""
    probes = [probe(AXES[1]), probe(AXES[0])]
    assert ["b", "a"] == firsts(Matcher(gallery("a", "b", "c"), pack_digest="pack"), *probes)
    assert AXES[1].tolist() == probes[0].vector.tolist()


def test_no_probes_need_no_search() -> None:
    """A pass without faces."""
    assert () == Matcher(gallery("a"), pack_digest="pack").search([])


def test_nobody_listed_is_an_answer() -> None:
    """An empty list gives empty candidates, not a failure."""
    empty = Gallery(AXES[:0], [], pack_digest="pack", config=GalleryConfig(), threshold=0.6)
    assert ((),) == Matcher(empty, pack_digest="pack").search([probe(AXES[0])])


@pytest.mark.parametrize(
    "bad",
    [probe(NAN), probe(np.eye(2, dtype=np.float32)[0]), probe(AXES[0], "another"), probe(AXES[0] * 0)],
    ids=["nan", "dimension", "pack", "destroyed"],
)
def test_a_bad_probe_costs_the_others_nothing(bad: Probe) -> None:
    """It gets None, which is undetermined; the others get their candidates."""
    matcher = Matcher(gallery("a", "b"), pack_digest="pack")
    assert ["b", None, "a"] == firsts(matcher, probe(AXES[1]), bad, probe(AXES[0]))


def test_a_destroyed_gallery_gives_no_answer() -> None:
    """Never a silent non-match."""
    listed = gallery("a")
    matcher = Matcher(listed, pack_digest="pack")
    listed.destroy()
    assert (None, None) == matcher.search([probe(AXES[0]), probe(AXES[1])])


def test_failures_are_logged_once_each_way() -> None:
    """One error going down, one line coming up; no vector in either."""
    matcher = Matcher(gallery("a"), pack_digest="pack")
    with structlog.testing.capture_logs() as logs:
        for vector in (NAN, NAN, AXES[0], AXES[0]):
            matcher.search([probe(vector)])
    assert [("matching.search-failed", "error"), ("matching.search-recovered", "info")] == [
        (log["event"], log["log_level"]) for log in logs
    ]
    assert "nan" not in str(logs).lower()


def test_another_pack_is_refused() -> None:
    """Templates of one pack mean nothing to another."""
    with pytest.raises(WatchlistModelError, match="enrolled with pack another"):
        Matcher(gallery("a", pack_digest="another"), pack_digest="pack")


def test_the_batch_keeps_its_place_and_is_zeroed() -> None:
    """The vectors of a pass lie in one buffer that is allocated for the largest pass and empty after each."""
    matcher = Matcher(gallery("a", "b", "c"), pack_digest="pack")
    matcher.search([probe(AXES[1]), probe(AXES[0])])
    batch = matcher._batch
    matcher.search([probe(AXES[2])])
    assert matcher._batch is batch
    assert (2, 3) == batch.shape
    assert not batch.any()
