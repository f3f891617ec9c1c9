"""Look at a watchlist bundle: who signed it, for whom, how old it is, how many of what; nothing is enrolled or kept."""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_lfr.cli.authority.here import trusted_here
from edge_lfr.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from edge_lfr.cli.output import say, say_error, write_fields, write_json, write_table
from edge_lfr.cli.progress import counting
from edge_lfr.cli.watchlist.loading import admitted_here
from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.errors import AuthorityMissingError
from edge_lfr.governance.authority.installed import read_installed
from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.trust import TrustedKey, shown_fingerprint
from edge_lfr.terms import Mode
from edge_lfr.watchlist.bundle.admission import AdmittedBundle, LoadTerms, admit
from edge_lfr.watchlist.bundle.composition import DatedPictures, compose
from edge_lfr.watchlist.bundle.manifest import BundleManifest, parse_manifest
from edge_lfr.watchlist.bundle.reading import OpenedBundle, open_bundle
from edge_lfr.watchlist.bundle.refusals import BundleRefusal, BundleRefusedError

BundleArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A bundle, NAME.lfrw.")]

_UNTRUSTED = {BundleRefusal.ISSUER_UNKNOWN, BundleRefusal.ISSUER_ROLE, BundleRefusal.ISSUER_NOT_VALID}


def add_to(app: typer.Typer) -> None:
    """Make both commands verbs of `edge-lfr watchlist`."""
    app.command(epilog="Example: edge-lfr watchlist verify /media/stick/market.lfrw")(verify)
    app.command(epilog="Example: edge-lfr watchlist inspect /media/stick/market.lfrw --references")(inspect)


def verify(bundle: BundleArgument, config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """
    Read a bundle to its last byte as a load would, without enrolling or writing anything.

    Checked are the encryption, the issuer's signature, mode, appliance and age of the extract, and the digest of every
    picture. Entries that a load would refuse are counted by reason. In operation the installed authority decides too:
    whose list, which one, how many people of which categories. Exit status 65 when anything is wrong.
    """
    loaded = load_config(config)
    now = SystemClock().utc_now()
    is_authorised = _is_authority_installed(loaded)
    judged = admitted_here(loaded, bundle) if is_authorised else _admitted_alone(loaded, bundle, now)
    with judged as admitted:
        reader = admitted.reader
        pictures = reader.manifest.picture_count
        with counting("verifying", pictures) as advance:
            for picture in reader.pictures():
                advance(picture.picture_number, pictures)
        facts = _facts(reader.manifest, reader.digest, now)
        refused = _counted_reasons(admitted.refused)
        facts = {"issuer": _issuer(reader.issuer), **facts, "entries_a_load_refuses": refused}
    if json:
        write_json("watchlist-verify/1", {"verified": True, **facts})
        return
    write_fields(facts)
    say("genuine to its last byte, and every picture is the one that was signed")
    if loaded.mode is Mode.OPERATIONAL and not is_authorised:
        say("no authority is installed: whose list it should be, which one and how long was not asked")


def inspect(
    bundle: BundleArgument,
    references: Annotated[bool, typer.Option("--references", help="Every reference by its id.")] = False,
    untrusted: Annotated[
        bool, typer.Option("--untrusted", help="Show it, and exit with 65, also where no trusted issuer signed it.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """
    Show what a bundle says about itself: for whom, how old, how many of what; with --references every id, no label.

    The signature is checked, the pictures are not read: `edge-lfr watchlist verify` does both. A bundle for another
    mode or appliance, or one that is too old, is shown as well. Exit status 65 when no trusted issuer signed it.
    """
    loaded = load_config(config)
    keys = DeviceKeys.load(loaded.device_directory)
    now = SystemClock().utc_now()
    refused: BundleRefusedError | None = None
    issuer = None
    with open_bundle(bundle) as file, OpenedBundle(file, keys.receiving) as opened:
        try:
            issuer = opened.signer(trusted_here(loaded), loaded.mode, device_fingerprint=keys.fingerprint, now=now)
        except BundleRefusedError as error:
            if not untrusted or error.refusal not in _UNTRUSTED:
                raise
            refused = error
        manifest = parse_manifest(opened.untrusted_manifest)
        facts = {
            "issuer": None if issuer is None else _issuer(issuer),
            **_facts(manifest, opened.manifest_digest, now),
            "for_this_appliance": loaded.device_name in manifest.devices,
        }
    ids = [entry.reference_id for entry in manifest.entries] if references else []
    if json:
        listed = {"references": ids} if references else {}
        refusal = None if refused is None else refused.refusal.value
        write_json("watchlist-inspect/1", {"trusted": refused is None, "refusal": refusal, **facts, **listed})
    else:
        write_fields(facts)
        if references:
            write_table(("reference",), [(reference_id,) for reference_id in ids])
    if refused is not None:
        say("what stands above is what somebody wrote whom this appliance does not trust for it; it is not loaded")
        say_error(refused)
        raise typer.Exit(os.EX_DATAERR)
    say("the issuer's signature is right; the pictures were not read: `edge-lfr watchlist verify` reads them")


def _is_authority_installed(config: ApplianceConfig) -> bool:
    """Whether a load would ask one; what it says is judged there."""
    if config.mode is Mode.TRAINING:
        return False
    try:
        read_installed(config.mode_directory)
    except AuthorityMissingError:
        return False
    return True


def _admitted_alone(config: ApplianceConfig, bundle: Path, now: datetime) -> AbstractContextManager[AdmittedBundle]:
    """As a load of this mode would judge it that no authority decides."""
    return admit(
        bundle,
        DeviceKeys.load(config.device_directory),
        trusted_here(config),
        mode=config.mode,
        device=config.device_name,
        now=now,
        terms=LoadTerms.of_training(now),
        policy=config.policy.watchlist,
    )


def _issuer(key: TrustedKey) -> dict[str, Any]:
    """Who signed, as this appliance's own trust folder names the key."""
    return {"name": key.name, "fingerprint": shown_fingerprint(key.fingerprint), "role": key.role.value}


def _facts(manifest: BundleManifest, digest: str, now: datetime) -> dict[str, Any]:
    """What the manifest says, in counts; no label, no reason, no name of a subject."""
    composition = compose([DatedPictures(entry.entry(), entry.taken_on) for entry in manifest.entries], now)
    dated = composition.oldest_pictures
    return {
        "mode": manifest.mode.value,
        "says_it_is_from": manifest.issuer,
        "devices": list(manifest.devices),
        "list_id": manifest.list_id,
        "digest": digest,
        "extracted_at": manifest.extracted_at.isoformat(),
        "age_hours": round((now - manifest.extracted_at) / timedelta(hours=1), 2),
        "references": composition.entries,
        "pictures": composition.pictures,
        "picture_bytes": manifest.picture_bytes,
        "categories": _counted(composition.categories),
        "age_bands": _counted(composition.age_bands),
        "bluelist": composition.bluelist,
        "oldest_picture": dated[0][0].isoformat() if dated else None,
        "undated_pictures": composition.undated_pictures,
    }


def _counted_reasons(refused: Mapping[int, tuple[str, ...]]) -> dict[str, int]:
    """How often each rule speaks against an entry."""
    return dict(Counter(reason for reasons in refused.values() for reason in reasons).most_common())


def _counted(counts: Mapping[Any, int]) -> dict[str, int]:
    """Those that there are."""
    return {str(term): count for term, count in counts.items() if count}
