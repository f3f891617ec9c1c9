"""Which index serves: chosen by size and configuration, taken by measured recall, checked by exact scores."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import cast

import numpy as np
import pytest
import structlog
from numpy.typing import NDArray

from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.evaluation.made_templates import make_templates
from edge_lfr.watchlist.gallery import gallery as gallery_module
from edge_lfr.watchlist.gallery.exact_index import Index
from edge_lfr.watchlist.gallery.gallery import Gallery
from edge_lfr.watchlist.gallery.hnsw_index import MAX_EF, BuildStoppedError, HnswIndex
from edge_lfr.watchlist.gallery.index_report import IndexReason, IndexReport, SearchTimes
from edge_lfr.watchlist.gallery.race import is_clearly_faster, race, race_probes
from edge_lfr.watchlist.gallery.recall import measure_recall, perturbed
from edge_lfr.watchlist.gallery.templates import TemplateMatrix
from simulators.galleries import settled_gallery
from simulators.mates import make_mates

AUTO = GalleryConfig(index=IndexChoice.AUTO)
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
    return settled_gallery(vectors, reference_ids, config=config, threshold=threshold)


def axes(config: GalleryConfig = EXACT, threshold: float = THRESHOLD) -> Gallery:
    """Four references, `a` to `d`, on the axes of four dimensions."""
    return build(np.eye(4, dtype=np.float32), ["a", "b", "c", "d"], config, threshold)


def serving(index: Index, config: GalleryConfig = EXACT, threshold: float = THRESHOLD) -> Gallery:
    """Four references, `a` to `d`, on the axes of four dimensions, proposed by this index."""
    gallery = axes(config, threshold)
    gallery._serving = index
    return gallery


def test_hnsw_serves_when_asked_for() -> None:
    """The graph serves, its recall and both times are known, and the log has the numbers."""
    vectors, ids = make_templates(300)
    with structlog.testing.capture_logs() as logs:
        gallery = build(vectors, ids, HNSW)
    choice = gallery.choice
    assert (IndexChoice.HNSW, IndexReason.FORCED, 1.0) == (choice.serving, choice.reason, choice.recall)
    assert choice.times is not None
    assert choice.build_s is not None
    expected = {
        "event": "gallery.index",
        "log_level": "info",
        "serving": IndexChoice.HNSW,
        "reason": IndexReason.FORCED,
        "recall": 1.0,
        "templates": 600,
        "build_s": choice.build_s,
        **{name: round(ms, 3) for name, ms in asdict(choice.times).items()},
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


def test_auto_tries_no_graph_for_few_templates() -> None:
    """Below the limit exact search serves, and says why."""
    vectors, ids = make_templates(100)
    assert IndexReport(serving=IndexChoice.EXACT, reason=IndexReason.SMALL) == build(vectors, ids, AUTO).choice


def timed(monkeypatch: pytest.MonkeyPatch, *graph_ms: float, exact_ms: float = 10.0) -> None:
    """Every race has these times for the graph, one after another, and so long for exact search."""
    races = iter(graph_ms)

    def race(*_: object) -> SearchTimes:
        ms = next(races)
        return SearchTimes(exact_1_ms=exact_ms, exact_8_ms=exact_ms, graph_1_ms=ms, graph_8_ms=ms)

    monkeypatch.setattr(gallery_module, "race", race)


@pytest.mark.parametrize(
    ("graph_ms", "index", "reason"),
    [
        ((8.0, 8.0), IndexChoice.HNSW, IndexReason.FASTER),
        ((8.0, 8.1), IndexChoice.EXACT, IndexReason.NOT_FASTER),
        ((8.1,), IndexChoice.EXACT, IndexReason.FEW_NOT_FASTER),
    ],
    ids=["faster", "not-faster", "few-not-faster"],
)
def test_auto_takes_the_graph_that_wins(
    monkeypatch: pytest.MonkeyPatch, graph_ms: tuple[float, ...], index: IndexChoice, reason: IndexReason
) -> None:
    """Four fifths of the time of exact search is clearly faster; a graph of a few that is not ends the trial."""
    monkeypatch.setattr(gallery_module, "TRIED_FROM", 200)
    timed(monkeypatch, *graph_ms)
    gallery = build(*make_templates(100), AUTO)
    assert (index, reason) == (gallery.index, gallery.choice.reason)
    assert (reason is IndexReason.FEW_NOT_FASTER) == (gallery.choice.recall is None)


def test_hnsw_serves_although_it_is_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for the graph gets it, with the times beside."""
    timed(monkeypatch, 1000.0)
    assert IndexReason.FORCED == build(*make_templates(100), HNSW).choice.reason


def test_both_batches_must_win() -> None:
    """A gain for one probe does not pay for a loss in a burst."""
    won = SearchTimes(exact_1_ms=10, exact_8_ms=20, graph_1_ms=8, graph_8_ms=16)
    verdicts = [is_clearly_faster(replace(won, **late)) for late in ({}, {"graph_1_ms": 8.1}, {"graph_8_ms": 16.1})]
    assert [True, False, False] == verdicts


def test_a_race_has_a_probe_near_the_threshold_and_seven_that_are_not() -> None:
    """So a graph pays in it for exact search as often as in the street."""
    vectors, ids = make_templates(300, dimension=256)
    probes = race_probes(TemplateMatrix(vectors, ids), THRESHOLD)
    best = [candidates[0].score for candidates in build(vectors, ids, EXACT).search(probes)]
    assert [True] + [False] * 7 == [score >= THRESHOLD - 0.10 for score in best]


def test_a_race_takes_medians_of_both() -> None:
    """Both search the same probes, one by one and at once, in turns."""
    seen: list[tuple[str, int]] = []
    probes = np.zeros((8, 4), dtype=np.float32)
    times = race(
        lambda batch: seen.append(("exact", len(batch))), lambda batch: seen.append(("graph", len(batch))), probes
    )
    turn = [("exact", 1)] * 8 + [("exact", 8)] + [("graph", 1)] * 8 + [("graph", 8)]
    assert turn * 16 == seen
    assert min(asdict(times).values()) > 0


def test_a_graph_that_cannot_be_built_costs_nobody_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory runs out, or the library fails: exact search goes on, and status says so."""

    def failing(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(gallery_module, "HnswIndex", failing)
    vectors, ids = make_templates(10)
    with structlog.testing.capture_logs() as logs:
        gallery = build(vectors, ids, HNSW)
    assert (IndexChoice.EXACT, IndexReason.FAILED) == (gallery.index, gallery.choice.reason)
    assert ["gallery.graph-failed", "gallery.index"] == [log["event"] for log in logs]
    assert 1 == len(gallery.search(vectors[:1]))


def test_a_graph_that_misses_is_widened_once() -> None:
    """Too low a recall doubles ef; the graph that then reaches it serves."""
    vectors, ids = make_templates(600, dimension=128)
    config = HNSW.model_copy(update={"hnsw_m": 10, "hnsw_ef_construction": 40, "hnsw_ef": 64})
    gallery = build(vectors, ids, config)
    assert IndexChoice.HNSW == gallery.index
    assert 128 == cast("HnswIndex", gallery._serving).ef
    assert gallery.choice.recall is not None
    assert gallery.choice.recall >= 0.999


def test_a_graph_that_still_misses_is_refused() -> None:
    """A missed person is worse than a slow search: exact serves, and a warning has the numbers."""
    vectors, ids = make_templates(600, dimension=128)
    with structlog.testing.capture_logs() as logs:
        gallery = build(vectors, ids, NARROW)
    recall = gallery.choice.recall
    assert (IndexChoice.EXACT, IndexReason.MISSES) == (gallery.index, gallery.choice.reason)
    assert recall is not None
    assert recall < 0.999
    assert [("gallery.index", "warning", recall, 1200)] == [
        (log["event"], log["log_level"], log["recall"], log["templates"]) for log in logs
    ]


def test_near_the_threshold_exact_search_decides() -> None:
    """A probe within the band is searched exactly, so who was not proposed is found all the same."""
    probe = np.asarray([[0.6, 0.8, 0, 0]], dtype=np.float32)
    found = serving(FixedIndex(0)).search(probe, 2)[0]
    assert [("b", 1), ("a", 2)] == [(c.reference_id, c.rank) for c in found]


def test_the_band_includes_its_edge() -> None:
    """A graph score of exactly threshold less band is searched exactly; one below is not."""
    band = GalleryConfig(index=IndexChoice.EXACT, rescore_band=0.25)
    for score, expected in ((0.5, ["d"]), (0.4375, ["a"])):
        gallery = serving(FixedIndex(0), band, threshold=0.75)
        probe = np.asarray([[score, 0, 0, np.sqrt(1 - score**2)]], dtype=np.float32)
        assert expected == [c.reference_id for c in gallery.search(probe, 1)[0]]


def test_far_below_the_threshold_the_proposals_stand() -> None:
    """No exact search for a probe that is far off; its scores are exact all the same."""
    gallery = serving(FixedIndex(1, 0))
    probe = np.asarray([[0.25, 0.125, 0, np.sqrt(1 - 0.078125)]], dtype=np.float32)
    assert [("a", 0.25), ("b", 0.125)] == [(c.reference_id, c.score) for c in gallery.search(probe)[0]]


def test_a_graph_without_an_answer_is_no_non_match() -> None:
    """Where the graph proposes nothing, exact search answers."""
    gallery = serving(FixedIndex())
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
        assert np.allclose(0.6, np.sum(probes * templates.rows(rows), axis=1), atol=1e-5)
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


def test_exact_serves_until_the_graph_has_won() -> None:
    """The choice swaps; destroying goes back, and no graph is tried any more."""
    vectors, ids = make_templates(100)
    gallery = Gallery(vectors, ids, pack_digest="pack", config=HNSW, threshold=THRESHOLD)
    seen = [(gallery.index, gallery.choice.reason)]
    gallery.choose_index()
    seen.append((gallery.index, gallery.choice.reason))
    gallery.destroy()
    seen.append((gallery.index, gallery.choice.reason))
    assert [("exact", "graph-being-tried"), ("hnsw", "graph-configured"), ("exact", "graph-configured")] == seen


def test_a_destroyed_gallery_takes_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is destroyed before the build, during it, or when all is measured."""
    vectors, ids = make_templates(100)
    for moment in ("before", "measure_recall", "race"):
        gallery = Gallery(vectors, ids, pack_digest="pack", config=HNSW, threshold=THRESHOLD)
        if moment == "before":
            gallery.destroy()
        else:
            real = getattr(gallery_module, moment)

            def ending(*args: object, gallery: Gallery = gallery, real: Callable[..., object] = real) -> object:
                gallery.destroy()
                return real(*args)

            monkeypatch.setattr(gallery_module, moment, ending)
        gallery.choose_index()
        assert (IndexChoice.EXACT, IndexReason.TRYING) == (gallery.index, gallery.choice.reason)
        assert gallery._serving is gallery._exact
        monkeypatch.undo()


def test_a_graph_of_a_few_takes_them_from_everywhere() -> None:
    """The rows that it names are those of the whole list."""
    vectors, ids = make_templates(100)
    templates = TemplateMatrix(vectors, ids)
    graph = HnswIndex(templates, HNSW, only=10)
    (rows,) = graph.propose(vectors[:1], 50)
    assert list(range(0, 200, 20)) == sorted(rows.tolist())
