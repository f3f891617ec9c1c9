"""Write a draft of an authority: from what is known here, from the one before, and from the command line."""

import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import JsonValue

from edge_lfr.cli.authority.here import configured_entry, create_new, read_bounded, trusted_here
from edge_lfr.cli.options import JsonOption
from edge_lfr.cli.output import say, write_json
from edge_lfr.clock import SystemClock
from edge_lfr.config.appliance import ApplianceConfig
from edge_lfr.config.load import load_config
from edge_lfr.config.retention import RetentionProfile, load_profile
from edge_lfr.errors import AuthorityDraftError, ConfigError
from edge_lfr.governance.authority.content import StaleList
from edge_lfr.governance.authority.draft import NEW_DRAFT, Tree, draft_file, open_fields, previous_content
from edge_lfr.governance.authority.draft import draft as make_draft
from edge_lfr.governance.authority.rules import floor_faults
from edge_lfr.governance.trust import Role, read_trust_file
from edge_lfr.inference.catalogue import PackEntry
from edge_lfr.terms import Category, Rank, UseCase

_POINT: Final = re.compile(r"-?\d{1,3}(\.\d{1,12})?,-?\d{1,2}(\.\d{1,12})?")
"""Decimal degrees; twelve places are less than a hair."""

Text = str | None
Texts = list[str] | None


def draft(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; must not exist.")],
    *,
    before: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="An authority to take over from, but its id and times."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", envvar="EDGE_LFR_CONFIG", help="Of the appliance that it is for."),
    ] = None,
    authority_id: Annotated[Text, typer.Option("--id", help="Its number in the force's register.")] = None,
    police_force: Annotated[Text, typer.Option(metavar="FORCE", help="As appliances are configured.")] = None,
    device: Annotated[Texts, typer.Option(help="An appliance; may be repeated.")] = None,
    officer: Annotated[Text, typer.Option(help="Who authorises, by name or number.")] = None,
    rank: Annotated[Rank | None, typer.Option(help="The officer's.")] = None,
    use_case: Annotated[UseCase | None, typer.Option(help="What it is for.")] = None,
    place: Annotated[Text, typer.Option(help="Street or square.")] = None,
    polygon: Annotated[Text, typer.Option(metavar="POINTS", help="'lon,lat lon,lat lon,lat ...' around it.")] = None,
    purpose: Annotated[Text, typer.Option(help="What is to be reached.")] = None,
    why_here: Annotated[Text, typer.Option(help="What connects the people listed with the place.")] = None,
    less_intrusive_means: Annotated[Text, typer.Option(help="What else was considered.")] = None,
    begins: Annotated[Text, typer.Option(metavar="TIME", help="2026-06-01T14:00+01:00.")] = None,
    ends: Annotated[Text, typer.Option(metavar="TIME", help="At most 24 hours later.")] = None,
    notice_given: Annotated[Text, typer.Option(metavar="TIME", help="When the public was told.")] = None,
    issuer: Annotated[Path | None, typer.Option(metavar="TRUST", help="Trust file of who signs the list.")] = None,
    list_id: Annotated[Text, typer.Option(help="The list's, as its bundle will have it.")] = None,
    max_entries: Annotated[int | None, typer.Option(min=1, help="People on the list at most.")] = None,
    category: Annotated[list[Category] | None, typer.Option(help="Allowed on the list; may be repeated.")] = None,
    approve: Annotated[list[Category] | None, typer.Option(help="Of associate, witness, victim.")] = None,
    threshold: Annotated[float | None, typer.Option(help="A cosine; the pack's floor when not given.")] = None,
    retention: Annotated[Text, typer.Option(metavar="PROFILE", help="The retention profile.")] = None,
    data_protection: Annotated[Text, typer.Option(metavar="REF@VERSION", help="Data protection assessment.")] = None,
    equality: Annotated[Text, typer.Option(metavar="REF@VERSION", help="Equality assessment.")] = None,
    community: Annotated[Text, typer.Option(metavar="REF@VERSION", help="Community assessment.")] = None,
    policy_document: Annotated[Text, typer.Option(metavar="REF@VERSION", help="Appropriate policy document.")] = None,
    gold: Annotated[Text, typer.Option(help="Commander, if any.")] = None,
    silver: Annotated[Text, typer.Option(help="Commander.")] = None,
    bronze: Annotated[Text, typer.Option(help="Commander, if any.")] = None,
    operator: Annotated[Texts, typer.Option(help="Of the system; may be repeated.")] = None,
    engagement_officer: Annotated[Texts, typer.Option(help="In the street; may be repeated.")] = None,
    stale_list: Annotated[StaleList | None, typer.Option(help="When the list is older than policy allows.")] = None,
    wipe_grace_min: Annotated[int | None, typer.Option(min=0, max=1440, help="From end to wipe at the latest.")] = None,
    countersign_by: Annotated[
        Text, typer.Option(metavar="TIME", help="Makes it urgent, countersigned by then.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """
    Write a draft: what is not known yet is marked TODO, and `authority sign` refuses it until it is written.

    With a configuration it has the force, the appliance, the pack, how long alerts are kept and, for --max-entries, the
    pack's floor as its threshold. OUT is a text file: edit it. Exit status 65 when the threshold lies below the floor.
    """
    texts: dict[str, JsonValue] = {
        "authority_id": authority_id,
        "force": police_force,
        "authorising_officer.name": officer,
        "authorising_officer.rank": rank,
        "use_case": use_case,
        "place.name": place,
        "purpose": purpose,
        "why_here": why_here,
        "less_intrusive_means": less_intrusive_means,
        "watchlist.list_id": list_id,
        "watchlist.max_entries": max_entries,
        "threshold": threshold,
        "staff.gold": gold,
        "staff.silver": silver,
        "staff.bronze": bronze,
        "stale_list": stale_list,
        "wipe_grace_min": wipe_grace_min,
        "devices": _listed(device),
        "watchlist.categories": _listed(category),
        "watchlist.approved_categories": _listed(approve),
        "staff.operators": _listed(operator),
        "staff.engagement_officers": _listed(engagement_officer),
        "begins_at": _moment("--begins", begins),
        "ends_at": _moment("--ends", ends),
        "notice_given_at": _moment("--notice-given", notice_given),
        "countersign_by": _moment("--countersign-by", countersign_by),
        "is_urgent": None if countersign_by is None else True,
        "place.polygon_lonlat": _points(polygon),
        "watchlist.issuer_key": None if issuer is None else _issuer_key(issuer),
        "assessments.data_protection": _reference("--data-protection", data_protection),
        "assessments.equality": _reference("--equality", equality),
        "assessments.community": _reference("--community", community),
        "assessments.appropriate_policy_document": _reference("--policy-document", policy_document),
    }
    if threshold is not None and not 0.0 < threshold < 1.0:
        message = "--threshold: expected a cosine between 0 and 1"
        raise typer.BadParameter(message)
    loaded = None if config is None else load_config(config)
    given: Tree = {field: value for field, value in texts.items() if value is not None}
    if retention is not None:
        given |= _retention_named(retention, loaded)
    previous = None if before is None else previous_content(read_bounded(before))
    if loaded is None:
        content = make_draft(given, previous=previous)
    else:
        known = _known_here(loaded, previous) | given
        entry = configured_entry(loaded)
        content = _with_threshold(make_draft(known, previous=previous), entry, is_given=threshold is not None)
    create_new(out, draft_file(content))
    still_open = list(open_fields(content))
    if json:
        write_json("authority-draft/1", {"file": os.fspath(out), "open": still_open})
        return
    say(f"{out}: written" + (f"; still to be written in it: {', '.join(still_open)}" if still_open else ""))


def _known_here(config: ApplianceConfig, previous: Tree | None) -> Tree:
    digest = configured_entry(config).digest
    known: Tree = {"pack_digest": digest, **_retention_of(config.retention.chosen)}
    if previous is not None:
        # Another pack's threshold means nothing to this one.
        return known if previous["pack_digest"] == digest else {**known, "threshold": NEW_DRAFT["threshold"]}
    issuers = trusted_here(config).of_role(Role.ISSUE, SystemClock().utc_now())
    if len(issuers) == 1:
        known["watchlist.issuer_key"] = issuers[0].fingerprint
    return {**known, "force": config.force, "devices": [config.device]}


def _retention_named(name: str, config: ApplianceConfig | None) -> Tree:
    """A profile of the program's or of the configured document's; of any other, somebody must write the digest."""
    try:
        return _retention_of(load_profile(name, None if config is None else config.retention.document))
    except ConfigError:
        return {"retention_profile": name, "retention_digest": NEW_DRAFT["retention_digest"]}


def _retention_of(profile: RetentionProfile) -> Tree:
    return {"retention_profile": profile.name, "retention_digest": profile.digest}


def _with_threshold(content: Tree, entry: PackEntry, *, is_given: bool) -> Tree:
    """The floor where nothing higher was said; a given threshold below it is refused at once."""
    people = content["watchlist"]
    most = people["max_entries"] if isinstance(people, dict) else None
    if not isinstance(most, int):
        return content
    threshold = content["threshold"]
    faults = floor_faults(entry, most, threshold if isinstance(threshold, int | float) else 0.0)
    if not faults:
        return content
    if is_given or faults[0].field != "threshold":
        raise AuthorityDraftError("\n".join(map(str, faults)), remedy=faults[0].remedy)
    return {**content, "threshold": entry.floor(most).threshold}


def _listed(items: Sequence[str] | None) -> JsonValue:
    return None if items is None else [str(item) for item in items]


def _moment(option: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        message = f"{option}: expected a time such as 2026-06-01T14:00+01:00"
        raise typer.BadParameter(message) from None
    if at.tzinfo is None:
        message = f"{option}: say the offset from UTC too: {text}+01:00 in British summer time, {text}Z in winter"
        raise typer.BadParameter(message)
    return at.isoformat()


def _points(text: str | None) -> JsonValue:
    """Longitude and latitude of each; a ring that was closed by its last point is opened."""
    if text is None:
        return None
    if not all(map(_POINT.fullmatch, text.split())):
        message = "--polygon: expected 'longitude,latitude longitude,latitude ...', in degrees"
        raise typer.BadParameter(message)
    points: list[JsonValue] = [[float(number) for number in point.split(",")] for point in text.split()]
    return points[:-1] if len(points) > 1 and points[0] == points[-1] else points


def _reference(option: str, text: str | None) -> JsonValue:
    if text is None:
        return None
    reference, at, version = text.rpartition("@")
    if not (reference and at and version):
        message = f"{option}: expected REFERENCE@VERSION, such as DPIA-7@2.1"
        raise typer.BadParameter(message)
    return {"reference": reference, "version": version}


def _issuer_key(path: Path) -> str:
    key = read_trust_file(path)
    if key.role is not Role.ISSUE:
        message = f"--issuer: {path} is of a key that may {key.role}, not issue"
        raise typer.BadParameter(message)
    return key.fingerprint
