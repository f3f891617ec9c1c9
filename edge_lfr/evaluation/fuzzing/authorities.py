"""Deployment authorities: judged, installed and read again, in the order in which an appliance does it."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from edge_lfr.config.retention import RetentionConfig
from edge_lfr.errors import EdgeLfrError
from edge_lfr.evaluation.fuzzing.case import Mutant, Outcome, of_signed, refused
from edge_lfr.evaluation.fuzzing.made import APPLIANCE, DEVICE, FORCE, KEYS, NOW, SECOND_OFFICER, made_trust
from edge_lfr.evaluation.fuzzing.tree_changes import changed_tree, json_bytes
from edge_lfr.governance.authority.installed import install_authority, load_installed
from edge_lfr.governance.authority.judgement import judge_authority
from edge_lfr.governance.documents import Envelope, Kind, canonical
from edge_lfr.governance.trust import Role, SigningKey

_OFFICER: Final = KEYS[Role.AUTHORISE]


def authority_content(now: datetime, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """What an ordinary authority says that is open *now*."""
    assessment = {"reference": "DPIA-7", "version": "2.1"}
    retention = RetentionConfig().chosen
    return {
        "schema": "lfr.authority/1",
        "authority_id": "AT-2026-014",
        "force": FORCE,
        "devices": ["van-1", "van-2"],
        "authorising_officer": {"name": "Officer 101", "rank": "superintendent"},
        "use_case": "crime-hotspot",
        "place": {"name": "Market Square", "polygon_lonlat": [[-1.5, 53.8], [-1.49, 53.8], [-1.49, 53.81]]},
        "purpose": "To find people whom the courts want.",
        "why_here": "Six of ten arrests on warrant in May were made within 300 m.",
        "less_intrusive_means": "Patrols with printed lists found nobody in four weeks.",
        "begins_at": (now - timedelta(hours=1)).isoformat(),
        "ends_at": (now + timedelta(hours=5)).isoformat(),
        "watchlist": {
            "issuer_key": KEYS[Role.ISSUE].fingerprint,
            "list_id": "june-01",
            "max_entries": 1000,
            "categories": ["wanted-by-courts", "suspect"],
            "approved_categories": [],
        },
        "threshold": 0.7,
        "pack_digest": "cd" * 32,
        "retention_profile": retention.name,
        "retention_digest": retention.digest,
        "assessments": {
            name: dict(assessment)
            for name in ("data_protection", "equality", "community", "appropriate_policy_document")
        },
        "notice_given_at": (now - timedelta(days=1)).isoformat(),
        "staff": {"gold": None, "silver": "201", "bronze": None, "operators": ["301"], "engagement_officers": ["401"]},
        "stale_list": "stop",
        "wipe_grace_min": 60,
        "is_urgent": False,
        "countersign_by": None,
        "issued_at": (now - timedelta(hours=2)).isoformat(),
        **changes,
    }


def signed_anew(drawn: Random, kind: Kind, content: Any, *keys: SigningKey) -> bytes:  # noqa: ANN401 - any JSON value
    """A document with signatures that hold, where its content can be signed at all; else any bytes in their place."""
    try:
        envelope = Envelope(kind, canonical(content), ())
        for key in keys:
            envelope = envelope.with_signature(key)
        return envelope.wire(indent=drawn.choice((None, 2)))
    except ValueError:
        signatures = [{"key": key.fingerprint, "signature": "A" * 86 + "=="} for key in keys]
        tree = {"schema": "lfr.document/1", "kind": kind.value, "content": content, "signatures": signatures}
        return json_bytes(drawn, tree)


def changed_document(drawn: Random, specimens: Sequence[bytes], kind: Kind, *keys: SigningKey) -> Mutant:
    """The content changed and signed again, or anything in the envelope changed and signed by nobody."""
    tree = json.loads(drawn.choice(specimens))
    if drawn.random() < 2 / 3:
        content, how = changed_tree(drawn, tree["content"])
        return Mutant(signed_anew(drawn, kind, content, *keys), f"content {how}, signed anew", is_signed_anew=True)
    changed, how = changed_tree(drawn, tree)
    return Mutant(json_bytes(drawn, changed), f"envelope {how}")


class Authorities:
    """An ordinary one, and an urgent one with two signatures."""

    name = "authority"

    def __init__(self, now: datetime = NOW, pack_digest: str = "cd" * 32) -> None:
        officer = {"name": "Officer 102", "rank": "inspector"}
        deadline = (now + timedelta(hours=4)).isoformat()
        content = authority_content(now, pack_digest=pack_digest)
        urgent = {**content, "is_urgent": True, "countersign_by": deadline, "authorising_officer": officer}
        ordinary = Envelope(Kind.AUTHORITY, canonical(content), ()).with_signature(_OFFICER)
        both = Envelope(Kind.AUTHORITY, canonical(urgent), ()).with_signature(_OFFICER).with_signature(SECOND_OFFICER)
        self.specimens = (ordinary.wire(), both.wire(indent=2))
        self._digests = {ordinary.digest, both.digest}
        self._now = now
        self._trust = made_trust(now)

    def structured(self, drawn: Random) -> Mutant:
        keys = (_OFFICER, SECOND_OFFICER)[: drawn.randint(1, 2)]
        return changed_document(drawn, self.specimens, Kind.AUTHORITY, *keys)

    def attempt(self, mutant: Mutant, folder: Path) -> Outcome:
        judged = judge_authority(
            mutant.untrusted, trust=self._trust, device=DEVICE, device_fingerprint=APPLIANCE.fingerprint, now=self._now
        )
        mode_directory = folder / "training"
        try:
            judged.believed()
            install_authority(
                mode_directory,
                mutant.untrusted,
                trust=self._trust,
                device=DEVICE,
                device_fingerprint=APPLIANCE.fingerprint,
                now=self._now,
            )
        except EdgeLfrError as error:
            return refused(error)
        verified = load_installed(
            mode_directory,
            trust=self._trust,
            device=DEVICE,
            device_fingerprint=APPLIANCE.fingerprint,
            now=self._now + timedelta(minutes=1),
        )
        if verified.wipe_at < verified.runs_until:
            message = "a list would be destroyed before its deployment ends"
            raise AssertionError(message)
        return of_signed(mutant, is_same=verified.digest in self._digests)

    def close(self) -> None:
        """Nothing was prepared."""
