"""What is asked before an authority takes the place of another: whether the clock is right, and what would end."""

from datetime import datetime

from edge_lfr.cli.authority.here import AuthorityClockError, own_fingerprint, trusted_here
from edge_lfr.cli.authority.page import moment
from edge_lfr.cli.consent import require_consent
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.errors import AuthorityMissingError
from edge_lfr.governance.authority.installed import load_installed
from edge_lfr.governance.authority.judgement import AuthorityRefusedError, VerifiedAuthority
from edge_lfr.governance.clock_note import glance
from edge_lfr.terms import Mode


def trusted_now(config: ApplianceConfig) -> datetime:
    """
    Give the time by which an authority is judged.

    Raises:
        AuthorityClockError: This box knows that its clock may be wrong.
    """
    verdict = glance(config.mode_directory)
    if not verdict.is_trusted:
        message = f"nobody can say when it begins and ends, since the clock is not trusted: {verdict.doubt}"
        raise AuthorityClockError(message)
    return verdict.now


def require_consent_to_end(config: ApplianceConfig, offered: VerifiedAuthority, now: datetime, *, yes: bool) -> None:
    """
    Ask where what is installed lets run and what is offered does not: a deployment would end in the street.

    Raises:
        typer.Abort, typer.BadParameter: As `require_consent`.
    """
    if config.mode is Mode.TRAINING or offered.state.lets_run:
        return
    try:
        before = load_installed(
            config.mode_directory,
            trust=trusted_here(config),
            device=config.device_name,
            device_fingerprint=own_fingerprint(config),
            now=now,
            policy=config.policy.authority,
        )
    except (AuthorityMissingError, AuthorityRefusedError):
        return
    if before.state.lets_run and before.digest != offered.digest:
        goes_on = f"{before.authority.authority_id} is in force until {moment(before.runs_until)}"
        ends = f"{offered.authority.authority_id} is not before {moment(offered.authority.begins_at)}"
        require_consent(f"{goes_on}, and {ends}: nobody is compared until then\ninstall it all the same?", yes=yes)
