"""The keys of this box, the keys that it trusts, and new keys for those who want to be trusted."""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from edge_lfr.cli.authority.here import trusted_here
from edge_lfr.cli.consent import require_consent
from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, YesOption, new_app
from edge_lfr.cli.output import say, write, write_fields, write_json, write_table
from edge_lfr.cli.telling import tell_daemon
from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.daemon.arming.seen_trust import SeenKey, keep_seen, read_seen
from edge_lfr.daemon.control.local_socket import ControlClient
from edge_lfr.daemon.noting.command_notes import note_from_command
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.ledger.events import Fact, LedgerEvent
from edge_lfr.governance.ledger.lines import written_time
from edge_lfr.governance.trust import Role, TrustedKey, create_key, shown_fingerprint
from edge_lfr.governance.trust_folder import OfferedTrust, add_trust, find_trust, remove_trust, require_root
from edge_lfr.terms import Mode, Rank

app = new_app("Make and show the keys of this box; say whom it trusts; make keys for others.")


@app.command(epilog="Example: edge-lfr keys init && edge-lfr keys show --recipient > van-1.age")
def init(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """
    Make the keys of this box: one that watchlists are encrypted to, one that signs its ledger and its receipts.

    Once in its life; where there are keys already, they stay. Give the recipient to whoever makes your watchlists, and
    note the fingerprint where the control room finds it.
    """
    loaded = load_config(config)
    were_there = DeviceKeys.exist(loaded.device_directory)
    facts = _device_facts(DeviceKeys.load(loaded.device_directory, create=True))
    if json:
        write_json("keys-init/1", {"created": not were_there, **facts})
        return
    write_fields(facts)
    say("these keys were here already" if were_there else "made; they stay on this box")


@app.command(epilog="Example: edge-lfr keys show")
def show(
    recipient: Annotated[
        bool, typer.Option("--recipient", help="Only whom to encrypt watchlists to, for age.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Show the public halves of this box's keys, and everybody whom it trusts, for what and how long."""
    loaded = load_config(config)
    keys = DeviceKeys.load(loaded.device_directory)
    if recipient:
        write(keys.receiving.recipient.text)
        return
    trusted = sorted(trusted_here(loaded).keys.values(), key=lambda key: (key.role, key.not_after))
    if json:
        write_json("keys-show/1", {"device": _device_facts(keys), "trusted": [_trusted_facts(key) for key in trusted]})
        return
    write_fields(_device_facts(keys))
    rows = [tuple(_trusted_facts(key).values()) for key in trusted]
    write_table(("role", "fingerprint", "name", "rank", "from", "until", "now"), rows)


@app.command(epilog="Example: edge-lfr keys new control control.key control.toml --name 'Control room'")
def new(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="authorise, issue, revoke, train or control.")],
    key: Annotated[Path, typer.Argument(metavar="KEY", help="New private key; stays with its holder.")],
    trust: Annotated[Path, typer.Argument(metavar="TRUST", help="New trust file, for `edge-lfr keys trust`.")],
    name: Annotated[
        str | None, typer.Option(help="Whose key it is, in words; an officer's own name or number for authorise.")
    ] = None,
    rank: Annotated[
        Rank | None, typer.Option(help="The officer's, for authorise; without it the key ratifies nothing urgent.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days until it ends.")] = 365,
    json: JsonOption = False,
) -> None:
    """
    Make a key for somebody else, and the file that makes an appliance trust it; run it where the key shall stay.

    authorise: signs deployments. issue: signs watchlists. revoke: ends deployments. train: signs watchlists for
    training. control: the control room, acknowledges alerts. Neither file may exist. The private key is readable by its
    owner only, and an ordinary PEM file, which openssl reads; TRUST goes to every appliance (`edge-lfr keys trust`).
    Two keys of one name are one officer's: --name is needed for authorise.
    """
    if name is None and role is Role.AUTHORISE:
        message = "--name is missing: give the officer's own name or number, since two keys of one name are one officer"
        raise typer.BadParameter(message)
    whose = role if name is None else name
    made = create_key(role, key, trust, name=whose, clock=SystemClock(), valid_days=days, rank=rank)
    fingerprint = shown_fingerprint(made.fingerprint)
    if json:
        files = {"key": os.fspath(key), "trust": os.fspath(trust)}
        write_json("keys-new/1", {"role": role, "rank": rank, **files, "fingerprint": fingerprint})
    else:
        say(f"{key}: keep it where it is used, for {role} alone\n{trust}: give it to the appliances")
        write(fingerprint)


@app.command(epilog="Example: edge-lfr keys trust /media/stick/issuer.toml")
def trust(
    file: Annotated[Path, typer.Argument(metavar="TRUST", help="A trust file, as `edge-lfr keys new` makes it.")],
    yes: YesOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Trust a key, for the role and the time that its file says. Only root may.

    Compare the fingerprint with the one that its holder reads to you, on another way than the file came. A running
    daemon stops matching; `edge-lfr resume` goes on.
    """
    loaded = load_config(config)
    roots_alone = loaded.mode is Mode.OPERATIONAL
    require_root(loaded.trust.directory, roots_alone=roots_alone)
    offered = OfferedTrust.read(file)
    require_consent(f"{_in_words(offered.key)}\ntrust it?", yes=yes)
    key = add_trust(loaded.trust.directory, offered, roots_alone=roots_alone)
    span = {"starts_at": written_time(key.not_before), "ends_at": written_time(key.not_after)}
    _note(loaded, LedgerEvent.TRUST_ADDED, key, span)
    _tell(json, "trusted", key)
    tell_daemon(loaded)


@app.command(epilog="Example: edge-lfr keys distrust 3f2a-91c0-77be-0d14-5b6e-a2c8-e9f0-1d37")
def distrust(
    fingerprint: Annotated[str, typer.Argument(metavar="FINGERPRINT", help="As `edge-lfr keys show` prints it.")],
    yes: YesOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Trust a key no longer. Only root may; what the key has signed counts no more.

    A running daemon stops matching; `edge-lfr resume` goes on. Other files of the folder that are broken hinder nothing
    here, and are told.
    """
    loaded = load_config(config)
    roots_alone = loaded.mode is Mode.OPERATIONAL
    require_root(loaded.trust.directory, roots_alone=roots_alone)
    found = find_trust(loaded.trust.directory, fingerprint)
    require_consent(f"{_in_words(found.key)}\ntrust it no longer?", yes=yes)
    key = remove_trust(loaded.trust.directory, found, roots_alone=roots_alone)
    _note(loaded, LedgerEvent.TRUST_REMOVED, key, {})
    _tell(json, "distrusted", key)
    for error in found.unreadable:
        say(f"warning: {error.message}; nobody is trusted while it lies there")
    tell_daemon(loaded)


def _note(config: ApplianceConfig, event: LedgerEvent, key: TrustedKey, facts: Mapping[str, Fact]) -> None:
    """A daemon that runs sees the change itself; one that starts later is not to take it for a secret one."""
    if ControlClient(config.control_socket).is_present():
        return
    whose = {"key": shown_fingerprint(key.fingerprint), "role": key.role.value}
    if (
        note_from_command(config, event, {**whose, **facts})
        and (before := read_seen(config.mode_directory)) is not None
    ):
        changed = SeenKey.of(key)
        keep_seen(config.mode_directory, {*before, changed} if event is LedgerEvent.TRUST_ADDED else before - {changed})


def _tell(json: bool, what: str, key: TrustedKey) -> None:
    if json:
        write_json(f"keys-{what}/1", _trusted_facts(key))
    else:
        say(f"{what}: {_in_words(key)}")


def _in_words(key: TrustedKey) -> str:
    whose = repr(key.name) if key.rank is None else f"{key.name!r}, {key.rank}"
    return f"{shown_fingerprint(key.fingerprint)}, {key.role}, {whose}, until {key.not_after.isoformat()}"


def _device_facts(keys: DeviceKeys) -> dict[str, object]:
    return {
        "fingerprint": shown_fingerprint(keys.fingerprint),
        "public_key": base64.b64encode(keys.signing.public.public_bytes_raw()).decode("ascii"),
        "recipient": keys.receiving.recipient.text,
    }


def _trusted_facts(key: TrustedKey) -> dict[str, object]:
    now = SystemClock().utc_now()
    state = "valid" if key.is_valid(now) else "not yet" if now < key.not_before else "ended"
    return {
        "role": key.role.value,
        "fingerprint": shown_fingerprint(key.fingerprint),
        "name": key.name,
        "rank": key.rank,
        "not_before": key.not_before.isoformat(),
        "not_after": key.not_after.isoformat(),
        "state": state,
    }
