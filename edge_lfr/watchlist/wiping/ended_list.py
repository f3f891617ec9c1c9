"""
A list that was destroyed, from its last moment to its certificate: what was taken of it, what the wipe did, the proof.

It may pass from the process that wiped to the one that took its place: in two parts, numbers and secret bytes.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import edge_lfr
from edge_lfr.clock import Clock
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.gallery.gallery import Gallery
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist
from edge_lfr.watchlist.sealed.store import LISTS, SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause, WipeCertificate, figures_of, keep_certificate
from edge_lfr.watchlist.wiping.proof import BeforeWipe, WipeProof, prove


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one list, before it ends."""

    before: BeforeWipe
    digest: str
    references: int
    templates: int


def take_evidence(store: SealedStore) -> Evidence | None:
    """Take what a proof needs of the live list; None where that fails, which never keeps it from being destroyed."""
    with suppress(Exception), store.open() as watchlist:  # a lack of memory included
        return evidence_of(watchlist)
    return None


def evidence_of(watchlist: StoredWatchlist, gallery: Gallery | None = None) -> Evidence | None:
    """Likewise of a list that is open, and of the gallery that searches it."""
    with suppress(Exception):
        before = BeforeWipe.of(watchlist, gallery)
        return Evidence(before, watchlist.digest, watchlist.references, watchlist.templates)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedList:
    """What a wipe did."""

    cause: WipeCause
    by: str
    begun_at: datetime
    begun_ns: int
    """Monotonic, comparable with the process that takes this one's place."""

    evidence: Evidence | None = field(repr=False)
    lists: int
    keys: int
    destroyed_in_s: float
    list_id: str | None = None
    """Of the list that was live."""

    def facts(self) -> dict[str, Any]:
        """Numbers and digests; JSON."""
        evidence = self.evidence
        return {
            "cause": self.cause.value,
            "by": self.by,
            "begun_at": self.begun_at.isoformat(),
            "begun_ns": self.begun_ns,
            "list_digest": None if evidence is None else evidence.digest,
            "references": 0 if evidence is None else evidence.references,
            "templates": 0 if evidence is None else evidence.templates,
            "lists": self.lists,
            "keys": self.keys,
            "destroyed_in_s": round(self.destroyed_in_s, 3),
            "list_id": self.list_id,
        }

    def secret(self) -> bytes:
        """What the proof looks for; never on a disk."""
        return b"" if self.evidence is None else self.evidence.before.to_bytes()

    @classmethod
    def from_handover(cls, facts: Mapping[str, Any], secret: bytes) -> Self:
        """
        Take over what `facts` and `secret` gave in the process before.

        Raises:
            ValueError, KeyError, TypeError: It is something else.
        """
        evidence = None
        if secret:
            before = BeforeWipe.from_bytes(secret)
            evidence = Evidence(before, facts["list_digest"], facts["references"], facts["templates"])
        return cls(
            cause=WipeCause(facts["cause"]),
            by=facts["by"],
            begun_at=datetime.fromisoformat(facts["begun_at"]),
            begun_ns=facts["begun_ns"],
            evidence=evidence,
            lists=facts["lists"],
            keys=facts["keys"],
            destroyed_in_s=facts["destroyed_in_s"],
            list_id=facts["list_id"],
        )

    def certify(
        self,
        *,
        device: str,
        store: SealedStore,
        folder: Path,
        kek: KeyEncryptingKey | None,
        key: SigningKey,
        answering_in_s: float | None,
    ) -> tuple[WipeCertificate, bytes]:
        """
        Look for the list, sign what was found, and keep it in the state folder.

        Args:
            device: `<force>/<device>/<mode>`.

            store: That held the list.

            folder: The mode's state folder.

            kek: To see whether any file there still opens the list; None tries none.

            key: The appliance's own.

            answering_in_s: How long after the wipe began the new process answered; None where it was not replaced.

        Returns:
            The certificate, and the signed document.

        Raises:
            WatchlistStorageError: The disk does not take it.
        """
        evidence = self.evidence
        proof = None
        if evidence is not None:
            proof = prove(evidence.before, lists=store.directory / LISTS, folder=folder, kek=kek)
        certificate = self.certificate(device=device, proof=proof, answering_in_s=answering_in_s)
        return certificate, keep_certificate(certificate, folder, key)

    def certificate(self, *, device: str, proof: WipeProof | None, answering_in_s: float | None) -> WipeCertificate:
        """What is signed: of the wipe, and of what the search found; None where there was nothing to look for."""
        evidence = self.evidence
        return WipeCertificate(
            device=device,
            cause=self.cause,
            by=self.by,
            begun_at=self.begun_at,
            list_digest=None if evidence is None else evidence.digest,
            list_id=self.list_id,
            references=0 if evidence is None else evidence.references,
            templates=0 if evidence is None else evidence.templates,
            lists=self.lists,
            keys=self.keys,
            destroyed_in_s=self.destroyed_in_s,
            answering_in_s=answering_in_s,
            is_process_replaced=answering_in_s is not None,
            is_clean=None if proof is None else proof.is_clean,
            proof=None if proof is None else figures_of(proof),
            software=edge_lfr.__version__,
        )


def seconds_since(begun_ns: int, clock: Clock) -> float:
    """On the monotonic clock, which a process and the one in its place share."""
    return (clock.monotonic_ns() - begun_ns) / 1e9
