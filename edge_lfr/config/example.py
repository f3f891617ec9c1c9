"""
The documented example configuration, written from the models themselves: it cannot fall behind them.

A field without a default stands with a value of a made-up appliance; every other stands as a comment with its default,
so that taking the `#` away changes nothing.
"""

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.capture import CameraConfig

HEAD: Final = """\
# One edge-lfr appliance. Every field can be overridden by a variable: EDGE_LFR__DECISION__REQUIRED_HITS=3.
# Relative paths mean the folder of this file. Check it with `edge-lfr config check --config FILE`.
# This file may hold credentials of cameras and of the broker: keep it readable by root and the daemon only.
"""

VALUES: Final[Mapping[str, object]] = {
    "mode": "training",
    "force": "anytown",
    "device": "van-1",
    "cameras.id": "north",
    "cameras.source": "rtsp://camera-north.van:554/stream1",
    "reporting.broker.host": "control.van",
    "reporting.broker.ca_file": "tls/ca.pem",
    "reporting.broker.certificate_file": "tls/device.pem",
    "reporting.broker.key_file": "credential:edge-lfr.broker-key",
}
"""What the made-up appliance says where the models have no default, or where a real one should not rely on it."""

ILLUSTRATIONS: Final[Mapping[str, object]] = {
    "models.directory": "/var/lib/edge-lfr/models",
    "models.catalogue": "catalogue.toml",
    "cameras.zone": [[0.1, 0.2], [0.9, 0.2], [0.9, 1.0], [0.1, 1.0]],
    "cameras.privacy_mask": [[[0.0, 0.0], [0.2, 0.0], [0.2, 0.3], [0.0, 0.3]]],
    "decision.threshold": 0.75,
    "retention.document": "retention.toml",
    "trust.protection_officer": "age19k698j5q86y5xt4gzx24mclhhpf57phd4a4hqzv0zkjc4yd2vcasucsj3x",
    "reporting.broker.username": "van-1",
    "reporting.broker.password": "from a variable, better than from here",
}
"""Shown, as a comment, for fields whose default is none or empty."""

LEFT_OUT: Final[Mapping[str, str]] = {
    "decision.threshold": "Not set, which takes the floor. It rises with the list, and a value below it is refused:",
    "trust.protection_officer": "Not set. Made up, and nobody has its key; take the line that `age-keygen` prints:",
}
"""What is said above an illustration, where "for instance" would invite to take it."""


def example_config() -> str:
    """A TOML file that loads as it is, with every section, field, default and the field's own words."""
    return HEAD + "\n".join(_section(ApplianceConfig, "", "")) + "\n"


def _section(model: type[BaseModel], place: str, header: str) -> Iterator[str]:
    """The section's own fields first, as TOML demands, then the sections below it."""
    if header:
        yield ""
        yield from _comment(model.__doc__ or "")
        yield header
    below: list[tuple[str, type[BaseModel], str]] = []
    for name, field in model.model_fields.items():
        path = f"{place}.{name}".lstrip(".")
        section = CameraConfig if path == "cameras" else field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            below.append((path, section, f"[[{path}]]" if path == "cameras" else f"[{path}]"))
        else:
            yield from _field(path, name, field)
    for path, section, inner_header in below:
        yield from _section(section, path, inner_header)


def _field(path: str, name: str, field: FieldInfo) -> Iterator[str]:
    yield ""
    yield from _comment(field.description or "")
    if path in VALUES:
        yield f"{name} = {_toml(VALUES[path])}"
    elif path in ILLUSTRATIONS:
        yield f"# {LEFT_OUT.get(path, 'Not set; for instance:')}"
        yield f"#{name} = {_toml(ILLUSTRATIONS[path])}"
    else:
        yield f"#{name} = {_toml(field.default)}"


def _comment(text: str) -> Iterator[str]:
    for line in text.strip().splitlines():
        yield f"# {line.strip()}".rstrip()


def _toml(value: object) -> str:
    """One value as TOML; for strings, numbers and lists of them JSON is TOML."""
    if isinstance(value, Enum):
        return json.dumps(value.value)
    if isinstance(value, Path):
        return json.dumps(str(value))
    if isinstance(value, SecretStr):
        return '"..."'
    return json.dumps(value)
