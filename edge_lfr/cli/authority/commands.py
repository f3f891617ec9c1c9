"""Draft, sign, verify, install and revoke what a deployment is authorised by."""

import os
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from edge_lfr.cli.authority.draft import draft
from edge_lfr.cli.authority.ending import ANOTHER_GOES_ON, going_on, taken_here, wipe_revoked, wiped_before
from edge_lfr.cli.authority.here import (
    create_new,
    judged_here,
    judged_to_install,
    own_fingerprint,
    read_bounded,
    trusted_here,
)
from edge_lfr.cli.authority.installing import require_consent_to_end, trusted_now
from edge_lfr.cli.authority.notes import note_installed, note_revoked
from edge_lfr.cli.authority.page import facts_of, key_in_words, moment, page_of, state_in_words, step_lines
from edge_lfr.cli.authority.second import require_second
from edge_lfr.cli.consent import require_consent
from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, PolicyOption, YesOption, new_app
from edge_lfr.cli.output import say, write, write_json
from edge_lfr.cli.telling import tell_daemon
from edge_lfr.cli.watchlist.wiping import certificate_facts, require_clean
from edge_lfr.clock import SystemClock
from edge_lfr.config.load import load_config
from edge_lfr.config.policy import AuthorityPolicy
from edge_lfr.errors import AuthorityDraftError
from edge_lfr.governance.authority.content import Authority
from edge_lfr.governance.authority.draft import ready_to_countersign, ready_to_sign
from edge_lfr.governance.authority.installed import install_authority, load_installed
from edge_lfr.governance.authority.judgement import AuthorityState, StepResult, Verdict, judge_authority
from edge_lfr.governance.authority.revocation import Revocation, RevocationReason, sign_revocation
from edge_lfr.governance.documents import Document, Kind, faults_of, read_document
from edge_lfr.governance.trust import SigningKey, TrustStore, shown_fingerprint
from edge_lfr.terms import Mode

app = new_app("Draft, sign, verify, install and revoke what a deployment is authorised by.")

app.command(
    epilog="Example: edge-lfr authority draft friday.json --from last.json --list-id june-05 --config van.toml",
)(draft)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A signed authority.")]
OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; must not exist.")]
TrustOption = Annotated[
    Path | None, typer.Option("--trust", metavar="DIR", help="A trust folder, where there is no configuration.")
]
KeyOption = Annotated[Path, typer.Option("--key", metavar="KEY", help="The signer's own private key.")]


@app.command(epilog="Example: edge-lfr authority sign friday.json friday.signed.json --key officer.key")
def sign(
    file: Annotated[Path, typer.Argument(metavar="DRAFT", help="From `edge-lfr authority draft`.")],
    out: OutArgument,
    key: KeyOption,
    config: PolicyOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """
    Read a draft aloud, ask, date it and sign it.

    With --config by the policy of the force, without by published practice. Exit status 65 while a field is open or
    says what policy does not allow; every such field is named.
    """
    loaded = None if config is None else load_config(config)
    policy = AuthorityPolicy() if loaded is None else loaded.policy.authority
    document = ready_to_sign(read_bounded(file), SystemClock().utc_now(), policy)
    _sign(document, page_of(document.content, loaded), key, out, json=json, yes=yes, verb="sign")


@app.command(epilog="Example: edge-lfr authority countersign urgent.json urgent.both.json --key superintendent.key")
def countersign(
    file: FileArgument,
    out: OutArgument,
    key: KeyOption,
    trust: TrustOption = None,
    config: PolicyOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """
    Sign an urgent authority as the second officer, before its deadline.

    With --trust or --config it is looked at whether the signature will count: another name than the first officer's,
    and the rank that authorises what can wait. Exit status 65 when it will not, when it is not urgent, nobody has
    signed it, the deadline has passed, or the key is the first one's.
    """
    document = ready_to_countersign(read_bounded(file), SystemClock().utc_now())
    known = None if config is None else load_config(config)
    store = TrustStore() if known is None else trusted_here(known)
    require_second(
        document,
        SigningKey.load(key).fingerprint,
        store if trust is None else TrustStore.load(trust),
        AuthorityPolicy() if known is None else known.policy.authority,
    )
    _sign(document, page_of(document.content), key, out, json=json, yes=yes, verb="countersign")


def _sign(document: Document[Authority], page: str, key: Path, out: Path, *, json: bool, yes: bool, verb: str) -> None:
    signing = SigningKey.load(key)
    say(page)
    require_consent(f"{verb} this with the key {shown_fingerprint(signing.fingerprint)}?", yes=yes)
    signed = document.with_signature(signing)
    create_new(out, signed.wire(indent=2))
    if json:
        facts = {"file": os.fspath(out), "authority_id": document.content.authority_id, "digest": signed.digest}
        write_json(f"authority-{verb}/1", {**facts, "fingerprint": shown_fingerprint(signing.fingerprint)})
    else:
        say(f"{out}: signed; take it to the appliance and install it there")


@app.command(epilog="Example: edge-lfr authority verify friday.signed.json")
def verify(
    file: FileArgument,
    trust: TrustOption = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="FORCE/DEVICE", help="The appliance, with --trust.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Judge an authority in numbered steps, each with what to do where it is refused.

    With a configuration also against the model pack, its digest and the floor of the threshold, and whether `install`
    would still take it. Exit status 0 when it lets run or will, 65 when it is refused, has ended or was revoked.
    """
    untrusted, now = read_bounded(file), SystemClock().utc_now()
    if (trust is None) != (device is None):
        message = "--trust and --device go together"
        raise typer.BadParameter(message)
    if trust is not None and device is not None:
        store = TrustStore.load(trust)
        judged = judge_authority(untrusted, trust=store, device=device, device_fingerprint=None, now=now)
    else:
        judged = judged_to_install(load_config(config), untrusted, now)
    is_refused = any(step.verdict is not Verdict.OK for step in judged.steps)
    is_over = judged.verified is not None and judged.verified.state in {AuthorityState.ENDED, AuthorityState.REVOKED}
    if json:
        facts = None if judged.verified is None else facts_of(judged.verified, now)
        write_json("authority-verify/1", {"steps": [_step_facts(step) for step in judged.steps], "verified": facts})
    else:
        for step in judged.steps:
            write("\n".join(step_lines(step)))
        if judged.verified is not None:
            write(state_in_words(judged.verified, now))
    if is_refused or is_over:
        raise typer.Exit(os.EX_DATAERR)


@app.command(epilog="Example: edge-lfr authority install /media/stick/friday.signed.json")
def install(
    file: FileArgument, yes: YesOption = False, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False
) -> None:
    """
    Verify an authority, also against the model pack, and keep it here in place of the one before; a daemon arms by it.

    Exit status 65 with the field and what to do where it does not verify here, 75 while the clock is not trusted; the
    one before stays then. Asks where that one lets a deployment run now and this one does not yet.
    """
    loaded = load_config(config)
    untrusted = read_bounded(file)
    now = trusted_now(loaded)
    offered = judged_here(loaded, untrusted, now).believed()  # asks the model pack besides
    require_consent_to_end(loaded, offered, now, yes=yes)
    verified = install_authority(
        loaded.mode_directory,
        untrusted,
        trust=trusted_here(loaded),
        device=loaded.device_name,
        device_fingerprint=own_fingerprint(loaded),
        now=now,
        policy=loaded.policy.authority,
    )
    note_installed(loaded, verified)
    if json:
        write_json("authority-install/1", facts_of(verified, now))
    else:
        write(page_of(verified.authority, loaded))
        write(f"{'signed by':<10} {key_in_words(verified.signer)}")
        write(f"{'state':<10} {state_in_words(verified, now)}")
    tell_daemon(loaded)
    if loaded.mode is Mode.TRAINING:
        say("installed; this appliance is set to training, which runs without it")


@app.command(epilog="Example: edge-lfr authority show")
def show(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """
    Show the installed authority: who, where, when, with whom, its state and the time that remains.

    Exit status 78 when none is installed, 65 when it does not verify any more; ended and revoked are shown.
    """
    loaded, now = load_config(config), SystemClock().utc_now()
    verified = load_installed(
        loaded.mode_directory,
        trust=trusted_here(loaded),
        device=loaded.device_name,
        device_fingerprint=own_fingerprint(loaded),
        now=now,
        policy=loaded.policy.authority,
    )
    if json:
        write_json("authority-show/1", facts_of(verified, now))
        return
    write(page_of(verified.authority, loaded))
    signers = [key_in_words(key) for key in (verified.signer, verified.countersigner) if key is not None]
    write(f"{'signed by':<10} {', '.join(signers)}")
    write(f"{'wiped':<10} {moment(verified.wipe_at)} at the latest")
    write(f"{'state':<10} {state_in_words(verified, now)}")


@app.command(
    epilog="Example: edge-lfr authority revoke T-14 stop.json --police-force testshire --reason mistake --key r.key"
)
def revoke(
    authority_id: Annotated[str, typer.Argument(metavar="AUTHORITY_ID", help="As `edge-lfr authority show` has it.")],
    out: OutArgument,
    key: KeyOption,
    reason: Annotated[RevocationReason, typer.Option("--reason", help="Why.")],
    police_force: Annotated[
        str | None, typer.Option("--police-force", metavar="FORCE", help="Whose authority it is; or --of.")
    ] = None,
    of: Annotated[
        Path | None, typer.Option("--of", metavar="FILE", help="The authority itself, so that no letter can be wrong.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="DEVICE", help="One appliance alone; all when not given.")
    ] = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """
    Sign the end of an authority before its time; it cannot be taken back.

    With --of FILE, AUTHORITY_ID must be what that authority says; exit status 65 where it is another, and nothing is
    signed. The key is one that may revoke or authorise. Take OUT to the appliances: `edge-lfr authority
    take-revocation OUT`.
    """
    signing = SigningKey.load(key)
    force = _force_of(of, authority_id, police_force, device)
    revocation = _revocation(authority_id, force, device, reason)
    where = "all appliances" if device is None else device
    require_consent(f"revoke {authority_id} of {force} on {where}, for ever?", yes=yes)
    create_new(out, sign_revocation(revocation, signing))
    if json:
        write_json("authority-revoke/1", {"file": os.fspath(out), **_revocation_facts(revocation)})
    else:
        say(f"{out}: signed; take it to {where}")


@app.command("take-revocation", epilog="Example: edge-lfr authority take-revocation /media/stick/stop.json")
def take_revocation_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A signed revocation.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Take a revocation: the authority that it names lets nothing run here any more, in either mode, and its list ends.

    A running daemon stops and wipes; without one the list is destroyed here, with proof. Its key must be valid now or
    have been when it was signed, so that no doubt about this box's clock keeps it away. Exit status 65 when its
    signature does not count, or it is for another appliance; 67 when it was taken, and an authority of another number
    is installed, which goes on.
    """
    loaded = load_config(config)
    proved = wiped_before(loaded)
    taken = taken_here(loaded, read_bounded(file), SystemClock().utc_now())
    if proved is None:
        note_revoked(loaded, taken)  # first: it is taken, whether or not the daemon answers
        tell_daemon(loaded)
        wipe_revoked(loaded, taken.revocation.authority_id, json=json)
    others = going_on(loaded, taken.revocation)
    if json:
        facts = {**_revocation_facts(taken.revocation), "signer": shown_fingerprint(taken.signer.fingerprint)}
        wiped = None if proved is None else certificate_facts(proved)
        write_json("authority-take-revocation/1", {**facts, "going_on": others, "wiped": wiped})
    else:
        say(f"{taken.revocation.authority_id}: revoked here for ever, by {key_in_words(taken.signer)}")
        if proved is not None:
            say("its list is destroyed" + (", and nothing of it was found" if proved.is_clean else ""))
    if proved is not None:
        require_clean(proved)
    if others:
        say(f"edge-lfr: installed is {' and '.join(others)}, which this does not end: it goes on")
        say(f"  what to do: if it was to end, have that one revoked: `edge-lfr authority revoke {others[0]} ...`")
        raise typer.Exit(ANOTHER_GOES_ON)


def _step_facts(step: StepResult) -> dict[str, object]:
    faults = [{"field": each.field, "problem": each.problem, "remedy": each.remedy} for each in step.faults]
    facts = {"number": step.number, "step": step.step, "verdict": step.verdict, "detail": step.detail}
    return {**facts, "refusal": step.refusal, "faults": faults}


def _force_of(of: Path | None, authority_id: str, police_force: str | None, device: str | None) -> str:
    """Whose authority it is; checked against the authority itself, where that was named."""
    if of is None:
        if police_force is None:
            message = "--police-force or --of is missing"
            raise typer.BadParameter(message)
        return police_force
    authority = read_document(read_bounded(of), Kind.AUTHORITY, Authority).content
    remedy = "name id, force and device as the authority has them"
    if authority.authority_id != authority_id:
        message = f"{of}: this is {authority.authority_id}, not what was named"
        raise AuthorityDraftError(message, remedy=remedy)
    if police_force not in {None, authority.force}:
        message = f"{of}: it is of {authority.force}, not of who was named"
        raise AuthorityDraftError(message, remedy=remedy)
    if device is not None and device not in authority.devices:
        message = f"{of}: it is for {', '.join(authority.devices)}, not for what was named"
        raise AuthorityDraftError(message, remedy=remedy)
    return authority.force


def _revocation(authority_id: str, police_force: str, device: str | None, reason: RevocationReason) -> Revocation:
    try:
        return Revocation(
            authority_id=authority_id,
            force=police_force,
            device=device,
            revoked_at=SystemClock().utc_now().replace(microsecond=0),
            reason_code=reason,
        )
    except ValidationError as error:
        message = "; ".join(map(str, faults_of(error)))
        raise AuthorityDraftError(message, remedy="name id, force and device as the authority has them") from None


def _revocation_facts(revocation: Revocation) -> dict[str, object]:
    return revocation.model_dump(mode="json", exclude={"schema_version"})
