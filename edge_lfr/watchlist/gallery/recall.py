"""How often a graph finds whom exact search finds: templates enter, perturbed as far as a hard mate; a share leaves."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.watchlist.gallery.exact_index import BATCH, ExactIndex, Index
from edge_lfr.watchlist.gallery.templates import TemplateMatrix

PROBES: Final = 3000
"""Three misses are then the limit of 0.999."""

MIXED_TEMPLATES: Final = 512
"""Templates that a perturbation is mixed from: enough for the directions in which faces differ, and no face in it."""

ISOTROPIC_SHARE: Final = 0.1
"""Chosen, not measured: some noise without direction, so that a list of one person can be perturbed too."""

SEED: Final = 20_083


def measure_recall(
    graph: Index,
    exact: ExactIndex,
    templates: TemplateMatrix,
    threshold: float,
    should_stop: Callable[[], bool] = lambda: False,
) -> float:
    """
    Search for mates that score just the threshold, and give the share for which both name the same first reference.

    A mate's vector strays in the directions in which faces differ, and these are the hard ones for a graph; so the
    noise is mixed from the templates themselves.

    Args:
        graph: The index in question.

        exact: The reference, over the same templates.

        templates: At least one.

        threshold: Cosine between a perturbed template and its origin.

        should_stop: Asked between batches; the result is then 0.
    """
    random = np.random.default_rng(SEED)
    rows = random.permutation(len(templates))[:PROBES]
    found = 0
    for start in range(0, len(rows), BATCH):
        if should_stop():
            return 0.0
        probes = perturbed(templates, rows[start : start + BATCH], threshold, random)
        found += sum(
            bool(first) and first[0].reference_id == certain[0].reference_id
            for first, certain in zip(
                templates.nearest(probes, graph.propose(probes, 1), 1),
                templates.nearest(probes, exact.propose(probes, 1), 1),
                strict=True,
            )
        )
        probes.fill(0)
    return found / len(rows)


def perturbed(
    templates: TemplateMatrix, rows: NDArray[np.intp], cosine: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """Unit vectors at *cosine* from the templates of *rows*: float32 (len(rows), d)."""
    origins = templates.rows(rows)
    mixed = templates.rows(random.permutation(len(templates))[:MIXED_TEMPLATES])
    noise = random.standard_normal((len(rows), len(mixed)), dtype=np.float32) @ mixed / np.sqrt(len(mixed))
    noise += ISOTROPIC_SHARE * random.standard_normal(noise.shape) / np.sqrt(templates.dimension)
    noise -= np.sum(noise * origins, axis=1, keepdims=True) * origins
    noise /= np.maximum(np.linalg.norm(noise, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    probes: NDArray[np.float32] = (cosine * origins + np.sqrt(1.0 - cosine**2) * noise).astype(np.float32)
    for copied in (origins, mixed, noise):
        copied.fill(0)
    return probes
