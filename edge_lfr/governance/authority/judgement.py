"""
Whether a deployment is authorised: an authority's untrusted bytes enter, its state on this appliance leaves.

Seven numbered steps, the same for the appliance that arms and for whoever looks at a file before. What needs the
watchlist, the clock's own trust or locked memory belongs to the arming.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from edge_lfr.config.policy import AuthorityPolicy
from edge_lfr.errors import AuthorityError
from edge_lfr.governance.authority.content import Authority
from edge_lfr.governance.authority.officers import claim_faults, countersigner_of, uncounted
from edge_lfr.governance.authority.revocation import Revocation, Revocations
from edge_lfr.governance.authority.rules import faults_in
from edge_lfr.governance.documents import (
    REMEDIES,
    DocumentRefusedError,
    Fault,
    Kind,
    read_envelope,
    signers,
    with_content,
)
from edge_lfr.governance.signed import CLOCK_TOLERANCE
from edge_lfr.governance.trust import Role, TrustedKey, TrustStore, shown_fingerprint


class Step(StrEnum):
    """What is asked of an authority, in this order."""

    DOCUMENT = "document"
    SIGNATURE = "signature"
    CONTENT = "content"
    DEVICE = "device"
    WINDOW = "window"
    COUNTERSIGNATURE = "countersignature"
    REVOCATION = "revocation"


class Verdict(StrEnum):
    """What came of a step."""

    OK = "ok"
    REFUSED = "refused"
    NOT_REACHED = "not-reached"


class AuthorityState(StrEnum):
    """What a verified authority is worth now."""

    NOT_YET = "not-yet"
    OPEN = "open"
    COUNTERSIGN_DUE = "countersign-due"
    """Open, and urgent: a second officer must sign it before its deadline."""

    ENDED = "ended"
    REVOKED = "revoked"

    @property
    def lets_run(self) -> bool:
        """Whether a deployment may go on."""
        return self in {AuthorityState.OPEN, AuthorityState.COUNTERSIGN_DUE}


class AuthorityRefusal(StrEnum):
    """Why an authority does not count here."""

    DOCUMENT = "document"
    SIGNATURE = "signature"
    CONTENT = "content"
    POLICY = "policy"
    ISSUED_LATER = "issued-later"
    WRONG_FORCE = "wrong-force"
    WRONG_DEVICE = "wrong-device"
    COUNTERSIGN_OVERDUE = "countersign-overdue"
    ENDED = "ended"
    REVOKED = "revoked"
    PACK = "pack"
    CLOCK = "clock"


class AuthorityRefusedError(AuthorityError):
    """An authority does not count on this appliance."""

    code = "authority.refused"

    def __init__(self, refusal: AuthorityRefusal, faults: Sequence[Fault]) -> None:
        super().__init__(
            "\n".join(f"authority refused: {refusal}: {fault}" for fault in faults),
            remedy="; ".join(dict.fromkeys(fault.remedy for fault in faults)),
        )
        self.refusal = refusal
        self.faults = tuple(faults)

    @property
    def field(self) -> str:
        """The first field that it was refused for."""
        return self.faults[0].field


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedAuthority:
    """An authority whose signature, content and addressee were found right."""

    authority: Authority
    digest: str
    """SHA-256 of what was signed: how a ledger names it."""

    signer: TrustedKey
    countersigner: TrustedKey | None
    state: AuthorityState
    revocation: Revocation | None
    runs_until: datetime
    """The end of the window, or an earlier deadline of a countersignature that is still due."""

    @property
    def wipe_at(self) -> datetime:
        """After this the list must not exist; at once where it was revoked."""
        if self.revocation is not None:
            return min(self.revocation.revoked_at, self.authority.ends_at)
        return self.authority.ends_at + self.authority.wipe_grace


@dataclass(frozen=True, slots=True)
class StepResult:
    """One numbered step, for people."""

    number: int
    step: str
    """A `Step`, or what its caller asks besides."""

    verdict: Verdict
    detail: str = ""
    refusal: AuthorityRefusal | None = None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """Every step, and what is left when none refused."""

    steps: tuple[StepResult, ...]
    authority: Authority | None
    """What it says, if its form is right; nobody may act on it."""

    verified: VerifiedAuthority | None

    def believed(self) -> VerifiedAuthority:
        """
        Give what was verified.

        Raises:
            AuthorityRefusedError: With the first refusal, its fields and remedies.
        """
        if self.verified is not None:
            return self.verified
        refusal, faults = next((each.refusal, each.faults) for each in self.steps if each.refusal is not None)
        raise AuthorityRefusedError(refusal, faults)


def check_authority(
    untrusted: bytes,
    *,
    trust: TrustStore,
    device: str,
    device_fingerprint: str | None,
    now: datetime,
    policy: AuthorityPolicy | None = None,
    revocations: Revocations | None = None,
) -> VerifiedAuthority:
    """
    Believe an authority, or say why not.

    (1) a document of the kind, (2) signed by a key that may authorise, now, (3) with content that policy allows,
    (4) for this appliance; (5) its window, (6) its countersignature and (7) revocations give its state.

    Args:
        untrusted: The file's bytes.

        trust: The keys of this appliance.

        device: `<force>/<device>`.

        device_fingerprint: The appliance's own key, which authorises nothing; None where it has none.

        now: The time, which the caller must have reason to trust.

        policy: What the force allows; the published practice when None.

        revocations: What was revoked here; nothing when None.

    Raises:
        AuthorityRefusedError: With the first refusal, its fields and remedies.
    """
    return judge_authority(
        untrusted,
        trust=trust,
        device=device,
        device_fingerprint=device_fingerprint,
        now=now,
        policy=policy,
        revocations=revocations,
    ).believed()


def judge_authority(
    untrusted: bytes,
    *,
    trust: TrustStore,
    device: str,
    device_fingerprint: str | None,
    now: datetime,
    policy: AuthorityPolicy | None = None,
    revocations: Revocations | None = None,
) -> Judgement:
    """Take every step of `check_authority` that can be taken, for a person who wants to see all that is wrong."""
    steps: dict[Step, StepResult] = {}
    policy = AuthorityPolicy() if policy is None else policy

    def found(step: Step, detail: str = "", refusal: AuthorityRefusal | None = None, *faults: Fault) -> None:
        verdict = Verdict.OK if refusal is None else Verdict.REFUSED
        steps[step] = StepResult(list(Step).index(step) + 1, step, verdict, detail, refusal, faults)

    # (1) a document of the kind
    try:
        envelope = read_envelope(untrusted, Kind.AUTHORITY)
    except DocumentRefusedError as error:
        found(Step.DOCUMENT, error.refusal, AuthorityRefusal.DOCUMENT, _fault_of("document", error))
        return Judgement(_numbered(steps), None, None)
    found(Step.DOCUMENT, envelope.digest)
    # (2) signed by a key that may authorise, now
    keys: tuple[TrustedKey, ...] = ()
    try:
        keys = signers(envelope, trust, (Role.AUTHORISE,), now, device_fingerprint=device_fingerprint)
    except DocumentRefusedError as error:
        found(Step.SIGNATURE, error.refusal, AuthorityRefusal.SIGNATURE, _fault_of("signatures", error))
    else:
        found(Step.SIGNATURE, ", ".join(f"{key.name} ({shown_fingerprint(key.fingerprint)})" for key in keys))
    # (3) with content that policy and the rank of the first signer allow
    try:
        authority = with_content(envelope, Authority).content
    except DocumentRefusedError as error:
        found(Step.CONTENT, error.refusal, AuthorityRefusal.CONTENT, *error.faults)
        return Judgement(_numbered(steps), None, None)
    faults = (*faults_in(authority, policy), *claim_faults(authority, keys))
    found(Step.CONTENT, "", AuthorityRefusal.POLICY if faults else None, *faults)
    # (4) for this appliance
    found(Step.DEVICE, *_addressee(authority, device))
    # (5) its window
    if authority.issued_at > now + CLOCK_TOLERANCE:
        fault = Fault("issued_at", "lies ahead of this clock", "check the clocks here and where it was signed")
        found(Step.WINDOW, "", AuthorityRefusal.ISSUED_LATER, fault)
    else:
        found(Step.WINDOW, window_of(authority, now))
    # (6) its countersignature
    detail, refusal, unheard = _countersignature(authority, keys, policy, now)
    found(Step.COUNTERSIGNATURE, detail, refusal, *unheard)
    # (7) its revocation
    revocation = None if revocations is None else revocations.of(authority, device)
    found(Step.REVOCATION, "not revoked" if revocation is None else f"revoked: {revocation.reason_code}")
    if any(each.refusal is not None for each in steps.values()):
        return Judgement(_numbered(steps), authority, None)
    verified = _verified(authority, envelope.digest, (keys[0], countersigner_of(keys, policy)), revocation, now)
    return Judgement(_numbered(steps), authority, verified)


def _verified(
    authority: Authority,
    digest: str,
    officers: tuple[TrustedKey, TrustedKey | None],
    revocation: Revocation | None,
    now: datetime,
) -> VerifiedAuthority:
    signer, countersigner = officers
    is_due = authority.is_urgent and countersigner is None
    state = window_of(authority, now)
    if revocation is not None:
        state = AuthorityState.REVOKED
    elif state is AuthorityState.OPEN and is_due:
        state = AuthorityState.COUNTERSIGN_DUE
    deadline = authority.countersign_by if is_due else None
    return VerifiedAuthority(
        authority=authority,
        digest=digest,
        signer=signer,
        countersigner=countersigner,
        state=state,
        revocation=revocation,
        runs_until=authority.ends_at if deadline is None else min(authority.ends_at, deadline),
    )


def window_of(authority: Authority, now: datetime) -> AuthorityState:
    """Where *now* lies: the beginning belongs to the window, the end does not."""
    if now < authority.begins_at:
        return AuthorityState.NOT_YET
    return AuthorityState.OPEN if now < authority.ends_at else AuthorityState.ENDED


def _addressee(authority: Authority, device: str) -> tuple[str] | tuple[str, AuthorityRefusal, Fault]:
    force, _, name = device.partition("/")
    if authority.force != force:
        fault = Fault("force", f"not {force}, which this appliance belongs to", "have one signed for this force")
        return "", AuthorityRefusal.WRONG_FORCE, fault
    if name not in authority.devices:
        fault = Fault("devices", f"{name} is not among them", "use an appliance that is, or have this one authorised")
        return "", AuthorityRefusal.WRONG_DEVICE, fault
    return (device,)


def _countersignature(
    authority: Authority, keys: Sequence[TrustedKey], policy: AuthorityPolicy, now: datetime
) -> tuple[str, AuthorityRefusal | None, tuple[Fault, ...]]:
    """Also while it is only due: why the signatures that are there do not count."""
    if not authority.is_urgent:
        return "not needed", None, ()
    countersigner = countersigner_of(keys, policy)
    if countersigner is not None:
        return f"{countersigner.name} ({shown_fingerprint(countersigner.fingerprint)})", None, ()
    if authority.countersign_by is None:
        return "no deadline", None, ()  # refused in (3)
    unheard = uncounted(keys, policy)
    deadline = authority.countersign_by.isoformat(timespec="minutes")
    if now >= authority.countersign_by:
        fault = Fault("countersign_by", f"{deadline} has passed", "end the deployment; have a new authority signed")
        return "", AuthorityRefusal.COUNTERSIGN_OVERDUE, (fault, *unheard)
    return f"due before {deadline}", None, unheard


def _fault_of(field: str, error: DocumentRefusedError) -> Fault:
    return Fault(field, error.message.removeprefix("document refused: "), REMEDIES[error.refusal])


def _numbered(steps: dict[Step, StepResult]) -> tuple[StepResult, ...]:
    return tuple(
        steps.get(step, StepResult(number, step, Verdict.NOT_REACHED)) for number, step in enumerate(Step, start=1)
    )
