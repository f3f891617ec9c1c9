"""A match becomes a message."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_lfr.biometrics.outcomes import Candidate
from edge_lfr.config.reporting import ReportingConfig
from edge_lfr.config.retention import load_profile
from edge_lfr.errors import OutboxError, ReportingError, SealBrokenError
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.pipeline.reporting.alert import AlertWriter, Basis
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.messages import MESSAGE_BYTES, AlertMessage, SightingMessage, parse
from edge_lfr.pipeline.reporting.outbox import Outbox
from edge_lfr.pipeline.reporting.rows import RowKind
from simulators.appliance import IDENTITY, Entry, EveryReference, basis, face_at, frame_of, jpeg_of, match_of, noise
from simulators.clock import StoppedClock
from simulators.retention import DAY, NAME, document


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def config() -> ReportingConfig:
    return ReportingConfig.model_validate({"broker": {"host": "localhost", "port": 1}, "max_stored": 100})


@pytest.fixture
def outbox(tmp_path: Path, config: ReportingConfig, clock: StoppedClock) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox.sqlite", KeyEncryptingKey.load(tmp_path, create=True), config, clock)
    yield outbox
    outbox.close()


@pytest.fixture
def writer(config: ReportingConfig, outbox: Outbox, clock: StoppedClock) -> AlertWriter:
    return AlertWriter(config, IDENTITY, outbox, clock, basis(), retention=DAY)


def messages(outbox: Outbox) -> list[AlertMessage | SightingMessage]:
    found: list[AlertMessage | SightingMessage] = []
    for pending in outbox.pending():
        row = outbox.load(pending.row_id)
        assert row is not None
        if pending.kind is RowKind.SIGHTING:
            found.append(parse(SightingMessage, row.message))
        else:
            found.append(parse(AlertMessage, row.message))
    return found


def test_each_message_ends_with_its_own_period(
    config: ReportingConfig, outbox: Outbox, clock: StoppedClock, tmp_path: Path
) -> None:
    """The profile's document decides how long an alert, a sighting and a test are kept: from capture, by kind."""
    path = document(tmp_path)
    text = path.read_text()
    for period_s in (7_200, 3_600, 60):  # in the document's order of kinds
        text = text.replace("period_s = 86_400", f"period_s = {period_s}", 1)
    path.write_text(text)
    writer = AlertWriter(config, IDENTITY, outbox, clock, basis(), retention=load_profile(NAME, path))
    writer.write(match_of("r1"), frame_of(clock), face_at(200, 100))
    writer.write(match_of("r1", 2, camera_id="south"), frame_of(clock, "south"), face_at(10, 10))
    writer.write_test()
    left = [(message.expires_at - clock.utc_now()).total_seconds() for message in messages(outbox)]
    assert [7_200.0, 3_600.0, 60.0] == left
    for after_s, kinds in ((60, [RowKind.ALERT, RowKind.SIGHTING]), (3_600, [RowKind.ALERT]), (7_200, [])):
        clock.advance(after_s - (clock.elapsed_ns - 1_000_000_000_000) / 1e9)
        outbox.purge(believing(clock))
        assert kinds == [row.kind for row in outbox.pending()]


def test_an_alert_carries_what_an_officer_needs(writer: AlertWriter, outbox: Outbox, clock: StoppedClock) -> None:
    """Who, where, when, how near, by which threshold, and both pictures."""
    alert = writer.write(match_of("r1"), frame_of(clock), face_at(200, 100))
    assert alert is not None
    (message,) = messages(outbox)
    assert isinstance(message, AlertMessage)
    assert alert.alert_id == message.alert_id
    assert (outbox.boot_id, 1) == (message.boot_id, message.seq)
    assert ("testshire", "van-1", "north", 1) == (message.force, message.device, message.camera, message.track_id)
    assert ("r1", "Subject Seven", "suspect", "observe") == (
        message.reference_id,
        message.label,
        message.category,
        message.response_code,
    )
    assert (0.7, 0.55, "extrapolated", 2) == (
        message.score,
        message.threshold,
        message.threshold_evidence,
        message.looks,
    )
    assert message.runner_up is not None
    assert ("second", 0.3, None) == (
        message.runner_up.reference_id,
        message.runner_up.score,
        message.runner_up.label,
    )
    assert (200.0, 100.0, 280.0, 180.0) == message.box_xyxy
    assert clock.now == message.captured_at
    assert clock.now + timedelta(days=1) == message.expires_at
    assert 1.5 == message.media_time_s
    assert message.face_jpeg is not None
    assert message.reference_jpeg is not None


def test_a_further_match_is_a_sighting_of_the_same_alert(
    writer: AlertWriter, outbox: Outbox, clock: StoppedClock
) -> None:
    """Another camera, the same subject, within the gap: no second alarm, and the numbers go on."""
    first = writer.write(match_of("r1"), frame_of(clock), face_at(200, 100))
    clock.advance(59)
    second = writer.write(match_of("r1", 2, camera_id="south"), frame_of(clock, "south"), face_at(10, 10))
    assert first is not None
    assert second is not None
    assert (False, True) == (first.is_sighting, second.is_sighting)
    alert, sighting = messages(outbox)
    assert isinstance(sighting, SightingMessage)
    assert alert.alert_id == sighting.alert_id
    assert (1, 2) == (alert.seq, sighting.seq)
    assert "south" == sighting.camera
    assert (0.55, "extrapolated") == (sighting.threshold, sighting.threshold_evidence)


def test_a_repeated_match_of_the_same_track_adds_nothing(
    writer: AlertWriter, outbox: Outbox, clock: StoppedClock
) -> None:
    """One sighting a track, unless it is better; who asked learns that nothing was told."""
    assert writer.write(match_of("r1"), frame_of(clock), face_at(200, 100)) is not None
    assert writer.write(match_of("r1"), frame_of(clock), face_at(200, 100)) is None
    assert 1 == len(messages(outbox))


def test_a_track_that_has_ended_is_told_without_a_picture(
    writer: AlertWriter, outbox: Outbox, clock: StoppedClock
) -> None:
    """The decision stands although the frame has gone."""
    writer.write(match_of("r1"), None, None)
    (message,) = messages(outbox)
    assert (None, None, None) == (message.face_jpeg, message.box_xyxy, message.media_time_s)
    assert clock.now == message.captured_at


def test_an_ambiguous_alert_shows_the_second_subject_as_far_as_it_fits(
    writer: AlertWriter, outbox: Outbox, clock: StoppedClock
) -> None:
    """Brothers are listed: the officer sees both, and the message keeps its bound."""
    decision = replace(
        match_of("r1"),
        is_ambiguous=True,
        candidates=(
            Candidate(reference_id="r1", score=0.70, rank=1),
            Candidate(reference_id="r2", score=0.69, rank=2),
        ),
    )
    writer.write(decision, frame_of(clock), face_at(200, 100))
    (message,) = messages(outbox)
    assert isinstance(message, AlertMessage)
    assert message.is_ambiguous
    assert message.runner_up is not None
    assert ("r2", "Subject Seven") == (message.runner_up.reference_id, message.runner_up.label)
    assert message.runner_up.reference_jpeg is not None
    assert len(message.to_json()) <= MESSAGE_BYTES


class _LongWords(EveryReference):
    def entry(self, reference_id: str) -> Entry:
        return Entry(label="\u20ac" * 1_000 + reference_id)


class _BrokenStore(EveryReference):
    def entry(self, reference_id: str) -> Entry:
        raise SealBrokenError(reference_id)


class _BrokenPictures(EveryReference):
    def picture(self, reference_id: str) -> bytes:
        return reference_id.encode()


class _EmptyPictures(EveryReference):
    def picture(self, reference_id: str) -> bytes:
        assert reference_id
        return b""


@pytest.mark.parametrize(
    ("references", "label", "has_picture"),
    [
        (_LongWords(), "\u20ac" * 256, True),
        (_BrokenStore(), "(not available)", False),
        (_BrokenPictures(), "Subject Seven", False),
        (_EmptyPictures(), "Subject Seven", False),
    ],
)
def test_a_bad_watchlist_entry_never_costs_the_alert(
    writer: AlertWriter,
    outbox: Outbox,
    clock: StoppedClock,
    references: EveryReference,
    label: str,
    *,
    has_picture: bool,
) -> None:
    """Long words are cut, a broken entry or picture is left out, and the alert goes."""
    writer.rest_on(replace(basis(), references=references))
    writer.write(match_of("r1"), frame_of(clock), face_at(200, 100))
    (message,) = messages(outbox)
    assert isinstance(message, AlertMessage)
    assert label == message.label
    assert has_picture is (message.reference_jpeg is not None)


@pytest.mark.parametrize("error", [OutboxError("full"), OSError("disk"), cv2.error("picture"), KeyboardInterrupt()])
def test_an_alert_that_nothing_keeps_is_an_error_and_the_next_is_new(
    writer: AlertWriter,
    outbox: Outbox,
    clock: StoppedClock,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    """Whatever went wrong: the loss is said, and the subject's next track rings again."""

    def refuse(*_: object, **__: object) -> int:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "store", refuse)
        with pytest.raises(type(error)):
            writer.write(match_of("r1"), frame_of(clock), face_at(200, 100))
    alert = writer.write(match_of("r1", 2), frame_of(clock), face_at(200, 100))
    assert alert is not None
    assert not alert.is_sighting


def test_a_face_whose_picture_cannot_be_made_is_told_without(
    writer: AlertWriter, outbox: Outbox, clock: StoppedClock
) -> None:
    """An alert without a picture beats no alert; here the picture library knows no picture of five channels."""
    frame = frame_of(clock)
    frame.pixels = np.zeros((360, 640, 5), np.uint8)
    writer.write(match_of("r1"), frame, face_at(200, 100))
    (message,) = messages(outbox)
    assert message.face_jpeg is None


class _OtherPerson(EveryReference):
    def entry(self, reference_id: str) -> Entry:
        return Entry(label=f"Subject Eight, {reference_id}")


class _OtherFace(EveryReference):
    def picture(self, reference_id: str) -> bytes:
        assert reference_id
        return jpeg_of(noise(300, 240, seed=2))


@pytest.mark.parametrize(
    ("references", "is_sighting"), [(EveryReference(), True), (_OtherPerson(), False), (_OtherFace(), False)]
)
def test_the_same_id_in_another_list_rings_if_it_is_another_person(
    writer: AlertWriter, outbox: Outbox, clock: StoppedClock, references: EveryReference, *, is_sighting: bool
) -> None:
    """Words and picture of the alert are those of who was matched, also right after another list was loaded."""
    first = writer.write(match_of("0001"), frame_of(clock), face_at(200, 100))
    writer.rest_on(replace(basis(), references=references, watchlist_digest="ef" * 32))
    second = writer.write(match_of("0001", 2), frame_of(clock), face_at(200, 100))
    assert first is not None
    assert second is not None
    assert is_sighting is second.is_sighting
    assert is_sighting is (first.alert_id == second.alert_id)
    assert [RowKind.ALERT, RowKind.SIGHTING if is_sighting else RowKind.ALERT] == [row.kind for row in outbox.pending()]


def test_a_match_needs_a_watchlist_and_a_test_does_not(
    config: ReportingConfig, outbox: Outbox, clock: StoppedClock
) -> None:
    """The way to the control room can be tried before anything is loaded."""
    writer = AlertWriter(config, IDENTITY, outbox, clock, retention=DAY)
    with pytest.raises(ReportingError):
        writer.write(match_of("r1"), None, None)
    writer.write_test()
    (message,) = messages(outbox)
    assert isinstance(message, AlertMessage)
    assert message.is_test


def test_another_watchlist_names_itself(writer: AlertWriter, outbox: Outbox, clock: StoppedClock) -> None:
    """An alert says which list it is of, also after an exchange."""
    writer.rest_on(
        Basis(
            references=EveryReference(),
            watchlist_digest="new",
            pack_id="p",
            pack_digest="d",
            threshold_evidence="measured",
        )
    )
    writer.write(match_of("r1"), frame_of(clock), face_at(200, 100))
    (message,) = messages(outbox)
    assert isinstance(message, AlertMessage)
    assert ("new", "measured") == (message.watchlist_digest, message.threshold_evidence)
