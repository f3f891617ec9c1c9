"""
A frame and a face enter, the canonical sample of that face leaves in an arena slot; nothing else of it is kept.

The five landmarks are laid onto the pack's own template by rotation, scale and shift alone, so that the embedder sees
every face upright, in one size, and never mirrored.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.buffers import Arena
from edge_lfr.biometrics.geometry import Affine, PointsXY
from edge_lfr.biometrics.samples import AlignedFace, Face
from edge_lfr.inference.catalogue import EmbedderSpec

MIN_SPREAD_PX: Final = 1e-3
"""Root mean square distance of the landmarks from their middle below which they are one point."""


def similarity_transform(landmarks_xy: PointsXY, canonical_xy: PointsXY) -> Affine:
    """
    Find the rotation, scale and shift that lay *landmarks_xy* onto *canonical_xy* with the least squared error.

    With points as complex numbers the transform is `w = a z + b`, which cannot mirror, and the best `a` is a quotient
    of two sums: the same transform that Umeyama's decomposition gives where no reflection would fit better.

    Args:
        landmarks_xy: float32 (5, 2), pixels, x right, y down; order as in `geometry.LANDMARK_COUNT`.

        canonical_xy: Same shape and order, in pixels of the embedder's sample.

    Returns:
        float32 (2, 3) for `cv2.warpAffine`; no reflection.

    Raises:
        ValueError: The landmarks coincide or are not finite; the quality stage should have refused this face (a
            caller's mistake, not an outcome).

    Source:
        S. Umeyama, Least-squares estimation of transformation parameters between two point patterns, IEEE TPAMI
        13(4), 1991.
    """
    z = landmarks_xy[:, 0].astype(np.float64) + 1j * landmarks_xy[:, 1].astype(np.float64)
    w = canonical_xy[:, 0].astype(np.float64) + 1j * canonical_xy[:, 1].astype(np.float64)
    z_middle, w_middle = z.mean(), w.mean()
    z -= z_middle
    spread = float(np.vdot(z, z).real)
    if not spread >= len(z) * MIN_SPREAD_PX**2:  # so written, it refuses NaN too
        message = f"the landmarks coincide or are not finite (squared spread {spread} px)"
        raise ValueError(message)
    a = np.vdot(z, w - w_middle) / spread
    b = w_middle - a * z_middle
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]], dtype=np.float32)


class Aligner:
    """Cuts samples out of frames, into slots of an arena that it allocates once."""

    def __init__(self, spec: EmbedderSpec, slots: int) -> None:
        self._template_xy = spec.template_xy
        self._side = spec.size
        self.arena: Arena[np.uint8] = Arena(slots, (spec.size, spec.size, 3), np.uint8)

    def align(self, pixels_bgr: NDArray[np.uint8], face: Face, track_id: int) -> AlignedFace:
        """
        Cut the sample of *face*; what lies outside the picture becomes black.

        Args:
            pixels_bgr: uint8 (height, width, 3), the picture that the face was found in.

            face: In pixels of that picture.

            track_id: Whose sample it is.

        Returns:
            The sample; the caller owns it and destroys it.

        Raises:
            ValueError: The landmarks coincide.

            ArenaExhaustedError: More samples are alive than this aligner has slots.
        """
        transform = similarity_transform(face.landmarks_xy, self._template_xy)
        slot = self.arena.take()
        try:
            # Bilinear, black border: what the embedders were trained and calibrated with.
            cv2.warpAffine(pixels_bgr, transform, (self._side, self._side), dst=slot.array, flags=cv2.INTER_LINEAR)
        except BaseException:
            slot.destroy()
            raise
        return AlignedFace(track_id=track_id, slot=slot)
