"""What the control room's terminal shows."""

import errno
import io
import json
import threading
from datetime import UTC, datetime

import pytest
from rich.console import Console

from edge_lfr.clock import SystemClock
from edge_lfr.config.reporting import BrokerConfig
from edge_lfr.console.control_room import NotShownError
from edge_lfr.console.events import (
    Acknowledged,
    AlertSeen,
    ControlEvent,
    GapSeen,
    LinkChanged,
    MessageInvalid,
    SightingSeen,
    StateSeen,
)
from edge_lfr.console.terminal import Screen, alert_panel, json_lines, watch
from edge_lfr.governance.trust import Role, shown_fingerprint
from edge_lfr.pipeline.reporting.messages import AlertMessage, RunnerUp, SightingMessage
from edge_lfr.pipeline.reporting.states import DeviceState, StatusMessage, TrustedKeyState, TrustMessage
from edge_lfr.terms import Mode
from simulators.appliance import TOPICS, jpeg_of, noise
from simulators.heads import KEY, head

NOW = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
BELL = "\x07"


def alert(**changes: object) -> AlertMessage:
    picture = jpeg_of(noise(40, 30))
    content = {
        "alert_id": "01J",
        "boot_id": "b",
        "seq": 1,
        "mode": "training",
        "is_test": False,
        "force": "f",
        "device": "d",
        "camera": "north",
        "track_id": 1,
        "reference_id": "r1",
        "label": "Subject Seven",
        "category": "suspect",
        "response_code": "observe",
        "captured_at": NOW,
        "media_time_s": None,
        "box_xyxy": None,
        "score": 0.7123,
        "threshold": 0.55,
        "threshold_evidence": "extrapolated",
        "runner_up": RunnerUp(reference_id="r2", score=0.31),
        "is_ambiguous": False,
        "looks": 2,
        "pack_id": "p",
        "pack_digest": "d",
        "watchlist_digest": "w",
        "expires_at": NOW,
        "face_jpeg": picture,
        "reference_jpeg": picture,
    }
    return AlertMessage.model_validate(content | changes)


def sighting() -> SightingMessage:
    return SightingMessage(
        alert_id="01J",
        boot_id="b",
        seq=2,
        mode="training",
        force="f",
        device="d",
        camera="south",
        track_id=2,
        captured_at=NOW,
        media_time_s=None,
        box_xyxy=None,
        score=0.7,
        threshold=0.55,
        is_ambiguous=False,
        expires_at=NOW,
        face_jpeg=jpeg_of(noise(40, 30)),
    )


def shown(*events: ControlEvent, mode: Mode = Mode.TRAINING) -> str:
    stream = io.StringIO()
    screen = Screen(Console(file=stream, width=140, force_terminal=True, color_system=None), mode)
    for event in events:
        screen.show(event)
    return stream.getvalue()


def test_an_alert_shows_both_pictures_and_every_number() -> None:
    """Score, runner-up and threshold, its evidence, and a bell."""
    screen = shown(AlertSeen(alert(), is_repeat=False))
    for words in ("TRAINING", "Subject Seven", "observe", "0.712", "0.550 (extrapolated)", "0.310 r2", "north", BELL):
        assert words in screen
    assert screen.count("▀") > 2 * 100
    assert "TEST" not in screen
    assert "AMBIGUOUS" not in screen


def test_tests_and_ambiguous_alerts_are_marked() -> None:
    """Nobody may take a test for an alarm, or overlook that two look alike."""
    second = RunnerUp(reference_id="r2", score=0.7, label="Brother", reference_jpeg=jpeg_of(noise(40, 30)))
    screen = shown(AlertSeen(alert(is_test=True, is_ambiguous=True, runner_up=second), is_repeat=False))
    for words in ("TRAINING · TEST · AMBIGUOUS", "Brother", "or this one"):
        assert words in screen


def test_a_repeat_is_not_shown_and_does_not_ring() -> None:
    """One alert, one alarm."""
    assert "" == shown(AlertSeen(alert(), is_repeat=True), SightingSeen(sighting(), is_repeat=True))


def test_text_from_the_broker_moves_nothing() -> None:
    """Neither markup nor control characters nor turned writing reach the terminal."""
    hostile = "[red]x[/red]\x1b[2J\u202eevil\n\x07"
    screen = shown(AlertSeen(alert(label=hostile), is_repeat=False), MessageInvalid(hostile, hostile))
    assert "[red]x[/red]\ufffd[2J\ufffdevil" in screen
    assert "\x1b[2J" not in screen
    assert "\u202e" not in screen
    assert 1 == screen.count(BELL)


def test_everything_else_is_one_line() -> None:
    """Links, gaps, faults and states; a status that says the same again is silent."""
    status = StatusMessage(
        state=DeviceState.DEGRADED, mode="training", boot_id="b", since=NOW, reasons=("camera-north-down",)
    )
    lines = shown(
        LinkChanged(is_up=True, reason=None),
        LinkChanged(is_up=False, reason="gone"),
        GapSeen("b", (3, 4)),
        Acknowledged("01J", is_delivered=False),
        Acknowledged("01J", is_delivered=True),
        StateSeen(status),
        StateSeen(status),
    ).splitlines()
    assert [
        "connected to the broker",
        "TRAINING: nobody who is shown here is sought",
        "no broker: gone",
        "2 alerts or sightings have not arrived yet: numbers 3 to 4",
        "the appliance does not take acknowledgements just now: 01J",
        "appliance degraded (camera-north-down)",
    ] == lines


def test_an_operational_alert_is_red_and_says_so() -> None:
    """Not a word of training; under which list and authority it stands."""
    live = alert(mode="operational", authority_id="A-2026-0142", list_id="london-1")
    screen = shown(LinkChanged(is_up=True, reason=None), AlertSeen(live, is_repeat=False), mode=Mode.OPERATIONAL)
    for words in ("OPERATIONAL: alerts are real", " OPERATIONAL ", "A-2026-0142", "london-1", BELL):
        assert words in screen
    assert "TRAINING" not in screen
    assert ("red", "yellow") == (alert_panel(live).border_style, alert_panel(alert()).border_style)
    assert "yellow" == alert_panel(alert(mode="operational", is_test=True)).border_style


def test_a_change_of_trust_is_one_line() -> None:
    """A key that nobody expected is seen by whoever sits there; the same keys again are not news."""
    key = TrustedKeyState(fingerprint="3f2a-91c0-77be-0000-1111-2222-3333-4444", role=Role.CONTROL, not_after=NOW)
    one, none = TrustMessage(mode=Mode.TRAINING, keys=(key,)), TrustMessage(mode=Mode.TRAINING, keys=())
    assert [
        "trusted keys: control 3f2a-91c0-77be-0000-1111-2222-3333-4444 until 2026-06-01",
        "trusted keys: none",
    ] == shown(StateSeen(one), StateSeen(one), StateSeen(none)).splitlines()


def test_a_ledger_head_is_one_line() -> None:
    """A head that comes again with a connection is not news."""
    lines = shown(StateSeen(head(7)), StateSeen(head(7)), StateSeen(head(8)))
    first, second = lines.splitlines()
    assert first.startswith(f"ledger {'ab' * 16}: line 7, 0000000000000000, 2026-06-01T12:00:00.000000Z, key ")
    assert f"line 8, 0000000000000000, 2026-06-01T12:00:00.000000Z, key {shown_fingerprint(KEY.fingerprint)}" in second


def test_json_lines_carry_everything_but_pictures() -> None:
    """One object a line, each with its schema; a repeat is named and not repeated."""
    stream = io.StringIO()
    write = json_lines(stream)
    for event in (
        AlertSeen(alert(), is_repeat=False),
        AlertSeen(alert(), is_repeat=True),
        SightingSeen(sighting(), is_repeat=False),
        GapSeen("b", (3,)),
    ):
        write(event)
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert ["lfr.alert/1", "lfr.watch/1", "lfr.sighting/1", "lfr.watch/1"] == [record["schema"] for record in records]
    assert "Subject Seven" == records[0]["label"]
    assert "jpeg" not in stream.getvalue()
    assert {"schema": "lfr.watch/1", "event": "repeat", "alert_id": "01J", "seq": 1} == records[1]
    assert [3] == records[3]["missing"]


class _Refusing(io.StringIO):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str, /) -> int:
        assert text
        raise self._error


def watch_into(stream: _Refusing) -> None:
    """No broker is there: that alone is an event."""
    broker = BrokerConfig(host="127.0.0.1", port=1)
    watch(broker, TOPICS, None, clock=SystemClock(), stop=threading.Event(), json_to=stream)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (UnicodeEncodeError("ascii", "Subject Seven", 0, 1, "no"), "UnicodeEncodeError"),
    ],
)
def test_a_watch_that_cannot_show_ends_and_says_so(error: Exception, reason: str) -> None:
    """Nobody sits before a screen that shows nothing; the words name no subject."""
    with pytest.raises(NotShownError) as caught:
        watch_into(_Refusing(error))
    assert f"what arrives cannot be shown any more: {reason}" == caught.value.message


def test_a_watch_whose_reader_goes_away_just_ends() -> None:
    """`alerts watch --json | head` is no failure."""
    watch_into(_Refusing(BrokenPipeError(errno.EPIPE, "Broken pipe")))
