"""The detector against OpenCV's own, and what it promises about sizes, colours, buffers and bad pictures."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import BoxXYXY, SizeWH
from edge_lfr.biometrics.samples import Face
from edge_lfr.config.faces import DetectionConfig
from edge_lfr.errors import FrameFormatError, InferenceError
from edge_lfr.inference.catalogue import DetectorSpec
from edge_lfr.inference.contract import STRIDES, YUNET_COLUMNS, YUNET_OUTPUTS
from edge_lfr.inference.packs import OpenPack
from edge_lfr.pipeline.faces.detection import MAX_SIZES, FaceDetector
from simulators.nets import ScriptedSession, embedder_like, entry_of, yunet_like

HD, WORKING = SizeWH(1280, 720), SizeWH(1280, 736)


@pytest.fixture(scope="module")
def portraits(shared_data: Path) -> list[NDArray[np.uint8]]:
    """Twelve people, each about 200 px high."""
    paths = sorted((shared_data / "london" / "smiling").iterdir())[:12]
    pictures = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in paths]
    return [np.asarray(cv2.resize(picture, (200, 200), interpolation=cv2.INTER_AREA)) for picture in pictures]  # type: ignore[arg-type]  # they exist


def scene_of(portraits: list[NDArray[np.uint8]], size: SizeWH, tile: int) -> NDArray[np.uint8]:
    """The portraits side by side on grey."""
    scene = np.full((size.height, size.width, 3), 90, dtype=np.uint8)
    columns = size.width // tile
    for index, portrait in enumerate(portraits[: columns * (size.height // tile)]):
        y, x = index // columns * tile, index % columns * tile
        scene[y : y + tile, x : x + tile] = cv2.resize(portrait, (tile, tile), interpolation=cv2.INTER_AREA)
    return scene


def oracle(shared_models: Path, picture: NDArray[np.uint8]) -> Iterator[Face]:
    """OpenCV's decoder and OpenCV's runtime on the same picture."""
    net = str(shared_models / "face_detection_yunet_2023mar.onnx")
    size = (picture.shape[1], picture.shape[0])
    found = cv2.FaceDetectorYN.create(net, "", size, 0.6, 0.3).detect(picture)[1]
    for row in sorted(np.asarray(found, dtype=np.float32), key=lambda row: -row[14]):
        x, y, width, height = (float(value) for value in row[:4])
        yield Face(BoxXYXY(x, y, x + width, y + height), row[4:14].reshape(5, 2), float(row[14]))


def compare(expected: list[Face], found: tuple[Face, ...]) -> None:
    assert len(expected) == len(found)
    for face in expected:
        nearest = max(found, key=lambda other: face.box_xyxy.iou(other.box_xyxy))
        assert face.box_xyxy.iou(nearest.box_xyxy) > 0.99
        assert np.abs(face.landmarks_xy - nearest.landmarks_xy).max() < 0.05 * face.box_xyxy.width
        assert face.detection_score == pytest.approx(nearest.detection_score, abs=1e-3)


@pytest.mark.shared
@pytest.mark.parametrize(("size", "tile"), [(HD, 200), (SizeWH(640, 480), 100), (SizeWH(333, 251), 80)])
def test_same_faces_as_opencv(
    pack: OpenPack, shared_models: Path, portraits: list[NDArray[np.uint8]], size: SizeWH, tile: int
) -> None:
    """The same faces, boxes, landmarks and scores as `cv2.FaceDetectorYN`, for sides that need padding too."""
    scene = scene_of(portraits, size, tile)
    found = FaceDetector(pack.detector, pack.entry.detector, DetectionConfig()).detect(scene)
    assert len(found) == min(len(portraits), (size.width // tile) * (size.height // tile))
    compare(list(oracle(shared_models, scene)), found)


@pytest.mark.shared
def test_shrunk_pictures_are_answered_in_source_pixels(
    pack: OpenPack, shared_models: Path, portraits: list[NDArray[np.uint8]]
) -> None:
    """What is found in the fitted picture is given back where it lies in the source."""
    scene = scene_of(portraits, SizeWH(1920, 1080), 320)
    config = DetectionConfig(working_size=(960, 544))
    found = FaceDetector(pack.detector, pack.entry.detector, config).detect(scene)
    fitted = np.asarray(cv2.resize(scene, (960, 540), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    expected = [
        Face(face.box_xyxy.scaled(2.0, 2.0), face.landmarks_xy * 2, face.detection_score)
        for face in oracle(shared_models, fitted)
    ]
    compare(expected, found)


@pytest.mark.shared
def test_fixed_size_gives_the_same_faces(
    pack: OpenPack, shared_models: Path, portraits: list[NDArray[np.uint8]]
) -> None:
    """A net of fixed size sees the same picture, padded; the free net answers for it here."""
    spec = pack.entry.detector.model_copy(update={"fixed_size": (640, 640)})
    scene = scene_of(portraits, SizeWH(640, 480), 100)
    detector = FaceDetector(pack.detector, spec, DetectionConfig())
    assert SizeWH(640, 640) == detector.working_size_for(SizeWH(640, 480))
    compare(list(oracle(shared_models, scene)), detector.detect(scene))


@pytest.mark.shared
def test_swapped_colours_are_not_the_same(pack: OpenPack, portraits: list[NDArray[np.uint8]]) -> None:
    """RGB where the net wants BGR costs every face some score: nobody can exchange the two and not notice."""
    scene = scene_of(portraits, HD, 200)
    right = FaceDetector(pack.detector, pack.entry.detector, DetectionConfig()).detect(scene)
    spec = pack.entry.detector.model_copy(update={"colour": "rgb"})
    wrong = FaceDetector(pack.detector, spec, DetectionConfig(), min_score=0.0).detect(scene)
    lost = [
        face.detection_score - max(w.detection_score for w in wrong if w.box_xyxy.iou(face.box_xyxy) > 0.3)
        for face in right
    ]
    assert float(np.mean(lost)) > 0.003
    with pytest.raises(AssertionError):
        compare(list(right), wrong)


@pytest.mark.shared
def test_rgb_spec_on_rgb_pixels_is_bgr_on_bgr(pack: OpenPack, portraits: list[NDArray[np.uint8]]) -> None:
    """The entry's colour order is what reaches the net, plane by plane."""
    scene = scene_of(portraits, SizeWH(640, 480), 100)
    spec = pack.entry.detector.model_copy(update={"colour": "rgb"})
    right = FaceDetector(pack.detector, pack.entry.detector, DetectionConfig()).detect(scene)
    both = FaceDetector(pack.detector, spec, DetectionConfig()).detect(np.ascontiguousarray(scene[:, :, ::-1]))
    assert [face.box_xyxy for face in right] == [face.box_xyxy for face in both]


@pytest.mark.shared
def test_faces_come_best_first_down_to_the_score_asked_for(pack: OpenPack, portraits: list[NDArray[np.uint8]]) -> None:
    """A lower score adds faces at the end and changes none before."""
    scene = scene_of(portraits, HD, 200)
    config = DetectionConfig()
    strict = FaceDetector(pack.detector, pack.entry.detector, config).detect(scene)
    lax = FaceDetector(pack.detector, pack.entry.detector, config, min_score=0.05).detect(scene)
    scores = [face.detection_score for face in lax]
    assert sorted(scores, reverse=True) == scores
    assert [face.box_xyxy for face in strict] == [face.box_xyxy for face in lax[: len(strict)]]
    assert min(scores) >= 0.05


@pytest.mark.shared
def test_pictures_do_not_leak_into_one_another(pack: OpenPack, portraits: list[NDArray[np.uint8]]) -> None:
    """The reused buffer holds the present picture alone: a crowd, then nobody, then the crowd again."""
    detector = FaceDetector(pack.detector, pack.entry.detector, DetectionConfig())
    crowd = scene_of(portraits, SizeWH(640, 480), 100)
    first = [face.box_xyxy for face in detector.detect(crowd)]
    assert () == detector.detect(np.full_like(crowd, 90))
    assert first == [face.box_xyxy for face in detector.detect(crowd)]


def free_spec() -> DetectorSpec:
    return entry_of(yunet_like(), embedder_like()).detector


def scripted(size: SizeWH, fill: float = 0.0) -> ScriptedSession:
    outputs = {}
    for place, (name, columns) in enumerate(zip(YUNET_OUTPUTS, YUNET_COLUMNS, strict=True)):
        rows = (size.height // STRIDES[place % 3]) * (size.width // STRIDES[place % 3])
        outputs[name] = np.full((1, rows, columns), fill, dtype=np.float32)
    return ScriptedSession((1, 3, None, None), **outputs)


@pytest.mark.parametrize(
    ("source", "working"),
    [
        (SizeWH(1280, 720), SizeWH(1280, 736)),
        (SizeWH(1920, 1080), SizeWH(1280, 736)),
        (SizeWH(640, 480), SizeWH(640, 480)),
        (SizeWH(100, 70), SizeWH(128, 96)),
        (SizeWH(1080, 1920), SizeWH(416, 736)),
        (SizeWH(1, 1), SizeWH(32, 32)),
    ],
)
def test_working_size_keeps_the_shape_and_never_enlarges(source: SizeWH, working: SizeWH) -> None:
    """Fitted into the configured size, rounded up to whole strides, and no larger than the picture needs."""
    detector = FaceDetector(scripted(WORKING), free_spec(), DetectionConfig())
    assert working == detector.working_size_for(source)


def test_configured_size_need_not_be_a_multiple() -> None:
    """A side between two multiples never makes an input larger than configured."""
    detector = FaceDetector(scripted(WORKING), free_spec(), DetectionConfig(working_size=(1000, 600)))
    assert SizeWH(992, 576) == detector.working_size_for(SizeWH(1920, 1080))


def test_smallest_face_grows_with_the_picture() -> None:
    """A technician reads off what a picture of this size hides."""
    detector = FaceDetector(scripted(WORKING), free_spec(), DetectionConfig())
    assert 20.0 == detector.smallest_face_px(HD)
    assert 30.0 == detector.smallest_face_px(SizeWH(1920, 1080))
    fixed = free_spec().model_copy(update={"fixed_size": (640, 640)})
    assert 40.0 == FaceDetector(scripted(WORKING), fixed, DetectionConfig()).smallest_face_px(HD)


def test_the_net_is_fed_what_the_entry_says() -> None:
    """Colour order, mean and scale, with the picture at the top left and black around it."""
    spec = free_spec().model_copy(update={"colour": "rgb", "mean": 127.5, "scale": 128.0})
    session = scripted(SizeWH(64, 32))
    picture = np.empty((20, 40, 3), dtype=np.uint8)
    picture[...] = (10, 20, 30)
    FaceDetector(session, spec, DetectionConfig()).detect(picture)
    (feed,) = session.feeds
    assert (1, 3, 32, 64) == feed.shape
    inside = [(value - 127.5) / 128.0 for value in (30, 20, 10)]
    assert inside == feed[0, :, 19, 39].tolist()
    assert {-127.5 / 128.0} == set(feed[0, :, 20:].ravel().tolist()) | set(feed[0, :, :, 40:].ravel().tolist())


def test_destroyed_buffers_hold_nothing() -> None:
    """Nothing of the last picture is left in any buffer, and the next picture works."""
    detector = FaceDetector(scripted(WORKING), free_spec(), DetectionConfig())
    picture = np.random.default_rng(0).integers(1, 255, (1080, 1920, 3), dtype=np.uint8)
    detector.detect(picture)
    (buffers,) = detector._buffers.values()
    assert buffers.feed.any()
    assert buffers.shrunk.any()
    detector.destroy_buffers()
    assert not buffers.feed.any()
    assert not buffers.shrunk.any()
    assert not any(plane.any() for plane in buffers.planes)
    assert () == detector.detect(picture)


def test_scores_that_are_no_numbers_are_an_error() -> None:
    """A net that has lost its mind is reported, not taken for an empty street."""
    with pytest.raises(InferenceError, match="no numbers"):
        FaceDetector(scripted(WORKING, np.nan), free_spec(), DetectionConfig()).detect(
            np.zeros((720, 1280, 3), np.uint8)
        )


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((10, 10), dtype=np.uint8),
        np.zeros((10, 10, 4), dtype=np.uint8),
        np.zeros((0, 10, 3), dtype=np.uint8),
        np.zeros((10, 10, 3), dtype=np.float32),
    ],
)
def test_what_is_no_picture_is_refused(picture: NDArray[np.uint8]) -> None:
    """Grey, four channels, no pixels, floats: refused where they come in, with what was found."""
    with pytest.raises(FrameFormatError, match="expected a picture of uint8"):
        FaceDetector(scripted(WORKING), free_spec(), DetectionConfig()).detect(picture)


def test_a_stream_of_changing_sizes_gains_no_memory() -> None:
    """Buffers of the sizes used longest ago are given up."""
    detector = FaceDetector(scripted(WORKING), free_spec(), DetectionConfig())
    sizes = [(SizeWH(32 + number, 32), SizeWH(32 + number, 32)) for number in range(100)]
    for fitted, working in sizes:
        detector._buffers_for(fitted, working)
    assert sizes[-MAX_SIZES:] == list(detector._buffers)
