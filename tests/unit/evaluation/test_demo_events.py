"""What the control-room terminal printed becomes events with a place, a time and a name."""

import io
import json

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.evaluation.demo_events import Announcement, Subscriber
from edge_lfr.evaluation.demo_summary import RunReport, TrackReport

BOX = [10.0, 20.0, 30.0, 50.0]


def lines(*records: dict[str, object]) -> io.StringIO:
    return io.StringIO("".join(json.dumps(record) + "\n" for record in records))


def alert(**changes: object) -> dict[str, object]:
    content: dict[str, object] = {
        "schema": "lfr.alert/1",
        "alert_id": "a",
        "track_id": 7,
        "camera": "street",
        "reference_id": "ref-1",
        "label": "Person 001",
        "score": 0.8,
        "threshold": 0.6,
        "media_time_s": 4.0,
        "box_xyxy": BOX,
    }
    return content | changes


def sighting(**changes: object) -> dict[str, object]:
    content = alert(schema="lfr.sighting/1", media_time_s=5.0) | changes
    del content["reference_id"], content["label"]
    return content


def report(*tracks: TrackReport) -> RunReport:
    return RunReport(frames_decoded=1, frames_processed=1, frames_dropped=0, track_ends=tracks)


def read(source: io.StringIO, count: int) -> tuple[Subscriber, list[Announcement]]:
    heard: list[Announcement] = []
    subscriber = Subscriber(source, heard.append)
    subscriber.wait_for(count, 5.0)
    return subscriber, heard


def test_a_sighting_takes_the_name_of_its_alert() -> None:
    """A sighting carries an alert id only; the alert said who it is."""
    subscriber, _ = read(lines(alert(), sighting()), 2)
    events = subscriber.events(report())
    assert [("ref-1", 4.0, False), ("ref-1", 5.0, True)] == [
        (event.reference_id, event.media_time_s, event.is_sighting) for event in events
    ]


def test_other_lines_are_passed_over() -> None:
    """Status and health are not about a subject, and what comes twice is counted once."""
    repeat: dict[str, object] = {"schema": "lfr.watch/1", "event": "repeat", "alert_id": "a", "seq": 1}
    subscriber, _ = read(lines({"schema": "lfr.status/1", "state": "running"}, alert(), repeat), 1)
    assert 1 == len(subscriber.messages())


def test_listening_begins_with_the_link() -> None:
    """An alert that is sent before anybody listens would only wait; the demo starts the daemon afterwards."""
    subscriber, _ = read(lines({"schema": "lfr.watch/1", "event": "link", "is_up": True, "reason": None}), 0)
    assert subscriber.wait_until_listening(5.0)
    deaf, _ = read(lines({"schema": "lfr.watch/1", "event": "link", "is_up": False, "reason": "refused"}), 0)
    assert not deaf.wait_until_listening(0.05)


def test_a_match_without_a_place_takes_the_end_of_its_track() -> None:
    """A match that was decided after the face had gone is still somebody's passage."""
    subscriber, _ = read(lines(alert(media_time_s=None, box_xyxy=None)), 1)
    end = TrackReport(track_id=7, last_media_s=6.0, last_box_xyxy=BoxXYXY(1.0, 2.0, 3.0, 4.0), looks=2, discard=None)
    [placed] = subscriber.events(report(end))
    assert (6.0, BoxXYXY(1.0, 2.0, 3.0, 4.0)) == (placed.media_time_s, placed.box_xyxy)
    [lost] = subscriber.events(report())
    assert lost.media_time_s < 0


def test_no_label_is_announced() -> None:
    """What the demo prints names a reference id and never a label."""
    subscriber, heard = read(lines(alert()), 1)
    subscriber.wait_for(1, 5.0)
    assert "Person" not in repr(heard) + repr(subscriber.messages())
