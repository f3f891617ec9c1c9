"""A watchlist folder becomes a sealed list: every row has a result, and nothing half becomes live."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from assets.pictures.build_pictures import encoded, gradient, pictures
from edge_lfr.config.faces import QualityConfig
from edge_lfr.config.identification import DecisionConfig
from edge_lfr.errors import ConfigError, WatchlistMissingError, WatchlistWipedError
from edge_lfr.inference.catalogue import CalibrationRow
from edge_lfr.pipeline.enrolment import MAX_LANES, EnrolmentStages, enrol, lane_count
from edge_lfr.watchlist.enrolling.folder import read_source
from edge_lfr.watchlist.enrolling.report import EnrolmentReport, RowOutcome
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.enrolment import SourceFolder, open_stages
from simulators.watchlists import new_store

pytestmark = pytest.mark.shared

Portrait = Callable[..., NDArray[np.uint8]]


@pytest.fixture(scope="module")
def stages(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> EnrolmentStages:
    return open_stages(shared_models, tmp_path_factory.mktemp("models"))


@pytest.fixture
def store(tmp_path: Path) -> SealedStore:
    return new_store(tmp_path / "state")


@pytest.fixture
def folder(tmp_path: Path) -> SourceFolder:
    (tmp_path / "source").mkdir()
    return SourceFolder(tmp_path / "source")


@pytest.fixture(scope="session")
def portrait(shared_data: Path) -> Portrait:
    """Give a consented portrait by number, as pixels."""
    files = sorted((shared_data / "london" / "neutral").glob("*.jpg"))

    def read(number: int, kind: str = "neutral") -> NDArray[np.uint8]:
        pixels = cv2.imread(str(shared_data / "london" / kind / files[number].name))
        return np.asarray(pixels, dtype=np.uint8)

    return read


def load(folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, **options: object) -> EnrolmentReport:
    source = read_source(folder.write())
    chosen = {"decision": DecisionConfig(), "accept_partial": True, **options}
    return enrol(source, store, stages, quality=QualityConfig(), **chosen)  # type: ignore[arg-type]  # a test's own options


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    return encoded(".jpg", pixels, cv2.IMWRITE_JPEG_QUALITY, 95)


def test_good_pictures_are_enrolled_and_bad_ones_reported_by_reason(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, portrait: Portrait
) -> None:
    """Ten people are enrolled; every defect has its own reason in its own line."""
    broken = pictures()
    size = (600, 600)
    dark = np.asarray(portrait(13) * 0.12, dtype=np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(portrait(14), (0, 0), 25), dtype=np.uint8)
    small = np.asarray(cv2.resize(portrait(15), (70, 70), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    two = np.concatenate([cv2.resize(portrait(number), size) for number in (10, 11)], axis=1)
    for number in range(10):
        folder.add(f"GOOD-{number}", f"good/{number}.jpg", jpeg(portrait(number)))
    expected = {
        "picture-missing": None,
        "picture-type": broken["text-named.jpg"],
        "picture-misnamed": broken["png-named.jpg"],
        "picture-too-large": broken["huge-20000x20000.jpg"],
        "picture-broken": jpeg(portrait(12))[:20_000],
        "no-face": jpeg(np.repeat(np.repeat(gradient(), 5, axis=0), 5, axis=1)),
        "several-faces": jpeg(two),
        "quality-dark": jpeg(dark),
        "quality-blurred": jpeg(blurred),
        "quality-small": jpeg(small),
    }
    for name, content in expected.items():
        folder.add(f"BAD-{name}", f"bad/{name}.jpg", content)

    report = load(folder, store, stages)

    found = {row.reference_id: row.outcome.value for row in report.rows}
    assert {f"BAD-{name}": name for name in expected} == {key: found[key] for key in found if key.startswith("BAD")}
    assert {"enrolled"} == {found[f"GOOD-{number}"] for number in range(10)}
    assert (10, 10, len(expected)) == (report.enrolled_templates, report.enrolled_references, report.rejected)
    assert tuple(f"BAD-{name}" for name in expected) == report.failed_references
    assert list(range(2, 12 + len(expected))) == [row.line for row in report.rows]
    with store.open() as stored:
        assert report.list_id == stored.list_id
        assert tuple(f"GOOD-{number}" for number in range(10)) == stored.reference_ids
        assert stages.entry.digest == stored.pack_digest
        thumbnails = [stored.picture(reference_id) for reference_id in stored.reference_ids]
    assert max(len(picture) for picture in thumbnails) <= 20_000
    assert {240} == {max(cv2.imdecode(np.frombuffer(one, np.uint8), 1).shape) for one in thumbnails}  # type: ignore[union-attr]  # None would fail the test


def test_a_probe_finds_its_reference(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, portrait: Portrait
) -> None:
    """Smiling pictures, through the stages of the live path, are nearest to the same people's neutral templates."""
    for number in range(10):
        folder.add(f"REF-{number}", f"{number}.jpg", jpeg(portrait(number)))
    load(folder, store, stages)
    with store.open() as stored:
        vectors, _ = stored.vectors()

    nearest = []
    for number in range(10):
        pixels = portrait(number, "smiling")
        face = stages.lanes[0].detector.detect(pixels)[0]
        with (
            stages.lanes[0].aligner.align(pixels, face, 1) as sample,
            stages.lanes[0].embedder.extract([sample])[0] as probe,
        ):
            scores = vectors @ probe.vector
        nearest.append(int(np.argmax(scores)))
        assert scores.max() > 0.7

    assert list(range(10)) == nearest
    assert np.allclose(1.0, np.linalg.norm(vectors, axis=1), atol=1e-5)


def test_a_portrait_that_fills_its_picture_or_is_turned_is_enrolled(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, portrait: Portrait
) -> None:
    """A tight crop, a large picture and one that EXIF turns give the template of the plain picture."""
    pixels = portrait(0)
    box = stages.lanes[0].detector.detect(pixels)[0].box_xyxy.to_pixels()
    large = np.asarray(cv2.resize(pixels, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    plain = jpeg(np.asarray(cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE), dtype=np.uint8))
    turned = pictures()["turned-by-exif.jpg"]
    segment = turned[2 : 4 + int.from_bytes(turned[4:6], "big")]
    folder.add("REF-PLAIN", "plain.jpg", jpeg(pixels))
    folder.add("REF-TIGHT", "tight.jpg", jpeg(pixels[box.y0 : box.y1, box.x0 : box.x1]))
    folder.add("REF-LARGE", "large.jpg", jpeg(large))
    folder.add("REF-TURNED", "turned.jpg", plain[:2] + segment + plain[2:])

    report = load(folder, store, stages)

    assert [RowOutcome.ENROLLED] * 4 == [row.outcome for row in report.rows]
    with store.open() as stored:
        vectors, _ = stored.vectors()
    assert (vectors @ vectors[0] > 0.85).all()


def test_lanes_change_nothing_but_the_time(
    folder: SourceFolder, tmp_path: Path, stages: EnrolmentStages, shared_models: Path, portrait: Portrait
) -> None:
    """Three lanes seal the same references, in the same order, with the same templates to within rounding, as one."""
    for number in range(12):
        for kind in ("neutral", "smiling")[: 1 + number % 2]:
            folder.add(f"REF-{number}", f"{number}-{kind}.jpg", jpeg(portrait(number, kind)))
        folder.add(f"REF-{number % 5}", f"{number}-none.jpg", jpeg(gradient()))
    three = open_stages(shared_models, tmp_path / "models", lanes=3)
    found = []
    for name, chosen in (("one", stages), ("three", three)):
        store = new_store(tmp_path / name)
        report = load(folder, store, chosen)
        with store.open() as stored:
            found.append((report, stored.reference_ids, *stored.vectors()))

    (one, one_ids, one_vectors, one_owners), (many, many_ids, many_vectors, many_owners) = found
    assert one.rows == many.rows
    assert (one_ids, one_owners) == (many_ids, many_owners)
    assert 18 == len(many_vectors)
    assert np.allclose(one_vectors, many_vectors, atol=1e-5)


def test_a_template_is_what_the_stages_of_the_live_path_give(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, portrait: Portrait
) -> None:
    """Each picture by itself, in a square of 640 pixels, gives the template that was sealed, to within rounding."""
    expected = []
    for number in range(4):
        content = jpeg(portrait(number))
        folder.add(f"REF-{number}", f"{number}.jpg", content)
        pixels = np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)
        canvas = cv2.copyMakeBorder(pixels, 20, 20, 20, 20, cv2.BORDER_CONSTANT)
        lane = stages.lanes[0]
        face = lane.detector.detect(np.asarray(canvas, dtype=np.uint8))[0]
        with lane.aligner.align(np.asarray(canvas, dtype=np.uint8), face, 1) as sample:
            for probe in lane.embedder.extract([sample]):
                with probe:
                    expected.append(probe.vector.copy())

    load(folder, store, stages)

    with store.open() as stored:
        vectors, _ = stored.vectors()
    assert np.allclose(np.stack(expected), vectors, atol=1e-4)


def test_a_load_of_nothing_good_notices_a_wipe(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages
) -> None:
    """Also one that has nothing to seal ends at the next reference, and not after hours of bad pictures."""
    for number in range(40):
        folder.add(f"REF-{number}", f"missing-{number}.jpg")
    told = []

    def wipe(done: int, _total: int) -> None:
        told.append(done)
        if done == 1:
            store.wipe()

    with pytest.raises(WatchlistWipedError):
        load(folder, store, stages, progress=wipe)

    assert [1] == told


def test_warnings_name_lookalikes_and_differing_pictures(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, portrait: Portrait
) -> None:
    """One person under two ids, and two people under one id; the pair is stored with the list."""
    folder.add("REF-A", "a.jpg", jpeg(portrait(0)))
    folder.add("REF-B", "b.jpg", jpeg(portrait(0, "smiling")))
    folder.add("REF-C", "c1.jpg", jpeg(portrait(1)))
    folder.add("REF-D", "d.jpg", jpeg(portrait(2)))
    folder.add("REF-C", "c2.jpg", jpeg(portrait(3)))
    folder.add("REF-D", "d2.jpg", jpeg(portrait(2, "smiling")))

    report = load(folder, store, stages)

    assert (6, 4) == (report.enrolled_templates, report.enrolled_references)
    assert [("REF-A", "REF-B")] == [(pair.first, pair.second) for pair in report.lookalikes]
    assert [("REF-C", (4, 6))] == [(pair.reference_id, pair.lines) for pair in report.pictures_differ]
    assert report.is_complete
    with store.open() as stored:
        assert frozenset({frozenset({"REF-A", "REF-B"})}) == stored.lookalikes
        assert ["REF-A", "REF-B", "REF-C", "REF-C", "REF-D", "REF-D"] == list(stored.vectors()[1])


def test_when_nobody_is_enrolled_the_list_before_stays(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, portrait: Portrait
) -> None:
    """The report says why, and nothing was activated."""
    folder.add("REF-A", "a.jpg", jpeg(portrait(0)))
    first = load(folder, store, stages)
    folder.rows.clear()
    folder.add("REF-B", "b.jpg", jpeg(gradient()))

    report = load(folder, store, stages)

    assert (None, ("REF-B",), False) == (report.list_id, report.failed_references, report.is_complete)
    with store.open() as stored:
        assert first.list_id == stored.list_id


def calibrated(stages: EnrolmentStages, *rows: tuple[int, float]) -> EnrolmentStages:
    """The stages of a pack with these floors."""
    calibration = tuple(
        CalibrationRow(templates=count, threshold=floor, false_alerts_per_1000=1.0, evidence="extrapolated")
        for count, floor in rows
    )
    return replace(stages, entry=stages.entry.model_copy(update={"calibration": calibration}))


@pytest.mark.parametrize("configured", [0.45, 0.55])
def test_a_threshold_below_the_floor_keeps_the_list_before(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, portrait: Portrait, configured: float
) -> None:
    """What the daemon would refuse to arm never replaces a list that it can: below every floor, or below this one's."""
    stages = calibrated(stages, (1, 0.5), (10, 0.6))
    folder.add("REF-A", "a.jpg", jpeg(portrait(0)))
    first = load(folder, store, stages, decision=DecisionConfig(threshold=0.55))
    folder.add("REF-B", "b.jpg", jpeg(portrait(1)))

    with pytest.raises(ConfigError, match=f"decision.threshold: {configured} lies below the floor"):
        load(folder, store, stages, decision=DecisionConfig(threshold=configured))

    with store.open() as stored:
        assert (first.list_id, 0.55) == (stored.list_id, first.threshold)


def test_a_wipe_during_a_load_ends_it(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, portrait: Portrait
) -> None:
    """Nobody who destroys the list is asked to wait for the minutes of a load; the load leaves nothing."""
    for number in range(3):
        folder.add(f"REF-{number}", f"{number}.jpg", jpeg(portrait(number)))

    def wipe(done: int, _total: int) -> None:
        if done == 1:
            assert 1 == store.wipe().lists

    with pytest.raises(WatchlistWipedError):
        load(folder, store, stages, progress=wipe)

    assert store.is_empty()
    assert [] == list((store.directory / "lists").iterdir())
    assert not stages.lanes[0].embedder.arena.block.any()


def test_all_or_nothing_is_a_choice(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, portrait: Portrait
) -> None:
    """With `accept_partial` one bad row is left out; without it, it keeps the new list from becoming live."""
    folder.add("REF-A", "a.jpg", jpeg(portrait(0)))
    folder.add("REF-A", "none.jpg", jpeg(gradient()))

    refused = load(folder, store, stages, accept_partial=False)
    with pytest.raises(WatchlistMissingError):
        store.open()
    accepted = load(folder, store, stages)

    assert (False, True) == (refused.is_activated, accepted.is_activated)
    assert (1, 1, ()) == (accepted.rejected, accepted.enrolled_references, accepted.failed_references)
    assert not accepted.is_complete


def test_nothing_biometric_is_left_in_the_stages(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, portrait: Portrait
) -> None:
    """After a load, and after one that was interrupted, arenas and buffers are blank and no list is half live."""
    for number in range(10):
        folder.add(f"REF-{number}", f"{number}.jpg", jpeg(portrait(number)))

    def interrupt(done: int, _total: int) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(folder, store, stages, progress=interrupt)
    assert store.is_empty()
    assert not stages.lanes[0].aligner.arena.block.any()
    assert not stages.lanes[0].embedder.arena.block.any()

    load(folder, store, stages)

    assert not stages.lanes[0].aligner.arena.block.any()
    assert not stages.lanes[0].embedder.arena.block.any()
    assert not any(buffers.feed.any() or buffers.shrunk.any() for buffers in stages.lanes[0].detector._buffers.values())


def test_progress_is_told_row_by_row(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, portrait: Portrait
) -> None:
    """Bad rows count too."""
    told: list[tuple[int, int]] = []
    folder.add("REF-A", "a.jpg", jpeg(portrait(0)))
    folder.add("REF-B", "missing.jpg")
    folder.add("REF-A", "a2.jpg", jpeg(portrait(0, "smiling")))

    load(folder, store, stages, progress=lambda done, total: told.append((done, total)))

    assert [(1, 3), (2, 3), (3, 3)] == told


def test_the_report_names_nobody(
    folder: SourceFolder, store: SealedStore, stages: EnrolmentStages, portrait: Portrait
) -> None:
    """Ids, lines and numbers; neither label nor file name, in JSON or representation."""
    folder.add("REF-A", "secret-1.jpg", jpeg(portrait(0)), label="Secret Person")
    folder.add("REF-B", "secret-2.jpg", jpeg(gradient()), label="Secret Person")

    report = load(folder, store, stages)

    text = json.dumps(report.as_json()) + repr(report) + repr(read_source(folder.path))
    assert "ecret" not in text
    assert {"enrolled": 1, "no-face": 1} == report.as_json()["outcomes"]


def test_lanes_are_bounded_whatever_the_machine_has() -> None:
    """A lane a core or as many as configured, and never so many that memory and pipes run out."""
    assert (1, 3, MAX_LANES) == (lane_count(1), lane_count(3), lane_count(64))
    assert 1 <= lane_count(0) <= MAX_LANES
