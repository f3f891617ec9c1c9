"""What a load is held to before any picture: in training the rules, in operation the deployment authority besides."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.authority.installed import install_authority, load_installed
from edge_lfr.governance.authority.judgement import AuthorityRefusal, AuthorityRefusedError, VerifiedAuthority
from edge_lfr.governance.authority.revocation import take_revocation
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.trust import Role, SigningKey
from edge_lfr.terms import Category, Mode
from edge_lfr.watchlist.bundle.admission import TRAINING_LIFE, AdmittedBundle, LoadTerms, admit
from edge_lfr.watchlist.bundle.refusals import BundleRefusal, BundleRefusedError
from simulators.authorities import DEVICE, Force
from simulators.bundles import Draft, Parties, encrypted

LIFE = timedelta(days=2)


class Desk:
    """A force, its appliance, and a list of three people that its issuer draws."""

    def __init__(self, folder: Path) -> None:
        self.force = Force(folder)
        self.keys = DeviceKeys(self.force.appliance, AgeIdentity.generate())
        self.draft = Draft.of(Parties(), (1, 2, 1), extracted_at=self.force.now)
        self.draft.signer = self.force.issuer
        self.draft.manifest |= {"mode": "operational", "devices": [DEVICE], "list_id": "june-01"}
        for entry in self.draft.manifest["entries"]:
            entry["expires_at"] = (self.force.now + LIFE).isoformat()

    def say(self, number: int, **fields: Any) -> None:
        """Other words about the person of that number, from 1."""
        self.draft.manifest["entries"][number - 1] |= fields

    def verified(self, **changes: Any) -> VerifiedAuthority:
        """The authority, verified as of now, and installed."""
        force = self.force
        content = force.content(**{"watchlist__issuer_key": force.issuer.fingerprint, **changes})
        return install_authority(
            force.mode_folder,
            force.signed(content),
            trust=force.trust,
            device=DEVICE,
            device_fingerprint=force.appliance.fingerprint,
            now=force.now,
        )

    def installed(self, at: datetime) -> VerifiedAuthority:
        """The one that was installed, as of that time."""
        return load_installed(
            self.force.mode_folder,
            trust=self.force.trust,
            device=DEVICE,
            device_fingerprint=self.force.appliance.fingerprint,
            now=at,
        )

    def admitted(self, terms: LoadTerms, mode: Mode = Mode.OPERATIONAL) -> AdmittedBundle:
        """The bundle as it was admitted; closed again."""
        path = self.force.folder / "june.lfrw"
        path.write_bytes(encrypted(self.draft.plain(), self.keys.receiving.recipient))
        with admit(
            path, self.keys, self.force.trust, mode=mode, device=DEVICE, now=self.force.now, terms=terms
        ) as bundle:
            return bundle

    def refused(self, terms: LoadTerms) -> BundleRefusal:
        with pytest.raises(BundleRefusedError) as caught:
            self.admitted(terms)
        assert caught.value.advice
        return caught.value.refusal


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_the_authority_names_is_admitted(desk: Desk) -> None:
    """Before its window begins, too; the list ends with the grace, and carries where it came from."""
    verified = desk.verified()
    bundle = desk.admitted(LoadTerms.under(verified))
    assert ({}, 3) == (bundle.refused, len(bundle.lawful))
    assert verified.authority.ends_at + timedelta(minutes=60) == bundle.wipe_at
    assert (5.0, 0.7) == (bundle.terms.hours, bundle.terms.threshold)
    assert verified.digest == bundle.terms.authority_digest
    origin = bundle.origin
    assert (desk.force.issuer.fingerprint, "june-01") == (origin.issuer_key, origin.list_id)
    assert desk.force.now - timedelta(hours=2) == origin.extracted_at
    assert bundle.reader.digest == origin.manifest_sha256
    assert ("TS-2026-014", verified.digest) == (origin.authority_id, origin.authority_digest)


def test_another_issuer_is_refused_although_it_is_trusted(desk: Desk) -> None:
    """The authority says whose list; the refusal shows both fingerprints."""
    other = desk.force._key(Role.ISSUE, "other")
    desk.draft.signer = other
    assert BundleRefusal.ISSUER_NOT_AUTHORISED is desk.refused(LoadTerms.under(desk.verified()))


def test_another_list_is_refused(desk: Desk) -> None:
    """The authority says which one."""
    desk.draft.manifest["list_id"] = "june-02"
    assert BundleRefusal.LIST_ID is desk.refused(LoadTerms.under(desk.verified()))


def test_more_people_than_authorised_are_refused(desk: Desk) -> None:
    """People count, not pictures: three with four pictures fit a cap of three."""
    assert BundleRefusal.TOO_MANY_ENTRIES is desk.refused(LoadTerms.under(desk.verified(watchlist__max_entries=2)))
    assert 3 == len(desk.admitted(LoadTerms.under(desk.verified(watchlist__max_entries=3))).lawful)


def test_a_category_that_is_not_authorised_stays_off_the_list(desk: Desk) -> None:
    """As an entry that is refused, not as a bundle that is: the others may be listed."""
    desk.say(2, category="missing-at-risk")
    bundle = desk.admitted(LoadTerms.under(desk.verified()))
    assert {1: ("category-not-authorised",)} == bundle.refused
    assert ["REF-00001", "REF-00003"] == [entry.reference_id for entry in bundle.lawful]


def test_an_associate_needs_the_officer_and_the_authority(desk: Desk) -> None:
    """The category must be authorised and approved there, and the entry must say who agreed."""
    desk.say(1, category="associate", approved_by="officer 101")
    desk.say(2, category="associate", approved_by="Supt 9")
    desk.say(3, category="associate")
    assert {
        0: ("category-not-authorised",),
        1: ("approved-by-another", "category-not-authorised"),
        2: ("category-approval", "category-not-authorised"),
    } == desk.admitted(LoadTerms.under(desk.verified())).refused
    allowed = {"watchlist__categories": ["suspect", "associate"], "watchlist__approved_categories": ["associate"]}
    terms = LoadTerms.under(desk.verified(**allowed))
    assert (Category.SUSPECT, Category.ASSOCIATE) == terms.categories
    assert {1: ("approved-by-another",), 2: ("category-approval",)} == desk.admitted(terms).refused


def test_an_authority_that_is_over_allows_nothing(desk: Desk) -> None:
    """At its end, and when it was revoked."""
    verified = desk.verified()
    force = desk.force
    ended = desk.installed(verified.authority.ends_at)
    with pytest.raises(AuthorityRefusedError) as over:
        LoadTerms.under(ended)
    assert AuthorityRefusal.ENDED is over.value.refusal
    take_revocation(
        force.folder, force.revocation(), trust=force.trust, device=DEVICE, device_fingerprint=None, now=force.now
    )
    with pytest.raises(AuthorityRefusedError) as gone:
        LoadTerms.under(desk.installed(force.now))
    assert AuthorityRefusal.REVOKED is gone.value.refusal


def trained(desk: Desk) -> AdmittedBundle:
    """The same list, issued for training."""
    desk.draft.manifest["mode"] = "training"
    desk.draft.signer = desk.force._key(Role.TRAIN, "trainer")
    return desk.admitted(LoadTerms.of_training(desk.force.now), Mode.TRAINING)


def test_a_list_for_training_ends_a_day_after_its_load(desk: Desk) -> None:
    """No authority says when; nothing else is asked either."""
    assert desk.force.now + TRAINING_LIFE == trained(desk).wipe_at


def test_a_list_for_training_ends_with_its_last_entry(desk: Desk) -> None:
    """Where the last of those who may be listed expires sooner; who may not does not count."""
    last = desk.force.now + timedelta(hours=5)
    desk.say(1, expires_at=(desk.force.now + timedelta(hours=3)).isoformat())
    desk.say(2, expires_at=last.isoformat())
    desk.say(3, review_on=desk.force.now.date().isoformat())
    bundle = trained(desk)
    assert {2: ("review-due",)} == bundle.refused
    assert last == bundle.wipe_at


@pytest.mark.parametrize("mode", Mode)
def test_neither_mode_takes_the_other_ones_bundle(desk: Desk, mode: Mode) -> None:
    """Whoever signed it: the key's role is asked first, then what the manifest says."""
    other = Mode.TRAINING if mode is Mode.OPERATIONAL else Mode.OPERATIONAL
    keys: dict[Mode, SigningKey] = {
        Mode.OPERATIONAL: desk.force.issuer,
        Mode.TRAINING: desk.force._key(Role.TRAIN, "t"),
    }
    terms = LoadTerms(ends_at=desk.force.now + timedelta(hours=1))
    desk.draft.manifest["mode"] = other
    for signer, refusal in ((keys[other], BundleRefusal.ISSUER_ROLE), (keys[mode], BundleRefusal.MODE)):
        desk.draft.signer = signer
        with pytest.raises(BundleRefusedError) as caught:
            desk.admitted(terms, mode)
        assert refusal is caught.value.refusal


def test_a_list_does_not_go_back_to_an_earlier_extract(desk: Desk) -> None:
    """Whoever was taken out since would be searched again; the same extract, another list and a first one may come."""
    bundle = trained(desk)
    second = timedelta(seconds=1)
    for loaded in (
        None,
        bundle.origin,
        bundle.origin.model_copy(update={"extracted_at": bundle.origin.extracted_at - second}),
        bundle.origin.model_copy(update={"extracted_at": bundle.origin.extracted_at + second, "list_id": "other"}),
    ):
        bundle.require_not_older(loaded)
    with pytest.raises(BundleRefusedError) as caught:
        bundle.require_not_older(bundle.origin.model_copy(update={"extracted_at": bundle.origin.extracted_at + second}))
    assert BundleRefusal.EXTRACT_SUPERSEDED is caught.value.refusal


def test_who_would_come_back_is_counted(desk: Desk) -> None:
    """With the very bundle that is loaded; who may not be listed any more does not come back."""
    bundle = trained(desk)
    ids = [entry.reference_id for entry in bundle.lawful]
    assert 0 == bundle.returning(bundle.origin, ids)
    assert 1 == bundle.returning(bundle.origin, ids[1:])
    assert 0 == bundle.returning(bundle.origin.model_copy(update={"manifest_sha256": "0" * 64}), ids[1:])
    assert 0 == bundle.returning(None, [])
    desk.say(1, review_on=desk.force.now.date().isoformat())
    bundle = desk.admitted(LoadTerms.of_training(desk.force.now), Mode.TRAINING)
    assert 0 == bundle.returning(bundle.origin, ids[1:])
