"""
What travels over the broker: frozen records with a `schema` version, JSON on the wire, bounded before they are stored.

Label, category and response code appear in `AlertMessage` alone, which is never retained.
"""

import base64
import binascii
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from edge_lfr.errors import ReportingError
from edge_lfr.terms import Mode

PICTURE_BYTES: Final = 40_000
"""Largest JPEG in a message; two of them in base64 leave room for everything else (chosen, not measured)."""

MESSAGE_BYTES: Final = 128 * 1024
"""Largest message; the broker's own limit is set to the same."""

ACK_KIND: Final = "ack"
"""Of the signed envelope around an `AckMessage`."""

_JPEG_MAGIC: Final = b"\xff\xd8\xff"


class MessageFormatError(ReportingError):
    """A message breaks its schema or its bounds."""

    code = "reporting.message"
    remedy = "update both ends to the same version of the messages"


def _from_base64(untrusted_value: object) -> object:
    """JSON brings text; the program itself brings bytes."""
    if not isinstance(untrusted_value, str):
        return untrusted_value
    try:
        return base64.b64decode(untrusted_value, validate=True)
    except binascii.Error as error:
        message = "not base64"
        raise ValueError(message) from error


def _check_is_jpeg(value: object) -> object:
    if isinstance(value, bytes) and not value.startswith(_JPEG_MAGIC):
        message = "not a JPEG"
        raise ValueError(message)
    return value


JpegBytes = Annotated[
    bytes,
    Field(max_length=PICTURE_BYTES),
    BeforeValidator(_check_is_jpeg),
    BeforeValidator(_from_base64),
    PlainSerializer(lambda picture: base64.b64encode(picture).decode("ascii"), when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "contentMediaType": "image/jpeg",
            "maxLength": 4 * -(-PICTURE_BYTES // 3),
        }
    ),
]
"""A JPEG; base64 on the wire."""

Name = Annotated[str, Field(max_length=128)]
"""An identifier."""

Text = Annotated[str, Field(max_length=256)]
"""Words for an officer; cut to this length by the sender, so that long words never cost an alert."""

Digest = Annotated[str, Field(max_length=128)]
Cosine = Annotated[float, Field(ge=-1.001, le=1.001, allow_inf_nan=False)]
"""A raw score; float rounding may carry a unit vector's product a hair over 1."""

Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Evidence = Literal["measured", "extrapolated"]


class Part(BaseModel):
    """What messages and the records inside them share."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    def __repr__(self) -> str:
        """No word and no picture of a message ever reaches a log or a traceback."""
        return f"<{type(self).__name__}>"

    __str__ = __repr__


class Message(Part):
    """What all messages share."""

    file_name: ClassVar[str]
    """Of the generated JSON Schema."""

    def to_json(self) -> bytes:
        """
        The bytes that go over the wire.

        Raises:
            MessageFormatError: They are more than `MESSAGE_BYTES`.
        """
        wire = self.model_dump_json(by_alias=True).encode()
        if len(wire) > MESSAGE_BYTES:
            raise MessageFormatError(f"{type(self).__name__}: at most {MESSAGE_BYTES} bytes, found {len(wire)}")
        return wire


class UpMessage(Message):
    """What an appliance says; its mode comes first, and has to be that of the topic."""

    mode: Mode


class AuthorisedMessage(UpMessage):
    """What an appliance says under a deployment authority."""

    authority_id: Name | None = None
    """Of the deployment authority; none in training."""

    @model_validator(mode="after")
    def _check_training_has_no_authority(self) -> Self:
        if self.mode is Mode.TRAINING and self.authority_id is not None:
            message = "training has no authority"
            raise ValueError(message)
        return self


class MatchMessage(AuthorisedMessage):
    """What an appliance says about a match."""

    list_id: Name | None = None
    """Of the watchlist, as its issuer calls it; None where it has no such name."""

    @property
    def is_of_nobody(self) -> bool:
        return False

    @model_validator(mode="after")
    def _check_operational_has_an_authority(self) -> Self:
        if self.mode is Mode.OPERATIONAL and self.authority_id is None and not self.is_of_nobody:
            message = "operational, and no authority"
            raise ValueError(message)
        return self


AnyMessage = TypeVar("AnyMessage", bound=Message)


def parse(message_type: type[AnyMessage], untrusted_wire: bytes) -> AnyMessage:
    """
    Check bytes from the broker before anything in them is believed.

    Raises:
        MessageFormatError: Too large, not JSON, or not of this schema; the text names fields, never values.
    """
    if len(untrusted_wire) > MESSAGE_BYTES:
        raise MessageFormatError(f"at most {MESSAGE_BYTES} bytes, found {len(untrusted_wire)}")
    try:
        return message_type.model_validate_json(untrusted_wire)
    except ValidationError as error:
        raise MessageFormatError(f"{message_type.__name__}: {_faults(error)}") from None


def _faults(error: ValidationError) -> str:
    """Field and rule of the first faults; keys that the sender invented are not repeated."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{_place(fault)}: {fault['type']}" for fault in faults[:3])


def _place(fault: Any) -> str:  # noqa: ANN401 - pydantic types the fault as a dict with optional keys
    if fault["type"] == "extra_forbidden" or not fault["loc"]:
        return "message"
    return ".".join(str(part) for part in fault["loc"])


class RunnerUp(Part):
    """The second subject of the search that decided."""

    reference_id: Name
    score: Cosine
    label: Text | None = None
    """Only on an ambiguous alert, where the officer has to look at both."""

    reference_jpeg: JpegBytes | None = None
    """Likewise; left out when the message would grow too large."""


class AlertMessage(MatchMessage):
    """A confirmed match: an officer compares both pictures and decides."""

    file_name = "alert"

    schema_version: Literal["lfr.alert/1"] = Field("lfr.alert/1", alias="schema")
    alert_id: Name
    """A ULID; a message that comes twice has the same."""

    boot_id: Name
    """One run of the daemon."""

    seq: Annotated[int, Field(ge=1)]
    """Counts alerts and sightings of one run; a missing number is a gap."""

    is_test: bool
    """Made by `edge-lfr alerts test`; nobody was seen."""

    force: Name
    device: Name
    camera: Name
    track_id: Count
    reference_id: Name
    label: Text
    category: Text
    response_code: Text
    captured_at: AwareDatetime
    media_time_s: Annotated[float, Field(allow_inf_nan=False)] | None
    """Position in the file or stream; None where it has none."""

    box_xyxy: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None
    """The face in source pixels; None when the match was only decided after the face had gone."""

    score: Cosine
    threshold: Cosine
    threshold_evidence: Evidence
    """What the threshold's false alert rate rests on."""

    runner_up: RunnerUp | None
    is_ambiguous: bool
    looks: Count
    pack_id: Name
    pack_digest: Digest
    watchlist_digest: Digest
    expires_at: AwareDatetime
    face_jpeg: JpegBytes | None
    """Seen now."""

    reference_jpeg: JpegBytes | None
    """Enrolled; None when the store could not give it."""

    @property
    def is_of_nobody(self) -> bool:
        """A test goes also while there is no authority."""
        return self.is_test


class SightingMessage(MatchMessage):
    """A subject whose alert is fresh was matched again."""

    file_name = "sighting"

    schema_version: Literal["lfr.sighting/1"] = Field("lfr.sighting/1", alias="schema")
    alert_id: Name
    """Of the alert that this belongs to."""

    boot_id: Name
    seq: Annotated[int, Field(ge=1)]
    force: Name
    device: Name
    camera: Name
    track_id: Count
    captured_at: AwareDatetime
    media_time_s: Annotated[float, Field(allow_inf_nan=False)] | None
    box_xyxy: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None
    score: Cosine
    threshold: Cosine
    threshold_evidence: Evidence | None = None
    """As in the alert; None in one that an earlier version left in the outbox."""

    is_ambiguous: bool
    expires_at: AwareDatetime
    face_jpeg: JpegBytes | None


class AckMessage(Message):
    """The control room has the alert; travels as the body of a signed message."""

    file_name = "ack"

    schema_version: Literal["lfr.ack/1"] = Field("lfr.ack/1", alias="schema")
    alert_id: Name
    by: Name
    """Which terminal or officer; never logged."""
