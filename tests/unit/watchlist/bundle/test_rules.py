"""What makes an entry unlawful, incomplete or too old, rule by rule and on the day on which it changes."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lfr.config.policy import WatchlistPolicy
from edge_lfr.terms import Category, ResponseCode
from edge_lfr.watchlist.bundle.composition import AgeBand, DatedPictures, age_band, compose
from edge_lfr.watchlist.bundle.rules import (
    POLICY,
    EntryReason,
    ExtractReason,
    full_years,
    judge,
    stale,
)
from simulators.watchlists import made_entry

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
LAWFUL: dict[str, Any] = {"expires_at": NOW + DAY, "review_on": TODAY + DAY, "born_on": date(1990, 1, 31)}


def judged(
    *, taken_on: tuple[date | None, ...] = (), officer: str | None = None, **changes: Any
) -> tuple[EntryReason, ...]:
    entry = made_entry("REF-1", **{**LAWFUL, **changes})
    return judge(entry, at=NOW, authorised_categories=None, authorising_officer=officer, taken_on=taken_on)


def test_a_complete_entry_is_lawful() -> None:
    """No reason, whatever was left open that may be: date of birth, dates of pictures."""
    assert () == judged()
    assert () == judged(born_on=None, taken_on=(None, TODAY))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"expires_at": NOW}, EntryReason.EXPIRED),
        ({"expires_at": NOW + POLICY.longest_life + SECOND}, EntryReason.EXPIRES_TOO_LATE),
        ({"review_on": TODAY}, EntryReason.REVIEW_DUE),
        ({"category": Category.ASSOCIATE}, EntryReason.CATEGORY_APPROVAL),
        ({"category": Category.WITNESS}, EntryReason.CATEGORY_APPROVAL),
        ({"category": Category.VICTIM}, EntryReason.CATEGORY_APPROVAL),
        ({"born_on": TODAY.replace(year=1905)}, EntryReason.BORN_TOO_LONG_AGO),
        ({"taken_on": (TODAY, TODAY + 2 * DAY)}, EntryReason.PICTURE_IN_FUTURE),
        ({"taken_on": (date(1990, 1, 30), TODAY)}, EntryReason.PICTURE_BEFORE_BIRTH),
    ],
)
def test_one_thing_wrong_gives_one_reason(changes: dict[str, Any], reason: EntryReason) -> None:
    """Each rule by itself, at its first value that is refused."""
    assert (reason,) == judged(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_at": NOW + SECOND},
        {"expires_at": NOW + POLICY.longest_life},
        {"category": Category.WITNESS, "approved_by": "Supt 2"},
        {"born_on": TODAY.replace(year=1906) + DAY},
        {"taken_on": (TODAY + DAY,)},
        {"taken_on": (date(1990, 1, 31),)},
    ],
)
def test_the_last_value_that_is_allowed_is(changes: dict[str, Any]) -> None:
    """The other side of each bound; a picture of tomorrow was taken east of here."""
    assert () == judged(**changes)


def test_a_child_needs_both_words_and_a_young_child_three() -> None:
    """Necessity and countersign below 18, the authorising officer's approval too below 13; an adult none of them."""
    necessity, countersign = EntryReason.UNDER_18_NECESSITY, EntryReason.UNDER_18_COUNTERSIGN
    seventeen, twelve = TODAY.replace(year=2008) + DAY, TODAY.replace(year=2013) + DAY
    said: dict[str, Any] = {"under_18_necessity": "runs away", "under_18_countersigned_by": "Insp 1"}

    assert () == judged(born_on=TODAY.replace(year=2008))
    assert (necessity, countersign) == judged(born_on=seventeen)
    assert (countersign,) == judged(born_on=seventeen, under_18_necessity="runs away")
    assert (necessity,) == judged(born_on=seventeen, under_18_countersigned_by="Insp 1")
    assert () == judged(born_on=seventeen, **said)
    assert () == judged(born_on=TODAY.replace(year=2013), **said)
    assert (EntryReason.UNDER_13_APPROVAL,) == judged(born_on=twelve, **said)
    assert (necessity, countersign) == judged(born_on=twelve, approved_by="Supt 2")
    assert () == judged(born_on=twelve, approved_by="Supt 2", **said)


@pytest.mark.parametrize(
    "changes",
    [
        {"born_on": TODAY.replace(year=2010), "under_18_necessity": "n", "under_18_countersigned_by": " dc  1234"},
        {
            "born_on": TODAY.replace(year=2015),
            "under_18_necessity": "n",
            "under_18_countersigned_by": "Supt 2",
            "approved_by": "DC 1234",
        },
        {"category": Category.WITNESS, "approved_by": "Dc 1234"},
    ],
)
def test_nobody_agrees_with_a_request_of_their_own(changes: dict[str, Any]) -> None:
    """However the name is written; where nobody has to agree, it does not matter who did."""
    assert (EntryReason.APPROVED_BY_REQUESTER,) == judged(**changes)
    assert () == judged(**{**changes, "requester": "DC 9"})
    assert () == judged(**{**changes, "born_on": date(1990, 1, 31), "category": Category.SUSPECT})


def test_in_operation_the_authorising_officer_agrees() -> None:
    """Who that is says the authority; on an issuer's machine nobody knows."""
    said: dict[str, Any] = {"under_18_necessity": "n", "under_18_countersigned_by": "Supt 2", "approved_by": "Supt 2"}
    child: dict[str, Any] = {"born_on": TODAY.replace(year=2015), **said}
    assert () == judged(**child)
    assert () == judged(officer="SUPT  2", **child)
    assert (EntryReason.APPROVED_BY_ANOTHER,) == judged(officer="Supt 3", **child)
    assert (EntryReason.APPROVED_BY_ANOTHER,) == judged(officer="Supt 2", **{**child, "approved_by": "Insp 1"})
    assert (EntryReason.APPROVED_BY_ANOTHER,) == judged(
        officer="Supt 2", **{**child, "under_18_countersigned_by": "Insp 1"}
    )
    assert () == judged(officer="Supt 3", under_18_countersigned_by="Insp 1", approved_by="Insp 1")


def test_a_child_of_the_future_is_refused() -> None:
    """Born later than anywhere on earth today; it is a child as well."""
    assert EntryReason.BORN_IN_FUTURE in judged(born_on=TODAY + 2 * DAY)
    assert EntryReason.BORN_IN_FUTURE not in judged(born_on=TODAY + DAY)


def test_only_categories_of_the_deployment_are_searched_for() -> None:
    """An empty set allows nobody; none at all says that nobody decided yet."""
    entry = made_entry("REF-1", **LAWFUL)
    for allowed in ((), (Category.VICTIM,)):
        assert (EntryReason.CATEGORY_NOT_AUTHORISED,) == judge(entry, at=NOW, authorised_categories=allowed)
    assert () == judge(entry, at=NOW, authorised_categories={Category.SUSPECT})


def test_all_reasons_are_told_at_once() -> None:
    """Whoever corrects a row corrects it once."""
    assert {
        EntryReason.EXPIRED,
        EntryReason.REVIEW_DUE,
        EntryReason.UNDER_18_NECESSITY,
        EntryReason.UNDER_18_COUNTERSIGN,
        EntryReason.CATEGORY_APPROVAL,
        EntryReason.PICTURE_IN_FUTURE,
    } == set(
        judged(
            expires_at=NOW - DAY,
            review_on=TODAY - DAY,
            born_on=TODAY.replace(year=2010),
            category=Category.WITNESS,
            taken_on=(TODAY + 3 * DAY,),
        )
    )


def test_a_force_sets_its_own_numbers() -> None:
    """Another life and another age than the defaults."""
    own = WatchlistPolicy(longest_life_days=1 / 24, young_child_years=16)
    entry = made_entry(
        "REF-1",
        **{**LAWFUL, "born_on": TODAY.replace(year=2011)},
        under_18_necessity="runs away",
        under_18_countersigned_by="Insp 1",
    )
    assert () == judge(entry, at=NOW, authorised_categories=None)
    assert (EntryReason.EXPIRES_TOO_LATE, EntryReason.UNDER_13_APPROVAL) == judge(
        entry, at=NOW, authorised_categories=None, policy=own
    )


@pytest.mark.parametrize(
    ("age", "reason"),
    [
        (timedelta(hours=24), None),
        (timedelta(hours=24) + SECOND, ExtractReason.TOO_OLD),
        (timedelta(seconds=-30), None),
        (timedelta(seconds=-31), ExtractReason.IN_FUTURE),
    ],
)
def test_a_list_is_a_day_old_at_most(age: timedelta, reason: ExtractReason | None) -> None:
    """24 hours, and 30 seconds for clocks that differ."""
    assert reason is stale(NOW - age, NOW)


@given(born_on=st.dates(date(1900, 1, 1), date(2026, 1, 1)), days=st.integers(0, 40_000))
def test_nobody_becomes_younger(born_on: date, days: int) -> None:
    """Full years grow by at most one a day, and by one on each birthday."""
    today = born_on + timedelta(days=days)
    years = full_years(born_on, today)
    assert 0 <= full_years(born_on, today + DAY) - years <= 1
    assert abs(years - days / 365.25) <= 1


def test_a_leap_day_child_is_older_on_the_first_of_march() -> None:
    """In common years."""
    assert (17, 18) == tuple(full_years(date(2008, 2, 29), day) for day in (date(2026, 2, 28), date(2026, 3, 1)))


@pytest.mark.parametrize(
    ("year", "band"),
    [
        (2014, AgeBand.UNDER_13),
        (2013, AgeBand.FROM_13),
        (2009, AgeBand.FROM_13),
        (2008, AgeBand.FROM_18),
        (2001, AgeBand.FROM_25),
        (1986, AgeBand.FROM_40),
        (1966, AgeBand.FROM_60),
        (1910, AgeBand.FROM_60),
    ],
)
def test_an_age_band_begins_on_a_birthday(year: int, band: AgeBand) -> None:
    """Its name says its first and last full years."""
    assert band is age_band(TODAY.replace(year=year), NOW)


def test_the_composition_counts_everybody_once() -> None:
    """By category, answer and age; children apart; the oldest pictures first; what nobody said is counted too."""
    adult = made_entry("REF-1", **LAWFUL)
    child = replace(adult, reference_id="REF-2", born_on=date(2010, 1, 1), category=Category.MISSING_AT_RISK)
    young = replace(child, reference_id="REF-3", born_on=date(2020, 1, 1), why_here="seen at the station")
    staff = replace(adult, reference_id="REF-4", born_on=None, is_bluelist=True)

    found = compose(
        [
            DatedPictures(adult, (date(2025, 1, 1), None)),
            DatedPictures(child, (date(2019, 1, 1), date(2026, 1, 1))),
            DatedPictures(young, (date(2024, 1, 1),)),
            DatedPictures(staff, (None,)),
        ],
        NOW,
    )

    assert (4, 6, 2, 1, 2) == (found.entries, found.pictures, found.under_18, found.bluelist, found.undated_pictures)
    assert (2, 2, 0) == tuple(
        found.categories[one] for one in (Category.SUSPECT, Category.MISSING_AT_RISK, Category.VICTIM)
    )
    assert 4 == found.response_codes[ResponseCode.OBSERVE]
    assert [1, 1, 0, 1, 0, 0, 1] == list(found.age_bands.values())
    assert (1.0, 2) == (found.why_here_share, found.why_here_texts)
    assert (date(2019, 1, 1), "REF-2") == found.oldest_pictures[0]
    assert sorted(found.oldest_pictures) == list(found.oldest_pictures)
    told = found.as_json()["categories"]
    assert {"suspect": 2, "missing-at-risk": 2} == {name: count for name, count in told.items() if count}


def test_the_composition_of_nobody_is_empty() -> None:
    """No division by the number of nobody."""
    found = compose([], NOW)
    assert (0, 0.0, ()) == (found.entries, found.why_here_share, found.oldest_pictures)
