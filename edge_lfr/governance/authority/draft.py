"""
An authority before it is signed: what is known already enters, a file with open places leaves; nobody believes it.

What an open place needs is written in it, behind the word TODO. Nothing is signed that still has one.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, TypeAlias

from pydantic import JsonValue

from edge_lfr.config.policy import AuthorityPolicy
from edge_lfr.errors import AuthorityDraftError
from edge_lfr.governance.authority.content import UNWRITTEN, Authority, StaleList
from edge_lfr.governance.authority.rules import faults_in
from edge_lfr.governance.documents import (
    Document,
    DocumentRefusedError,
    Envelope,
    Fault,
    Kind,
    canonical,
    read_document,
    read_envelope,
    with_content,
)
from edge_lfr.terms import Category, Rank, UseCase

Tree: TypeAlias = dict[str, JsonValue]


def _open(hint: str) -> str:
    return f"{UNWRITTEN}: {hint}"


_MOMENT: Final = "a time with its offset from UTC, such as 2026-06-01T14:00+01:00"
_ASSESSMENT: Final[Mapping[str, JsonValue]] = {"reference": _open("its number"), "version": _open("its version")}

NEW_DRAFT: Final[Mapping[str, JsonValue]] = {
    "schema": "lfr.authority/1",
    "authority_id": _open("letters, digits, dot, hyphen, underscore; at most 64"),
    "force": _open("the force, as the appliance's configuration has it"),
    "devices": [_open("the appliance, as its configuration has it")],
    "authorising_officer": {"name": _open("name or number"), "rank": _open(", ".join(Rank))},
    "use_case": _open(", ".join(UseCase)),
    "place": {
        "name": _open("street or square"),
        "polygon_lonlat": _open("[[longitude, latitude], ...], 3 to 64 points"),
    },
    "purpose": _open("what is to be reached, in one paragraph"),
    "why_here": _open("what connects the people on the list with this place"),
    "less_intrusive_means": _open("what else was considered, and why it does not do"),
    "begins_at": _open(_MOMENT),
    "ends_at": _open(_MOMENT),
    "watchlist": {
        "issuer_key": _open("SHA-256 of the issuer's public key, 64 hex digits"),
        "list_id": _open("as the bundle has it"),
        "max_entries": _open("how many people at most"),
        "categories": [_open(", ".join(Category))],
        "approved_categories": [],
    },
    "threshold": _open("a cosine, at least the pack's floor for so many people"),
    "pack_digest": _open("as `edge-lfr models list` prints it"),
    "retention_profile": _open("as `edge-lfr config retention` prints it"),
    "retention_digest": _open("the profile's SHA-256, as `edge-lfr config retention` prints it"),
    "assessments": {
        "data_protection": dict(_ASSESSMENT),
        "equality": dict(_ASSESSMENT),
        "community": dict(_ASSESSMENT),
        "appropriate_policy_document": dict(_ASSESSMENT),
    },
    "notice_given_at": _open(_MOMENT),
    "staff": {
        "gold": None,
        "silver": _open("name or number"),
        "bronze": None,
        "operators": [_open("name or number")],
        "engagement_officers": [_open("name or number")],
    },
    "stale_list": StaleList.STOP.value,
    "wipe_grace_min": 60,
    "is_urgent": False,
    "countersign_by": None,
    "issued_at": None,
}
"""Every field of an authority; `issued_at` is written when it is signed."""

OF_ONE_DEPLOYMENT: Final = ("authority_id", "begins_at", "ends_at", "notice_given_at", "watchlist.list_id")
"""What is never taken over from an authority before."""


def previous_content(untrusted: bytes) -> Tree:
    """
    Read what an authority before says, to begin a draft with; whose it is does not matter.

    Raises:
        DocumentRefusedError: It is no authority.
    """
    content: Tree = read_document(untrusted, Kind.AUTHORITY, Authority).content.model_dump(mode="json", by_alias=True)
    for place in OF_ONE_DEPLOYMENT:
        _put(content, place, _at(NEW_DRAFT, place))
    return {**content, "is_urgent": False, "countersign_by": None, "issued_at": None}


def draft(given: Mapping[str, JsonValue], *, previous: Mapping[str, JsonValue] | None = None) -> Tree:
    """
    Put together what a draft says.

    Args:
        given: Values by the dotted names of their fields.

        previous: From `previous_content`; everything is open where there is none.
    """
    content = copy.deepcopy(dict(NEW_DRAFT if previous is None else previous))
    for place, value in given.items():
        _put(content, place, value)
    return content


def draft_file(content: Tree) -> bytes:
    """The file of a draft, for people to edit: fields in the order in which one thinks of them."""
    envelope = {"schema": "lfr.document/1", "kind": Kind.AUTHORITY.value, "content": content, "signatures": []}
    return json.dumps(envelope, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"


def open_fields(content: JsonValue, above: str = "") -> Iterator[str]:
    """Name every place where somebody must still write something."""
    if isinstance(content, str):
        if content.startswith(UNWRITTEN):
            yield above
        return
    inner: Iterator[tuple[str, JsonValue]] = iter(())
    if isinstance(content, dict):
        inner = iter(content.items())
    elif isinstance(content, list):
        inner = ((str(at), item) for at, item in enumerate(content))
    for name, value in inner:
        yield from open_fields(value, f"{above}.{name}" if above else name)


def ready_to_sign(untrusted: bytes, now: datetime, policy: AuthorityPolicy) -> Document[Authority]:
    """
    Read a draft that an officer may sign now, and date it.

    (1) a draft that nobody has signed, (2) nothing open, (3) content that the form and (4) policy allow, (5) an end
    that is still to come.

    Raises:
        DocumentRefusedError: It is no authority.
        AuthorityDraftError: It was signed already, or cannot be signed yet; names the fields.
    """
    # (1) a draft that nobody has signed
    envelope = read_envelope(untrusted, Kind.AUTHORITY)
    if envelope.signatures:
        message = "signed already; a second officer signs it with `edge-lfr authority countersign`"
        raise AuthorityDraftError(message, remedy="name the draft, or make a new one from this with `draft --from`")
    # (2) nothing open
    content: Tree = json.loads(envelope.untrusted_content)
    still_open = list(open_fields(content))
    if still_open:
        raise AuthorityDraftError("\n".join(f"{field}: still to be written" for field in still_open))
    # (3) content that the form allows
    dated = Envelope(Kind.AUTHORITY, canonical({**content, "issued_at": now.isoformat(timespec="seconds")}), ())
    try:
        document = with_content(dated, Authority)
    except DocumentRefusedError as error:
        raise _not_yet(error.faults) from None
    # (4) and that policy allows
    faults = faults_in(document.content, policy)
    if faults:
        raise _not_yet(faults)
    # (5) an end that is still to come
    if document.content.ends_at <= now:
        raise _not_yet((Fault("ends_at", "has passed", "correct the times"),))
    return document


def ready_to_countersign(untrusted: bytes, now: datetime) -> Document[Authority]:
    """
    Read an urgent authority that a second officer may still sign.

    Raises:
        DocumentRefusedError: It is no authority.
        AuthorityDraftError: Nobody signed it first, it is not urgent, or its deadline has passed.
    """
    document = read_document(untrusted, Kind.AUTHORITY, Authority)
    if not document.signatures:
        message = "nobody has signed it yet"
        raise AuthorityDraftError(message, remedy="have it signed first: `edge-lfr authority sign`")
    deadline = document.content.countersign_by
    if not document.content.is_urgent or deadline is None:
        message = "not urgent: it needs no countersignature"
        raise AuthorityDraftError(message, remedy="nothing is to be done")
    if now >= deadline:
        message = f"countersign_by: {deadline.isoformat(timespec='minutes')} has passed"
        raise AuthorityDraftError(message, remedy="end the deployment; have a new authority signed")
    return document


def _not_yet(faults: tuple[Fault, ...]) -> AuthorityDraftError:
    remedies = "; ".join(dict.fromkeys(fault.remedy for fault in faults))
    remedy = remedies.replace("correct the field and have it signed again", "correct the fields in the draft")
    return AuthorityDraftError("\n".join(map(str, faults)), remedy=remedy)


def _at(content: Mapping[str, JsonValue], place: str) -> JsonValue:
    name, _, below = place.partition(".")
    value = content[name]
    return _at(value, below) if below and isinstance(value, dict) else value


def _put(content: Tree, place: str, value: JsonValue) -> None:
    name, _, below = place.partition(".")
    part = content[name]
    if below and isinstance(part, dict):
        _put(part, below, value)
    else:
        content[name] = value
