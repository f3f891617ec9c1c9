"""Authorities of a made-up force, as its officers would write and sign them."""

import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from edge_lfr.governance.authority.content import Authority
from edge_lfr.governance.authority.revocation import Revocation
from edge_lfr.governance.documents import Envelope, Kind, canonical, sign_document
from edge_lfr.governance.trust import Role, SigningKey, TrustedKey, TrustStore, create_key
from edge_lfr.terms import Rank
from simulators.clock import StoppedClock
from simulators.retention import DAY

FORCE = "testshire"
DEVICE = "testshire/van-1"


def content_at(now: datetime) -> dict[str, Any]:
    """What an ordinary authority says that begins in an hour and ends five hours later."""
    assessment = {"reference": "DPIA-7", "version": "2.1"}
    return {
        "schema": "lfr.authority/1",
        "authority_id": "TS-2026-014",
        "force": FORCE,
        "devices": ["van-1", "van-2"],
        "authorising_officer": {"name": "Officer 101", "rank": "superintendent"},
        "use_case": "crime-hotspot",
        "place": {"name": "Market Square", "polygon_lonlat": [[-1.5, 53.8], [-1.49, 53.8], [-1.49, 53.81]]},
        "purpose": "To find people whom the courts want.",
        "why_here": "Six of ten arrests on warrant in May were made within 300 m.",
        "less_intrusive_means": "Patrols with printed lists found nobody in four weeks.",
        "begins_at": (now + timedelta(hours=1)).isoformat(),
        "ends_at": (now + timedelta(hours=6)).isoformat(),
        "watchlist": {
            "issuer_key": "ab" * 32,
            "list_id": "june-01",
            "max_entries": 1000,
            "categories": ["wanted-by-courts", "suspect"],
            "approved_categories": [],
        },
        "threshold": 0.7,
        "pack_digest": "cd" * 32,
        "retention_profile": DAY.name,
        "retention_digest": DAY.digest,
        "assessments": dict.fromkeys(
            ("data_protection", "equality", "community", "appropriate_policy_document"), assessment
        ),
        "notice_given_at": (now - timedelta(days=1)).isoformat(),
        "staff": {"gold": None, "silver": "201", "bronze": None, "operators": ["301"], "engagement_officers": ["401"]},
        "stale_list": "stop",
        "wipe_grace_min": 60,
        "is_urgent": False,
        "countersign_by": None,
        "issued_at": now.isoformat(),
    }


def changed(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The same with other values at dotted places."""
    made = copy.deepcopy(content)
    for place, value in changes.items():
        *above, name = place.split(".")
        part = made
        for step in above:
            part = part[step]
        part[name] = value
    return made


@dataclass
class Force:
    """Two officers who authorise, one who revokes, and the appliance that trusts them."""

    folder: Path
    clock: StoppedClock = field(default_factory=StoppedClock)

    def __post_init__(self) -> None:
        self.officer = self._key(Role.AUTHORISE, "officer", Rank.SUPERINTENDENT)
        self.second = self._key(Role.AUTHORISE, "second", Rank.SUPERINTENDENT)
        self.revoker = self._key(Role.REVOKE, "revoker")
        self.issuer = self._key(Role.ISSUE, "issuer")
        self.appliance = SigningKey.generate()

    def _key(self, role: Role, name: str, rank: Rank | None = None) -> SigningKey:
        return self.made(role, name, name, rank)

    def made(self, role: Role, file: str, name: str, rank: Rank | None = None) -> SigningKey:
        """One more key that the appliance trusts."""
        path, trust = self.folder / f"{file}.key", self.trust_folder / f"{file}.toml"
        return create_key(role, path, trust, name=name, clock=self.clock, rank=rank)

    @property
    def trust_folder(self) -> Path:
        return self.folder / "trust.d"

    @property
    def mode_folder(self) -> Path:
        """The state folder of a mode, in that of the appliance, which is *folder*."""
        return self.folder / "operational"

    @property
    def trust(self) -> TrustStore:
        return TrustStore.load(self.trust_folder)

    @property
    def now(self) -> datetime:
        return self.clock.utc_now()

    def trust_of(self, key: SigningKey, role: Role) -> TrustStore:
        """The trust folder, and one more key."""
        end = self.now + timedelta(days=1)
        more = TrustedKey(key.fingerprint, role, self.now - timedelta(days=1), end, "more", key.public)
        return TrustStore({**self.trust.keys, key.fingerprint: more})

    def content(self, **changes: Any) -> dict[str, Any]:
        """Places are written with `__` for a dot."""
        dotted = {place.replace("__", "."): value for place, value in changes.items()}
        return changed(content_at(self.now), dotted)

    def urgent(self, **changes: Any) -> dict[str, Any]:
        deadline = (self.now + timedelta(hours=4)).isoformat()
        officer = {"name": "Officer 102", "rank": "inspector"}
        more = {"is_urgent": True, "countersign_by": deadline, "authorising_officer": officer}
        return changed(self.content(), {**more, **changes})

    def signed(self, content: dict[str, Any], *keys: SigningKey) -> bytes:
        """The file, whatever its content; by the officer where nobody else is named."""
        envelope = Envelope(Kind.AUTHORITY, canonical(content), ())
        for key in keys or (self.officer,):
            envelope = envelope.with_signature(key)
        return envelope.wire()

    def authority(self, **changes: Any) -> Authority:
        return Authority.model_validate_json(canonical(self.content(**changes)))

    def revocation(self, key: SigningKey | None = None, **changes: Any) -> bytes:
        fields = {"authority_id": "TS-2026-014", "force": FORCE, "revoked_at": self.now, "reason_code": "mistake"}
        revocation = Revocation.model_validate({**fields, **changes}, strict=False)
        return sign_document(Kind.REVOCATION, revocation, key or self.revoker)
