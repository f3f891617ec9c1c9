"""Exact search against a graph: both search the same probes in turns, medians leave."""

import time
from collections.abc import Callable
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.watchlist.gallery.index_report import SearchTimes
from edge_lfr.watchlist.gallery.recall import perturbed
from edge_lfr.watchlist.gallery.templates import TemplateMatrix

PROBES: Final = 8
"""A batch as it comes in a burst."""

NEAR_PROBES: Final = 1
"""Of these eight, so many come near enough to the threshold to be searched exactly after the graph. The best of N
scores of strangers (standard deviation s) has a tail that falls by e every s / sqrt(2 ln N): 0.021 for s = 0.10 and
60,000. Where one look in 1,000 reaches the threshold, e^(0.10 / 0.021) = 110 times as many come within 0.10 of it."""

ROUNDS: Final = 15
"""Odd, so that the median was seen; at a million templates a round takes a second."""

CLEARLY: Final = 0.8
"""A graph must take at most this share of the time of exact search, for one probe and for eight. Two medians of one
index, interleaved on a loaded machine, differ by a tenth; a fifth is twice that. Both must win: a gain for single
probes is nothing to a burst, in which an alert waits longest, and most passes have one or two probes."""

SEED: Final = 20_084

Search = Callable[[NDArray[np.float32]], object]
"""From probes to candidates, all that it costs."""


def race(exact: Search, graph: Search, probes: NDArray[np.float32]) -> SearchTimes:
    """
    Let both search the same eight probes, one by one and at once, in turns.

    It is the thread's own time that counts: a search computes in its caller's thread alone, and how long a nice thread
    waits for a core says nothing about either.

    Args:
        exact: What serves now; whatever it raises ends the race.

        graph: What may serve instead; likewise.

        probes: float32 (8, d), as `race_probes` makes them.
    """
    singles: dict[Search, list[float]] = {exact: [], graph: []}
    batches: dict[Search, list[float]] = {exact: [], graph: []}
    for _ in range(ROUNDS + 1):
        for search in (exact, graph):
            began = time.thread_time()
            for place in range(len(probes)):
                search(probes[place : place + 1])
            between = time.thread_time()
            search(probes)
            ended = time.thread_time()
            singles[search].append((between - began) / len(probes))
            batches[search].append(ended - between)
    # The first round fills caches.
    return SearchTimes(
        exact_1_ms=1e3 * median(singles[exact][1:]),
        exact_8_ms=1e3 * median(batches[exact][1:]),
        graph_1_ms=1e3 * median(singles[graph][1:]),
        graph_8_ms=1e3 * median(batches[graph][1:]),
    )


def race_probes(templates: TemplateMatrix, threshold: float) -> NDArray[np.float32]:
    """Made probes, float32 (8, d): one at the threshold, the others of people who are not listed."""
    random = np.random.default_rng(SEED)
    rows = random.integers(0, len(templates), PROBES)
    rows[:NEAR_PROBES] = 0  # a graph of few has the first template too
    probes = perturbed(templates, rows, 0.0, random)
    probes[:NEAR_PROBES] = perturbed(templates, rows[:NEAR_PROBES], threshold, random)
    return probes


def is_clearly_faster(times: SearchTimes) -> bool:
    """Whether the graph wins, for one probe and for eight."""
    return times.graph_1_ms <= CLEARLY * times.exact_1_ms and times.graph_8_ms <= CLEARLY * times.exact_8_ms
