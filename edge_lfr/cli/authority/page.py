"""An authority in words, for the officer who signs it and the technician who installs it."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.retention import RetentionProfile, built_in
from edge_lfr.governance.authority.content import Authority, StaleList
from edge_lfr.governance.authority.judgement import StepResult, VerifiedAuthority
from edge_lfr.governance.trust import TrustedKey, shown_fingerprint

MINUTES_AN_HOUR = 60


def page_of(authority: Authority, config: ApplianceConfig | None = None) -> str:
    """What is authorised, a line or paragraph for each question that a court may ask; with what *config* knows."""
    own = () if config is None else (config.retention.chosen,)
    lines = _lines(authority, (*built_in().values(), *own), _oldest_extract(config))
    return "\n".join(f"{name:<10} {text}" for name, text in lines)


def span_in_words(span: timedelta) -> str:
    """Hours and whole minutes."""
    hours, minutes = divmod(int(span.total_seconds()) // 60, MINUTES_AN_HOUR)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def moment(at: datetime) -> str:
    """As the document has it, its own offset included."""
    return at.isoformat(sep=" ", timespec="minutes")


def key_in_words(key: TrustedKey) -> str:
    """Whose it is, and the form in which its fingerprint is compared."""
    return f"{key.name} ({shown_fingerprint(key.fingerprint)})"


def state_in_words(verified: VerifiedAuthority, now: datetime) -> str:
    """What it is worth now, and for how long."""
    match verified.state.value:
        case "not-yet":
            return f"not yet: begins in {span_in_words(verified.authority.begins_at - now)}"
        case "open":
            return f"open: ends in {span_in_words(verified.runs_until - now)}"
        case "countersign-due":
            left = span_in_words(verified.runs_until - now)
            return f"open, and urgent: ends in {left} unless a second officer signs it"
        case "ended":
            return f"ended {span_in_words(now - verified.authority.ends_at)} ago"
        case _:
            reason = "" if verified.revocation is None else f": {verified.revocation.reason_code}"
            return f"revoked{reason}"


def facts_of(verified: VerifiedAuthority, now: datetime) -> dict[str, object]:
    """The same for programs."""
    return {
        "authority_id": verified.authority.authority_id,
        "digest": verified.digest,
        "state": verified.state,
        "lets_run": verified.state.lets_run,
        "signer": _key_facts(verified.signer),
        "countersigner": None if verified.countersigner is None else _key_facts(verified.countersigner),
        "runs_until": verified.runs_until.isoformat(),
        "remaining_s": max(0, round((verified.runs_until - now).total_seconds())),
        "wipe_at": verified.wipe_at.isoformat(),
        "authority": verified.authority.model_dump(mode="json", by_alias=True),
    }


def step_lines(step: StepResult) -> Iterator[str]:
    """One numbered step: what came of it, and what to do."""
    yield f"{step.number} {step.step:<16} {step.verdict:<11} {step.detail}".rstrip()
    for fault in step.faults:
        yield f"    {fault}"
        yield f"      what to do: {fault.remedy}"


def _key_facts(key: TrustedKey) -> dict[str, str]:
    return {"name": key.name, "fingerprint": shown_fingerprint(key.fingerprint)}


def _kept(authority: Authority, known: Iterable[RetentionProfile]) -> str:
    """How long alerts are kept: a name alone is nobody's word for it."""
    named = f"{authority.retention_profile}, digest {authority.retention_digest[:12]}"
    profiles = [profile for profile in known if profile.name == authority.retention_profile]
    for profile in profiles:
        if profile.digest == authority.retention_digest:
            return f"alerts are kept for {profile.alerts_kept} after the capture ({named})"
    doubt = "NOT the profile of this name that is known here" if profiles else "this profile is not known here"
    return f"{doubt}: have `edge-lfr config retention` say for how long alerts are kept ({named})"


def _oldest_extract(config: ApplianceConfig | None) -> str:
    if config is None:
        return "24 hours old, or earlier by the force's own policy"
    return f"{span_in_words(config.policy.watchlist.max_extract_age)} old"


def _lines(authority: Authority, known: Iterable[RetentionProfile], oldest_extract: str) -> Iterator[tuple[str, str]]:
    officer, people, place = authority.authorising_officer, authority.watchlist, authority.place
    yield "authority", f"{authority.authority_id}{', URGENT' if authority.is_urgent else ''}"
    yield "who", f"{officer.name}, {officer.rank}, for {authority.force}: {', '.join(authority.devices)}"
    yield "what for", f"{authority.use_case} (policy {authority.use_case.policy_section}): {authority.purpose}"
    ring = "; ".join(f"{lat:.5f} {lon:.5f}" for lon, lat in place.polygon_lonlat)
    yield "where", f"{place.name}, inside the ring of latitudes and longitudes {ring}"
    yield "why there", authority.why_here
    yield "why this", authority.less_intrusive_means
    length = span_in_words(authority.ends_at - authority.begins_at)
    yield "when", f"{moment(authority.begins_at)} to {moment(authority.ends_at)}, {length}"
    if authority.countersign_by is not None:
        yield "", f"a second officer must sign it before {moment(authority.countersign_by)}"
    yield "notice", f"given {moment(authority.notice_given_at)}"
    yield "list", f"{people.list_id}, at most {people.max_entries} people: {', '.join(people.categories)}"
    if people.approved_categories:
        yield "", f"approved by the officer: {', '.join(people.approved_categories)}"
    yield "", f"signed by the key {shown_fingerprint(people.issuer_key)}"
    old = "matching stops" if authority.stale_list is StaleList.STOP else "matching goes on, and says so"
    yield "", f"when its extract is {oldest_extract}, {old}"
    yield "", f"destroyed {authority.wipe_grace_min} min after the end at the latest"
    yield "threshold", f"{authority.threshold:g}, pack {authority.pack_digest[:12]}"
    yield "retention", _kept(authority, known)
    for number, (name, assessment) in enumerate(authority.assessments):
        text = f"{name.replace('_', ' ')}: {assessment.reference}, version {assessment.version}"
        yield "" if number else "assessed", text
    staff = authority.staff
    command = [f"{name} {who}" for name, who in staff if isinstance(who, str)]
    yield "staff", ", ".join(command)
    yield "", f"operators {', '.join(staff.operators)}; engagement {', '.join(staff.engagement_officers)}"
