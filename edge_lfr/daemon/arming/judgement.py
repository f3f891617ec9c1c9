"""
What must hold before anybody is compared in operation: eleven numbered steps, each with its field and its remedy.

Facts enter that somebody else gathered, a permission or the first refusal leaves; nothing is opened or changed here.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from edge_lfr.daemon.arming.facts import (
    ArmingFacts,
    ArmingJudgement,
    ArmingRefusal,
    ArmingStep,
    Permission,
    StepFound,
    Verdict,
    refused,
)
from edge_lfr.errors import AuthorityMissingError, EdgeLfrError, WatchlistMissingError
from edge_lfr.governance.authority.judgement import (
    AuthorityRefusal,
    AuthorityRefusedError,
    AuthorityState,
    VerifiedAuthority,
)
from edge_lfr.governance.authority.rules import retention_faults
from edge_lfr.governance.documents import Fault
from edge_lfr.governance.trust import Role, TrustStore, shown_fingerprint
from edge_lfr.governance.trusted_time import TimeVerdict
from edge_lfr.inference.catalogue import CalibrationRow
from edge_lfr.watchlist.sealed.origin import Origin
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist


def require_trusted(time: TimeVerdict) -> None:
    """
    Go on where the clock is trusted: what training is held to as well.

    Raises:
        ArmingRefusedError: It is not.
    """
    if time.doubt is not None:
        step = StepFound(list(ArmingStep).index(ArmingStep.CLOCK) + 1, ArmingStep.CLOCK, Verdict.REFUSED)
        raise refused(step, ArmingRefusal.CLOCK, _doubted(time))


def require_training_list(stored: StoredWatchlist, trust: TrustStore, now: datetime) -> None:
    """
    Go on where the list is for training: its issuer still is trusted for that, or nobody signed it.

    Raises:
        ArmingRefusedError: It is not.
    """
    fault = None if stored.origin is None else issuer_fault(stored.origin, Role.TRAIN, trust, now)
    if fault is not None:
        step = StepFound(list(ArmingStep).index(ArmingStep.WATCHLIST) + 1, ArmingStep.WATCHLIST, Verdict.REFUSED)
        raise refused(step, ArmingRefusal.WATCHLIST_NOT_TRUSTED, fault)


def issuer_fault(origin: Origin, role: Role, trust: TrustStore, now: datetime) -> Fault | None:
    """Why nobody is searched on the word of that list's issuer now; None where somebody is."""
    key, shown = trust.keys.get(origin.issuer_key), shown_fingerprint(origin.issuer_key)
    if key is not None and key.role is role and key.is_valid(now):
        return None
    problem = f"{shown} is not trusted here to {role}" if key is None or key.role is not role else f"{shown} has ended"
    remedy = "load a list of an issuer whom this appliance trusts; `edge-lfr keys show` lists them"
    return Fault("watchlist.issuer_key", problem, remedy)


def arm_in_steps(facts: ArmingFacts) -> Permission:
    """
    Permit a deployment, or say why not.

    (1) an authority is installed, (2) which verifies: signature, role, content, device, countersignature, (3) whose
    window is open and which was not revoked; (4) the clock is trusted; (5) the list is the one that was authorised,
    whole, of its issuer, who still is trusted, small and fresh enough, ends in time and was loaded under nothing that
    was revoked; (6) the pack is the authorised one, (7) with measured evidence for so many templates, (8) and a licence
    for operation; (9) the authorised threshold is high enough; (10) memory is locked and never dumped; (11) the ledger
    takes lines, somebody can say later who was on the list, alerts are kept as was authorised, and the trust folder is
    root's alone.

    Raises:
        ArmingRefusedError: The first step that was refused, with its field and remedy.
    """
    return judge_arming(facts).permitted()


def judge_arming(facts: ArmingFacts) -> ArmingJudgement:
    """Take every step of `arm_in_steps`, for a person who wants to see all that is wrong."""
    steps: list[StepFound] = []
    for number, (step, judge) in enumerate(_STEPS, start=1):
        found = next(judge(facts), None)
        if found is None:
            steps.append(StepFound(number, step, Verdict.NOT_REACHED))
        elif isinstance(found, str):
            steps.append(StepFound(number, step, Verdict.OK, found))
        else:
            refusal, fault = found
            steps.append(StepFound(number, step, Verdict.REFUSED, "", refusal, fault))
    verified = facts.authority
    if isinstance(verified, EdgeLfrError) or any(found.verdict is not Verdict.OK for found in steps):
        return ArmingJudgement(tuple(steps), None)
    return ArmingJudgement(tuple(steps), Permission(verified, verified.authority.threshold))


_Findings = Iterator[str | tuple[ArmingRefusal, Fault]]
"""The first one counts: a refusal, or in words what was found right; none at all: not reached."""


def _installed(facts: ArmingFacts) -> _Findings:
    # (1) an authority is installed
    if isinstance(facts.authority, AuthorityMissingError):
        yield ArmingRefusal.AUTHORITY_MISSING, _fault_of("authority", facts.authority)
    yield "one is"


def _authority(facts: ArmingFacts) -> _Findings:
    # (2) which verifies
    found = facts.authority
    if isinstance(found, AuthorityMissingError):
        return
    if isinstance(found, AuthorityRefusedError):
        is_overdue = found.refusal is AuthorityRefusal.COUNTERSIGN_OVERDUE
        refusal = ArmingRefusal.COUNTERSIGN_OVERDUE if is_overdue else ArmingRefusal.AUTHORITY_REFUSED
        yield refusal, found.faults[0]
    elif isinstance(found, EdgeLfrError):
        yield ArmingRefusal.AUTHORITY_UNREADABLE, _fault_of("authority", found)
    else:
        yield f"{found.authority.authority_id}, signed by {shown_fingerprint(found.signer.fingerprint)}"


_WINDOWS: Final = {
    AuthorityState.NOT_YET: (
        ArmingRefusal.NOT_YET,
        Fault("begins_at", "has not come", "wait: the appliance begins by itself"),
    ),
    AuthorityState.ENDED: (
        ArmingRefusal.ENDED,
        Fault("ends_at", "has passed", "have a new authority signed, and check the clock"),
    ),
    AuthorityState.REVOKED: (
        ArmingRefusal.REVOKED,
        Fault("authority_id", "was revoked here", "have a new authority signed"),
    ),
}


def _window(facts: ArmingFacts) -> _Findings:
    # (3) whose window is open, and which was not revoked
    if isinstance(facts.authority, EdgeLfrError):
        return
    if facts.authority.state in _WINDOWS:
        yield _WINDOWS[facts.authority.state]
    yield f"{facts.authority.state}, until {facts.authority.runs_until.isoformat(timespec='minutes')}"


def _clock(facts: ArmingFacts) -> _Findings:
    # (4) the clock is trusted
    if facts.time.doubt is not None:
        yield ArmingRefusal.CLOCK, _doubted(facts.time)
    yield "trusted"


def _doubted(time: TimeVerdict) -> Fault:
    remedy = "have it synchronised, or compare it with a watch and `edge-lfr clock confirm`"
    return Fault("clock", f"is not trusted: {time.doubt}", remedy)


def _watchlist(facts: ArmingFacts) -> _Findings:
    # (5) the list is the one that was authorised, whole, of its issuer, small and fresh enough, and ends in time
    stored, verified = facts.watchlist, facts.authority
    if isinstance(stored, WatchlistMissingError):
        yield ArmingRefusal.NO_WATCHLIST, _fault_of("watchlist", stored)
    elif isinstance(stored, EdgeLfrError):
        yield ArmingRefusal.WATCHLIST_SEALED, _fault_of("watchlist", stored)
    elif stored is not None and not isinstance(verified, EdgeLfrError):
        yield from _authorised_list(stored, verified, facts)
        yield f"{stored.references} people, {stored.templates} templates"


def _authorised_list(stored: StoredWatchlist, verified: VerifiedAuthority, facts: ArmingFacts) -> _Findings:
    allowed, origin = verified.authority.watchlist, stored.origin
    load = "load the authorised bundle, or have this list authorised"
    not_authorised = ArmingRefusal.WATCHLIST_NOT_AUTHORISED
    if origin is None:
        yield not_authorised, Fault("watchlist", "was not loaded from a signed bundle", load)
        return
    if origin.list_id != allowed.list_id:
        yield not_authorised, Fault("watchlist.list_id", f"{origin.list_id}, authorised is {allowed.list_id}", load)
    if origin.issuer_key != allowed.issuer_key:
        problem = f"of {shown_fingerprint(origin.issuer_key)}, authorised is {shown_fingerprint(allowed.issuer_key)}"
        yield not_authorised, Fault("watchlist.issuer_key", problem, load)
    issuer = issuer_fault(origin, Role.ISSUE, facts.trust, facts.time.now)
    if issuer is not None:
        yield ArmingRefusal.WATCHLIST_NOT_TRUSTED, issuer
    if origin.authority_id in facts.revoked:
        problem = "was loaded under an authority that was revoked"
        yield ArmingRefusal.REVOKED, Fault("watchlist", problem, "load a list under the authority that holds")
    if stored.references > allowed.max_entries:
        problem = f"{stored.references} people, authorised are {allowed.max_entries}"
        yield not_authorised, Fault("watchlist.max_entries", problem, load)
    approved = {each for each in allowed.categories if not each.needs_approval or each in allowed.approved_categories}
    others = sorted(facts.categories - approved)
    if others:
        yield not_authorised, Fault("watchlist.categories", f"also {', '.join(others)}", load)
    is_old = facts.time.now - origin.extracted_at > facts.max_extract_age
    if is_old and (origin != facts.searched or verified.authority.stale_list != "amber"):
        hours = facts.max_extract_age / timedelta(hours=1)
        problem = f"of {origin.extracted_at.isoformat(timespec='minutes')}, more than {hours:g} hours ago"
        yield (
            ArmingRefusal.WATCHLIST_STALE,
            Fault("watchlist.extracted_at", problem, "have the issuer extract and sign it anew, and load that"),
        )
    if stored.wipe_at is None or stored.wipe_at > verified.wipe_at:
        ends = "never ends" if stored.wipe_at is None else f"ends {stored.wipe_at.isoformat(timespec='minutes')}"
        problem = f"{ends}, after {verified.wipe_at.isoformat(timespec='minutes')} it must not exist"
        yield ArmingRefusal.WATCHLIST_ENDS_LATE, Fault("watchlist.wipe_at", problem, "load it again")


def _pack(facts: ArmingFacts) -> _Findings:
    # (6) the pack is the authorised one
    if isinstance(facts.authority, EdgeLfrError):
        return
    if facts.authority.authority.pack_digest != facts.entry.digest:
        problem = f"not the pack that runs here, which is {facts.entry.id}, {facts.entry.digest}"
        remedy = "configure the pack that was authorised, or have this one authorised"
        yield ArmingRefusal.PACK, Fault("pack_digest", problem, remedy)
    yield facts.entry.id


def _calibration(facts: ArmingFacts) -> _Findings:
    # (7) with measured evidence for so many templates
    floor = _floor(facts)
    if isinstance(floor, EdgeLfrError):
        yield ArmingRefusal.EXTRAPOLATED, _fault_of("calibration", floor)
    elif floor is not None:
        if floor.evidence != "measured":
            laxer = facts.conditions.laxer()
            problem = f"nobody has measured the false alerts of {facts.entry.id} for a list of this size"
            remedy = "use a pack or a shorter list with measured evidence; without, there is training only"
            if laxer:
                problem = f"{', '.join(laxer)}: laxer than what was measured"
                remedy = "take the defaults of what is named"
            yield ArmingRefusal.EXTRAPOLATED, Fault("calibration", problem, remedy)
        yield f"measured up to {floor.templates} templates: {floor.false_alerts_in_words}"


def _licence(facts: ArmingFacts) -> _Findings:
    # (8) and a licence for operation
    if facts.entry.non_commercial:
        problem = f"{facts.entry.licence}: training only"
        yield ArmingRefusal.LICENCE, Fault("models.pack", problem, "choose another pack for operational use")
    yield facts.entry.licence


def _threshold(facts: ArmingFacts) -> _Findings:
    # (9) the authorised threshold is high enough
    floor = _floor(facts)
    if isinstance(facts.authority, EdgeLfrError) or isinstance(floor, EdgeLfrError) or floor is None:
        return
    threshold, configured = facts.authority.authority.threshold, facts.conditions.decision.threshold
    if threshold < floor.threshold:
        problem = f"{threshold:g} lies below {floor.threshold:g}, the pack's floor for {floor.templates} templates"
        remedy = "have the floor or more authorised, or a shorter list"
        yield ArmingRefusal.THRESHOLD, Fault("threshold", problem, remedy)
    if configured is not None and threshold < configured:
        problem = f"{threshold:g} lies below decision.threshold, which is {configured:g}"
        remedy = "lower decision.threshold to it or leave it out, or have more authorised"
        yield ArmingRefusal.THRESHOLD, Fault("threshold", problem, remedy)
    yield f"{threshold:g}, floor {floor.threshold:g}"


def _locks(facts: ArmingFacts) -> _Findings:
    # (10) memory is locked and never dumped
    if facts.unlocked_bytes is None or facts.dumps_cores is None:
        return
    if facts.unlocked_bytes > 0:
        remedy = "LimitMEMLOCK=infinity in the unit, `ulimit -l unlimited` in a shell"
        problem = f"{facts.unlocked_bytes} bytes could be swapped out"
        yield ArmingRefusal.MEMORY_UNLOCKED, Fault("memory", problem, remedy)
    if facts.dumps_cores:
        problem = "a crash would write memory to the disk"
        yield ArmingRefusal.CORE_DUMPS, Fault("memory", problem, "LimitCORE=0 in the unit, `ulimit -c 0` in a shell")
    yield "locked, and never dumped"


def _record(facts: ArmingFacts) -> _Findings:
    # (11) the ledger takes lines, somebody can say later who was on the list, alerts are kept as was authorised, and
    # the trust folder is root's alone
    if facts.is_recorded is False:
        remedy = "free disk space under the state folder; `edge-lfr ledger verify`"
        yield ArmingRefusal.LEDGER, Fault("ledger", "takes no lines", remedy)
    if facts.officer_fault is not None:
        yield ArmingRefusal.NO_OFFICER, _fault_of("trust.protection_officer", facts.officer_fault)
    if facts.trust_fault is not None:
        yield ArmingRefusal.TRUST, _fault_of("trust.directory", facts.trust_fault)
    if isinstance(facts.authority, EdgeLfrError):
        return
    for fault in retention_faults(facts.authority.authority, facts.retention):
        yield ArmingRefusal.RETENTION, fault
    if facts.is_recorded:
        yield f"by the ledger; alerts are kept for {facts.retention.alerts_kept}, as {facts.retention.name} says"


_STEPS: Final[Sequence[tuple[ArmingStep, Callable[[ArmingFacts], _Findings]]]] = (
    (ArmingStep.INSTALLED, _installed),
    (ArmingStep.AUTHORITY, _authority),
    (ArmingStep.WINDOW, _window),
    (ArmingStep.CLOCK, _clock),
    (ArmingStep.WATCHLIST, _watchlist),
    (ArmingStep.PACK, _pack),
    (ArmingStep.CALIBRATION, _calibration),
    (ArmingStep.LICENCE, _licence),
    (ArmingStep.THRESHOLD, _threshold),
    (ArmingStep.LOCKS, _locks),
    (ArmingStep.RECORD, _record),
)


def _floor(facts: ArmingFacts) -> CalibrationRow | EdgeLfrError | None:
    """For the list, or before it is opened for the longest one that was authorised; None where nobody can say."""
    if isinstance(facts.watchlist, StoredWatchlist):
        templates = facts.watchlist.templates
    elif isinstance(facts.authority, VerifiedAuthority):
        templates = facts.authority.authority.watchlist.max_entries
    else:
        return None
    try:
        return facts.conditions.floor(facts.entry, templates)
    except EdgeLfrError as error:
        return error


def _fault_of(field: str, error: EdgeLfrError) -> Fault:
    return Fault(field, error.message, error.advice)
