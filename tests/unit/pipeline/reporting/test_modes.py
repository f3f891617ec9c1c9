"""In training nothing leaves without the mark; in operation nothing carries it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.errors import AuthorityMissingError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.pipeline.reporting.alert import AlertWriter
from edge_lfr.pipeline.reporting.messages import (
    AlertMessage,
    AuthorisedMessage,
    MatchMessage,
    MessageFormatError,
    SightingMessage,
    UpMessage,
    parse,
)
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.pictures import card_picture, enrolled_picture, face_picture, mark_of
from edge_lfr.pipeline.reporting.rows import RowKind
from edge_lfr.pipeline.reporting.schema_files import UP_MESSAGES
from edge_lfr.pipeline.reporting.topics import Identity
from edge_lfr.terms import Mode
from simulators.appliance import (
    AUTHORITY_ID,
    IDENTITY,
    LIVE_IDENTITY,
    EveryReference,
    basis,
    face_at,
    frame_of,
    match_of,
)
from simulators.clock import StoppedClock
from simulators.retention import DAY

PICTURE_BYTES = 30_000
AMBER_BGR = (0, 176, 255)

both_modes = pytest.mark.parametrize("identity", [IDENTITY, LIVE_IDENTITY], ids=["training", "operational"])


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def config() -> ReportingConfig:
    broker = {"host": "localhost", "port": 1}
    return ReportingConfig.model_validate({"broker": broker, "picture_bytes": PICTURE_BYTES})


@pytest.fixture
def outbox(tmp_path: Path, config: ReportingConfig, clock: StoppedClock) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox.sqlite", KeyEncryptingKey.load(tmp_path, create=True), config, clock)
    yield outbox
    outbox.close()


def written(outbox: Outbox) -> list[AlertMessage | SightingMessage]:
    found: list[AlertMessage | SightingMessage] = []
    for pending in outbox.pending():
        row = outbox.load(pending.row_id)
        assert row is not None
        is_sighting = pending.kind is RowKind.SIGHTING
        found.append(parse(SightingMessage, row.message) if is_sighting else parse(AlertMessage, row.message))
    return found


def has_band(jpeg: bytes | None) -> bool:
    """Whether a tenth of the picture, or more, is of the mark's amber."""
    assert jpeg is not None
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return bool((np.abs(pixels[-20:].astype(np.int16) - AMBER_BGR).max(axis=2) < 40).mean() > 0.2)


# Messages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message_type", UP_MESSAGES)
def test_no_message_leaves_without_its_mode(message_type: type[UpMessage]) -> None:
    """Every model has the field, without a default, and of two values."""
    field = message_type.model_fields["mode"]
    assert field.is_required()
    assert Mode is field.annotation


def test_the_messages_are_all_there_are() -> None:
    """Whatever model goes up is among those that are looked at above, and has a schema."""

    def below(message_type: type[UpMessage]) -> Iterator[type[UpMessage]]:
        for inner in message_type.__subclasses__():
            if inner.__module__.startswith("edge_lfr."):
                yield inner
            yield from below(inner)

    assert set(UP_MESSAGES) == set(below(UpMessage)) - {AuthorisedMessage, MatchMessage}


@both_modes
def test_alerts_and_sightings_say_their_mode_and_under_what_authority(
    identity: Identity, config: ReportingConfig, outbox: Outbox, clock: StoppedClock
) -> None:
    """Training has no authority; both say which list it was."""
    writer = AlertWriter(config, identity, outbox, clock, basis(identity.mode), retention=DAY)
    writer.write(match_of("r1"), frame_of(clock), face_at(200, 100))
    writer.write(match_of("r1", 2, camera_id="south"), frame_of(clock, "south"), face_at(10, 10))
    writer.write_test()
    authority_id = AUTHORITY_ID if identity.mode is Mode.OPERATIONAL else None
    expected = [(identity.mode, authority_id, "london-1")] * 3
    assert expected == [(message.mode, message.authority_id, message.list_id) for message in written(outbox)]


def test_training_names_no_authority(config: ReportingConfig, outbox: Outbox, clock: StoppedClock) -> None:
    """A message that says both is not believed."""
    AlertWriter(config, IDENTITY, outbox, clock, basis(), retention=DAY).write(
        match_of("r1"), frame_of(clock), face_at(200, 100)
    )
    (message,) = written(outbox)
    wire = message.to_json().replace(b'"authority_id":null', b'"authority_id":"A-2026-0142"')
    with pytest.raises(MessageFormatError):
        parse(AlertMessage, wire)


def test_an_operational_alert_without_authority_is_not_believed(
    config: ReportingConfig, outbox: Outbox, clock: StoppedClock
) -> None:
    """Neither by a control room nor by the writer, which refuses a watchlist that stands under none."""
    writer = AlertWriter(config, LIVE_IDENTITY, outbox, clock, basis(Mode.OPERATIONAL), retention=DAY)
    writer.write(match_of("r1"), frame_of(clock), face_at(200, 100))
    (message,) = written(outbox)
    wire = message.to_json().replace(f'"authority_id":"{AUTHORITY_ID}"'.encode(), b'"authority_id":null')
    with pytest.raises(MessageFormatError):
        parse(AlertMessage, wire)
    for refuse in (
        lambda: writer.rest_on(basis(Mode.TRAINING)),
        lambda: AlertWriter(config, LIVE_IDENTITY, outbox, clock, basis(Mode.TRAINING), retention=DAY),
    ):
        with pytest.raises(AuthorityMissingError):
            refuse()


def test_the_way_to_control_can_be_tried_before_there_is_an_authority(
    config: ReportingConfig, outbox: Outbox, clock: StoppedClock
) -> None:
    """A test is about nobody."""
    AlertWriter(config, LIVE_IDENTITY, outbox, clock, retention=DAY).write_test()
    (message,) = written(outbox)
    assert isinstance(message, AlertMessage)
    assert (Mode.OPERATIONAL, None, True) == (message.mode, message.authority_id, message.is_test)


# Pictures ----------------------------------------------------------------------------------------------------------


def test_the_marks_in_words() -> None:
    """Nothing, where somebody was really seen."""
    assert ["TRAINING", "TRAINING TEST"] == [mark_of(Mode.TRAINING), mark_of(Mode.TRAINING, is_test=True)]
    assert [None, "TEST"] == [mark_of(Mode.OPERATIONAL), mark_of(Mode.OPERATIONAL, is_test=True)]


@both_modes
def test_every_picture_of_training_is_marked_and_none_of_operation(
    identity: Identity, config: ReportingConfig, outbox: Outbox, clock: StoppedClock
) -> None:
    """Seen, enrolled, the second of two that look alike, and a sighting's; to the byte as the mark makes them."""
    writer = AlertWriter(config, identity, outbox, clock, basis(identity.mode), retention=DAY)
    decision = replace(match_of("r1"), is_ambiguous=True)
    face = face_at(200, 100)
    writer.write(decision, frame_of(clock), face)
    writer.write(match_of("r1", 2, camera_id="south"), frame_of(clock, "south"), face)
    alert, sighting = written(outbox)
    mark = "TRAINING" if identity.mode is Mode.TRAINING else None
    assert isinstance(alert, AlertMessage)
    assert alert.runner_up is not None
    seen_now = face_picture(frame_of(clock), face, (), mark=mark, max_bytes=PICTURE_BYTES)
    enrolled = enrolled_picture(EveryReference().picture("r1"), mark=mark, max_bytes=PICTURE_BYTES)
    assert [seen_now, enrolled, seen_now] == [alert.face_jpeg, alert.reference_jpeg, sighting.face_jpeg]
    pictures = (alert.face_jpeg, alert.reference_jpeg, alert.runner_up.reference_jpeg, sighting.face_jpeg)
    assert {identity.mode is Mode.TRAINING} == {has_band(picture) for picture in pictures}


@both_modes
def test_a_test_says_test_in_both_modes(
    identity: Identity, config: ReportingConfig, outbox: Outbox, clock: StoppedClock
) -> None:
    """In operation without the word training, which would make an officer doubt the next alert."""
    AlertWriter(config, identity, outbox, clock, retention=DAY).write_test()
    (message,) = written(outbox)
    assert isinstance(message, AlertMessage)
    mark = "TRAINING TEST" if identity.mode is Mode.TRAINING else "TEST"
    card = card_picture("TEST", mark=mark, max_bytes=PICTURE_BYTES)
    assert [card, card] == [message.face_jpeg, message.reference_jpeg]
    assert has_band(card)
