"""Vectors that are spread as a face embedder spreads people: made, not of anybody."""

import numpy as np
from numpy.typing import NDArray

SPECTRUM = -0.33
"""Power law of the standard deviations; at 256 dimensions two people then score 0 +- 0.10, as real ones do."""

SAME_PERSON = 0.68
"""Cosine of two pictures of one person."""


def make_templates(
    references: int, *, pictures: int = 2, dimension: int = 64, seed: int = 1
) -> tuple[NDArray[np.float32], list[str]]:
    """Unit rows, float32 (references * pictures, dimension), and the reference id of each, in shuffled order."""
    random = np.random.default_rng(seed)
    spread = np.arange(1, dimension + 1) ** SPECTRUM
    people = _unit(random.standard_normal((references, dimension)) * spread)
    noise = _unit(random.standard_normal((references * pictures, dimension)) * spread)
    rows = _unit(np.sqrt(SAME_PERSON) * np.repeat(people, pictures, axis=0) + np.sqrt(1 - SAME_PERSON) * noise)
    order = random.permutation(len(rows))
    return rows[order].astype(np.float32), [f"ref-{row // pictures:05d}" for row in order]


def make_mates(vectors: NDArray[np.float32], cosine: float, *, seed: int = 2) -> NDArray[np.float32]:
    """One probe for each vector, at *cosine* from it, in any direction."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal(vectors.shape)
    noise = _unit(noise - np.sum(noise * vectors, axis=1, keepdims=True) * vectors)
    return _unit(cosine * vectors + np.sqrt(1 - cosine**2) * noise).astype(np.float32)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
