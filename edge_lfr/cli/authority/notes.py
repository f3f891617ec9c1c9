"""What a command leaves in the ledger that installs an authority, where no daemon sees it, or takes a revocation."""

from collections.abc import Mapping

from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.daemon.arming.authority_notes import revoked_facts
from edge_lfr.daemon.control.local_socket import ControlClient
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.errors import LedgerError
from edge_lfr.governance.authority.judgement import AuthorityState, VerifiedAuthority
from edge_lfr.governance.authority.revocation import TakenRevocation
from edge_lfr.governance.ledger.backwards import lines_backwards
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.lines import read_line, written_time
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

    Once: one that was taken before has its line, unless that was killed in between, or the box had no key for it yet.
    """
    facts = revoked_facts(taken)
    if taken.is_new or not _is_told(config, facts):
        note_from_command(config, LedgerEvent.REVOKED, facts)


def _is_told(config: ApplianceConfig, facts: Mapping[str, Fact | None]) -> bool:
    """Whether the ledger has a line with these facts; not where it cannot be read: one too many is the lesser harm."""
    try:
        lines = map(read_line, lines_backwards(config.mode_directory / FILE_NAME, SystemClock()))
        return any(
            line is not None and line.event == LedgerEvent.REVOKED and facts.items() <= line.facts.items()
            for line in lines
        )
    except LedgerError:
        return False
