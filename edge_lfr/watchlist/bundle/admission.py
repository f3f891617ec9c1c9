"""
Whether a bundle may be loaded: a file of hostile origin enters, one that was judged leaves, its pictures still to come.

Judged are its signer, mode, appliance, age and size, and every entry. In training that is all; in operation
the deployment authority decides besides whose list, which one, how many people of which categories, and how long.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from edge_lfr.config.policy import WatchlistPolicy
from edge_lfr.governance.authority.judgement import (
    AuthorityRefusal,
    AuthorityRefusedError,
    AuthorityState,
    VerifiedAuthority,
)
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.documents import Fault
from edge_lfr.governance.trust import TrustStore, shown_fingerprint
from edge_lfr.terms import Category, Mode
from edge_lfr.watchlist.bundle.composition import DatedPictures
from edge_lfr.watchlist.bundle.enrolling import BundleSource, refused_by_rules
from edge_lfr.watchlist.bundle.reading import BundleReader, open_bundle
from edge_lfr.watchlist.bundle.refusals import BundleRefusal, BundleRefusedError
from edge_lfr.watchlist.bundle.rules import POLICY
from edge_lfr.watchlist.enrolling.expected_alerts import DAY_HOURS
from edge_lfr.watchlist.entries import WatchlistEntry
from edge_lfr.watchlist.sealed.origin import Origin

TRAINING_LIFE: Final = timedelta(hours=24)
"""From its load on a list for training exists so long at most: no authority says when the exercise ends. As long as the
longest deployment that may be authorised; chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTerms:
    """What a load is held to beyond the rules of every entry; None: nothing in this respect."""

    ends_at: datetime
    """After it the list must not exist."""

    ends_with_entries: bool = True
    """Whether the list ends as soon as its last entry has expired."""

    hours: float = DAY_HOURS
    """Of operation, for the false alerts to expect."""

    issuer_key: str | None = None
    list_id: str | None = None
    max_entries: int | None = None
    categories: tuple[Category, ...] | None = None
    authorising_officer: str | None = None
    """Who alone countersigns and approves entries that need it."""

    threshold: float | None = None
    """At or above which a look will be a hit."""

    authority_digest: str | None = None
    authority_id: str | None = None

    @classmethod
    def of_training(cls, now: datetime) -> Self:
        """No deployment: anybody's list whom the appliance trusts for training."""
        return cls(ends_at=now + TRAINING_LIFE)

    @classmethod
    def under(cls, verified: VerifiedAuthority) -> Self:
        """
        What a deployment authority allows; before its window has begun, too.

        Raises:
            AuthorityRefusedError: It has ended or was revoked.
        """
        if verified.state is AuthorityState.ENDED:
            fault = Fault("ends_at", "has passed", "have a new authority signed, and check the clock")
            raise AuthorityRefusedError(AuthorityRefusal.ENDED, (fault,))
        if verified.state is AuthorityState.REVOKED:
            fault = Fault("authority_id", "was revoked", "have a new authority signed")
            raise AuthorityRefusedError(AuthorityRefusal.REVOKED, (fault,))
        authority = verified.authority
        listed = authority.watchlist
        return cls(
            ends_at=verified.wipe_at,
            ends_with_entries=False,
            hours=(authority.ends_at - authority.begins_at) / timedelta(hours=1),
            issuer_key=listed.issuer_key,
            list_id=listed.list_id,
            max_entries=listed.max_entries,
            categories=tuple(
                one for one in listed.categories if not one.needs_approval or one in listed.approved_categories
            ),
            authorising_officer=authority.authorising_officer.name,
            threshold=authority.threshold,
            authority_digest=verified.digest,
            authority_id=authority.authority_id,
        )


@dataclass(frozen=True, slots=True)
class AdmittedBundle:
    """An open bundle that may be loaded; nothing of it is to be kept before its pictures have passed to the end."""

    reader: BundleReader
    refused: Mapping[int, tuple[str, ...]]
    """Entries that may not be used, by their place, and why."""

    terms: LoadTerms

    def source(self) -> BundleSource:
        """For enrolment; once."""
        return BundleSource(self.reader, self.refused)

    @property
    def lawful(self) -> Sequence[WatchlistEntry]:
        """Who may be listed."""
        return [
            entry.entry() for number, entry in enumerate(self.reader.manifest.entries) if number not in self.refused
        ]

    @property
    def wipe_at(self) -> datetime:
        """After this time the list must not exist."""
        if not self.terms.ends_with_entries:
            return self.terms.ends_at
        return min(self.terms.ends_at, max((entry.expires_at for entry in self.lawful), default=self.terms.ends_at))

    def require_not_older(self, loaded: Origin | None) -> None:
        """
        See that a list does not go back to an earlier extract, in which somebody stands who was taken out since.

        Args:
            loaded: Where the list before comes from; None where that is unknown.

        Raises:
            BundleRefusedError: A later extract of the same list is loaded.
        """
        manifest = self.reader.manifest
        if loaded is not None and loaded.list_id == manifest.list_id and manifest.extracted_at < loaded.extracted_at:
            message = (
                f"extracted at {manifest.extracted_at.isoformat()}; of the same list the extract of "
                f"{loaded.extracted_at.isoformat()} is loaded"
            )
            raise BundleRefusedError(BundleRefusal.EXTRACT_SUPERSEDED, message)

    def returning(self, loaded: Origin | None, reference_ids: Collection[str]) -> int:
        """How many come back with this bundle who were in it when it was loaded, and are not on the list any more."""
        if loaded is None or loaded.manifest_sha256 != self.reader.digest:
            return 0
        listed = frozenset(reference_ids)
        return sum(entry.reference_id not in listed for entry in self.lawful)

    @property
    def origin(self) -> Origin:
        """What stands sealed beside the list."""
        manifest = self.reader.manifest
        return Origin(
            list_id=manifest.list_id,
            issuer_key=self.reader.issuer.fingerprint,
            extracted_at=manifest.extracted_at,
            manifest_sha256=self.reader.digest,
            authority_id=self.terms.authority_id,
            authority_digest=self.terms.authority_digest,
        )


@contextmanager
def admit(
    path: Path,
    keys: DeviceKeys,
    trust: TrustStore,
    *,
    mode: Mode,
    device: str,
    now: datetime,
    terms: LoadTerms,
    policy: WatchlistPolicy = POLICY,
) -> Iterator[AdmittedBundle]:
    """
    Open a bundle and judge it: steps (1) to (6) of `BundleReader`, then (7) the terms, (8) the rules for each entry.

    Args:
        path: Of the bundle.

        keys: Of this appliance.

        trust: Whose signatures count.

        mode: Of this appliance.

        device: This appliance, as `force/device`.

        now: Aware; of a clock that is trusted.

        terms: What this load is held to.

        policy: The numbers of the rules.

    Raises:
        AgeFileError: It is no age file for this appliance, or was changed or cut off.
        BundleRefusedError: Something else is wrong; its `refusal` says what.
        WatchlistFormatError: The manifest breaks its format.
    """
    with (
        open_bundle(path) as file,
        BundleReader(
            file,
            keys.receiving,
            trust,
            mode=mode,
            device=device,
            device_fingerprint=keys.fingerprint,
            now=now,
            list_id=terms.list_id,
            policy=policy,
        ) as reader,
    ):
        # (7) the terms
        _require_issuer(reader, terms)
        _require_size(reader, terms)
        # (8) every entry
        listed = (DatedPictures(entry.entry(), entry.taken_on) for entry in reader.manifest.entries)
        refused = refused_by_rules(
            listed,
            at=now,
            authorised_categories=terms.categories,
            authorising_officer=terms.authorising_officer,
            policy=policy,
        )
        yield AdmittedBundle(reader, refused, terms)


def _require_issuer(reader: BundleReader, terms: LoadTerms) -> None:
    if terms.issuer_key is not None and reader.issuer.fingerprint != terms.issuer_key:
        message = (
            f"signed with {shown_fingerprint(reader.issuer.fingerprint)}; the authority names "
            f"{shown_fingerprint(terms.issuer_key)}"
        )
        raise BundleRefusedError(BundleRefusal.ISSUER_NOT_AUTHORISED, message)


def _require_size(reader: BundleReader, terms: LoadTerms) -> None:
    entries = len(reader.manifest.entries)
    if terms.max_entries is not None and entries > terms.max_entries:
        message = f"{entries} people, and the authority allows {terms.max_entries}"
        raise BundleRefusedError(BundleRefusal.TOO_MANY_ENTRIES, message)
