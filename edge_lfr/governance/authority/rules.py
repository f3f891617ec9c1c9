"""
What policy lets an authority say: one rule a function, each naming the field and what to do about it.

The ranks and times are police practice, not law, and differ between forces: they are configured.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta

from edge_lfr.config.policy import AuthorityPolicy
from edge_lfr.config.retention import RetentionProfile
from edge_lfr.errors import ModelContractError
from edge_lfr.governance.authority.content import Authority
from edge_lfr.governance.documents import Fault
from edge_lfr.inference.catalogue import PackEntry


def faults_in(authority: Authority, policy: AuthorityPolicy) -> tuple[Fault, ...]:
    """Everything that policy does not let this authority say; nothing: it may be signed."""
    return (
        *_rank(authority, policy),
        *_window(authority, policy),
        *_notice(authority, policy),
        *_urgency(authority, policy),
        *_categories(authority),
        *_staff(authority),
        *_doubled("devices", authority.devices),
    )


def pack_faults(authority: Authority, entry: PackEntry) -> tuple[Fault, ...]:
    """
    What this appliance's model pack does not let the authority say.

    The cap counts people: each has one template at least, so this floor is the lowest that may come to hold. What is
    loaded may have several a person, and then has a higher floor, which arming holds it to.
    """
    if authority.pack_digest != entry.digest:
        problem = f"not the pack that this appliance runs, which is {entry.id}, {entry.digest}"
        return (Fault("pack_digest", problem, "configure the pack that was authorised, or have this one authorised"),)
    return floor_faults(entry, authority.watchlist.max_entries, authority.threshold)


def retention_faults(authority: Authority, profile: RetentionProfile) -> tuple[Fault, ...]:
    """What this appliance's retention profile does not let the authority say: another name, or other rules of it."""
    if authority.retention_profile != profile.name:
        problem = f"{authority.retention_profile}, configured is {profile.name}"
        return (Fault("retention_profile", problem, "set retention.profile to what was authorised"),)
    if authority.retention_digest != profile.digest:
        problem = (
            f"of other rules than the {profile.name} that is configured here, {profile.digest[:12]}, by which alerts "
            f"are kept for {profile.alerts_kept}"
        )
        remedy = "configure the retention document that was authorised, or have this one authorised"
        return (Fault("retention_digest", problem, remedy),)
    return ()


def floor_faults(entry: PackEntry, max_entries: int, threshold: float) -> tuple[Fault, ...]:
    """What the pack's calibration says against a threshold for a list of at most so many people."""
    try:
        floor = entry.floor(max_entries)
    except ModelContractError as error:
        return (Fault("watchlist.max_entries", error.message, "authorise a shorter list, or use another pack"),)
    if threshold < floor.threshold:
        problem = f"{threshold:g} lies below {floor.threshold:g}, the pack's floor for a list of {max_entries}"
        return (Fault("threshold", problem, "raise it to the floor at least, or authorise a shorter list"),)
    return ()


def _rank(authority: Authority, policy: AuthorityPolicy) -> Iterator[Fault]:
    least = policy.least_rank_urgent if authority.is_urgent else policy.least_rank
    if not authority.authorising_officer.rank.is_at_least(least):
        kind = "an urgent authority" if authority.is_urgent else "an authority that is not urgent"
        yield Fault(
            "authorising_officer.rank",
            f"{authority.authorising_officer.rank} is below {least}, which {kind} needs",
            f"have it authorised by an officer of the rank {least} or above",
        )


def _window(authority: Authority, policy: AuthorityPolicy) -> Iterator[Fault]:
    if authority.ends_at <= authority.begins_at:
        yield Fault("ends_at", "not after begins_at", "correct the two times and their offsets from UTC")
    elif authority.ends_at - authority.begins_at > policy.longest:
        yield Fault("ends_at", f"more than {in_hours(policy.longest)} after begins_at", "authorise each day by itself")
    if authority.issued_at > authority.begins_at:
        yield Fault("issued_at", "after begins_at", "let it begin later: nothing is authorised afterwards")


def _notice(authority: Authority, policy: AuthorityPolicy) -> Iterator[Fault]:
    if authority.notice_given_at > authority.begins_at:
        yield Fault("notice_given_at", "after begins_at", "tell the public before it begins")
    elif not authority.is_urgent and authority.begins_at - authority.notice_given_at < policy.notice_before:
        problem = f"less than {in_hours(policy.notice_before)} before begins_at"
        yield Fault("notice_given_at", problem, "let it begin later")


def _urgency(authority: Authority, policy: AuthorityPolicy) -> Iterator[Fault]:
    deadline = authority.countersign_by
    if not authority.is_urgent:
        if deadline is not None:
            remedy = "leave it out, or say with is_urgent that it could not wait"
            yield Fault("countersign_by", "given, but the authority is not urgent", remedy)
    elif deadline is None:
        remedy = f"name a time at most {in_hours(policy.countersign_within)} after begins_at"
        yield Fault("countersign_by", "missing, and the authority is urgent", remedy)
    elif deadline <= authority.issued_at:
        yield Fault("countersign_by", "not after issued_at", "name a time that is still to come")
    elif deadline - authority.begins_at > policy.countersign_within:
        problem = f"more than {in_hours(policy.countersign_within)} after begins_at"
        yield Fault("countersign_by", problem, "name an earlier time")


def _categories(authority: Authority) -> Iterator[Fault]:
    listed, approved = authority.watchlist.categories, authority.watchlist.approved_categories
    yield from _doubled("watchlist.categories", listed)
    yield from _doubled("watchlist.approved_categories", approved)
    for category in approved:
        if not category.needs_approval:
            remedy = "leave it out: only associate, witness and victim are approved apart"
            yield Fault("watchlist.approved_categories", f"{category} needs no approval", remedy)
        elif category not in listed:
            remedy = "add it to watchlist.categories, or leave it out here"
            yield Fault("watchlist.approved_categories", f"{category} is not in watchlist.categories", remedy)
    for category in listed:
        if category.needs_approval and category not in approved:
            remedy = "add it to watchlist.approved_categories if the officer approves it, else leave it out"
            yield Fault("watchlist.categories", f"{category} is not approved", remedy)


def _staff(authority: Authority) -> Iterator[Fault]:
    staff = authority.staff
    yield from _doubled("staff.operators", map(same_person, staff.operators))
    yield from _doubled("staff.engagement_officers", map(same_person, staff.engagement_officers))
    operators = {same_person(name) for name in staff.operators}
    if same_person(authority.authorising_officer.name) in operators:
        yield Fault("staff.operators", "the authorising officer operates nothing", "name another operator")
    if len(operators | {same_person(name) for name in staff.engagement_officers}) == 1:
        remedy = "name an engagement officer who is not the operator: two people look at every alert"
        yield Fault("staff.engagement_officers", "nobody but the operator", remedy)


def _doubled(field: str, items: Iterable[str]) -> Iterator[Fault]:
    if any(count > 1 for count in Counter(items).values()):
        yield Fault(field, "the same twice", "leave one out")


def same_person(name: str) -> str:
    """Names that a reader takes for the same are the same, in whatever form of Unicode they were typed."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(folded.split())


def in_hours(span: timedelta) -> str:
    """A span of a policy, as people say it."""
    return f"{span.total_seconds() / 3600:g} hours"
