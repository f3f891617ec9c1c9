"""Which model pack runs, from where, and on what."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from edge_lfr.config.section import Identifier, Section


class Provider(StrEnum):
    """What the nets run on; asked for means required."""

    CPU = "cpu"
    CUDA = "cuda"


class ModelsConfig(Section):
    """The pack and its runtime."""

    pack: Identifier = "yunet-sface"
    """Id of a pack in the catalogue; `yunet-sface` comes from its publisher's addresses, `yunet-0095` from a stick."""

    directory: Path | None = None
    """Where packs are installed; `models/` under the state folder when not given."""

    catalogue: Path | None = None
    """A catalogue file instead of the one that came with the program."""

    provider: Provider = Provider.CPU
    """Execution provider; if it does not really run the nets, the daemon refuses to start."""

    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Threads inside one net; 0 takes all cores that this process may use."""
