"""Which index serves: chosen by size and configuration, taken by measured recall, checked by exact scores."""

from typing import cast

import numpy as np
import pytest
import structlog
from numpy.typing import NDArray

from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.watchlist import gallery as gallery_module
from edge_lfr.watchlist.gallery import Gallery, MeasuredIndex
from edge_lfr.watchlist.hnsw_index import MAX_EF, BuildStoppedError, HnswIndex
from edge_lfr.watchlist.recall import measure_recall, perturbed
from edge_lfr.watchlist.templates import TemplateMatrix
from simulators.templates import make_mates, make_templates

HNSW = GalleryConfig(index=IndexChoice.HNSW)
EXACT = GalleryConfig(index=IndexChoice.EXACT)
NARROW = GalleryConfig(index=IndexChoice.HNSW, hnsw_m=4, hnsw_ef_construction=16, hnsw_ef=16)
THRESHOLD = 0.6


class FixedIndex:
    """An index that always proposes the same rows."""

    choice = IndexChoice.HNSW

    def __init__(self, *rows: int) -> None:
        self.rows = np.asarray(rows, dtype=np.intp)

    def propose(self, probes: NDArray[np.float32], k: int) -> tuple[NDArray[np.intp], ...]:
        return (self.rows[: 4 * k],) * len(probes)


def build(
    vectors: NDArray[np.float32], reference_ids: list[str], config: GalleryConfig, threshold: float = THRESHOLD
) -> Gallery:
    return Gallery.build(vectors, reference_ids, pack_digest="pack", config=config, threshold=threshold)


def axes(config: GalleryConfig = EXACT) -> Gallery:
    """Four references, `a` to `d`, on the axes of four dimensions."""
    return build(np.eye(4, dtype=np.float32), ["a", "b", "c", "d"], config)


def test_hnsw_serves_when_asked_for() -> None:
    """The graph serves, its recall is known, and the log has the numbers."""
    vectors, ids = make_templates(300)
    with structlog.testing.capture_logs() as logs:
        gallery = build(vectors, ids, HNSW)
    assert (IndexChoice.HNSW, 1.0) == (gallery.index, gallery.recall)
    expected = {
        "event": "gallery.index",
        "log_level": "info",
        "serving": IndexChoice.HNSW,
        "recall": 1.0,
        "templates": 600,
    }
    assert [expected] == logs


def test_hnsw_gives_mates_as_exact_does() -> None:
    """For probes at the threshold candidates, scores and runner-up are those of exact search."""
    vectors, ids = make_templates(500)
    probes = make_mates(vectors[:50], THRESHOLD)
    assert build(vectors, ids, EXACT).search(probes) == build(vectors, ids, HNSW).search(probes)


def test_one_template_can_be_a_graph() -> None:
    """k is clipped to the live count."""
    gallery = build(np.eye(4, dtype=np.float32)[:1], ["a"], HNSW)
    assert IndexChoice.HNSW == gallery.index
    assert [("a", 0.0)] == [(c.reference_id, c.score) for c in gallery.search(np.eye(4, dtype=np.float32)[1:2])[0]]


def test_auto_is_exact_below_the_break_even(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` builds a graph from the measured number of templates on, and not one below."""
    vectors, ids = make_templates(100)
    auto = GalleryConfig(index=IndexChoice.AUTO)
    monkeypatch.setattr(gallery_module, "GRAPH_PAYS_FROM", 201)
    assert (IndexChoice.EXACT, None) == (build(vectors, ids, auto).index, build(vectors, ids, auto).recall)
    monkeypatch.setattr(gallery_module, "GRAPH_PAYS_FROM", 200)
    assert IndexChoice.HNSW == build(vectors, ids, auto).index


def test_a_graph_that_misses_is_widened_once() -> None:
    """Too low a recall doubles ef; the graph that then reaches it serves."""
    vectors, ids = make_templates(600, dimension=128)
    config = HNSW.model_copy(update={"hnsw_m": 10, "hnsw_ef_construction": 40, "hnsw_ef": 64})
    gallery = build(vectors, ids, config)
    assert IndexChoice.HNSW == gallery.index
    assert 128 == cast("HnswIndex", gallery._serving).ef
    assert gallery.recall is not None
    assert gallery.recall >= 0.999


def test_a_graph_that_still_misses_is_refused() -> None:
    """A missed person is worse than a slow search: exact serves, and a warning has the numbers."""
    vectors, ids = make_templates(600, dimension=128)
    with structlog.testing.capture_logs() as logs:
        gallery = build(vectors, ids, NARROW)
    assert IndexChoice.EXACT == gallery.index
    assert gallery.recall is not None
    assert gallery.recall < 0.999
    assert [("gallery.index-refused", "warning", gallery.recall, 1200)] == [
        (log["event"], log["log_level"], log["recall"], log["templates"]) for log in logs
    ]


def test_near_the_threshold_exact_search_decides() -> None:
    """A probe within the band is searched exactly, so who was not proposed is found all the same."""
    gallery = axes()
    gallery.adopt(MeasuredIndex(graph=FixedIndex(0), recall=1.0))
    probe = np.asarray([[0.6, 0.8, 0, 0]], dtype=np.float32)
    assert [("b", 1), ("a", 2)] == [(c.reference_id, c.rank) for c in gallery.search(probe, 2)[0]]


def test_the_band_includes_its_edge() -> None:
    """A graph score of exactly threshold less band is searched exactly; one below is not."""
    band = GalleryConfig(index=IndexChoice.EXACT, rescore_band=0.25)
    for score, expected in ((0.5, ["d"]), (0.4375, ["a"])):
        gallery = build(np.eye(4, dtype=np.float32), ["a", "b", "c", "d"], band, threshold=0.75)
        gallery.adopt(MeasuredIndex(graph=FixedIndex(0), recall=1.0))
        probe = np.asarray([[score, 0, 0, np.sqrt(1 - score**2)]], dtype=np.float32)
        assert expected == [c.reference_id for c in gallery.search(probe, 1)[0]]


def test_far_below_the_threshold_the_proposals_stand() -> None:
    """No exact search for a probe that is far off; its scores are exact all the same."""
    gallery = axes()
    gallery.adopt(MeasuredIndex(graph=FixedIndex(1, 0), recall=1.0))
    probe = np.asarray([[0.25, 0.125, 0, np.sqrt(1 - 0.078125)]], dtype=np.float32)
    assert [("a", 0.25), ("b", 0.125)] == [(c.reference_id, c.score) for c in gallery.search(probe)[0]]


def test_a_graph_without_an_answer_is_no_non_match() -> None:
    """Where the graph proposes nothing, exact search answers."""
    gallery = axes()
    gallery.adopt(MeasuredIndex(graph=FixedIndex(), recall=1.0))
    assert "c" == gallery.search(np.eye(4, dtype=np.float32)[2:3])[0][0].reference_id


def test_an_incomplete_walk_proposes_nothing() -> None:
    """Equal rows fall apart in a thin graph; the library's error becomes no answer, and is logged once."""
    same = np.repeat(np.eye(4, dtype=np.float32)[:1], 2000, axis=0)
    templates = TemplateMatrix(same, ["a"] * 2000)
    graph = HnswIndex(templates, NARROW)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            (rows,) = graph.propose(same[:1], 400)
            assert 0 == len(rows)
    assert ["gallery.graph-incomplete"] == [log["event"] for log in logs]


def test_recall_counts_what_is_missed() -> None:
    """An index that knows one of four references has a recall of a quarter."""
    gallery = axes()
    arguments = (gallery._exact, gallery._templates, THRESHOLD)
    assert 0.25 == measure_recall(FixedIndex(0), *arguments)
    assert 1.0 == measure_recall(gallery._exact, *arguments)
    assert 0.0 == measure_recall(FixedIndex(), *arguments)


def test_recall_stops_when_asked() -> None:
    """A gallery that is destroyed does not go on measuring."""
    gallery = axes()
    assert 0.0 == measure_recall(gallery._exact, gallery._exact, gallery._templates, THRESHOLD, lambda: True)


def test_perturbed_templates_score_the_threshold() -> None:
    """Each lies at the asked cosine from its origin and has unit length, also in a list of one."""
    for references in (1, 40):
        vectors, ids = make_templates(references, pictures=1)
        templates = TemplateMatrix(vectors, ids)
        rows = np.arange(len(templates))
        probes = perturbed(templates, rows, 0.6, np.random.default_rng(1))
        assert np.allclose(0.6, np.sum(probes * templates.matrix, axis=1), atol=1e-5)
        assert np.allclose(1.0, np.linalg.norm(probes, axis=1), atol=1e-5)


def test_two_builds_are_the_same_graph() -> None:
    """Seed and order are fixed, so proposals repeat, whatever the order of the source."""
    vectors, ids = make_templates(400, dimension=128)
    shuffled = np.random.default_rng(3).permutation(len(ids))
    probes = make_mates(vectors[:20], 0.3)
    # Pictures of one person keep their order in the source; so one picture each.
    single = [ids.index(reference_id) for reference_id in sorted(set(ids))]
    first = TemplateMatrix(vectors[single], [ids[row] for row in single])
    mixed = [row for row in shuffled if row in set(single)]
    second = TemplateMatrix(vectors[mixed], [ids[row] for row in mixed])
    for one, other in zip(
        HnswIndex(first, NARROW).propose(probes, 5), HnswIndex(second, NARROW).propose(probes, 5), strict=True
    ):
        assert one.tolist() == other.tolist()


def test_ef_has_a_limit() -> None:
    """Beyond it exact search is cheaper."""
    graph = HnswIndex(TemplateMatrix(np.eye(4, dtype=np.float32), ["a", "b", "c", "d"]), HNSW)
    assert 400 == graph.ef
    graph.set_ef(9999)
    assert MAX_EF == graph.ef


def test_a_build_can_be_stopped() -> None:
    """The graph is then nobody's."""
    with pytest.raises(BuildStoppedError):
        HnswIndex(TemplateMatrix(np.eye(4, dtype=np.float32), ["a", "b", "c", "d"]), HNSW, lambda: True)


def test_exact_serves_until_the_graph_is_adopted() -> None:
    """Building changes nothing; adopting swaps; destroying goes back and takes no more graphs."""
    vectors, ids = make_templates(100)
    gallery = Gallery(vectors, ids, pack_digest="pack", config=HNSW, threshold=THRESHOLD)
    seen = [gallery.index]
    measured = gallery.build_index()
    assert measured is not None
    seen.append(gallery.index)
    gallery.adopt(measured)
    seen.append(gallery.index)
    gallery.destroy()
    seen.append(gallery.index)
    gallery.adopt(measured)
    seen.append(gallery.index)
    assert ["exact", "exact", "hnsw", "exact", "exact"] == seen
    assert gallery.build_index() is None
