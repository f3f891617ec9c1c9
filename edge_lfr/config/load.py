"""
One configuration out of a file and the environment: untrusted text enters, a frozen `ApplianceConfig` leaves.

`EDGE_LFR__SECTION__FIELD` overrides a field of the file. A relative path in the file means the file's own folder; one
in a variable means the present folder; `credential:NAME` means a file that the service manager hands over. What breaks
a rule is named by file, field and allowed range; the value is shown unless its field is a secret.
"""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.bounded_toml import read_toml
from edge_lfr.config.credentials import credential_path
from edge_lfr.config.schema import Place, allowed, is_path, is_secret, properties
from edge_lfr.errors import ConfigError

VARIABLE_PREFIX: Final = "EDGE_LFR__"
DELIMITER: Final = "__"

MAX_FILE_BYTES: Final = 1 << 20
"""A configuration of 32 cameras with long polygons has some 100 kB; chosen, not measured."""

MAX_SHOWN: Final = 60
"""Characters of a wrong value in a message; chosen, not measured."""

CAMERA_SOURCE: Final = "source"

KINDS: Final[Mapping[type, str]] = {
    str: "text",
    int: "a number",
    float: "a number",
    dict: "a table",
    bool: "true or false",
}


class _Settings(BaseSettings, ApplianceConfig):
    """The appliance's fields, as the environment source wants to see them."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Variables(EnvSettingsSource):
    """Overrides from a given environment instead of the process's own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name.lower(): value for name, value in environ.items()}
        super().__init__(_Settings, env_prefix=VARIABLE_PREFIX, env_nested_delimiter=DELIMITER)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._environ


def load_config(path: Path, environ: Mapping[str, str] | None = None) -> ApplianceConfig:
    """
    Read the file, lay the environment over it and check everything.

    Args:
        path: A TOML file.

        environ: Variables that may override fields; the process's own when None.

    Raises:
        ConfigError: The file cannot be read, is no TOML, or a field is missing, unknown or outside its range.
    """
    environ = os.environ if environ is None else environ
    tree = _with_absolute_paths(_read(path), path.absolute().parent, environ, ())
    overrides = _with_absolute_paths(_overrides(path, environ), Path.cwd(), environ, ())
    try:
        return ApplianceConfig.model_validate(_laid_over(tree, overrides))
    except ValidationError as error:
        named = set(_names(overrides, ()))
        lines = [_sentence(path, detail, named) for detail in _first_causes(error.errors(include_url=False))]
        raise ConfigError("\n".join(lines)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            untrusted_bytes = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        message = f"{path}: there is no such configuration file"
        remedy = f"write one: `edge-lfr config example > {path}`, or name another with --config"
        raise ConfigError(message, remedy=remedy) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", remedy="check the path and its mode") from None
    if len(untrusted_bytes) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_FILE_BYTES} bytes", remedy="name the configuration file itself")
    try:
        return read_toml(untrusted_bytes)
    except UnicodeDecodeError as error:
        line = untrusted_bytes.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line}: not UTF-8", remedy="save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{path}: not TOML: {error}", remedy="correct this line and run `edge-lfr config check`"
        ) from None


def _overrides(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """Fields that variables name, as a tree; a variable that names no section is refused, as in the file."""
    for name in environ:
        if name.upper().startswith(VARIABLE_PREFIX):
            section = name[len(VARIABLE_PREFIX) :].lower().split(DELIMITER)[0]
            if section not in ApplianceConfig.model_fields:
                message = f"variable {name}: the configuration has no `{section}`"
                raise ConfigError(message, remedy="unset it, or see `edge-lfr config example` for the names")
    try:
        return dict(_Variables(environ)())
    except SettingsError as error:
        field = str(error).split('"')[1] if '"' in str(error) else "a field"
        message = f"{path}: variable {VARIABLE_PREFIX}{field.upper()}: not JSON, which a list or a section must be"
        raise ConfigError(message, remedy="correct or unset the variable") from None


def _laid_over(tree: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(tree)
    for name, value in overrides.items():
        below = merged.get(name)
        merged[name] = _laid_over(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def _with_absolute_paths(  # what comes in and goes out is any TOML value
    value: Any,  # noqa: ANN401
    folder: Path,
    environ: Mapping[str, str],
    place: Place,
) -> Any:  # noqa: ANN401
    """The same tree, with every relative path in a path's place laid into *folder*, and every credential into its."""
    if isinstance(value, dict):
        return {name: _with_absolute_paths(inner, folder, environ, (*place, name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_absolute_paths(inner, folder, environ, (*place, at)) for at, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    if is_path(place):
        return credential_path(value, environ) or os.path.normpath(folder / value)
    if place[:1] == ("cameras",) and place[-1] == CAMERA_SOURCE and value and "://" not in value:
        whole = os.path.normpath(folder / value)
        return f"{whole}/" if value.endswith("/") or _is_folder(Path(whole)) else whole
    return value


def _is_folder(path: Path) -> bool:
    """Whether it is one as far as we may see: a name too long or a door that is shut is the camera's to tell."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _names(tree: Mapping[str, Any], above: Place) -> Iterator[Place]:
    for name, value in tree.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from _names(value, (*above, name))


def _sentence(path: Path, detail: ErrorDetails, named_by_variables: set[Place]) -> str:
    """One broken rule: where, what is wrong, what was found, what is allowed."""
    place = detail["loc"]
    origin = str(path)
    if place in named_by_variables:
        origin = "variable " + VARIABLE_PREFIX + DELIMITER.join(str(part).upper() for part in place)
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    subject = f"{origin}: {where}" if where else origin
    if detail["type"] == "missing":
        return f"{subject}: missing{_range(place)}"
    if detail["type"] == "extra_forbidden":
        known = ", ".join(properties(place[:-1]))
        return f"{subject}: no such field; allowed: {known}"
    if detail["type"] == "value_error":
        return f"{subject}: {detail['msg'].removeprefix('Value error, ')}"
    found = _found(place, detail["input"])
    if allowed(place):
        return f"{subject}: found {found}{_range(place)}"
    return f"{subject}: {detail['msg'][0].lower()}{detail['msg'][1:]}, found {found}"


def _first_causes(details: Iterable[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out what is said about a list only because an item of it was refused."""
    details = list(details)
    refused = {detail["loc"][:length] for detail in details for length in range(len(detail["loc"]))}
    return [detail for detail in details if detail["type"] != "too_short" or detail["loc"] not in refused]


def _found(place: Place, value: object) -> str:
    """The wrong value, where it may be shown and is short enough to help; else its kind."""
    if isinstance(value, list | tuple):
        return f"{len(value)} items"
    if is_secret(place) or not isinstance(value, str | int | float):
        return KINDS.get(type(value), type(value).__name__)
    shown = repr(value)
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}..."


def _range(place: Place) -> str:
    text = allowed(place)
    return f"; allowed: {text}" if text else ""
