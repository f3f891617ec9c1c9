"""
What lies on the disk of an installed pack, and what was recorded about it on this machine.

`<directory>/<pack id>/` holds the pack's files under the catalogue's names and, for a provisional pack, `golden.toml`.
"""

import hashlib
import tomllib
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from edge_lfr.config.bounded_toml import read_toml
from edge_lfr.durable_files import write_durably
from edge_lfr.errors import ModelContractError, ModelDigestError, ModelMissingError
from edge_lfr.inference.catalogue import FileSpec, Golden, PackEntry

GOLDEN_FILE: Final = "golden.toml"
MAX_GOLDEN_BYTES: Final = 65_536
"""A golden file has about 6 kB for the longest vectors in use."""


def pack_directory(entry: PackEntry, directory: Path) -> Path:
    """Where the pack's files lie."""
    return directory / entry.id


def read_model(spec: FileSpec, folder: Path) -> bytes:
    """
    Read one installed file whole, and only if it is the one that the catalogue names.

    Raises:
        ModelMissingError: It is not there.

        ModelDigestError: It has another length or digest.
    """
    try:
        with (folder / spec.name).open("rb") as file:
            content = file.read(spec.bytes + 1)
    except OSError as error:
        raise ModelMissingError(f"model {spec.name}: not installed under {folder} ({error.strerror})") from error
    if len(content) != spec.bytes:
        length = f"{len(content)} bytes" if len(content) < spec.bytes else f"more than {spec.bytes} bytes"
        raise ModelDigestError(f"model {spec.name}: expected {spec.bytes} bytes, found {length}")
    found = hashlib.sha256(content).hexdigest()
    if found != spec.sha256:
        raise ModelDigestError(f"model {spec.name}: expected sha256 {spec.sha256}, found {found}")
    return content


def verify(entry: PackEntry, directory: Path) -> None:
    """
    Check that every file of the pack is installed and is the one that the catalogue names.

    Raises:
        ModelMissingError: A file is not there.

        ModelDigestError: A file has another length or digest.
    """
    for spec in entry.files:
        read_model(spec, pack_directory(entry, directory))


def with_recorded_golden(entry: PackEntry, directory: Path) -> PackEntry:
    """
    Add the golden values that were recorded on this machine, if the pack is provisional and they were.

    Raises:
        ModelContractError: The recorded file is no golden file for this pack.
    """
    path = pack_directory(entry, directory) / GOLDEN_FILE
    if not entry.provisional or entry.golden is not None or not path.is_file():
        return entry
    try:
        with path.open("rb") as file:
            golden = Golden.model_validate(read_toml(file.read(MAX_GOLDEN_BYTES)))
        merged = PackEntry.model_validate({**entry.model_dump(), "golden": golden.model_dump()})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ModelContractError(
            f"pack {entry.id}: {path} holds no golden values for it",
            remedy="record them again with `edge-lfr models selftest --record`",
        ) from error
    return merged


def write_golden(entry: PackEntry, directory: Path, golden: Golden) -> PackEntry:
    """Keep recorded golden values beside the installed pack, whole or not at all; gives the entry that has them."""
    points = ", ".join(f"[{x}, {y}]" for x, y in golden.landmarks_xy)
    path = pack_directory(entry, directory) / GOLDEN_FILE
    write_durably(path, f'landmarks_xy = [{points}]\nembedding = "{golden.embedding}"\n'.encode(), mode=0o644)
    return with_recorded_golden(entry.model_copy(update={"golden": None}), directory)
