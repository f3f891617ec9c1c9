"""The self-test: it passes where all is right, and every silent mistake it exists for makes it fail."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_lfr.config.models import Provider
from edge_lfr.errors import SelftestError
from edge_lfr.inference.catalogue import PackEntry
from edge_lfr.inference.packs import OpenPack, install, open_pack
from edge_lfr.pipeline.selftest import fixed_picture, record_golden, run_selftest
from simulators.nets import embedder_like, entry_of, golden_of

pytestmark = pytest.mark.shared


def changed(pack: OpenPack, **parts: dict[str, Any]) -> OpenPack:
    """The same nets under an entry that says something else."""
    fields = pack.entry.model_dump()
    for part, change in parts.items():
        fields[part] = {**fields[part], **change}
    entry = PackEntry.model_validate(fields)
    return OpenPack(entry=entry, digest=entry.digest, detector=pack.detector, embedder=pack.embedder)


def test_real_pack_gives_its_golden_values(pack: OpenPack) -> None:
    """Other implementations made the values, and ours gives them; swapped colours do not."""
    result = run_selftest(pack)
    assert result.landmark_error_px < 0.05
    assert result.cosine > 0.9999
    assert result.swapped_colour_cosine < 0.99


def test_fixed_picture_is_the_one_that_was_measured() -> None:
    """A quarter of a megapixel, one face, never changed."""
    assert (256, 256, 3) == fixed_picture().shape


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({"embedder": {"colour": "rgb"}}, "embedding"),
        ({"embedder": {"mean": 127.5, "scale": 128.0}}, "embedding"),
        (
            {"embedder": {"template": [(x + 6.0, y) for x, y in [(40, 59), (87, 59), (64, 82), (45, 105), (84, 105)]]}},
            "e",
        ),
        ({"detector": {"colour": "rgb"}}, "landmarks"),
        ({"golden": golden_of(256).model_dump()}, "landmarks"),
        ({"golden": {"embedding": golden_of(256).embedding}}, "embedding"),
    ],
)
def test_silent_mistakes_fail(pack: OpenPack, parts: dict[str, Any], what: str) -> None:
    """Swapped colours, another mean, another template: nothing raises but the self-test."""
    with pytest.raises(SelftestError, match=what):
        run_selftest(changed(pack, **parts))


def test_pack_that_sees_no_face_fails(pack: OpenPack) -> None:
    """A detector that finds nothing in the fixed picture is not deployed."""
    with pytest.raises(SelftestError, match="detection: expected one face, found 0"):
        run_selftest(changed(pack, detector={"mean": 128.0, "scale": 1e6}))


def sface_like(shared_models: Path, directory: Path, **embedder: Any) -> OpenPack:
    """The real detector beside a small net of SFace's contract, installed and opened."""
    detector = (shared_models / "face_detection_yunet_2023mar.onnx").read_bytes()
    content = embedder_like()
    entry = entry_of(detector, content)
    fields = entry.model_dump()
    fields["detector"]["fixed_size"] = (640, 640)
    fields["embedder"] |= embedder
    entry = PackEntry.model_validate(fields)
    source = directory / "source"
    source.mkdir()
    (source / "a").write_bytes(detector)
    (source / "b").write_bytes(content)
    install(source, entry, directory / "models")
    return open_pack(entry, directory / "models", Provider.CPU, 1)


def test_provisional_pack_is_recorded_against_opencv(shared_models: Path, tmp_path: Path) -> None:
    """Without values the test says so; with OpenCV's agreement they are recorded, and from then on it passes."""
    pack = sface_like(shared_models, tmp_path)
    with pytest.raises(SelftestError, match="no golden values") as raised:
        run_selftest(pack)
    assert "--record" in raised.value.advice
    entry = record_golden(pack, tmp_path / "models")
    again = open_pack(pack.entry, tmp_path / "models", Provider.CPU, 1)
    assert entry.digest == again.digest
    assert pack.digest != again.digest
    result = run_selftest(again)
    assert result.cosine > 0.99999
    assert result.swapped_colour_cosine < 0.999


@pytest.mark.parametrize("fault", [{"colour": "bgr"}, {"mean": 127.5, "scale": 50.0, "colour": "bgr"}])
def test_wrong_preprocessing_is_not_recorded(shared_models: Path, tmp_path: Path, fault: dict[str, Any]) -> None:
    """An entry that is wrong about its net cannot bless itself."""
    pack = sface_like(shared_models, tmp_path, **fault)
    with pytest.raises(SelftestError, match=r"cosine above 0.999 with cv2.FaceRecognizerSF"):
        record_golden(pack, tmp_path / "models")
    assert not list((tmp_path / "models").rglob("golden.toml"))


def test_values_that_ship_are_not_recorded_over(pack: OpenPack, installed_packs: Path) -> None:
    """Only a provisional pack may be recorded, and only against a named implementation."""
    with pytest.raises(SelftestError, match="come with the catalogue"):
        record_golden(pack, installed_packs)
    provisional = PackEntry.model_validate({**pack.entry.model_dump(), "provisional": True})
    with pytest.raises(SelftestError, match="names no independent implementation"):
        record_golden(
            OpenPack(entry=provisional, digest=pack.digest, detector=pack.detector, embedder=pack.embedder),
            installed_packs,
        )


def test_golden_vector_is_a_unit_vector(pack: OpenPack) -> None:
    """A cosine needs unit length on both sides."""
    assert pack.entry.golden is not None
    assert 1.0 == pytest.approx(float(np.linalg.norm(pack.entry.golden.vector)), abs=1e-6)
