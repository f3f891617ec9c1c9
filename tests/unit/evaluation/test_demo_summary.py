"""A demo run is held against the truth: who was found, who was missed and where, and which target was not reached."""

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.evaluation.demo_summary import DiscardReport, RunReport, TrackReport, stage_of, summarise
from edge_lfr.evaluation.truth import Event, Passage, Truth, TruthBox

BOX = (100.0, 100.0, 150.0, 160.0)
ELSEWHERE = (600.0, 100.0, 650.0, 160.0)


def passage(number: int, reference_id: str | None, box: tuple[float, float, float, float] = BOX) -> Passage:
    """A face that stands still for a second; each passage two seconds after the one before."""
    frames = range(number * 20, number * 20 + 10)
    x0, y0, x1, y1 = box
    return Passage(
        passage_id=f"passage-{number:03d}",
        reference_id=reference_id,
        person=f"person-{number}",
        starts_s=number * 2.0,
        ends_s=number * 2.0 + 0.9,
        boxes=tuple(TruthBox(frame=frame, time_s=frame / 10, x0=x0, y0=y0, x1=x1, y1=y1) for frame in frames),
    )


def truth(*passages: Passage) -> Truth:
    return Truth(clip="clip.mp4", fps=10.0, size=(1280, 720), passages=passages)


def event(number: int, reference_id: str, *, alert_id: str | None = None, is_sighting: bool = False) -> Event:
    return Event(
        alert_id=alert_id or f"alert-{number}-{reference_id}",
        reference_id=reference_id,
        media_time_s=number * 2.0 + 0.5,
        box_xyxy=BoxXYXY(*BOX),
        is_sighting=is_sighting,
    )


def report(*tracks: TrackReport, p50: float | None = 100.0, p99: float | None = 200.0) -> RunReport:
    return RunReport(
        frames_decoded=60,
        frames_processed=50,
        frames_dropped=10,
        latency_ms_p50=p50,
        latency_ms_p99=p99,
        alerts=2,
        track_ends=tracks,
    )


def track(number: int, discard: str | None, *, looks: int = 0) -> TrackReport:
    return TrackReport(
        track_id=number,
        last_media_s=number * 2.0 + 0.8,
        last_box_xyxy=BoxXYXY(*BOX),
        looks=looks,
        discard=None if discard is None else DiscardReport(reason=discard),
    )


def test_a_run_that_found_everybody_reaches_its_targets() -> None:
    """One alert id for each listed passage, nobody else: nothing is missed, nothing is false."""
    summary = summarise(
        truth(passage(0, "ref-1"), passage(1, None), passage(2, "ref-2")),
        [event(0, "ref-1"), event(2, "ref-2")],
        report(),
    )
    assert (3, 2, 2, 0, 0, 0) == (
        summary.passages,
        summary.mated,
        summary.true_alerts,
        summary.false_alerts,
        summary.missed,
        summary.doubled,
    )
    assert () == summary.failed_targets


def test_an_alert_for_an_unlisted_person_is_false() -> None:
    """Naming somebody who was not there misses the target of no false alert."""
    summary = summarise(truth(passage(0, "ref-1"), passage(1, None)), [event(0, "ref-1"), event(1, "ref-1")], report())
    assert 1 == summary.false_alerts
    assert any("false" in failed for failed in summary.failed_targets)


def test_what_is_measured_has_the_form_of_every_measurement() -> None:
    """Rows of name, value, unit, target and verdict beside the rest; what a run failed at is what its rows say."""
    summary = summarise(truth(passage(0, "ref-1")), [event(0, "ref-1")], report(p50=251.0))
    found = summary.as_json()
    latency = "frame to broker's receipt"
    assert [
        {"name": "missed", "value": 0, "unit": "passages", "target": "<= 0", "ok": True},
        {"name": "false alerts", "value": 0, "unit": "alerts", "target": "= 0", "ok": True},
        {"name": "alerted twice", "value": 0, "unit": "passages", "target": "= 0", "ok": True},
        {"name": f"{latency}, p50", "value": 251.0, "unit": "ms", "target": "<= 250", "ok": False},
        {"name": f"{latency}, p99", "value": 200.0, "unit": "ms", "target": "<= 1000", "ok": True},
        {"name": "dropped", "value": 10, "unit": "frames", "target": None, "ok": True},
    ] == found["rows"]
    assert [f"{latency}, p50: 251.0 ms; target: <= 250"] == found["failed_targets"]
    assert (1, 60) == (found["mated"], found["frames"])


def test_an_alert_that_nobody_timed_reaches_no_target() -> None:
    """A latency that could not be measured is not a good one."""
    summary = summarise(truth(passage(0, "ref-1")), [event(0, "ref-1")], report(p50=None, p99=None))
    assert 2 == sum("not measured" in failed for failed in summary.failed_targets)


def test_sightings_repeat_an_alert_and_are_no_second_one() -> None:
    """A passage has one alert id and any number of sightings."""
    events = [event(0, "ref-1", alert_id="a"), event(0, "ref-1", alert_id="a", is_sighting=True)]
    summary = summarise(truth(passage(0, "ref-1")), events, report())
    assert (1, 0, 1) == (summary.true_alerts, summary.doubled, summary.sightings)


def test_two_alert_ids_for_one_passage_are_reported() -> None:
    """Calling the officers twice for one passage is a missed target."""
    events = [event(0, "ref-1", alert_id="a"), event(0, "ref-1", alert_id="b")]
    summary = summarise(truth(passage(0, "ref-1")), events, report())
    assert 1 == summary.doubled
    assert 1 == len(summary.failed_targets)


def test_one_miss_in_twenty_four_is_allowed_and_no_more() -> None:
    """The target is a share: one of 24 may be missed, one of 23 may not."""
    for mated, failures in ((24, 0), (23, 1)):
        people = [passage(number, f"ref-{number}") for number in range(mated)]
        summary = summarise(truth(*people), [event(number, f"ref-{number}") for number in range(1, mated)], report())
        assert 1 == summary.missed
        assert failures == len(summary.failed_targets)


def test_slow_alerts_miss_the_target() -> None:
    """Median and 99th percentile have a limit each."""
    summary = summarise(truth(passage(0, "ref-1")), [event(0, "ref-1")], report(p50=251.0, p99=1001.0))
    assert 2 == len(summary.failed_targets)


def test_a_miss_names_the_furthest_stage_that_its_tracks_reached() -> None:
    """A passage of several tracks is blamed on the stage that came nearest to an alert."""
    missed = passage(1, "ref-1")
    scene = truth(missed)
    assert "unknown" == stage_of(missed, scene, report())
    assert "faces" == stage_of(missed, scene, report(track(3, "track-non-match")))
    assert "quality" == stage_of(missed, scene, report(track(1, "track-low-quality")))
    both = report(track(1, "track-low-quality"), track(1, "track-non-match", looks=3))
    assert "matching" == stage_of(missed, scene, both)
    assert "decision" == stage_of(missed, scene, report(track(1, "track-undetermined", looks=2)))
    assert "reporting" == stage_of(missed, scene, report(track(1, None, looks=2)))


def test_a_track_elsewhere_explains_nothing() -> None:
    """Somebody else's track at the same time is not the missed person's."""
    missed, other = passage(1, "ref-1"), passage(1, None, ELSEWHERE).model_copy(update={"passage_id": "other"})
    elsewhere = track(1, "track-non-match").model_copy(update={"last_box_xyxy": BoxXYXY(*ELSEWHERE)})
    assert "faces" == stage_of(missed, truth(missed, other), report(elsewhere))
