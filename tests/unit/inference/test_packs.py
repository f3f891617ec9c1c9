"""Installed packs: the bytes that were hashed are the bytes that run, and they must be what the entry promises."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_lfr.config.models import ModelsConfig, Provider
from edge_lfr.errors import ModelContractError, ModelDigestError, ModelMissingError
from edge_lfr.inference.catalogue import PackEntry
from edge_lfr.inference.installed import write_golden
from edge_lfr.inference.packs import OpenPack, install, open_configured, open_pack, verify
from simulators.nets import ARCFACE, embedder_like, entry_of, golden_of, write_files, yunet_like

DETECTOR, EMBEDDER = yunet_like(), embedder_like()


@pytest.fixture
def entry() -> PackEntry:
    return entry_of(DETECTOR, EMBEDDER)


@pytest.fixture
def directory(tmp_path: Path, entry: PackEntry) -> Path:
    install(write_files(tmp_path / "source", detector=DETECTOR, embedder=EMBEDDER), entry, tmp_path / "models")
    return tmp_path / "models"


def opened(entry: PackEntry, directory: Path) -> OpenPack:
    return open_pack(entry, directory, Provider.CPU, 1)


def test_installed_pack_verifies_and_opens(entry: PackEntry, directory: Path) -> None:
    """What was installed runs, under the digest of its entry."""
    verify(entry, directory)
    assert entry.digest == opened(entry, directory).digest


def test_a_configuration_opens_the_pack_it_chose(tmp_path: Path, entry: PackEntry, directory: Path) -> None:
    """Out of its own catalogue, with its own number of threads."""
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(f"packs = [{inline(entry.model_dump(mode='json', exclude_none=True))}]\n")
    models = ModelsConfig(pack=entry.id, catalogue=catalogue, threads=1)
    assert entry.digest == open_configured(models, directory).digest
    with pytest.raises(ModelMissingError, match="not in the catalogue"):
        open_configured(ModelsConfig(pack="other", catalogue=catalogue), directory)


def inline(value: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {inline(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


def test_missing_file_is_named(entry: PackEntry, directory: Path) -> None:
    """A pack that lost a file says which."""
    (directory / "tiny" / "embedder.onnx").unlink()
    with pytest.raises(ModelMissingError, match=r"embedder.onnx: not installed"):
        verify(entry, directory)


@pytest.mark.parametrize(
    "change", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])]
)
def test_changed_file_is_refused(entry: PackEntry, directory: Path, change: Any) -> None:
    """One byte less, more or other, and the pack neither verifies nor opens."""
    path = directory / "tiny" / "detector.onnx"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ModelDigestError, match=r"detector.onnx"):
        verify(entry, directory)
    with pytest.raises(ModelDigestError, match=r"detector.onnx"):
        opened(entry, directory)


def placed(directory: Path, detector: bytes, embedder: bytes, **changes: Any) -> PackEntry:
    """An entry whose digests are right for these bytes, installed by hand."""
    entry = entry_of(detector, embedder, **changes)
    write_files(directory / entry.id, detector=detector, embedder=embedder)
    return entry


@pytest.mark.parametrize(
    ("detector", "embedder", "message"),
    [
        (yunet_like(outputs=["a"] * 0 + [f"x{i}" for i in range(12)]), EMBEDDER, "outputs cls_8"),
        (yunet_like(input_name="pixels"), EMBEDDER, "expected input input"),
        (DETECTOR, embedder_like(dimension=64), r"output of shape \(1, 128\), found \(1, 64\)"),
        (DETECTOR, embedder_like(size=128), "expected input data"),
        (DETECTOR, embedder_like(names=("x", "y")), "expected input data"),
        (EMBEDDER, DETECTOR, "expected input input"),
    ],
)
def test_nets_that_break_the_contract_do_not_open(
    tmp_path: Path, detector: bytes, embedder: bytes, message: str
) -> None:
    """Other names or shapes than the entry promises: refused before the first camera frame."""
    entry = placed(tmp_path, detector, embedder)
    with pytest.raises(ModelContractError, match=message):
        opened(entry, tmp_path)


def test_recorded_golden_values_make_another_pack(entry: PackEntry, directory: Path) -> None:
    """Golden values are part of the name: the overlay is in the entry before its digest is taken."""
    golden = golden_of(128)
    written = write_golden(entry, directory, golden)
    pack = opened(entry, directory)
    assert golden == pack.entry.golden
    assert written.digest == pack.digest
    assert entry.digest != pack.digest
    assert not list((directory / "tiny").glob("*.new"))


def test_recording_again_replaces(entry: PackEntry, directory: Path) -> None:
    """The last recording counts, also when the entry already has one."""
    first = write_golden(entry, directory, golden_of(128))
    vector = np.zeros(128, dtype=np.float32)
    vector[1] = 1.0
    again = type(golden_of(128)).of(np.asarray(ARCFACE, dtype=np.float32), vector)
    assert again == write_golden(first, directory, again).golden


@pytest.mark.parametrize("text", ["", "landmarks_xy = 1", "\x00", 'embedding = "AAAA"'])
def test_broken_golden_file_is_refused(entry: PackEntry, directory: Path, text: str) -> None:
    """A damaged overlay stops the pack instead of being ignored."""
    (directory / "tiny" / "golden.toml").write_text(text)
    with pytest.raises(ModelContractError, match=r"golden.toml holds no golden values"):
        opened(entry, directory)


def test_golden_file_beside_a_finished_entry_is_ignored(directory: Path) -> None:
    """Nobody can replace golden values that come with the catalogue."""
    entry = entry_of(DETECTOR, EMBEDDER, golden=golden_of(128), provisional=False)
    (directory / "tiny" / "golden.toml").write_text("nonsense")
    assert entry.digest == opened(entry, directory).digest
