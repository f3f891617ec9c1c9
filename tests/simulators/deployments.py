"""A deployment of a made-up force: its officers, its authority, and the list that the authority names."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from edge_lfr.daemon.arming.facts import ArmingFacts
from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.authority.installed import FILE_NAME, load_installed
from edge_lfr.governance.authority.judgement import VerifiedAuthority
from edge_lfr.governance.trust import Role
from edge_lfr.governance.trusted_time import Doubt, TimeVerdict
from edge_lfr.inference.calibrated_conditions import Conditions
from edge_lfr.inference.catalogue import CalibrationRow, PackEntry
from edge_lfr.terms import Category, Mode
from edge_lfr.watchlist.sealed.new_list import NewList
from edge_lfr.watchlist.sealed.origin import Origin
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.authorities import DEVICE, Force
from simulators.nets import embedder_like, entry_of, yunet_like
from simulators.retention import DAY
from simulators.watchlists import made_entry, new_store, picture, templates

FLOOR = 0.6
MEASURED = CalibrationRow(
    templates=1000, threshold=FLOOR, false_alerts_per_1000=0.1, upper_per_1000=0.9, evidence="measured"
)


def measured_pack(**changes: Any) -> PackEntry:
    """The tiny pack, as if somebody had measured it."""
    return entry_of(yunet_like(), embedder_like()).model_copy(update={"calibration": (MEASURED,), **changes})


class Deployment:
    """It begins in an hour and ends five hours later; its list may exist for another hour."""

    def __init__(self, folder: Path, *, pack: PackEntry | None = None) -> None:
        self.force = Force(folder / "officers")
        self.clock = self.force.clock
        self.issuer, self.trainer = self.force.issuer, self.force._key(Role.TRAIN, "trainer")
        self.pack = measured_pack() if pack is None else pack
        self.folder = folder / "operational"
        self.folder.mkdir(mode=0o700)
        self.begins_at = self.force.now + timedelta(hours=1)
        self.ends_at = self.force.now + timedelta(hours=6)
        self.wipe_at = self.ends_at + timedelta(minutes=60)
        self.store: SealedStore = new_store(self.folder, mode=Mode.OPERATIONAL)
        self.store.clock = self.clock

    def begin(self) -> None:
        """The window opens."""
        self.clock.advance((self.begins_at - self.clock.now).total_seconds())

    def origin(self, **changes: Any) -> Origin:
        """The authorised bundle, extracted four hours before now."""
        said = {
            "list_id": "june-01",
            "issuer_key": self.issuer.fingerprint,
            "extracted_at": self.clock.now - timedelta(hours=4),
            "manifest_sha256": "ef" * 32,
        }
        return Origin.model_validate({**said, **changes})

    def content(self, **changes: Any) -> dict[str, Any]:
        """What the authority says; places are written with `__` for a dot."""
        said = {
            "watchlist__issuer_key": self.force.issuer.fingerprint,
            "pack_digest": self.pack.digest,
            "begins_at": self.begins_at.isoformat(),
            "ends_at": self.ends_at.isoformat(),
        }
        return self.force.content(**{**said, **changes})

    def install(self, untrusted: bytes | None = None, **changes: Any) -> None:
        """Lay an authority where the appliance looks for it, whatever it says."""
        signed = self.force.signed(self.content(**changes)) if untrusted is None else untrusted
        (self.folder / FILE_NAME).write_bytes(signed)

    def load(
        self, references: int = 2, *, origin: Origin | None = None, wipe_at: Any = "authorised", **fields: Any
    ) -> None:
        """Seal a list of so many suspects, two templates each; *fields* are of every entry."""
        end = self.wipe_at if wipe_at == "authorised" else wipe_at
        with self.store.create(
            pack_digest=self.pack.digest,
            dimension=self.pack.embedder.dimension,
            wipe_at=end,
            origin=self.origin() if origin is None else origin,
        ) as new:
            self.fill(new, [fields.pop("expires_at", self.wipe_at + timedelta(days=1))] * references, **fields)
            new.activate()

    def fill(self, new: NewList, expiries: Sequence[datetime], **fields: Any) -> None:
        """One suspect for each expiry."""
        for number, expires_at in enumerate(expiries):
            entry = made_entry(f"REF-{number:05}", label=f"Subject {number}", expires_at=expires_at, **fields)
            new.add(entry, templates(number, dimension=self.pack.embedder.dimension), picture(number))

    def verified(self) -> VerifiedAuthority | EdgeLfrError:
        """What lies installed, as of now; or why it does not count."""
        try:
            return load_installed(
                self.folder,
                trust=self.force.trust,
                device=DEVICE,
                device_fingerprint=self.force.appliance.fingerprint,
                now=self.clock.now,
            )
        except EdgeLfrError as error:
            return error

    def opened(self) -> StoredWatchlist | EdgeLfrError:
        """The list, or why it does not open; close it when done."""
        try:
            return self.store.open(self.time())
        except EdgeLfrError as error:
            return error

    def time(self, doubt: Doubt | None = None) -> TimeVerdict:
        """The clock is trusted, or is not."""
        return TimeVerdict(now=self.clock.now, doubt=doubt, doubted_s=0.0, steps=0, step_s=0.0)

    def facts(self, **changes: Any) -> ArmingFacts:
        """Everything that is judged, as it lies here, with some facts of a test's own."""
        said: dict[str, Any] = {
            "authority": self.verified(),
            "trust": self.force.trust,
            "time": self.time(),
            "watchlist": self.opened() if "watchlist" not in changes else None,
            "categories": frozenset({Category.SUSPECT}),
            "max_extract_age": timedelta(hours=24),
            "entry": self.pack,
            "conditions": Conditions(),
            "retention": DAY,
            "unlocked_bytes": 0,
            "dumps_cores": False,
            "is_recorded": True,
        }
        return ArmingFacts(**{**said, **changes})
