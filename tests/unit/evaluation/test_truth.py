"""Truth files, and whose passage an alert belongs to."""

from pathlib import Path

import pytest

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.evaluation.truth import Event, Passage, Truth, TruthBox, TruthFileError, assign


def passage(number: int, reference_id: str | None, x0: float, starts: int = 0) -> Passage:
    boxes = tuple(
        TruthBox(frame=frame, time_s=frame / 10, x0=x0, y0=100 + frame, x1=x0 + 50, y1=165 + frame)
        for frame in range(starts, starts + 20)
    )
    return Passage(
        passage_id=f"p{number}",
        reference_id=reference_id,
        person=f"person-{number}",
        starts_s=starts / 10,
        ends_s=(starts + 20) / 10,
        boxes=boxes,
    )


def truth() -> Truth:
    return Truth(
        clip="clip.mp4",
        fps=10.0,
        size=(640, 360),
        passages=(passage(1, "ref-1", 100), passage(2, None, 300), passage(3, "ref-2", 100, starts=40)),
    )


def event(alert_id: str, reference_id: str, time_s: float, x0: float) -> Event:
    y0 = 100 + time_s * 10
    return Event(
        alert_id=alert_id,
        reference_id=reference_id,
        media_time_s=time_s,
        box_xyxy=BoxXYXY(x0 + 5, y0 + 3, x0 + 52, y0 + 60),
    )


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """A truth file gives back the truth that was saved."""
    truth().save(tmp_path / "truth.json")
    assert truth() == Truth.load(tmp_path / "truth.json")


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema": "lfr.truth/2"}', b"\xff\xfe"])
def test_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is not a truth file of this version is an error that names the file."""
    path = tmp_path / "truth.json"
    path.write_bytes(content)
    with pytest.raises(TruthFileError, match=r"truth\.json"):
        Truth.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A truth file that is not there is an error that names it."""
    with pytest.raises(TruthFileError, match=r"none\.json"):
        Truth.load(tmp_path / "none.json")


def test_the_passage_is_found_by_place_and_time() -> None:
    """A box belongs to whoever was there then, and to nobody where nobody was."""
    found = truth()
    at_100 = event("a", "ref-1", 1.04, 100).box_xyxy
    assert found.passage_at(1.04, at_100) == found.passages[0]
    assert found.passage_at(4.5, event("a", "ref-1", 4.5, 100).box_xyxy) == found.passages[2]
    assert found.passage_at(3.0, at_100) is None
    assert found.passage_at(1.04, BoxXYXY(500, 100, 550, 165)) is None


def test_every_event_is_true_or_false_once() -> None:
    """An alert is true only for the listed person who was there; a mated passage without one is missed."""
    right = event("a", "ref-1", 1.0, 100)
    seen_again = event("a", "ref-1", 1.3, 100)
    stranger = event("b", "ref-2", 1.0, 300)
    mistaken = event("c", "ref-9", 1.5, 100)
    result = assign(truth(), [right, stranger, seen_again, mistaken])
    assert {"p1": (right, seen_again)} == result.by_passage
    assert (stranger, mistaken) == result.false
    assert 2 == result.false_alerts
    assert 1 == result.true_alerts
    assert ("p3",) == tuple(missed.passage_id for missed in result.missed)
    assert () == result.doubled


def test_two_alert_ids_for_one_passage_are_told() -> None:
    """A passage that called the officers twice is reported as doubled."""
    result = assign(truth(), [event("a", "ref-1", 1.0, 100), event("b", "ref-1", 1.2, 100)])
    assert ("p1",) == tuple(doubled.passage_id for doubled in result.doubled)
