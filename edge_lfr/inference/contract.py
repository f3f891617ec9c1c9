"""
A net and its catalogue entry: one warm-up run each, and a look at whether names, shapes and values are as promised.

The files were chosen by digest, so a difference means that the entry was written for another file. The warm-up also
makes the runtime allocate what it needs before the first camera frame.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.errors import ModelContractError
from edge_lfr.inference.catalogue import DetectorKind, DetectorSpec, EmbedderSpec
from edge_lfr.inference.session import Session

STRIDES: Final = (8, 16, 32)
"""Pixels a cell on the three levels of both detector families."""

WARM_UP_SIZE: Final = SizeWH(width=96, height=64)
"""For nets of free size: divisible by every stride, and not square, so that swapped sides are seen."""

WARM_UP_BATCH: Final = 2
"""For nets of free batch: a net that ignores all but the first sample would be seen."""

YUNET_OUTPUTS: Final = tuple(f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in STRIDES)
YUNET_COLUMNS: Final = (1, 1, 1, 1, 1, 1, 4, 4, 4, 10, 10, 10)
SCRFD_COLUMNS: Final = (1, 1, 1, 4, 4, 4, 10, 10, 10)
"""SCRFD's outputs have numbers for names; scores, boxes, landmarks, each by stride, is their order."""

SCRFD_ANCHORS: Final = 2
"""Boxes that SCRFD proposes for every cell."""


def detector_outputs(spec: DetectorSpec, session: Session) -> tuple[int, ...]:
    """
    Say which of the net's outputs stands at each place of the decoder's order.

    Raises:
        ModelContractError: An output is missing.
    """
    names = [output.name for output in session.outputs]
    if spec.kind is DetectorKind.SCRFD:
        if len(names) != len(SCRFD_COLUMNS):
            raise _broken(spec.file.name, f"{len(SCRFD_COLUMNS)} outputs", f"{len(names)}")
        return tuple(range(len(names)))
    missing = [name for name in YUNET_OUTPUTS if name not in names]
    if missing:
        raise _broken(spec.file.name, f"outputs {', '.join(missing)}", f"only {', '.join(names)}")
    return tuple(names.index(name) for name in YUNET_OUTPUTS)


def check_detector(session: Session, spec: DetectorSpec) -> None:
    """
    Run the detector once on a black picture and compare what it is with what *spec* says.

    Raises:
        ModelContractError: The input or an output has another name or shape.
    """
    size = spec.fixed_size_wh or WARM_UP_SIZE
    feed = np.zeros((1, 3, size.height, size.width), dtype=np.float32)
    _check_input(session, spec.file.name, spec.input_name, feed.shape)
    order = detector_outputs(spec, session)
    outputs = session.run(feed)
    is_scrfd = spec.kind is DetectorKind.SCRFD
    for place, (index, columns) in enumerate(zip(order, SCRFD_COLUMNS if is_scrfd else YUNET_COLUMNS, strict=True)):
        stride = STRIDES[place % len(STRIDES)]
        rows = (size.height // stride) * (size.width // stride) * (SCRFD_ANCHORS if is_scrfd else 1)
        found = outputs[index].shape
        if found not in {(1, rows, columns), (rows, columns)}:
            name = session.outputs[index].name
            raise _broken(spec.file.name, f"output {name} of shape (1, {rows}, {columns})", str(found))


def check_embedder(session: Session, spec: EmbedderSpec) -> None:
    """
    Run the embedder once on two flat samples and compare what it is with what *spec* says.

    Raises:
        ModelContractError: The input or the output has another name or shape, or is not finite.
    """
    batch = spec.fixed_batch or WARM_UP_BATCH
    feed = np.full((batch, 3, spec.size, spec.size), 128.0, dtype=np.float32)
    feed -= spec.mean
    feed /= spec.scale
    _check_input(session, spec.file.name, spec.input_name, feed.shape)
    if len(session.outputs) != 1:
        raise _broken(spec.file.name, "one output", f"{len(session.outputs)}")
    output: NDArray[np.float32] = session.run(feed)[0]
    if output.shape not in {(batch, spec.dimension), (batch, spec.dimension, 1, 1)}:
        raise _broken(spec.file.name, f"an output of shape ({batch}, {spec.dimension})", str(output.shape))
    if not np.isfinite(output).all():
        raise _broken(spec.file.name, "finite values for a grey sample", "others")


def _check_input(session: Session, model: str, name: str, shape: tuple[int, ...]) -> None:
    found = session.inputs[0]
    fits = len(found.shape) == len(shape) and all(
        side is None or side == wanted for side, wanted in zip(found.shape, shape, strict=True)
    )
    if found.name != name or not fits:
        raise _broken(model, f"input {name} that takes {shape}", f"{found.name} of {found.shape}")


def _broken(model: str, expected: str, found: str) -> ModelContractError:
    return ModelContractError(f"model {model}: expected {expected}, found {found}")
