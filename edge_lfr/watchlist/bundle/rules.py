"""
What makes an entry unlawful or incomplete: entries and a time enter, reason codes leave; nothing is changed.

Its numbers are `WatchlistPolicy`, where a force can set its own.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from edge_lfr.config.policy import WatchlistPolicy
from edge_lfr.governance.authority.rules import same_person
from edge_lfr.terms import Category
from edge_lfr.watchlist.entries import WatchlistEntry


class EntryReason(StrEnum):
    """Why nobody may be listed by an entry; a report names the code."""

    EXPIRED = "expired"
    """Its time is over."""

    EXPIRES_TOO_LATE = "expires-too-late"
    """It would outlive what one deployment needs: perhaps a date that stands for none."""

    REVIEW_DUE = "review-due"
    """The day has come on which somebody decides anew whether the pictures may be kept at all."""

    UNDER_18_NECESSITY = "under-18-necessity"
    """A child, and nobody says why it has to be listed."""

    UNDER_18_COUNTERSIGN = "under-18-countersign"
    """A child, and nobody countersigned."""

    UNDER_13_APPROVAL = "under-13-approval"
    """A young child, and the authorising officer did not agree."""

    CATEGORY_APPROVAL = "category-approval"
    """An associate, witness or victim, and the authorising officer did not agree."""

    APPROVED_BY_REQUESTER = "approved-by-requester"
    """Whoever asked for the entry also countersigned or approved it."""

    APPROVED_BY_ANOTHER = "approved-by-another"
    """Countersigned or approved by somebody who is not the authorising officer of the deployment."""

    CATEGORY_NOT_AUTHORISED = "category-not-authorised"
    """The deployment is not for this category."""

    BORN_IN_FUTURE = "born-in-future"
    BORN_TOO_LONG_AGO = "born-too-long-ago"
    """Older than people become."""

    PICTURE_IN_FUTURE = "picture-in-future"
    PICTURE_BEFORE_BIRTH = "picture-before-birth"
    """It cannot show the person."""


class ExtractReason(StrEnum):
    """Why a whole list is refused for the time at which it was drawn."""

    TOO_OLD = "extract-too-old"
    IN_FUTURE = "extract-in-future"


POLICY: Final = WatchlistPolicy()
"""What holds where nobody configured anything, as on an issuer's machine."""


def judge(
    entry: WatchlistEntry,
    *,
    at: datetime,
    authorised_categories: Collection[Category] | None,
    authorising_officer: str | None = None,
    taken_on: Iterable[date | None] = (),
    policy: WatchlistPolicy = POLICY,
) -> tuple[EntryReason, ...]:
    """
    Say every reason why *entry* may not be used.

    Args:
        entry: Within the bounds of its fields.

        at: Aware; when it is asked. Days are those of UTC.

        authorised_categories: Of the deployment; None while there is none, as on an issuer's machine.

        authorising_officer: Of the deployment, by name or number; None while there is none.

        taken_on: When its pictures were taken, where that is known.

        policy: The numbers.

    Returns:
        Nothing for an entry that may be used.
    """
    today = at.date()
    tomorrow = (at + timedelta(days=1)).date()
    born_on = entry.born_on
    age = None if born_on is None else full_years(born_on, today)
    is_child = age is not None and age < policy.adult_years
    is_young_child = age is not None and age < policy.young_child_years
    is_approval_needed = is_young_child or entry.category.needs_approval
    approvers = {
        same_person(name)
        for is_needed, name in (
            (is_child, entry.under_18_countersigned_by),
            (is_approval_needed, entry.approved_by),
        )
        if is_needed and name is not None
    }
    taken = [day for day in taken_on if day is not None]
    reasons = (
        (entry.expires_at <= at, EntryReason.EXPIRED),
        (entry.expires_at > at + policy.longest_life, EntryReason.EXPIRES_TOO_LATE),
        (entry.review_on <= today, EntryReason.REVIEW_DUE),
        (is_child and entry.under_18_necessity is None, EntryReason.UNDER_18_NECESSITY),
        (is_child and entry.under_18_countersigned_by is None, EntryReason.UNDER_18_COUNTERSIGN),
        (is_young_child and entry.approved_by is None, EntryReason.UNDER_13_APPROVAL),
        (entry.category.needs_approval and entry.approved_by is None, EntryReason.CATEGORY_APPROVAL),
        (same_person(entry.requester) in approvers, EntryReason.APPROVED_BY_REQUESTER),
        (
            authorising_officer is not None and bool(approvers - {same_person(authorising_officer)}),
            EntryReason.APPROVED_BY_ANOTHER,
        ),
        (
            authorised_categories is not None and entry.category not in authorised_categories,
            EntryReason.CATEGORY_NOT_AUTHORISED,
        ),
        # Where a day begins depends on the place: up to a day ahead is no future.
        (born_on is not None and born_on > tomorrow, EntryReason.BORN_IN_FUTURE),
        (age is not None and age > policy.longest_human_life_years, EntryReason.BORN_TOO_LONG_AGO),
        (any(day > tomorrow for day in taken), EntryReason.PICTURE_IN_FUTURE),
        (born_on is not None and any(day < born_on for day in taken), EntryReason.PICTURE_BEFORE_BIRTH),
    )
    return tuple(reason for is_so, reason in reasons if is_so)


def stale(extracted_at: datetime, at: datetime, policy: WatchlistPolicy = POLICY) -> ExtractReason | None:
    """Why a list that was drawn then is refused now; None where it is not."""
    if at - extracted_at > policy.max_extract_age:
        return ExtractReason.TOO_OLD
    if extracted_at - at > policy.clock_tolerance:
        return ExtractReason.IN_FUTURE
    return None


def full_years(born_on: date, today: date) -> int:
    """Full years; who was born on a 29 February is a year older on 1 March."""
    return today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))
