"""Where a measurement stands: a folder of its own, the pack's real nets out of a folder of weights, a configuration."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.models import Provider
from edge_lfr.errors import EdgeLfrError
from edge_lfr.inference.catalogue import load_catalogue
from edge_lfr.inference.packs import OpenPack, install, open_pack

PACK: Final = "yunet-0095"
"""The pack whose weights lie in the folder of development."""

SHARED_REMEDY: Final = "name the folder that holds models/ and data/: --shared DIR"


class BenchError(EdgeLfrError):
    """A measurement cannot be made here."""

    code = "bench"
    exit_status = 69


@dataclass(frozen=True, slots=True)
class Ground:
    """A folder that goes when the measurement ends, and what was installed there."""

    folder: Path
    shared: Path
    models_directory: Path

    def open_pack(self, *, threads: int = 0) -> OpenPack:
        """Open the real nets on the CPU; 0 threads takes all cores that this process may use."""
        return open_pack(load_catalogue().pack(PACK), self.models_directory, Provider.CPU, threads)

    def config(self, **sections: Any) -> ApplianceConfig:  # noqa: ANN401 - as in a configuration file
        """Make an appliance's configuration; *sections* replace or add whole sections, `cameras` among them."""
        return ApplianceConfig.model_validate(
            {
                "mode": "training",
                "force": "bench",
                "device": "van",
                "state_directory": self.folder / "state",
                "runtime_directory": self.folder / "run",
                "models": {"pack": PACK, "directory": self.models_directory},
                "cameras": [{"id": "street", "source": str(self.folder / "none.mp4")}],
                "reporting": {"broker": {"host": "127.0.0.1", "port": 1883}},
                "trust": {"directory": self.folder / "trust.d"},
                **sections,
            }
        )


def require_folders(shared: Path, *names: str) -> None:
    """
    See that *shared* has these folders, before anything is made.

    Raises:
        BenchError: One is missing; the message names it.
    """
    for name in names:
        if not (shared / name).is_dir():
            raise BenchError(f"there is no folder {shared / name}", remedy=SHARED_REMEDY)


@contextmanager
def prepared_ground(shared: Path) -> Iterator[Ground]:
    """
    Install the pack into a new folder, and remove everything afterwards.

    Args:
        shared: Folder with `models/` and `data/`.

    Raises:
        BenchError: One of the two is missing.
        ModelError: The weights are not those of the catalogue.
    """
    require_folders(shared, "models", "data")
    with tempfile.TemporaryDirectory(prefix="edge-lfr-bench-") as name:
        folder = Path(name)
        models = folder / "models"
        install(shared / "models", load_catalogue().pack(PACK), models)
        yield Ground(folder=folder, shared=shared.resolve(), models_directory=models)
