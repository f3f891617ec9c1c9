"""
The same stages as in the street, against golden values: one fixed picture, one right answer.

It catches what raises no error anywhere: swapped colours, another mean or scale, landmarks in another order, another
alignment template, a provider that computes something else. The picture is a crop of NASA's public-domain portrait of
Eileen Collins; hers is the one vector that may become text.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import PointsXY
from edge_lfr.biometrics.samples import AlignedFace, Face
from edge_lfr.config.faces import DetectionConfig
from edge_lfr.errors import SelftestError
from edge_lfr.inference.catalogue import Golden, PackEntry
from edge_lfr.inference.installed import pack_directory, read_model, write_golden
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.faces.alignment import Aligner
from edge_lfr.pipeline.faces.detection import FaceDetector
from edge_lfr.pipeline.identification.embedding import Embedder

MAX_LANDMARK_ERROR_PX: Final = 0.5
"""Chosen: CPUs differ by 0.001 px on this picture, reduced precision by less than 0.5."""

MIN_COSINE: Final = 0.999
"""What two faithful implementations reach; swapped colours, the smallest fault there is, give 0.96 with yunet-0095."""

PICTURE: Final = "astronaut.png"


@dataclass(frozen=True, slots=True)
class SelftestResult:
    """How near the installed nets come to the golden values."""

    landmark_error_px: float
    """Largest distance of a landmark from its golden place."""

    cosine: float
    """Of the vector and the golden one."""

    swapped_colour_cosine: float
    """The same with red and blue exchanged before the embedder: shows that the test can see it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    face: Face
    vector: NDArray[np.float32]
    swapped_vector: NDArray[np.float32]


def run_selftest(pack: OpenPack) -> SelftestResult:
    """
    Run the fixed picture through detection, alignment and embedding and compare with the pack's golden values.

    Raises:
        SelftestError: A value differs, the colour order makes no difference, or the pack has no golden values yet.
    """
    golden = pack.entry.golden
    if golden is None:
        raise SelftestError(
            f"pack {pack.entry.id}: no golden values have been recorded for it",
            remedy="record them with `edge-lfr models selftest --record`",
        )
    measured = _measure(pack)
    result = SelftestResult(
        landmark_error_px=_largest_distance(measured.face.landmarks_xy, golden.points_xy),
        cosine=float(measured.vector @ golden.vector),
        swapped_colour_cosine=float(measured.swapped_vector @ golden.vector),
    )
    if result.landmark_error_px > MAX_LANDMARK_ERROR_PX:
        raise _differs(pack, "landmarks", f"within {MAX_LANDMARK_ERROR_PX} px", f"{result.landmark_error_px:.3f} px")
    if not result.cosine > MIN_COSINE:
        raise _differs(pack, "embedding", f"a cosine above {MIN_COSINE}", f"{result.cosine:.6f}")
    if not result.swapped_colour_cosine < MIN_COSINE:
        raise _differs(pack, "colour order", "another vector for swapped colours", "the same")
    return result


def record_golden(pack: OpenPack, directory: Path) -> PackEntry:
    """
    Record golden values for a provisional pack, after an independent implementation has agreed with ours.

    Args:
        pack: Opened; without golden values, or with ones that shall be replaced.

        directory: Where packs are installed.

    Returns:
        The entry with its golden values, and with them another digest.

    Raises:
        SelftestError: The pack is not provisional, its entry names no independent implementation, the two do not
            agree, or swapping the colours makes no difference.
    """
    entry = pack.entry
    if not entry.provisional:
        raise SelftestError(
            f"pack {entry.id}: its golden values come with the catalogue", remedy="run the self-test without recording"
        )
    if entry.embedder.independent is None:
        raise SelftestError(
            f"pack {entry.id}: the catalogue names no independent implementation to agree with",
            remedy="add golden values to the catalogue entry",
        )
    measured = _measure(pack)
    independent = _face_recognizer_sf(entry, directory, measured.face)
    cosine = float(measured.vector @ independent)
    if not cosine > MIN_COSINE:
        raise _differs(
            pack, "embedding", f"a cosine above {MIN_COSINE} with {entry.embedder.independent}", f"{cosine:.6f}"
        )
    swapped = float(measured.swapped_vector @ independent)
    if not swapped < MIN_COSINE:
        raise _differs(pack, "colour order", "another vector for swapped colours", "the same")
    return write_golden(entry, directory, Golden.of(measured.face.landmarks_xy, measured.vector))


def fixed_picture() -> NDArray[np.uint8]:
    """uint8 (256, 256, 3) BGR: one frontal face about 90 pixels wide."""
    raw = np.frombuffer(Path(__file__).with_name(PICTURE).read_bytes(), dtype=np.uint8)
    picture = cv2.imdecode(raw, cv2.IMREAD_COLOR)
    if picture is None:
        raise SelftestError(f"{PICTURE}: broken in this installation", remedy="install edge-lfr again")
    return np.asarray(picture, dtype=np.uint8)


def _measure(pack: OpenPack) -> _Measured:
    picture = fixed_picture()
    faces = FaceDetector(pack.detector, pack.entry.detector, DetectionConfig()).detect(picture)
    if len(faces) != 1:
        raise _differs(pack, "detection", "one face", f"{len(faces)}")
    aligner = Aligner(pack.entry.embedder, slots=2)
    embedder = Embedder(pack.embedder, pack.entry.embedder, pack.digest, slots=1)
    with (
        aligner.align(picture, faces[0], track_id=0) as sample,
        aligner.align(picture, faces[0], track_id=1) as swapped,
    ):
        swapped.pixels[...] = swapped.pixels[:, :, ::-1].copy()
        return _Measured(face=faces[0], vector=_vector(embedder, sample), swapped_vector=_vector(embedder, swapped))


def _vector(embedder: Embedder, sample: AlignedFace) -> NDArray[np.float32]:
    (probe,) = embedder.extract([sample])
    with probe:
        return probe.vector.copy()


def _face_recognizer_sf(entry: PackEntry, directory: Path, face: Face) -> NDArray[np.float32]:
    """OpenCV's own alignment, preprocessing and inference on the same bytes; unit length."""
    model = np.frombuffer(read_model(entry.embedder.file, pack_directory(entry, directory)), dtype=np.uint8)
    recogniser = cv2.FaceRecognizerSF.create("onnx", model, np.empty(0, dtype=np.uint8))
    box = face.box_xyxy
    row = np.array(
        [box.x0, box.y0, box.width, box.height, *face.landmarks_xy.ravel(), face.detection_score], dtype=np.float32
    )
    vector = np.asarray(recogniser.feature(recogniser.alignCrop(fixed_picture(), row)), dtype=np.float32).ravel()
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def _largest_distance(found_xy: PointsXY, expected_xy: PointsXY) -> float:
    return float(np.linalg.norm(found_xy - expected_xy, axis=1).max())


def _differs(pack: OpenPack, what: str, expected: str, found: str) -> SelftestError:
    return SelftestError(
        f"self-test of pack {pack.entry.id} on {pack.embedder.provider}: {what}: expected {expected}, found {found}"
    )
