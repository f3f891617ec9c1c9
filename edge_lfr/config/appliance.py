"""The whole configuration of one appliance."""

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from edge_lfr.config.age_recipient import AgeRecipientText
from edge_lfr.config.capture import CameraConfig
from edge_lfr.config.faces import DetectionConfig, LooksConfig, QualityConfig, TrackingConfig
from edge_lfr.config.health import HealthConfig
from edge_lfr.config.identification import DecisionConfig, GalleryConfig
from edge_lfr.config.models import ModelsConfig
from edge_lfr.config.policy import PolicyConfig
from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.config.retention import RetentionConfig
from edge_lfr.config.section import PartyName, Section
from edge_lfr.terms import Mode

WATCHLIST_FOLDER: Final = "watchlist"
"""The sealed store, in a mode's state folder."""


class TrustConfig(Section):
    """Whose signatures count."""

    directory: Path = Path("/etc/edge-lfr/trust.d")
    """Folder of trusted public keys, one file each, limited to one role."""

    protection_officer: AgeRecipientText | None = None
    """
    The data protection officer's age recipient (`age-keygen -y`): every list leaves a pseudonymous record that this
    officer alone can read, so that "was I on it that day?" has an answer after the wipe. Operation needs one.
    """


class ApplianceConfig(Section):
    """One appliance: who it is, where it keeps things, and a section for every phase."""

    mode: Mode
    """
    `training` or `operational`. Each has its own state folder, topics and issuers of watchlists. Training marks every
    message and picture; operation needs a signed deployment authority.
    """

    force: PartyName
    """The force, as it stands in topics."""

    device: PartyName
    """This appliance, as it stands in topics."""

    state_directory: Path = Path("/var/lib/edge-lfr")
    """What must survive: packs, the sealed watchlist, the outbox."""

    runtime_directory: Path = Path("/run/edge-lfr")
    """The control socket."""

    models: ModelsConfig = ModelsConfig()
    cameras: Annotated[tuple[CameraConfig, ...], Field(min_length=1, max_length=32)]
    detection: DetectionConfig = DetectionConfig()
    tracking: TrackingConfig = TrackingConfig()
    quality: QualityConfig = QualityConfig()
    looks: LooksConfig = LooksConfig()
    gallery: GalleryConfig = GalleryConfig()
    decision: DecisionConfig = DecisionConfig()
    reporting: ReportingConfig
    policy: PolicyConfig = PolicyConfig()
    retention: RetentionConfig = Field(default_factory=RetentionConfig)
    trust: TrustConfig = TrustConfig()
    health: HealthConfig = HealthConfig()

    @property
    def device_name(self) -> str:
        """`<force>/<device>`, as documents name this appliance."""
        return f"{self.force}/{self.device}"

    @property
    def device_in_mode(self) -> str:
        """`<force>/<device>/<mode>`, as ledgers, certificates and manifests name it."""
        return f"{self.device_name}/{self.mode}"

    @property
    def mode_directory(self) -> Path:
        """Watchlist, outbox and keys of the present mode."""
        return self.state_directory / self.mode.value

    @property
    def device_directory(self) -> Path:
        """The keys of this box, the same in both modes."""
        return self.state_directory / "device"

    @property
    def watchlist_directory(self) -> Path:
        """The sealed store of the present mode."""
        return self.mode_directory / WATCHLIST_FOLDER

    @property
    def models_directory(self) -> Path:
        return self.state_directory / "models" if self.models.directory is None else self.models.directory

    @property
    def control_socket(self) -> Path:
        return self.runtime_directory / "control.sock"

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        if self.tracking.min_continuing_score > self.detection.min_detection_score:
            message = "tracking.min_continuing_score: higher than detection.min_detection_score, which starts a track"
            raise ValueError(message)
        if self.looks.max_looks < self.decision.required_hits + 1:
            message = (
                f"looks.max_looks: {self.looks.max_looks} is not more than decision.required_hits, which is"
                f" {self.decision.required_hits}; a small margin asks for one look more"
            )
            raise ValueError(message)
        ids = [camera.id for camera in self.cameras]
        doubled = sorted({camera_id for camera_id in ids if ids.count(camera_id) > 1})
        if doubled:
            message = f"cameras: the same id twice: {', '.join(doubled)}"
            raise ValueError(message)
        return self
