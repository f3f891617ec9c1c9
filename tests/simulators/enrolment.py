"""Watchlist folders that a test can edit, and the real stages of the pack with the nets beside the checkout."""

from dataclasses import dataclass, field
from pathlib import Path

from edge_lfr.config.faces import DetectionConfig
from edge_lfr.config.models import Provider
from edge_lfr.inference.catalogue import load_catalogue
from edge_lfr.inference.packs import install, open_pack
from edge_lfr.pipeline.enrolment import EnrolmentStages
from simulators.watchlists import CSV_HEADER, csv_row


@dataclass(slots=True)
class SourceFolder:
    """A folder with a CSV; `write` puts the present rows there."""

    path: Path
    rows: list[str] = field(default_factory=list)

    def add(self, reference_id: str, picture: str, content: bytes | None = None, *, label: str = "Subject") -> None:
        """Add a row, and the picture where there is content."""
        self.rows.append(csv_row(reference_id, picture, label=label))
        if content is not None:
            (self.path / picture).parent.mkdir(parents=True, exist_ok=True)
            (self.path / picture).write_bytes(content)

    def write(self, *, header: str = CSV_HEADER, encoding: str = "utf-8") -> Path:
        text = "".join(f"{line}\n" for line in [header, *self.rows])
        (self.path / "watchlist.csv").write_text(text, encoding=encoding)
        return self.path


def open_stages(models: Path, directory: Path, *, lanes: int = 1) -> EnrolmentStages:
    """Install the pack `yunet-0095` from *models* into *directory* and open it on the CPU."""
    entry = load_catalogue().pack("yunet-0095")
    install(models, entry, directory)
    return EnrolmentStages.of(open_pack(entry, directory, Provider.CPU, 1), DetectionConfig(), lanes=lanes)
