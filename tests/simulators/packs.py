"""The real pack, installed into a folder of the test's own."""

from pathlib import Path

from edge_lfr.config.models import Provider
from edge_lfr.inference.catalogue import PackEntry, load_catalogue
from edge_lfr.inference.packs import OpenPack, install, open_pack

PACK_ID = "yunet-0095"


def entry_0095() -> PackEntry:
    """The catalogue's entry of the pack that the shared folder has."""
    return load_catalogue().pack(PACK_ID)


def install_0095(shared_models: Path, directory: Path) -> Path:
    """Install the pack from the shared folder; gives the folder of packs, as `models.directory` wants it."""
    install(shared_models, entry_0095(), directory)
    return directory


def open_0095(directory: Path) -> OpenPack:
    """Open it on the CPU, on all cores."""
    return open_pack(entry_0095(), directory, Provider.CPU, 0)
