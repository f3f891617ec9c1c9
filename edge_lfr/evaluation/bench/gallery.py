"""Made templates enter, times and recall leave: a sealed list taken into use, exact search, a graph beside it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.locking import TALLY
from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.evaluation.bench.gallery_start import STARTS, ListSize, started
from edge_lfr.evaluation.bench.ground import PACK
from edge_lfr.evaluation.bench.report import Report, Row, Witness
from edge_lfr.evaluation.made_templates import make_templates
from edge_lfr.inference.catalogue import load_catalogue
from edge_lfr.watchlist.gallery.gallery import MIN_RECALL, Gallery
from edge_lfr.watchlist.gallery.recall import perturbed
from edge_lfr.watchlist.gallery.templates import TemplateMatrix

DIMENSION: Final = 256
"""Of the packs' vectors; one of 512 takes twice as long."""

BATCHES: Final = (1, 8, 16)
"""Probes at once: most passes, a burst, the largest product."""

TARGET_BATCH: Final = 8

TARGETS_MS: Final = {20_000: 0.5, 60_000: 2.0}
"""Elapsed milliseconds a probe in batches of eight, as a median: a burst of 20 looks then costs 10 and 40 ms."""

FIRST_SEARCH_S: Final = 1.0

MATES: Final = 3000
"""Three that are missed are then the limit of 0.999."""

SEED: Final = 20_085


@dataclass(frozen=True, slots=True)
class SearchTimes:
    """Of one batch, over all rounds; milliseconds a probe."""

    elapsed_ms: float
    """Median by the clock: where others compute on the same cores, their part is in it."""

    shortest_ms: float
    """The shortest by the clock: nobody was in the way."""

    cpu_ms: float
    """Median CPU time of all threads; nothing else runs in this process."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    exact: tuple[ListSize, ...]
    """Lists that are sealed, taken into use and searched exactly."""

    graphs: tuple[int, ...]
    """Numbers of templates of which a graph is built, and that `auto` chooses an index for."""

    rounds: int
    """Searches of each batch that a median is taken of, batches in turns."""


QUICK: Final = Plan(exact=(ListSize(20_000, 1),), graphs=(4_000,), rounds=301)
FULL: Final = Plan(exact=(ListSize(20_000, 1), ListSize(20_000, 3)), graphs=(20_000, 60_000), rounds=401)
LONG: Final = 1_000_000
"""Searched without having been sealed: no list is so long (`watchlist.source.MAX_ROWS`), and sealing takes minutes."""

LONG_ROUNDS: Final = 21


def measure_gallery(witness: Witness, *, is_quick: bool, is_long: bool) -> Report:
    """
    Search made templates exactly and in a graph.

    Args:
        witness: Who follows.

        is_quick: Exact search at 20,000 templates, and a small graph.

        is_long: A million templates besides, exactly.
    """
    return measure(witness, QUICK if is_quick else FULL, is_long=is_long)


def measure(witness: Witness, plan: Plan, *, is_long: bool = False) -> Report:
    """Do as planned."""
    rows: list[Row] = []
    for size in plan.exact:
        rows += _started_rows(size, plan.rounds, witness)
    pace_s = 0.0
    for templates in plan.graphs:
        witness.stage(f"a graph of {templates:,} templates, and what auto takes")
        build_s, found = _graph_rows(templates, witness)
        pace_s = build_s / templates
        rows += found
    if is_long:
        witness.stage(f"exact search of {LONG:,} templates")
        rows += _long_rows(LONG, LONG_ROUNDS)
        # A row takes longer in a larger graph.
        hours = pace_s * LONG / 3600
        rows.append(Row.shown(f"{LONG:,}: graph, not built: it would take at least", round(hours, 1), "h"))
    return Report.of(rows)


def _started_rows(size: ListSize, rounds: int, witness: Witness) -> Iterator[Row]:
    """Take a sealed list into use as the daemon does, and search it."""
    templates = size.templates
    witness.stage(f"sealing {templates:,} templates, and taking them into use")
    strangers = _strangers()
    with started(size, load_catalogue().pack(PACK), strangers[:1], witness) as found:
        witness.stage(f"exact search of {templates:,} templates")
        yield from _search_rows(templates, found.gallery, strangers, rounds)
        name = f"{templates:,}: start to first search"
        yield Row.at_most(f"{name}, median of {STARTS}", round(found.first_s, 3), FIRST_SEARCH_S, "s")
        yield Row.shown(f"{templates:,}: opening the store before it", round(found.opening_s, 3), "s")
        yield Row.shown(f"{templates:,}: memory of matrix and scores", round(found.size_mb), "MB")


def _long_rows(templates: int, rounds: int) -> Iterator[Row]:
    vectors, reference_ids = _made(templates)
    strangers, held_bytes = _strangers(), TALLY.locked_bytes + TALLY.unlocked_bytes
    began_s = time.perf_counter()
    gallery = _gallery(vectors, reference_ids, IndexChoice.EXACT)
    gallery.search(strangers[:1])
    first_s = time.perf_counter() - began_s
    del vectors
    yield from _search_rows(templates, gallery, strangers, rounds)
    yield Row.shown(f"{templates:,}: vectors in memory to first search", round(first_s, 3), "s")
    size_mb = (TALLY.locked_bytes + TALLY.unlocked_bytes - held_bytes) / 1e6
    yield Row.shown(f"{templates:,}: memory of matrix and scores", round(size_mb), "MB")
    gallery.destroy()


def _search_rows(templates: int, gallery: Gallery, strangers: NDArray[np.float32], rounds: int) -> Iterator[Row]:
    name = f"{templates:,}: exact"
    for batch, times in _timed(gallery, strangers, rounds).items():
        words = f"{name}, {batch} at once" if batch > 1 else f"{name}, one probe"
        if batch == TARGET_BATCH and templates in TARGETS_MS:
            limit_ms = TARGETS_MS[templates]
            yield Row.at_most(f"{words}, elapsed, median", round(times.elapsed_ms, 3), limit_ms, "ms a probe")
        else:
            yield Row.shown(f"{words}, elapsed, median", round(times.elapsed_ms, 3), "ms a probe")
        yield Row.shown(f"{words}, elapsed, shortest", round(times.shortest_ms, 3), "ms a probe")
        yield Row.shown(f"{words}, CPU time, median", round(times.cpu_ms, 3), "ms a probe")


def _graph_rows(templates: int, witness: Witness) -> tuple[float, list[Row]]:
    """Force the graph, hold it against exact search, then let `auto` choose; the seconds of the build come first."""
    vectors, reference_ids = _made(templates)
    exact, forced, auto = (
        _gallery(vectors, reference_ids, choice) for choice in (IndexChoice.EXACT, IndexChoice.HNSW, IndexChoice.AUTO)
    )
    forced.choose_index()
    auto.choose_index()
    found, taken = forced.choice, auto.choice
    name = f"{templates:,}: graph"
    rows = [Row.shown(f"{name}, build", _rounded(found.build_s, 1), "s")]
    rows.append(Row.at_least(f"{name}, recall at the threshold", found.recall, MIN_RECALL))
    if found.serving is IndexChoice.HNSW:
        probes = _mates(vectors, reference_ids)
        rows.append(
            Row.at_least(f"{name} in use, mates named as by exact search", _agreed(exact, forced, probes, witness),
                         MIN_RECALL)
        )  # fmt: skip
    if found.times is not None:
        rows += [
            Row.shown(f"{name}, one probe", round(found.times.graph_1_ms, 3), "ms a probe"),
            Row.shown(f"{name}, 8 at once", round(found.times.graph_8_ms / 8, 3), "ms a probe"),
            Row.shown(f"{name} / exact, one probe", round(found.times.graph_1_ms / found.times.exact_1_ms, 2)),
            Row.shown(f"{name} / exact, 8 at once", round(found.times.graph_8_ms / found.times.exact_8_ms, 2)),
        ]
    rows.append(Row.shown(f"{templates:,}: auto takes", str(taken.serving)))
    rows.append(Row.shown(f"{templates:,}: auto's reason", str(taken.reason)))
    if taken.times is not None:
        rows += [
            Row.shown(f"{templates:,}: auto's graph of few, build", _rounded(taken.build_s, 1), "s"),
            Row.shown(
                f"{templates:,}: auto's graph / exact, one probe",
                round(taken.times.graph_1_ms / taken.times.exact_1_ms, 2),
            ),
            Row.shown(
                f"{templates:,}: auto's graph / exact, 8 at once",
                round(taken.times.graph_8_ms / taken.times.exact_8_ms, 2),
            ),
        ]  # fmt: skip
    for gallery in (exact, forced, auto):
        gallery.destroy()
    return found.build_s or 0.0, rows


def _made(templates: int) -> tuple[NDArray[np.float32], list[str]]:
    return make_templates(templates // 2, dimension=DIMENSION)


def _strangers() -> NDArray[np.float32]:
    """Probes of nobody who is listed."""
    return make_templates(max(BATCHES), pictures=1, dimension=DIMENSION, seed=SEED)[0]


def _gallery(vectors: NDArray[np.float32], reference_ids: list[str], index: IndexChoice) -> Gallery:
    config = GalleryConfig(index=index)
    threshold = _threshold(len(vectors))
    return Gallery(vectors, reference_ids, pack_digest=PACK, config=config, threshold=threshold)


def _threshold(templates: int) -> float:
    """The pack's floor for so many; for more than it is calibrated for, that of its last row."""
    entry = load_catalogue().pack(PACK)
    return entry.floor(min(templates, entry.calibration[-1].templates)).threshold


def _mates(vectors: NDArray[np.float32], reference_ids: list[str]) -> NDArray[np.float32]:
    """Probes at the operating threshold from listed templates; not those that the gallery measures itself with."""
    templates = TemplateMatrix(vectors, reference_ids)
    random = np.random.default_rng(SEED)
    rows = random.permutation(len(templates))[:MATES]
    return perturbed(templates, rows, _threshold(len(templates)), random)


def _agreed(exact: Gallery, graph: Gallery, probes: NDArray[np.float32], witness: Witness) -> float:
    """Share of *probes* for which both give the same candidates, ranks and scores."""
    same = 0
    for start in range(0, len(probes), max(BATCHES)):
        batch = probes[start : start + max(BATCHES)]
        same += sum(one == other for one, other in zip(exact.search(batch), graph.search(batch), strict=True))
        witness.count(start + len(batch), len(probes))
    return same / len(probes)


def _timed(gallery: Gallery, probes: NDArray[np.float32], rounds: int) -> dict[int, SearchTimes]:
    """Search batches of each size again and again, in turns: what else the machine does meanwhile falls on all."""
    elapsed_s: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    cpu_s: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    for _ in range(rounds + 1):
        for batch in BATCHES:
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            gallery.search(probes[:batch])
            cpu_s[batch].append(time.process_time() - began_cpu_s)
            elapsed_s[batch].append(time.perf_counter() - began_s)
    return {  # the first round fills caches
        batch: SearchTimes(
            elapsed_ms=1e3 * median(elapsed_s[batch][1:]) / batch,
            shortest_ms=1e3 * min(elapsed_s[batch][1:]) / batch,
            cpu_ms=1e3 * median(cpu_s[batch][1:]) / batch,
        )
        for batch in BATCHES
    }


def _rounded(seconds: float | None, digits: int) -> float | None:
    return None if seconds is None else round(seconds, digits)
