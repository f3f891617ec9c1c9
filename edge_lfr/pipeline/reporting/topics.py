"""
Where messages go: topic names of one appliance; never a word about a subject in them.

Operational topics have `up` or `down` where those of training have `training`: whatever force and device are called, no
topic belongs to both modes, and no filter of one mode catches a message of the other.
"""

from dataclasses import dataclass
from typing import Final

from edge_lfr.terms import Mode

ROOT: Final = "lfr/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which appliance speaks, as it stands in topics and messages."""

    force: str
    device: str
    mode: Mode
    own_key: str | None = None
    """Fingerprint of the key that it signs with, which counts for no role; None where nobody has to know."""

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
        """Training has a level more, which an operational topic cannot have."""
        appliance = f"{ROOT}/{self.identity.force}/{self.identity.device}"
        return appliance if self.identity.mode is Mode.OPERATIONAL else f"{appliance}/{self.identity.mode}"

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
    def ledger_head(self) -> str:
        """Retained; how far the ledger is, signed: the copy elsewhere that shows a ledger which was cut off."""
        return f"{self.base}/up/ledger/head"

    @property
    def trust(self) -> str:
        """Retained; whose signatures count here."""
        return f"{self.base}/up/trust"

    @property
    def ack(self) -> str:
        return f"{self.base}/down/ack"

    @property
    def revocation(self) -> str:
        """Control leaves it retained, so that an appliance that was away hears it when it comes back."""
        return f"{self.base}/down/revocation"

    @property
    def everything_up(self) -> str:
        """The filter of a control room."""
        return f"{self.base}/up/#"
