"""What installing and revoking an authority leaves in the ledger, where no daemon runs that sees it itself."""

from edge_lfr.config.appliance import ApplianceConfig
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
    """For which reason, by whose signature."""
    if not ControlClient(config.control_socket).is_present():
        facts = {"code": taken.revocation.reason_code.value, "key": shown_fingerprint(taken.signer.fingerprint)}
        note_from_command(config, LedgerEvent.REVOKED, facts)
