"""What fits on the wire."""

import json
from datetime import UTC, datetime

import pytest

from edge_lfr.pipeline.reporting.messages import (
    MESSAGE_BYTES,
    PICTURE_BYTES,
    AckMessage,
    AlertMessage,
    MessageFormatError,
    RunnerUp,
    SightingMessage,
    parse,
)
from edge_lfr.pipeline.reporting.states import DeviceState, StatusMessage
from edge_lfr.pipeline.reporting.ulid import new_ulid

NOW = datetime(2026, 6, 1, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4


def alert_with(**changes: object) -> AlertMessage:
    content: dict[str, object] = {
        "alert_id": "01J",
        "boot_id": "01B",
        "seq": 1,
        "mode": "training",
        "is_test": False,
        "force": "testshire",
        "device": "van-1",
        "camera": "north",
        "track_id": 3,
        "reference_id": "r1",
        "label": "Subject Seven",
        "category": "suspect",
        "response_code": "observe",
        "captured_at": NOW,
        "media_time_s": None,
        "box_xyxy": (1.0, 2.0, 3.0, 4.0),
        "score": 0.7,
        "threshold": 0.5,
        "threshold_evidence": "measured",
        "runner_up": RunnerUp(reference_id="r2", score=0.3),
        "is_ambiguous": False,
        "looks": 2,
        "pack_id": "p",
        "pack_digest": "d",
        "watchlist_digest": "w",
        "expires_at": NOW,
        "face_jpeg": JPEG,
        "reference_jpeg": None,
    }
    return AlertMessage.model_validate(content | changes)


def test_a_message_survives_the_wire() -> None:
    """What is parsed equals what was sent, pictures included."""
    alert = alert_with()
    wire = alert.to_json()
    assert alert == parse(AlertMessage, wire)
    assert "lfr.alert/1" == json.loads(wire)["schema"]
    assert json.loads(wire)["captured_at"] == "2026-06-01T00:00:00Z"


def test_a_sighting_of_an_earlier_version_is_read() -> None:
    """It may wait in the outbox while the appliance is updated: it does not say what its threshold rests on."""
    told = SightingMessage(
        alert_id="01J",
        boot_id="01B",
        seq=2,
        mode="training",
        force="testshire",
        device="van-1",
        camera="north",
        track_id=3,
        captured_at=NOW,
        media_time_s=None,
        box_xyxy=None,
        score=0.7,
        threshold=0.5,
        threshold_evidence="measured",
        is_ambiguous=False,
        expires_at=NOW,
        face_jpeg=None,
    )
    wire = json.loads(told.to_json())
    assert "measured" == wire.pop("threshold_evidence")
    assert told.model_copy(update={"threshold_evidence": None}) == parse(SightingMessage, json.dumps(wire).encode())


def test_a_message_never_prints_what_it_says() -> None:
    """A log or traceback that shows the record shows no word of it."""
    assert "<AlertMessage>" == repr(alert_with()) == str(alert_with()) == f"{alert_with()}"


@pytest.mark.parametrize(
    "untrusted",
    [
        b"",
        b"null",
        b"{",
        b'{"schema": "lfr.ack/2", "alert_id": "a", "by": "b"}',
        b'{"schema": "lfr.ack/1", "alert_id": "a"}',
        b'{"schema": "lfr.ack/1", "alert_id": 5, "by": "b"}',
        b'{"schema": "lfr.ack/1", "alert_id": "a", "by": "b", "secret-key": 1}',
        b'{"schema": "lfr.ack/1", "alert_id": "' + b"a" * 129 + b'", "by": "b"}',
        b"\xff\xfe",
        b"[" * 10_000,
        b" " * (MESSAGE_BYTES + 1),
    ],
)
def test_what_breaks_schema_or_bounds_is_refused(untrusted: bytes) -> None:
    """Nothing of a malformed message is repeated in the error."""
    with pytest.raises(MessageFormatError) as caught:
        parse(AckMessage, untrusted)
    assert "secret-key" not in caught.value.message


@pytest.mark.parametrize("score", ["NaN", "Infinity", "1.5", "-2"])
def test_a_score_is_a_cosine(score: str) -> None:
    """What is no cosine is not believed."""
    wire = alert_with().to_json().replace(b'"score":0.7', b'"score":' + score.encode())
    with pytest.raises(MessageFormatError):
        parse(AlertMessage, wire)


@pytest.mark.parametrize("picture", [b"GIF89a", JPEG + bytes(PICTURE_BYTES)])
def test_a_picture_is_a_bounded_jpeg(picture: bytes) -> None:
    """Another format or a larger picture is refused, also from our own code."""
    with pytest.raises(ValueError, match="face_jpeg"):
        alert_with(face_jpeg=picture)


def test_a_message_over_the_bound_is_refused_before_it_is_stored() -> None:
    """Three full pictures do not fit, and the sender learns it, not the broker."""
    full = JPEG + bytes(PICTURE_BYTES - len(JPEG))
    second = RunnerUp(reference_id="r2", score=0.3, label="x", reference_jpeg=full)
    with pytest.raises(MessageFormatError):
        alert_with(face_jpeg=full, reference_jpeg=full, runner_up=second).to_json()


def test_times_must_know_their_zone() -> None:
    """A naive time is refused."""
    with pytest.raises(ValueError, match="since"):
        StatusMessage(
            state=DeviceState.RUNNING,
            mode="training",
            boot_id="b",
            since=datetime(2026, 6, 1),  # noqa: DTZ001 - naive on purpose
        )


def test_ids_sort_by_time() -> None:
    """Twenty-six characters, the earlier the smaller, and never twice the same."""
    earlier, later = new_ulid(NOW), new_ulid(NOW.replace(year=2027))
    assert earlier < later
    assert {26} == {len(earlier), len(later)}
    assert 100 == len({new_ulid(NOW) for _ in range(100)})
