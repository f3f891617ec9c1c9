"""
A folder, an archive or the publisher's addresses in, an installed pack out, or nothing at all.

Files are taken by digest, never by name. They are collected in a staging folder, inspected, made durable, and appear
under the pack's name in one rename; what an interrupted installation left is cleared by the next one.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from edge_lfr.durable_files import sync_folder
from edge_lfr.errors import ModelError, ModelSourceError
from edge_lfr.inference.catalogue import PackEntry
from edge_lfr.inference.inspection import inspect_model
from edge_lfr.inference.installed import pack_directory, read_model, verify
from edge_lfr.inference.sources import Collection, Progress, collect_addresses, collect_archive, collect_folder

STAGING_PREFIX: Final = ".staging-"
RETIRED_PREFIX: Final = ".retired-"

Collect: TypeAlias = Callable[[Collection], None]


def install(source: Path | None, entry: PackEntry, directory: Path, *, progress: Progress | None = None) -> Path:
    """
    Install a pack, or find that it is installed already.

    Args:
        source: A folder, or an archive (.zip, .tar, .tar.gz); None: the catalogue's addresses.

        entry: The pack.

        directory: Where packs are installed; made when it is missing.

        progress: Is told a file's name, the bytes so far and the bytes in all.

    Returns:
        The pack's folder.

    Raises:
        ModelSourceError: The source is missing, unreadable, lacks a file, or offers what must not be installed.

        ModelDigestError: A file has the name of one of the pack's files and is another one.

        ModelContractError: A file has the right digest and may not be run all the same.
    """
    target = pack_directory(entry, directory)
    directory.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(directory, entry)
    if _is_installed(entry, directory):
        return target
    staging = directory / f"{STAGING_PREFIX}{entry.id}"
    staging.mkdir(mode=0o700)
    try:
        collection = Collection(entry.files, staging, progress)
        _collector(source)(collection)
        collection.require_complete()
        for spec in entry.files:
            inspect_model(read_model(spec, staging), spec.name)
        staging.chmod(0o755)
        sync_folder(staging)
        if target.exists():  # it does not verify: nothing can run it
            target.rename(directory / f"{RETIRED_PREFIX}{entry.id}")
        staging.rename(target)
        sync_folder(directory)
    finally:
        _clear_leftovers(directory, entry)
    return target


def _collector(source: Path | None) -> Collect:
    if source is None:
        return collect_addresses
    if source.is_dir():
        return lambda collection: collect_folder(source, collection)
    if source.is_file():
        return lambda collection: collect_archive(source, collection)
    raise ModelSourceError(f"source {source}: neither a folder nor an archive", remedy="check the path")


def _is_installed(entry: PackEntry, directory: Path) -> bool:
    try:
        verify(entry, directory)
    except ModelError:
        return False
    return True


def _clear_leftovers(directory: Path, entry: PackEntry) -> None:
    for prefix in (STAGING_PREFIX, RETIRED_PREFIX):
        leftover = directory / f"{prefix}{entry.id}"
        if os.path.lexists(leftover):
            shutil.rmtree(leftover)
