"""
Pixels enter, faces leave: boxes, five landmarks and a detection score, in source pixels; no picture is kept.

The picture is fitted into the working size without distortion, at the top left of a buffer that is reused; the rest of
the buffer is black. `destroy_buffers` blackens what is left of the last picture.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import BoxXYXY, SizeWH
from edge_lfr.biometrics.locking import locked_zeros
from edge_lfr.biometrics.samples import Face
from edge_lfr.config.faces import DetectionConfig
from edge_lfr.errors import FrameFormatError
from edge_lfr.inference.catalogue import DetectorSpec
from edge_lfr.inference.contract import detector_outputs
from edge_lfr.inference.session import Session
from edge_lfr.pipeline.faces.decoding import CellDecoder, decoder_for, suppress_overlaps

SIDE_MULTIPLE: Final = 32
"""The coarsest stride of both detector families; every working side is a multiple."""

AREA_BELOW: Final = 0.5
"""Shrinking by more than this factor averages areas, which takes 5 times longer; bilinear would skip pixels."""

CHANNELS: Final = 3

MAX_SIZES: Final = 32
"""Sizes whose buffers are kept, one a camera; a stream that changes its size all the time takes no more memory."""


@dataclass(slots=True, eq=False)
class _WorkingBuffers:
    """What one working size needs, allocated once."""

    feed: NDArray[np.float32]
    """float32 (1, 3, height, width)."""

    black: float
    """What a black pixel is to the net: the border around the picture."""

    shrunk: NDArray[np.uint8]
    planes: list[NDArray[np.uint8]]
    decoder: CellDecoder

    def destroy(self) -> None:
        self.feed[...] = self.black
        self.shrunk[...] = 0
        for plane in self.planes:
            plane[...] = 0


class FaceDetector:
    """Finds faces with one net; one thread uses it."""

    def __init__(
        self, session: Session, spec: DetectorSpec, config: DetectionConfig, *, min_score: float | None = None
    ) -> None:
        """
        Prepare a detector; buffers come with the first picture of each size.

        Args:
            session: The net.

            spec: What it is fed and how its outputs are read.

            config: Working size and overlap.

            min_score: Detections down to this score are given; None takes the configured score.
        """
        self._session = session
        self._spec = spec
        self._config = config
        self._min_score = config.min_detection_score if min_score is None else min_score
        self._order = detector_outputs(spec, session)
        self._buffers: dict[tuple[SizeWH, SizeWH], _WorkingBuffers] = {}

    def detect(self, pixels_bgr: NDArray[np.uint8]) -> tuple[Face, ...]:
        """
        Find the faces in a picture.

        Args:
            pixels_bgr: uint8 (height, width, 3).

        Returns:
            The faces in source pixels, highest score first; geometry may reach outside the picture.

        Raises:
            FrameFormatError: The picture has another shape or type, or no pixels.

            InferenceError: The net failed or gave scores that are no numbers.
        """
        _check_picture(pixels_bgr)
        size = SizeWH(width=pixels_bgr.shape[1], height=pixels_bgr.shape[0])
        fitted = self._fitted_size_for(size)
        buffers = self._buffers_for(fitted, self.working_size_for(size))
        self._fill(buffers, pixels_bgr, size, fitted)
        outputs = self._session.run(buffers.feed)
        found = buffers.decoder.decode([outputs[index] for index in self._order], self._min_score)
        kept = suppress_overlaps(found, self._config.nms_iou)
        factor_x, factor_y = size.width / fitted.width, size.height / fitted.height
        factors = np.array([factor_x, factor_y], dtype=np.float32)
        return tuple(
            Face(
                box_xyxy=BoxXYXY(*(float(value) for value in found.boxes_xyxy[row])).scaled(factor_x, factor_y),
                landmarks_xy=found.landmarks_xy[row] * factors,
                detection_score=float(found.scores[row]),
            )
            for row in kept
        )

    def working_size_for(self, size: SizeWH) -> SizeWH:
        """The size of the net's input for pictures of *size*."""
        if self._spec.fixed_size_wh is not None:
            return self._spec.fixed_size_wh
        fitted = self._fitted_size_for(size)
        return SizeWH(width=_rounded_up(fitted.width), height=_rounded_up(fitted.height))

    def smallest_face_px(self, size: SizeWH) -> float:
        """Width of the smallest face that is found reliably in pictures of *size*, in their own pixels."""
        return self._spec.smallest_face_px * size.width / self._fitted_size_for(size).width

    def destroy_buffers(self) -> None:
        """Blacken what is left of the last pictures."""
        for buffers in self._buffers.values():
            buffers.destroy()

    def _fitted_size_for(self, size: SizeWH) -> SizeWH:
        """The part of the net's input that the picture covers: its own shape, never enlarged."""
        if self._spec.fixed_size_wh is not None:
            limit = self._spec.fixed_size_wh
        else:
            # A configured side that is no multiple of the stride is rounded down: the picture must fit with padding.
            width, height = (max(side - side % SIDE_MULTIPLE, SIDE_MULTIPLE) for side in self._config.working_size)
            limit = SizeWH(width=width, height=height)
        scale = min(limit.width / size.width, limit.height / size.height, 1.0)
        return SizeWH(width=max(round(size.width * scale), 1), height=max(round(size.height * scale), 1))

    def _buffers_for(self, fitted: SizeWH, working: SizeWH) -> _WorkingBuffers:
        buffers = self._buffers.pop((fitted, working), None)
        if buffers is None:
            while len(self._buffers) >= MAX_SIZES:
                self._buffers.pop(next(iter(self._buffers))).destroy()
            plane = (fitted.height, fitted.width)
            black = -self._spec.mean / self._spec.scale
            buffers = _WorkingBuffers(
                feed=locked_zeros((1, CHANNELS, working.height, working.width), np.float32),
                black=black,
                shrunk=locked_zeros((*plane, CHANNELS), np.uint8),
                planes=[locked_zeros(plane, np.uint8) for _ in range(CHANNELS)],
                decoder=decoder_for(self._spec.kind, working),
            )
            buffers.destroy()  # the border is black in the net's terms
        self._buffers[fitted, working] = buffers  # at the end: the one used longest ago goes first
        return buffers

    def _fill(self, buffers: _WorkingBuffers, pixels_bgr: NDArray[np.uint8], size: SizeWH, fitted: SizeWH) -> None:
        picture = pixels_bgr
        if fitted != size:
            way = cv2.INTER_AREA if fitted.width < size.width * AREA_BELOW else cv2.INTER_LINEAR
            cv2.resize(picture, (fitted.width, fitted.height), dst=buffers.shrunk, interpolation=way)
            picture = buffers.shrunk
        cv2.split(picture, buffers.planes)  # and then plane by plane: twice as fast as one strided copy
        ordered = buffers.planes if self._spec.colour == "bgr" else buffers.planes[::-1]
        region = buffers.feed[0, :, : fitted.height, : fitted.width]
        for channel, plane in enumerate(ordered):
            np.copyto(region[channel], plane)
        if self._spec.mean != 0.0:
            region -= self._spec.mean
        if self._spec.scale != 1.0:
            region /= self._spec.scale


def _rounded_up(side: int) -> int:
    return -(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE


def _check_picture(pixels_bgr: NDArray[np.uint8]) -> None:
    shape = pixels_bgr.shape
    if pixels_bgr.dtype != np.uint8 or len(shape) != CHANNELS or shape[2] != CHANNELS or 0 in shape:
        raise FrameFormatError(f"expected a picture of uint8 (height, width, 3), found {pixels_bgr.dtype} {shape}")
