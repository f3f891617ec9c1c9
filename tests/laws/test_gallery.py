"""Laws of the gallery: whatever the templates, the answer is the head of the full ranking."""

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_lfr.biometrics.outcomes import Candidate
from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.evaluation.made_templates import make_templates
from simulators.galleries import settled_gallery
from simulators.mates import make_mates

DIMENSION = 3


@st.composite
def unit_rows(draw: st.DrawFn, least: int, most: int) -> NDArray[np.float32]:
    """Rows on a coarse grid, so that equal scores and equal rows are common."""
    corner = st.tuples(*[st.integers(-2, 2)] * DIMENSION).filter(any)
    rows = np.asarray(draw(st.lists(corner, min_size=least, max_size=most)), dtype=np.float32).reshape(-1, DIMENSION)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (rows / lengths).astype(np.float32)
    return unit


@st.composite
def watchlists(draw: st.DrawFn) -> tuple[NDArray[np.float32], list[str]]:
    vectors = draw(unit_rows(0, 300))
    names = st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"])
    return vectors, draw(st.lists(names, min_size=len(vectors), max_size=len(vectors)))


def ranking(vectors: NDArray[np.float32], reference_ids: list[str], probe: NDArray[np.float32]) -> list[Candidate]:
    """All references, by sorting all scores."""
    best: dict[str, float] = {}
    for vector, reference_id in zip(vectors.astype(np.float64), reference_ids, strict=True):
        score = float(np.clip(np.sum(vector * probe.astype(np.float64)), -1, 1))
        best[reference_id] = max(score, best.get(reference_id, score))
    order = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    return [
        Candidate(reference_id=reference_id, score=score, rank=rank)
        for rank, (reference_id, score) in enumerate(order, start=1)
    ]


@given(watchlists(), unit_rows(1, 20), st.integers(1, 9))
def test_search_agrees_with_sorting_all_scores(
    watchlist: tuple[NDArray[np.float32], list[str]], probes: NDArray[np.float32], k: int
) -> None:
    """The candidate list is the head of the full ranking, ties broken by reference id."""
    gallery = settled_gallery(*watchlist, config=GalleryConfig(index=IndexChoice.EXACT), threshold=0.6)
    expected = [ranking(*watchlist, probe)[:k] for probe in probes]
    assert expected == [list(candidates) for candidates in gallery.search(probes, k)]


@settings(max_examples=25, deadline=None)
@given(watchlists(), unit_rows(1, 5), st.floats(0.05, 0.95))
def test_a_decision_never_rests_on_the_graph(
    watchlist: tuple[NDArray[np.float32], list[str]], probes: NDArray[np.float32], threshold: float
) -> None:
    """Every probe that the graph places at or near the threshold gets the answer of exact search."""
    vectors, reference_ids = watchlist
    config = GalleryConfig(index=IndexChoice.HNSW, hnsw_m=8, hnsw_ef_construction=50, hnsw_ef=300)
    gallery = settled_gallery(vectors, reference_ids, config=config, threshold=threshold)
    for probe, candidates in zip(probes, gallery.search(probes), strict=True):
        if candidates and candidates[0].score >= threshold - config.rescore_band:
            assert ranking(vectors, reference_ids, probe)[:5] == list(candidates)


@settings(max_examples=25, deadline=None)
@given(st.integers(20, 120), st.floats(0.35, 0.9), st.floats(-0.09, 0.3), st.integers(0, 2**31))
def test_either_index_gives_the_same_candidates_where_a_decision_may_rest(
    references: int, threshold: float, above: float, seed: int
) -> None:
    """For a probe whose nearest template scores threshold less band or more, scores, ranks and runner-up are equal."""
    vectors, reference_ids = make_templates(references, seed=seed)
    probes = make_mates(vectors[:16], min(threshold + above, 0.999), seed=seed)
    exact, graph = (
        settled_gallery(vectors, reference_ids, config=GalleryConfig(index=choice), threshold=threshold)
        for choice in (IndexChoice.EXACT, IndexChoice.HNSW)
    )
    assert IndexChoice.HNSW == graph.index
    assert exact.search(probes) == graph.search(probes)


@settings(max_examples=25, deadline=None)
@given(watchlists(), unit_rows(1, 5), st.floats(0.05, 0.95))
def test_scores_are_exact_whichever_index_serves(
    watchlist: tuple[NDArray[np.float32], list[str]], probes: NDArray[np.float32], threshold: float
) -> None:
    """Whoever the graph proposes, however far off, never carries a score that exact search would not give."""
    vectors, reference_ids = watchlist
    config = GalleryConfig(index=IndexChoice.HNSW, hnsw_m=8, hnsw_ef_construction=50, hnsw_ef=300)
    gallery = settled_gallery(vectors, reference_ids, config=config, threshold=threshold)
    templates: dict[str, list[NDArray[np.float64]]] = {}
    for reference_id, vector in zip(reference_ids, vectors.astype(np.float64), strict=True):
        templates.setdefault(reference_id, []).append(vector)
    for probe, candidates in zip(probes.astype(np.float64), gallery.search(probes), strict=True):
        for candidate in candidates:
            scores = [float(np.clip(np.sum(vector * probe), -1, 1)) for vector in templates[candidate.reference_id]]
            assert candidate.score in scores


@given(watchlists(), unit_rows(1, 5), st.randoms(use_true_random=False))
def test_the_order_of_the_source_means_nothing(
    watchlist: tuple[NDArray[np.float32], list[str]], probes: NDArray[np.float32], shuffling: Random
) -> None:
    """Rows in any order make the same gallery."""
    vectors, reference_ids = watchlist
    order = list(range(len(vectors)))
    shuffling.shuffle(order)
    config = GalleryConfig(index=IndexChoice.EXACT)
    one = settled_gallery(vectors, reference_ids, config=config, threshold=0.6)
    other = settled_gallery(vectors[order], [reference_ids[row] for row in order], config=config, threshold=0.6)
    assert one.search(probes) == other.search(probes)
