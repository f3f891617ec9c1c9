"""The gallery: what it takes, what it answers, what it refuses, and its end."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.errors import WatchlistFormatError
from edge_lfr.evaluation.made_templates import make_templates
from edge_lfr.watchlist.gallery import exact_index
from edge_lfr.watchlist.gallery.gallery import Gallery, GalleryDestroyedError
from simulators.galleries import settled_gallery
from simulators.mates import make_mates

EXACT = GalleryConfig(index=IndexChoice.EXACT)
THRESHOLD = 0.6


def build(vectors: NDArray[np.float32], reference_ids: list[str], config: GalleryConfig = EXACT) -> Gallery:
    return settled_gallery(vectors, reference_ids, config=config, threshold=THRESHOLD)


def unit(*components: float) -> NDArray[np.float32]:
    vector = np.asarray([components], dtype=np.float32)
    return vector / np.float32(np.linalg.norm(vector))


def test_counts() -> None:
    """Templates are rows, references are different ids."""
    gallery = build(np.vstack([unit(1, 0, 0), unit(0, 1, 0), unit(0, 0, 1)]), ["b", "a", "b"])
    assert (3, 2, 3) == (gallery.templates, gallery.references, gallery.dimension)
    assert ("pack", IndexChoice.EXACT) == (gallery.pack_digest, gallery.index)


def test_nearest_template_of_a_reference_counts() -> None:
    """A reference appears once, with the score of its nearest template."""
    gallery = build(np.vstack([unit(1, 0), unit(0, 1), unit(3, 4)]), ["one", "one", "two"])
    (candidates,) = gallery.search(unit(0, 1))
    assert [("one", 1), ("two", 2)] == [(candidate.reference_id, candidate.rank) for candidate in candidates]
    assert [1.0, pytest.approx(0.8)] == [candidate.score for candidate in candidates]


def test_ties_are_broken_by_reference_id() -> None:
    """Equal scores stand in order of reference id, whatever the order of the rows."""
    gallery = build(np.vstack([unit(1, 0)] * 3), ["c", "a", "b"])
    assert ["a", "b", "c"] == [candidate.reference_id for candidate in gallery.search(unit(1, 1))[0]]


def test_scores_stay_within_cosine() -> None:
    """Rounding beyond 1 and -1 is clipped, and what is clipped ties."""
    long = unit(1, 0) * np.float32(1.0005)
    gallery = build(np.vstack([unit(1, 0), long]), ["a", "b"])
    assert [("a", 1.0), ("b", 1.0)] == [(c.reference_id, c.score) for c in gallery.search(long)[0]]
    assert [("a", -1.0), ("b", -1.0)] == [(c.reference_id, c.score) for c in gallery.search(-long, 2)[0]]
    assert ["a"] == [c.reference_id for c in gallery.search(long, 1)[0]]
    assert ["a"] == [c.reference_id for c in gallery.search(-long, 1)[0]]


def test_k_above_the_live_count_gives_all() -> None:
    """Asking for more references than there are is no error."""
    gallery = build(np.vstack([unit(1, 0), unit(0, 1)]), ["a", "b"])
    assert 2 == len(gallery.search(unit(1, 0), 50)[0])


def test_one_reference_with_very_many_templates_hides_nobody() -> None:
    """The list stays full when the head of the ranking is all one reference."""
    random = np.random.default_rng(5)
    crowd = np.repeat(unit(1, 0, 0), 900, axis=0) + random.normal(0, 0.01, (900, 3)).astype(np.float32)
    crowd /= np.linalg.norm(crowd, axis=1, keepdims=True)
    others = np.vstack([unit(0, 1, 0), unit(0, 0, 1)])
    gallery = build(np.vstack([crowd, others]).astype(np.float32), ["many"] * 900 + ["x", "y"])
    found = gallery.search(unit(1, 0.2, 0.1), 3)[0]
    assert ["many", "x", "y"] == [candidate.reference_id for candidate in found]


def test_scores_do_not_depend_on_the_company() -> None:
    """A probe gets the same candidates, to the last bit, alone and in any batch."""
    vectors, ids = make_templates(400)
    gallery = build(vectors, ids)
    probes = make_mates(vectors[:40], 0.6)
    together = gallery.search(probes)
    assert together == tuple(gallery.search(probes[row : row + 1])[0] for row in range(40))


def test_empty_gallery_answers_with_nobody() -> None:
    """No templates is a legal list: every search is complete, and empty."""
    for choice in IndexChoice:
        gallery = build(np.empty((0, 8), dtype=np.float32), [], GalleryConfig(index=choice))
        assert ((), ()) == gallery.search(np.eye(8, dtype=np.float32)[:2])
        assert (0, 0, IndexChoice.EXACT) == (gallery.templates, gallery.references, gallery.index)


def test_no_probes_give_no_answers() -> None:
    """An empty batch is legal."""
    assert () == build(unit(1, 0), ["a"]).search(np.empty((0, 2), dtype=np.float32))


@pytest.mark.parametrize(
    "probes",
    [
        np.eye(3, dtype=np.float32),
        np.eye(2),
        np.asarray([1, 0], dtype=np.float32),
        np.full((1, 2), np.nan, dtype=np.float32),
        np.asarray([[np.inf, 0]], dtype=np.float32),
        np.asarray([[0, 0]], dtype=np.float32),
        np.asarray([[1.002, 0]], dtype=np.float32),
        np.asfortranarray(np.eye(2, dtype=np.float32)),
    ],
    ids=["dimension", "dtype", "shape", "nan", "inf", "zero", "length", "order"],
)
def test_bad_probes_are_refused(probes: NDArray[np.float32]) -> None:
    """What an index would answer with nonsense is a caller's mistake, also for an empty list."""
    for gallery in (build(unit(1, 0), ["a"]), build(np.empty((0, 2), dtype=np.float32), [])):
        with pytest.raises(ValueError, match=r"expected float32|not finite and of unit length|C order"):
            gallery.search(probes)


def test_k_below_one_is_refused() -> None:
    """Nobody may ask for no candidates and take the answer for a non-match."""
    with pytest.raises(ValueError, match="k of at least 1"):
        build(unit(1, 0), ["a"]).search(unit(1, 0), 0)


@pytest.mark.parametrize(
    ("vectors", "reference_ids"),
    [
        (np.eye(2), ["a", "b"]),
        (np.empty((0, 0), dtype=np.float32), []),
        (np.asarray([1, 0], dtype=np.float32), ["a", "b"]),
        (np.asarray([[np.nan, 1]], dtype=np.float32), ["a"]),
        (np.asarray([[1, 1]], dtype=np.float32), ["a"]),
        (np.eye(2, dtype=np.float32), ["a"]),
    ],
    ids=["dtype", "no-dimension", "shape", "nan", "length", "ids"],
)
def test_bad_templates_are_refused(vectors: NDArray[np.float32], reference_ids: list[str]) -> None:
    """A list with one impossible row does not load."""
    with pytest.raises(WatchlistFormatError, match="templates: "):
        build(vectors, reference_ids)


def test_the_matrix_is_a_copy() -> None:
    """The caller may zero its array after the build."""
    vectors = unit(1, 0)
    gallery = build(vectors, ["a"])
    vectors.fill(0)
    assert 1.0 == gallery.search(unit(1, 0))[0][0].score


def test_destroy_zeroes_in_place() -> None:
    """After `destroy` the same memory holds zeros and a search is refused; a second call does nothing."""
    vectors, ids = make_templates(50)
    gallery = build(vectors, ids)
    blocks = gallery._templates.blocks
    assert not np.shares_memory(blocks, vectors)
    assert blocks.flags.c_contiguous
    assert 0 < np.count_nonzero(blocks)
    gallery.destroy()
    gallery.destroy()
    assert 0 == np.count_nonzero(blocks)
    with pytest.raises(GalleryDestroyedError):
        gallery.search(vectors[:1])


def test_scores_are_wiped_after_each_search() -> None:
    """All scores against a known list would give the probe away, so none stay."""
    vectors, ids = make_templates(200)
    gallery = build(vectors, ids)
    gallery.search(vectors[: exact_index.BATCH + 3])
    assert 0 == np.count_nonzero(gallery._exact._scores)


@pytest.mark.parametrize("config", [EXACT, GalleryConfig(index=IndexChoice.HNSW)])
def test_who_is_forgotten_is_found_no_more(config: GalleryConfig) -> None:
    """None of their templates is; everybody else is found as before, and nobody's score changes."""
    vectors, ids = make_templates(200)
    gallery = build(vectors, ids, config)
    before = [gallery.search(vectors[row : row + 1], 2)[0] for row in range(len(vectors))]
    gone = {"ref-none", ids[0], ids[7]}
    gallery.forget(gone)
    for row, (first, _) in enumerate(before):
        (found,) = gallery.search(vectors[row : row + 1], 2)
        assert gone.isdisjoint(candidate.reference_id for candidate in found)
        if ids[row] not in gone:
            assert (ids[row], first) == (found[0].reference_id, found[0])
