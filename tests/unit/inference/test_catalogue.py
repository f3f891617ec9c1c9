"""Entries of the catalogue: what is refused, what names a pack, and what a threshold may not fall below."""

import os
import shlex
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from edge_lfr.cli.main import run_command
from edge_lfr.errors import ConfigError, ModelContractError, ModelMissingError
from edge_lfr.inference.catalogue import CalibrationRow, Golden, PackEntry, catalogue_path, load_catalogue
from simulators.nets import ARCFACE, embedder_like, entry_of, file_spec, golden_of, yunet_like

ROOT = Path(__file__).parents[3]
ROWS = [
    {"templates": 100, "threshold": 0.5, "false_alerts_per_1000": 1.0, "evidence": "extrapolated"},
    {"templates": 1000, "threshold": 0.6, "false_alerts_per_1000": 1.0, "evidence": "measured"},
]


@pytest.fixture(scope="module")
def entry() -> PackEntry:
    return entry_of(yunet_like(), embedder_like(), calibration=ROWS)


def test_shipped_catalogue_has_both_packs() -> None:
    """What ships can be read, and knows the pack of the stick and the pack of the publisher."""
    catalogue = load_catalogue()
    assert ["yunet-0095", "yunet-sface"] == [entry.id for entry in catalogue.packs]
    assert not catalogue.pack("yunet-0095").provisional
    assert catalogue.pack("yunet-sface").provisional
    assert catalogue.pack("yunet-sface").golden is None
    assert all(spec.addresses for spec in catalogue.pack("yunet-sface").files)


def test_the_calibrated_pack_has_a_whole_table() -> None:
    """Every list up to 60,000 templates has a floor whose bound keeps one false alert in 1,000 passages."""
    rows = load_catalogue().pack("yunet-0095").calibration
    assert {100, 200, 500, 1000, 2000, 5000, 10000, 20000, 60000} <= {row.templates for row in rows}
    assert all(row.worst_group for row in rows)
    bounds = [row.upper_per_1000 for row in rows if row.upper_per_1000 is not None]
    assert len(rows) == len(bounds)
    assert all(0.0 < row.false_alerts_per_1000 <= bound <= 1.0 for row, bound in zip(rows, bounds, strict=True))


def test_measured_rows_come_first() -> None:
    """Data reach short lists, and nothing beyond the first that was extrapolated says that it was measured."""
    for entry in load_catalogue().packs:
        evidence = [row.evidence for row in entry.calibration]
        assert sorted(evidence, reverse=True) == evidence
    assert {"extrapolated"} == {row.evidence for row in load_catalogue().pack("yunet-sface").calibration}


def test_a_calibration_names_its_data_and_its_command() -> None:
    """Whoever doubts a table can make it again; one that was put together by hand names neither."""
    for entry in load_catalogue().packs:
        is_bounded = any(row.upper_per_1000 is not None for row in entry.calibration)
        assert [is_bounded] * 2 == [entry.calibration_data is not None, entry.calibration_command is not None]


def test_the_command_of_a_calibration_exists(capsys: pytest.CaptureFixture[str]) -> None:
    """Noun, verb and every option are those of the program, and the pack is the entry's own."""
    for entry in load_catalogue().packs:
        if entry.calibration_command is None:
            continue
        program, noun, verb, *options = shlex.split(entry.calibration_command)
        assert ("edge-lfr", entry.id) == (program, options[options.index("--pack") + 1])
        assert os.EX_OK == run_command([noun, verb, "--help"])
        shown = capsys.readouterr().out
        assert all(option in shown for option in options if option.startswith("--"))
        assert "--quick" not in options


def test_catalogue_of_the_checkout_travels_in_the_wheel() -> None:
    """The build puts the checkout's catalogue where an installed program looks first."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert ROOT / "models" / "catalogue.toml" == catalogue_path()
    assert {"models/catalogue.toml": "edge_lfr/inference/catalogue.toml"} == build["force-include"]


@pytest.mark.parametrize(
    "change",
    [
        {"title": "another title"},
        {"licence": "another licence"},
        {"calibration": []},
        {"golden": golden_of(128)},
        {"non_commercial": True},
    ],
)
def test_digest_changes_with_every_field(entry: PackEntry, change: dict[str, Any]) -> None:
    """Whoever changes an entry makes another pack."""
    assert entry.digest != PackEntry.model_validate({**entry.model_dump(), **change}).digest


def test_digest_reaches_the_preprocessing(entry: PackEntry) -> None:
    """A template moved by a thousandth of a pixel is another pack: its vectors are others."""
    template = [(x + 0.001, y) for x, y in ARCFACE]
    moved = {**entry.model_dump(), "embedder": {**entry.embedder.model_dump(), "template": template}}
    assert entry.digest != PackEntry.model_validate(moved).digest


def test_digest_does_not_depend_on_the_order_of_the_file(entry: PackEntry) -> None:
    """The same entry has the same name, however it was written down."""
    turned = dict(reversed(list(entry.model_dump().items())))
    assert entry.digest == PackEntry.model_validate(turned).digest


@pytest.mark.parametrize(("templates", "threshold"), [(1, 0.5), (100, 0.5), (101, 0.6), (1000, 0.6)])
def test_floor_is_the_first_row_that_is_large_enough(entry: PackEntry, templates: int, threshold: float) -> None:
    """More templates never get a lower threshold."""
    assert threshold == entry.floor(templates).threshold


def test_floor_beyond_the_calibration_is_refused(entry: PackEntry) -> None:
    """A watchlist for which nobody knows the threshold is not searched."""
    with pytest.raises(ModelContractError, match="at most 1000 templates, the watchlist has 1001"):
        entry.floor(1001)


def test_unknown_pack_is_named_with_the_known_ones() -> None:
    """A misspelt pack is answered with the right spellings."""
    with pytest.raises(ModelMissingError, match=r"yunet-0059: not in the catalogue \(it knows yunet-0095, yunet-sface"):
        load_catalogue().pack("yunet-0059")


@pytest.mark.parametrize(
    "change",
    [
        {"calibration": ROWS[::-1]},
        {"calibration": [ROWS[0], ROWS[0]]},
        {"golden": golden_of(64)},
        {"provisional": False},
        {"id": "../outside"},
        {"unknown": 1},
        {"quality": {"file": file_spec("detector.onnx", b"x"), "input_name": "i", "size": 96, "colour": "rgb"}},
    ],
)
def test_impossible_entries_are_refused(change: dict[str, Any]) -> None:
    """Unsorted rows, vectors of another length, missing golden values, paths for ids, doubled names, unknown keys."""
    with pytest.raises(ValidationError):
        entry_of(yunet_like(), embedder_like(), **change)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../net.onnx"},
        {"name": "net.exe"},
        {"bytes": 600_000_001},
        {"sha256": "00"},
        {"addresses": ["http://example.org/net.onnx"]},
    ],
)
def test_impossible_files_are_refused(entry: PackEntry, change: dict[str, Any]) -> None:
    """Names are plain, lengths bounded, digests whole, addresses encrypted."""
    file = {**entry.detector.file.model_dump(), **change}
    with pytest.raises(ValidationError):
        PackEntry.model_validate({**entry.model_dump(), "detector": {**entry.detector.model_dump(), "file": file}})


def test_broken_catalogue_names_file_and_field(tmp_path: Path) -> None:
    """A catalogue that cannot be read says which file and which field."""
    path = tmp_path / "catalogue.toml"
    with pytest.raises(ConfigError, match=r"catalogue\.toml"):
        load_catalogue(path)
    path.write_text("[[packs]")
    with pytest.raises(ConfigError, match=r"catalogue\.toml"):
        load_catalogue(path)
    path.write_text('[[packs]]\nid = "x"\n')
    with pytest.raises(ConfigError, match=r"packs.0.title: Field required"):
        load_catalogue(path)


def test_doubled_ids_are_refused(tmp_path: Path) -> None:
    """An id means one pack."""
    path = tmp_path / "catalogue.toml"
    text = catalogue_path().read_text()
    path.write_text(text.replace('id = "yunet-sface"', 'id = "yunet-0095"'))
    with pytest.raises(ConfigError, match="same id"):
        load_catalogue(path)


def test_golden_vector_survives_writing() -> None:
    """What was recorded is what is compared, to the last bit."""
    vector = np.random.default_rng(0).normal(size=128).astype(np.float32)
    golden = Golden.of(np.asarray(ARCFACE, dtype=np.float32), vector)
    assert vector.tolist() == Golden.model_validate(golden.model_dump()).vector.tolist()


@pytest.mark.parametrize("text", ["not base64!", "AAA=", "AADAfw=="])
def test_golden_vector_that_is_none_is_refused(text: str) -> None:
    """No base64, no whole float32, no number."""
    with pytest.raises(ValidationError):
        Golden(landmarks_xy=tuple(ARCFACE), embedding=text)


def test_the_threshold_may_be_raised_and_never_lowered() -> None:
    """The floor is the pack's; equal is allowed, below is refused by name."""
    row = CalibrationRow(templates=1000, threshold=0.6, false_alerts_per_1000=1.0, evidence="extrapolated")
    assert [0.6, 0.6, 0.7] == [row.threshold_for(None), row.threshold_for(0.6), row.threshold_for(0.7)]
    with pytest.raises(ConfigError, match=r"decision.threshold: 0.59 lies below the floor 0.6"):
        row.threshold_for(0.59)


def test_a_bound_is_told_before_an_estimate() -> None:
    """Whoever reads a rate reads the upper end of what it may be, or that nobody knows it."""
    fields = {"templates": 1000, "threshold": 0.6, "false_alerts_per_1000": 0.25, "evidence": "extrapolated"}
    plain = CalibrationRow.model_validate(fields)
    bounded = CalibrationRow.model_validate({**fields, "upper_per_1000": 0.91, "worst_group": "east"})
    assert "about 0.25 false alerts in 1,000 passages, not bounded" == plain.false_alerts_in_words
    assert "at most 0.91 false alerts in 1,000 passages (95 %)" == bounded.false_alerts_in_words
