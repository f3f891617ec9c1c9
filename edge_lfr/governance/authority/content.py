"""
What a deployment authority says, field by field: who decided, for what, where, when, with which list and whom.

The form alone is held to here; what its fields may say together is in `authority_rules`.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from edge_lfr.config.section import Identifier
from edge_lfr.governance.authority.place import Ring
from edge_lfr.terms import Category, Rank, UseCase

UNWRITTEN: Final = "TODO"
"""What a draft has where somebody must still write something."""

MAX_ENTRIES: Final = 60_000
"""As many as a bundle has pictures at most, and calibrations have templates."""


YEARS: Final = range(2000, 9000)
"""Of every time that a document says; no appliance is older, and none will be (chosen, not measured)."""


def _paragraph(text: str) -> str:
    if text.startswith(UNWRITTEN):
        message = "not written yet"
        raise ValueError(message)
    if text != text.strip() or not text.isprintable():
        message = "one paragraph of printable characters, with no space at its ends"
        raise ValueError(message)
    return text


Paragraph = Annotated[str, Field(min_length=1, max_length=4_000), AfterValidator(_paragraph)]
"""A reason that somebody may read aloud in a court."""

ShortText = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_paragraph)]
"""A name, a number, a reference."""

DocumentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"), AfterValidator(_paragraph)]
"""Of an authority or a list; it may stand in a path and a log line."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _within_calendar(at: datetime) -> datetime:
    if at.year not in YEARS:
        message = f"a year from {YEARS.start} to {YEARS.stop - 1}"
        raise ValueError(message)
    return at


Instant = Annotated[AwareDatetime, AfterValidator(_within_calendar)]
"""So far from both ends of the calendar that a zone or a grace added to it is a time, too."""


class Part(BaseModel):
    """A part of a signed document: frozen, nothing more in it than its fields, no value turned into another type."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class StaleList(StrEnum):
    """What becomes of a running deployment when its list is older than the force's policy allows."""

    STOP = "stop"
    AMBER = "amber"
    """It goes on, and every status and alert says that the list is old."""


class Officer(Part):
    """Who decided."""

    name: ShortText
    rank: Rank


class Place(Part):
    """Where."""

    name: ShortText
    polygon_lonlat: Ring
    """Degrees, longitude first; the ring closes by itself."""


class AuthorisedList(Part):
    """With which list."""

    issuer_key: Digest
    """SHA-256 of the raw public key that signs the bundle."""

    list_id: DocumentId
    max_entries: Annotated[int, Field(ge=1, le=MAX_ENTRIES)]
    """People on the list; a larger one is not loaded."""

    categories: Annotated[tuple[Category, ...], Field(min_length=1, max_length=len(Category))]
    approved_categories: Annotated[tuple[Category, ...], Field(max_length=len(Category))] = ()
    """Which of associate, witness and victim the officer approves."""


class Reference(Part):
    """An assessment, in the version that was read."""

    reference: ShortText
    version: ShortText


class Assessments(Part):
    """What was assessed before."""

    data_protection: Reference
    equality: Reference
    community: Reference
    appropriate_policy_document: Reference


class Staff(Part):
    """Who is there, by name or number."""

    gold: ShortText | None = None
    silver: ShortText
    bronze: ShortText | None = None
    operators: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=32)]
    engagement_officers: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=128)]


class Authority(Part):
    """The decision that a deployment rests on."""

    schema_version: Annotated[Literal["lfr.authority/1"], Field(alias="schema")] = "lfr.authority/1"
    authority_id: DocumentId
    force: Identifier
    devices: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=32)]
    authorising_officer: Officer
    use_case: UseCase
    place: Place
    purpose: Paragraph
    why_here: Paragraph
    """What connects the people on the list with this place."""

    less_intrusive_means: Paragraph
    """What else was considered, and why it does not do."""

    begins_at: Instant
    """From then on, included."""

    ends_at: Instant
    """Until then, not included."""

    watchlist: AuthorisedList
    threshold: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Cosine at or above which a look is a hit."""

    pack_digest: Digest
    retention_profile: Identifier
    """How long everything is kept, by the name of the profile,"""

    retention_digest: Digest
    """and by what it says: another document may give that name to other periods."""

    assessments: Assessments
    notice_given_at: Instant
    """When the public was told of place, time and length."""

    staff: Staff
    stale_list: StaleList = StaleList.STOP
    wipe_grace_min: Annotated[int, Field(ge=0, le=1440)] = 60
    """Minutes after the end until the list is destroyed, whatever else happens; policy allows a day at most."""

    is_urgent: bool = False
    countersign_by: Instant | None = None
    """Until then, not included, a second officer must have signed an urgent one."""

    issued_at: Instant
    """When the officer signed it."""

    @property
    def wipe_grace(self) -> timedelta:
        return timedelta(minutes=self.wipe_grace_min)
