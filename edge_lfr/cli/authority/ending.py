"""What the revocation of an authority ends on this appliance where no daemon runs, and what it leaves going on."""

import os
from datetime import datetime
from typing import Final

from edge_lfr.cli.authority.here import own_fingerprint, trusted_here
from edge_lfr.cli.output import say
from edge_lfr.cli.watchlist.wiping_here import prove_anew, proved_here
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.control.caller import actor_here
from edge_lfr.daemon.ending.dead_man import keyless_store
from edge_lfr.daemon.ending.unsearched import destroy_unsearched
from edge_lfr.daemon.lock import hold_state
from edge_lfr.errors import DaemonBusyError
from edge_lfr.governance.authority.installed import installed_content
from edge_lfr.governance.authority.revocation import Revocation, TakenRevocation, take_revocation
from edge_lfr.governance.documents import DocumentRefusal, DocumentRefusedError, Kind, read_document
from edge_lfr.terms import Mode
from edge_lfr.watchlist.wiping.certificate import WipeCause, WipeCertificate

ANOTHER_GOES_ON: Final = os.EX_NOUSER
"""What was revoked is not what is installed: perhaps a letter is wrong, and somebody believes that all is over."""


def taken_here(config: ApplianceConfig, untrusted: bytes, now: datetime) -> TakenRevocation:
    """
    Believe a revocation whose key is valid now, or was when it was signed, and keep it.

    To stop is never wrong: a clock that is, or an officer who has left since, keeps no revocation away.

    Raises:
        EdgeLfrError: As `take_revocation`.
    """

    def taken(at: datetime) -> TakenRevocation:
        return take_revocation(
            config.state_directory,
            untrusted,
            trust=trusted_here(config),
            device=config.device_name,
            device_fingerprint=own_fingerprint(config),
            now=at,
        )

    try:
        return taken(now)
    except DocumentRefusedError as error:
        if error.refusal is not DocumentRefusal.KEY_NOT_VALID:
            raise
    return taken(read_document(untrusted, Kind.REVOCATION, Revocation).content.revoked_at)


def going_on(config: ApplianceConfig, revocation: Revocation) -> list[str]:
    """Ids of the authorities that are installed here and that *revocation* does not end; none where it ends one."""
    installed = [
        found
        for mode in Mode
        if (found := installed_content(config.model_copy(update={"mode": mode}).mode_directory)) is not None
    ]
    device = config.device_name
    if any(revocation.ends(authority, device) for authority in installed):
        return []
    return list(dict.fromkeys(authority.authority_id for authority in installed))


def wiped_before(config: ApplianceConfig) -> WipeCertificate | None:
    """
    Prove what the process before this one destroyed, and give its certificate; None where there was none.

    Raises:
        EdgeLfrError: The certificate cannot be signed or kept.
    """
    document = proved_here(_operational(config))
    return None if document is None else read_document(document, Kind.WIPE_CERTIFICATE, WipeCertificate).content


def wipe_revoked(config: ApplianceConfig, authority_id: str, *, json: bool) -> None:
    """
    Destroy the list that was loaded under the authority, whatever mode is configured; returns where there is none.

    A daemon that operates sees to it itself. Where a list was destroyed, another process takes this one's place, and
    `wiped_before` is then its certificate.

    Raises:
        EdgeLfrError: The disk fails.
    """
    operational = _operational(config)
    if not keyless_store(operational.mode_directory).is_revoked({authority_id}):
        return
    try:
        with hold_state(operational.mode_directory):
            ended = destroy_unsearched(operational, WipeCause.REVOKED, actor_here())
    except DaemonBusyError:
        say("the daemon destroys its list")
        return
    if ended is not None:
        prove_anew(ended, json=json)


def _operational(config: ApplianceConfig) -> ApplianceConfig:
    """Only in operation a list is loaded under an authority; that folder is there also while the appliance trains."""
    return config.model_copy(update={"mode": Mode.OPERATIONAL})
