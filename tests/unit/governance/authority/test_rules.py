"""What policy lets an authority say: each rule has an authority that breaks it, and one that just does not."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge_lfr.config.policy import AuthorityPolicy
from edge_lfr.config.retention import load_profile
from edge_lfr.governance.authority.content import Authority
from edge_lfr.governance.authority.rules import faults_in, pack_faults, retention_faults
from edge_lfr.governance.documents import canonical
from edge_lfr.terms import Rank
from simulators.authorities import Force
from simulators.packs import entry_0095
from simulators.retention import DAY, NAME, document


@pytest.fixture
def force(tmp_path: Path) -> Force:
    return Force(tmp_path)


def fields(content: dict[str, Any]) -> list[str]:
    faults = faults_in(Authority.model_validate_json(canonical(content)), AuthorityPolicy())
    assert all(fault.remedy and fault.problem for fault in faults)
    return [fault.field for fault in faults]


class TestPolicy:
    """`faults_in`, rule by rule."""

    def test_an_ordinary_authority_may_be_signed(self, force: Force) -> None:
        """So may an urgent one."""
        assert [] == fields(force.content()) == fields(force.urgent())

    @pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "1999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59"])
    @pytest.mark.parametrize("field", ["begins_at", "ends_at", "notice_given_at", "countersign_by", "issued_at"])
    def test_no_time_lies_at_an_end_of_the_calendar(self, force: Force, field: str, at: str) -> None:
        """A grace or a zone added to it would be no time: whoever reads an unsigned file meets it."""
        with pytest.raises(ValidationError, match="2000 to 8999"):
            fields(force.urgent(**{field: at}))

    @pytest.mark.parametrize("rank", list(Rank))
    def test_rank(self, force: Force, rank: Rank) -> None:
        """Superintendents and above; inspectors and above where it cannot wait."""
        is_enough = rank not in {Rank.INSPECTOR, Rank.CHIEF_INSPECTOR}
        assert ([] if is_enough else ["authorising_officer.rank"]) == fields(
            force.content(authorising_officer__rank=rank.value)
        )
        assert [] == fields(force.urgent(**{"authorising_officer.rank": rank.value}))

    def test_window(self, force: Force) -> None:
        """An end after the beginning, 24 hours at most."""
        begins = force.now + timedelta(hours=1)
        day = begins + timedelta(hours=24)
        assert [] == fields(force.content(ends_at=day.isoformat()))
        assert ["ends_at"] == fields(force.content(ends_at=(day + timedelta(seconds=1)).isoformat()))
        assert ["ends_at"] == fields(force.content(ends_at=begins.isoformat()))

    def test_nothing_is_authorised_afterwards(self, force: Force) -> None:
        """Issued at the beginning at the latest."""
        begins = force.now + timedelta(hours=1)
        assert [] == fields(force.content(issued_at=begins.isoformat()))
        assert ["issued_at"] == fields(force.content(issued_at=(begins + timedelta(seconds=1)).isoformat()))

    def test_notice(self, force: Force) -> None:
        """The public is told before it begins."""
        begins = force.now + timedelta(hours=1)
        assert [] == fields(force.content(notice_given_at=begins.isoformat()))
        assert ["notice_given_at"] == fields(force.content(notice_given_at=(begins + timedelta(seconds=1)).isoformat()))

    def test_urgency(self, force: Force) -> None:
        """A deadline where it is urgent, within a day of the beginning, still to come; and nowhere else."""
        latest = force.now + timedelta(hours=25)
        assert [] == fields(force.urgent(countersign_by=latest.isoformat()))
        for wrong in (None, (latest + timedelta(seconds=1)).isoformat(), force.now.isoformat()):
            assert ["countersign_by"] == fields(force.urgent(countersign_by=wrong))
        assert ["countersign_by"] == fields(force.content(countersign_by=latest.isoformat()))

    @pytest.mark.parametrize(
        ("categories", "approved", "wrong"),
        [
            (["witness"], ["witness"], []),
            (["witness"], [], ["watchlist.categories"]),
            (["suspect"], ["witness"], ["watchlist.approved_categories"]),
            (["suspect"], ["suspect"], ["watchlist.approved_categories"]),
            (["suspect", "suspect"], [], ["watchlist.categories"]),
        ],
    )
    def test_categories(self, force: Force, categories: list[str], approved: list[str], wrong: list[str]) -> None:
        """Associates, witnesses and victims need the officer's own word, each of them."""
        assert wrong == fields(force.content(watchlist__categories=categories, watchlist__approved_categories=approved))

    @pytest.mark.parametrize(
        ("operators", "officers", "wrong"),
        [
            (["officer  101"], ["401"], ["staff.operators"]),
            (["301", "Officer 101"], ["401"], ["staff.operators"]),
            (["301", "301"], ["401"], ["staff.operators"]),
            (["301"], ["401", "401"], ["staff.engagement_officers"]),
            (["301"], ["301"], ["staff.engagement_officers"]),
            (["301", "302"], ["301"], []),
        ],
    )
    def test_staff(self, force: Force, operators: list[str], officers: list[str], wrong: list[str]) -> None:
        """Who authorises does not operate, and two people look at every alert."""
        assert wrong == fields(force.content(staff__operators=operators, staff__engagement_officers=officers))

    def test_devices(self, force: Force) -> None:
        """Each once."""
        assert ["devices"] == fields(force.content(devices=["van-1", "van-1"]))


class TestPack:
    """`pack_faults`: the threshold is never below the pack's floor."""

    def faults(self, force: Force, **changes: Any) -> list[str]:
        entry = entry_0095()
        return [
            fault.field for fault in pack_faults(force.authority(**{"pack_digest": entry.digest, **changes}), entry)
        ]

    def test_the_floor_is_enough(self, force: Force) -> None:
        """At the floor for as many as the list may have, and not below it."""
        floor = entry_0095().floor(1000).threshold
        assert [] == self.faults(force, threshold=floor)
        assert ["threshold"] == self.faults(force, threshold=round(floor - 0.001, 3))

    def test_a_longer_list_has_a_higher_floor(self, force: Force) -> None:
        """The cap counts, before anybody is loaded."""
        floor = entry_0095().floor(1000).threshold
        assert ["threshold"] == self.faults(force, threshold=floor, watchlist__max_entries=1001)

    def test_another_pack_is_named(self, force: Force) -> None:
        """Its threshold means nothing here."""
        assert ["pack_digest"] == self.faults(force, pack_digest="ab" * 32, threshold=0.1)

    def test_a_list_that_the_pack_is_not_calibrated_for(self, force: Force) -> None:
        """Refused, whatever the threshold."""
        entry = entry_0095().model_copy(update={"calibration": entry_0095().calibration[:1]})
        authority = force.authority(pack_digest=entry.digest, threshold=0.99)
        assert ["watchlist.max_entries"] == [fault.field for fault in pack_faults(authority, entry)]


class TestRetention:
    """`retention_faults`: alerts are kept by the rules that were authorised, whatever they are called."""

    def test_the_authorised_profile_is_taken(self, force: Force) -> None:
        """By name and by what it says."""
        assert () == retention_faults(force.authority(), DAY)

    def test_another_profile_is_named(self, force: Force, tmp_path: Path) -> None:
        """Also one that says the same under another name."""
        own = load_profile(NAME, document(tmp_path))
        for profile in (own, load_profile("alerts-31d")):
            (fault,) = retention_faults(force.authority(), profile)
            assert "retention_profile" == fault.field
            assert profile.name in fault.problem

    @pytest.mark.parametrize(("old", "new"), [("period_s = 86_400", "period_s = 2_678_400"), ("R1: ", "R2: ")])
    def test_other_rules_under_the_same_name(self, force: Force, tmp_path: Path, old: str, new: str) -> None:
        """A document that changed since it was authorised is another one, and for how long it keeps alerts is said."""
        authorised = load_profile(NAME, document(tmp_path))
        authority = force.authority(retention_profile=NAME, retention_digest=authorised.digest)
        assert () == retention_faults(authority, authorised)
        changed = load_profile(NAME, document(tmp_path, (old, new)))
        (fault,) = retention_faults(authority, changed)
        assert "retention_digest" == fault.field
        assert changed.alerts_kept in fault.problem

    def test_an_authority_without_a_digest_is_none(self, force: Force) -> None:
        """A name alone is nobody's word for how long alerts are kept."""
        content = force.content()
        del content["retention_digest"]
        with pytest.raises(ValidationError, match="retention_digest"):
            Authority.model_validate_json(canonical(content))
