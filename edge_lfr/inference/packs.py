"""
An installed pack in, two proven sessions out.

A model is loaded from the very bytes that were hashed: nothing can be exchanged between the check and the use.
"""

from dataclasses import dataclass
from pathlib import Path

from edge_lfr.config.models import ModelsConfig, Provider
from edge_lfr.inference.catalogue import FileSpec, PackEntry, load_catalogue
from edge_lfr.inference.contract import check_detector, check_embedder
from edge_lfr.inference.inspection import inspect_model
from edge_lfr.inference.installation import install
from edge_lfr.inference.installed import pack_directory, read_model, verify, with_recorded_golden
from edge_lfr.inference.session import Session, open_session

__all__ = ["OpenPack", "install", "open_configured", "open_pack", "verify"]


@dataclass(frozen=True, slots=True)
class OpenPack:
    """A pack whose nets run; everything that its templates mean is in `digest`."""

    entry: PackEntry
    """With the golden values that were recorded here, if they were."""

    digest: str
    detector: Session
    embedder: Session


def open_configured(models: ModelsConfig, directory: Path) -> OpenPack:
    """
    Open the pack that a configuration chose, out of its catalogue, on its provider.

    Args:
        models: What was chosen.

        directory: Where packs are installed (`ApplianceConfig.models_directory`).

    Raises:
        ConfigError: The catalogue cannot be read.
        ModelError: As in `open_pack`, or the catalogue has no such pack.
    """
    entry = load_catalogue(models.catalogue).pack(models.pack)
    return open_pack(entry, directory, models.provider, models.threads)


def open_pack(entry: PackEntry, directory: Path, provider: Provider, threads: int) -> OpenPack:
    """
    Open both nets of an installed pack on the provider that was asked for.

    Args:
        entry: As the catalogue has it.

        directory: Where packs are installed.

        provider: Where the nets must run.

        threads: Threads inside one net; 0 takes all cores that this process may use.

    Raises:
        ModelError: Some file is missing or another one, is refused by inspection, or is not what the entry promises;
            or the provider does not run it.
    """
    folder = pack_directory(entry, directory)
    merged = with_recorded_golden(entry, directory)
    detector = _open(entry.detector.file, folder, provider, threads, keeps_memory=True)
    check_detector(detector, entry.detector)
    embedder = _open(entry.embedder.file, folder, provider, threads, keeps_memory=False)
    check_embedder(embedder, entry.embedder)
    return OpenPack(entry=merged, digest=merged.digest, detector=detector, embedder=embedder)


def _open(spec: FileSpec, folder: Path, provider: Provider, threads: int, *, keeps_memory: bool) -> Session:
    content = read_model(spec, folder)
    inspect_model(content, spec.name)
    return open_session(content, provider, threads, keeps_memory=keeps_memory)
