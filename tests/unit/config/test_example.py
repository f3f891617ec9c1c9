"""The example is a working file, and says of every field what the models say."""

import re
from pathlib import Path

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.example import ILLUSTRATIONS, example_config
from edge_lfr.config.load import load_config
from edge_lfr.config.schema import json_schema
from simulators.retention import document


def load(folder: Path, text: str) -> ApplianceConfig:
    path = folder / "edge-lfr.toml"
    path.write_text(text)
    return load_config(path, {})


def test_the_example_loads(tmp_path: Path) -> None:
    """A newcomer starts from a file that is accepted as it is."""
    assert "van-1" == load(tmp_path, example_config()).device


def test_a_commented_default_is_the_default(tmp_path: Path) -> None:
    """Taking every `#` of a default away changes nothing."""
    shown = {f"#{path.rsplit('.', 1)[-1]} =" for path in ILLUSTRATIONS}
    lines = [
        line if any(line.startswith(start) for start in shown) else re.sub(r"^#(?=[a-z_]+ = )", "", line)
        for line in example_config().splitlines()
    ]
    assert load(tmp_path, example_config()) == load(tmp_path, "\n".join(lines))


def test_the_illustrations_are_allowed(tmp_path: Path) -> None:
    """What is shown for a field without a default is a value that it takes."""
    document(tmp_path)
    text = re.sub(r"(?m)^#(?=[a-z_]+ = )", "", example_config())
    assert 0.75 == load(tmp_path, text).decision.threshold


def test_every_field_is_shown() -> None:
    """No field of any section is missing from the example."""
    text = example_config()
    sections = [json_schema(), *json_schema()["$defs"].values()]
    below = {
        "models",
        "cameras",
        "detection",
        "tracking",
        "quality",
        "looks",
        "gallery",
        "decision",
        "reporting",
        "retention",
        "trust",
        "policy",
        "health",
    }
    names = (
        {name for section in sections for name in section.get("properties", {})}
        - below
        - {"broker", "authority", "watchlist"}
    )
    assert set() == {name for name in names if not re.search(rf"(?m)^#?{name} = ", text)}
