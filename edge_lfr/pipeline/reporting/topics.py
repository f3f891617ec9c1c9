"""Where messages go: topic names of one appliance; never a word about a subject in them."""

from dataclasses import dataclass
from typing import Final

ROOT: Final = "lfr/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which appliance speaks, as it stands in topics and messages."""

    force: str
    device: str
    mode: str = "training"
    """Operational messages will have no such level; a training message can never be taken for one."""

    @property
    def addressee(self) -> str:
        """What a signed down message must be addressed to."""
        return f"{self.force}/{self.device}/{self.mode}"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one appliance: `up` is written only by it, `down` only by control."""

    identity: Identity

    @property
    def base(self) -> str:
        return f"{ROOT}/{self.identity.force}/{self.identity.device}/{self.identity.mode}"

    @property
    def alert(self) -> str:
        return f"{self.base}/up/alert"

    @property
    def sighting(self) -> str:
        return f"{self.base}/up/sighting"

    @property
    def status(self) -> str:
        """Retained; the last will speaks here too."""
        return f"{self.base}/up/status"

    def camera(self, camera_id: str) -> str:
        """Retained, one a camera."""
        return f"{self.base}/up/camera/{camera_id}"

    @property
    def health(self) -> str:
        return f"{self.base}/up/health"

    @property
    def watchlist(self) -> str:
        """Retained; digests and counts, no names."""
        return f"{self.base}/up/watchlist"

    @property
    def ack(self) -> str:
        return f"{self.base}/down/ack"

    @property
    def everything_up(self) -> str:
        """The filter of a control room."""
        return f"{self.base}/up/#"
