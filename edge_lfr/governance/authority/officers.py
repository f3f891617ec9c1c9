"""
Which officers stand behind an authority: by the names and ranks that their keys carry in the trust folder.

An urgent authority is signed by an officer of a lower rank, since it cannot wait; one of the rank that authorises what
can wait ratifies it. A key without a rank ratifies nothing.
"""

from collections.abc import Sequence

from edge_lfr.config.policy import AuthorityPolicy
from edge_lfr.governance.authority.content import Authority
from edge_lfr.governance.authority.rules import same_person
from edge_lfr.governance.documents import Fault
from edge_lfr.governance.trust import TrustedKey, shown_fingerprint


def claim_faults(authority: Authority, signers: Sequence[TrustedKey]) -> tuple[Fault, ...]:
    """What an authority says of its officer against what the first signer's key carries."""
    claimed = authority.authorising_officer.rank
    if not signers or signers[0].rank is None or signers[0].rank.is_at_least(claimed):
        return ()
    problem = f"{claimed}, above {signers[0].rank}, which the key that signed it carries"
    return (Fault("authorising_officer.rank", problem, "have it signed by that officer, with a key of that rank"),)


def countersigner_of(signers: Sequence[TrustedKey], policy: AuthorityPolicy) -> TrustedKey | None:
    """The first of the signers who ratifies what the first one signed; None where nobody does."""
    return next((key for key in signers[1:] if why_not_second(signers[0], key, policy) is None), None)


def uncounted(signers: Sequence[TrustedKey], policy: AuthorityPolicy) -> tuple[Fault, ...]:
    """Why the signatures after the first one ratify nothing; nothing where one of them does."""
    if countersigner_of(signers, policy) is not None:
        return ()
    faults = (why_not_second(signers[0], key, policy) for key in signers[1:])
    return tuple(fault for fault in faults if fault is not None)


def why_not_second(first: TrustedKey, second: TrustedKey, policy: AuthorityPolicy) -> Fault | None:
    """Why *second* does not ratify what *first* signed: the same officer, or not of the rank; None where it does."""
    said = f"signed by {shown_fingerprint(second.fingerprint)}"
    if same_person(first.name) == same_person(second.name):
        problem = f"{said} of the same name as the first: does not count"
        remedy = "have another officer sign it; two keys of one name are one officer: `edge-lfr keys new --name`"
        return Fault("signatures", problem, remedy)
    if second.rank is None:
        problem = f"{said}, whose key carries no rank: does not count"
        remedy = f"have that officer's key made with a rank of {policy.least_rank} or above"
        return Fault("signatures", problem, f"{remedy}, `edge-lfr keys new authorise --rank`, trusted and used here")
    if not second.rank.is_at_least(policy.least_rank):
        problem = f"{said}, {second.rank}, below {policy.least_rank}: does not count"
        return Fault("signatures", problem, f"have it signed by an officer of the rank {policy.least_rank} or above")
    return None
