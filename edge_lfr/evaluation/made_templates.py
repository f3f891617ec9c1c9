"""Vectors that are spread as a face embedder spreads people: made, not of anybody."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

SPECTRUM: Final = -0.33
"""Power law of the standard deviations; at 256 dimensions two people then score 0 +- 0.10, as real ones do."""

SAME_PERSON: Final = 0.68
"""Cosine of two pictures of one person."""

REFERENCES_A_STEP: Final = 16_384
"""Made at a time: a million templates take the memory of the million, and not five times that."""


def make_templates(
    references: int, *, pictures: int = 2, dimension: int = 64, seed: int = 1
) -> tuple[NDArray[np.float32], list[str]]:
    """Unit rows, float32 (references * pictures, dimension), and the reference id of each, in shuffled order."""
    random = np.random.default_rng(seed)
    spread = np.arange(1, dimension + 1, dtype=np.float32) ** np.float32(SPECTRUM)
    order = random.permutation(references * pictures)
    rows = np.empty((len(order), dimension), dtype=np.float32)
    for start in range(0, references, REFERENCES_A_STEP):
        count = min(REFERENCES_A_STEP, references - start)
        people = _unit(random.standard_normal((count, dimension), dtype=np.float32) * spread)
        noise = _unit(random.standard_normal((count * pictures, dimension), dtype=np.float32) * spread)
        made = _unit(np.sqrt(SAME_PERSON) * np.repeat(people, pictures, axis=0) + np.sqrt(1 - SAME_PERSON) * noise)
        rows[order[start * pictures :][: len(made)]] = made
    ids = np.empty(len(order), dtype=np.intp)
    ids[order] = np.arange(len(order)) // pictures
    return rows, [f"ref-{number:07d}" for number in ids.tolist()]


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit
