"""Probes of the people that `evaluation.made_templates` makes."""

import numpy as np
from numpy.typing import NDArray


def make_mates(vectors: NDArray[np.float32], cosine: float, *, seed: int = 2) -> NDArray[np.float32]:
    """One probe for each unit vector, at *cosine* from it, in any direction."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal(vectors.shape, dtype=np.float32)
    noise -= np.sum(noise * vectors, axis=1, keepdims=True) * vectors
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    probes: NDArray[np.float32] = (cosine * vectors + np.sqrt(1 - cosine**2) * noise).astype(np.float32)
    return probes
