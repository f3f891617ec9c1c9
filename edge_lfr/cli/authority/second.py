"""What a second officer is told before signing: whether the appliances will count it, as far as that is known here."""

from typing import Final

from edge_lfr.cli.output import say
from edge_lfr.config.policy import AuthorityPolicy
from edge_lfr.errors import AuthorityDraftError
from edge_lfr.governance.authority.officers import why_not_second
from edge_lfr.governance.documents import Envelope
from edge_lfr.governance.trust import Role, TrustStore

NOT_KNOWN: Final = (
    "whether it counts cannot be told here: name the appliance's trust folder with --trust, where both keys lie"
)


def require_second(document: Envelope, fingerprint: str, trust: TrustStore, policy: AuthorityPolicy) -> None:
    """
    Refuse a countersignature that would ratify nothing; warn where names and ranks are not known.

    Args:
        document: What the first officer signed.

        fingerprint: Of the key that is to sign it, too.

        trust: Whom the appliances trust.

        policy: What the force allows.

    Raises:
        AuthorityDraftError: It would not count; says why, and what to do.
    """
    signed = [each.key for each in document.signatures]
    if fingerprint in signed:
        return  # the document itself refuses one key twice
    first = next((trust.keys[key] for key in signed if key in trust.keys), None)
    second = trust.keys.get(fingerprint)
    if first is None or second is None:
        say(NOT_KNOWN)
        return
    if second.role is not Role.AUTHORISE:
        message = f"signatures: this key is trusted to {second.role}, not to authorise"
        raise AuthorityDraftError(message, remedy="sign it with the key of an officer who may authorise")
    fault = why_not_second(first, second, policy)
    if fault is not None:
        raise AuthorityDraftError(str(fault), remedy=fault.remedy)
