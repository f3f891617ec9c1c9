"""What a command leaves in the ledger that installs an authority, where no daemon sees it, or takes a revocation."""

from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.arming.authority_notes import revoked_facts
from edge_lfr.daemon.control.local_socket import ControlClient
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.governance.authority.judgement import AuthorityState, VerifiedAuthority
from edge_lfr.governance.authority.revocation import TakenRevocation
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.lines import written_time
from edge_lfr.governance.trust import shown_fingerprint


def note_installed(config: ApplianceConfig, verified: VerifiedAuthority) -> None:
    """Which authority, by whose signatures, for when."""
    if ControlClient(config.control_socket).is_present():
        return
    facts = {
        "authority_sha256": verified.digest,
        "key": shown_fingerprint(verified.signer.fingerprint),
        "use_case": verified.authority.use_case.value,
        "starts_at": written_time(verified.authority.begins_at),
        "ends_at": written_time(verified.authority.ends_at),
    }
    if verified.state is not AuthorityState.ENDED:  # then it was accepted before, and is countersigned in time
        note_from_command(config, LedgerEvent.AUTHORITY_ACCEPTED, facts)
    if verified.countersigner is not None:
        second = {"authority_sha256": verified.digest, "key": shown_fingerprint(verified.countersigner.fingerprint)}
        note_from_command(config, LedgerEvent.AUTHORITY_COUNTERSIGNED, second)


def note_revoked(config: ApplianceConfig, taken: TakenRevocation) -> None:
    """
    Which one, for which reason, by whose signature; also beside a daemon, which notes what comes as a message.

    What was taken before has its line.
    """
    if taken.is_new:
        note_from_command(config, LedgerEvent.REVOKED, revoked_facts(taken))
