"""Truth and records become counts: who was missed and where, who was called wrongly, and what that bounds."""

import pytest

from edge_lfr.biometrics.geometry import BoxXYXY
from edge_lfr.biometrics.outcomes import Candidate, DecisionReason, Discard, DiscardReason, TrackEnd
from edge_lfr.evaluation.bench.accuracy_findings import DISAGREED, find, rows, upper_bound
from edge_lfr.evaluation.bench.accuracy_watch import Look, Record
from edge_lfr.evaluation.bench.report import Row
from edge_lfr.evaluation.truth import Event, Passage, Truth, TruthBox

FPS = 10.0
GROUPS = {"a": "tall", "b": "short"}
A_BOX, B_BOX = BoxXYXY(100, 100, 180, 200), BoxXYXY(400, 100, 460, 180)
FALSE_WORDS = "false alerts"
BOUND = "non-mated passages with a false alert, upper bound at 95 %"


def passage(person: str, reference_id: str | None, box: BoxXYXY) -> Passage:
    boxes = tuple(
        TruthBox(frame=frame, time_s=frame / FPS, x0=box.x0, y0=box.y0, x1=box.x1, y1=box.y1) for frame in range(40)
    )
    return Passage(
        passage_id=f"passage-{person}", reference_id=reference_id, person=person, starts_s=0.0, ends_s=4.0, boxes=boxes
    )


def truth() -> Truth:
    """A is listed, B is not; they stand side by side for four seconds."""
    return Truth(
        clip="c.mp4", fps=FPS, size=(640, 480), passages=(passage("a", "ref-a", A_BOX), passage("b", None, B_BOX))
    )


def look(box: BoxXYXY, reason: DecisionReason, *found: tuple[str, float]) -> Look:
    candidates = tuple(
        Candidate(reference_id=name, score=score, rank=rank) for rank, (name, score) in enumerate(found, start=1)
    )
    return Look(2.0, box, reason, candidates)


def event(reference_id: str, box: BoxXYXY, alert_id: str = "1", *, is_sighting: bool = False) -> Event:
    return Event(alert_id=alert_id, reference_id=reference_id, media_time_s=2.0, box_xyxy=box, is_sighting=is_sighting)


def end(box: BoxXYXY, reason: DiscardReason | None) -> TrackEnd:
    return TrackEnd(
        track_id=1,
        camera_id="street",
        first_media_s=0.0,
        last_media_s=3.5,
        last_box_xyxy=box,
        looks=1,
        was_sufficient=True,
        quality_reasons=(),
        discard=None if reason is None else Discard(reason=reason, camera_id="street", track_id=1),
    )


def table(record: Record, *, allowed_misses: int = 0) -> dict[str, Row]:
    found = rows(find([(truth(), record)]), GROUPS, allowed_misses=allowed_misses)
    return {row.name: row for row in found}


def test_an_alert_and_its_sighting_are_one_id() -> None:
    """A passage that was told of twice under one id is found, once, and nobody is missed or called wrongly."""
    seen = Record(events=[event("ref-a", A_BOX), event("ref-a", A_BOX, is_sighting=True)])
    found = table(seen)
    assert (0, 0, 1.0) == tuple(
        found[name].value for name in ("mated passages missed", FALSE_WORDS, "alert ids per alerted mated passage")
    )
    assert all(row.ok for row in found.values())


def test_two_ids_for_one_passage_miss_the_target() -> None:
    """Officers who are called twice for one passage are called once too often."""
    row = table(Record(events=[event("ref-a", A_BOX), event("ref-a", A_BOX, "2")]))[
        "alert ids per alerted mated passage"
    ]
    assert (2.0, False) == (row.value, row.ok)


@pytest.mark.parametrize("box", [A_BOX, B_BOX, BoxXYXY(10, 300, 60, 360)])
def test_whoever_else_is_named_is_a_false_alert(box: BoxXYXY) -> None:
    """Another reference is wrong on a listed person, on one who is not, and where nobody is."""
    found = table(Record(events=[event("ref-x", box)]))
    assert (1, False) == (found[FALSE_WORDS].value, found[FALSE_WORDS].ok)
    assert (1 if box is B_BOX else 0) == found["falsely alerted, short"].value


@pytest.mark.parametrize(
    ("reason", "last", "words"),
    [
        (DiscardReason.TRACK_LOW_QUALITY, None, "never good enough"),
        (DiscardReason.TRACK_NOT_LOOKED_AT, None, "never compared"),
        (DiscardReason.TRACK_NON_MATCH, DecisionReason.BELOW_THRESHOLD, "below the threshold"),
        (DiscardReason.TRACK_UNDETERMINED, DecisionReason.TOO_FEW_HITS, "too few hits"),
        (DiscardReason.TRACK_UNDETERMINED, DecisionReason.SUBJECTS_DISAGREE, DISAGREED),
        (None, DecisionReason.CONSENSUS, "other"),
    ],
)
def test_a_miss_is_told_by_the_stage_where_it_ended(
    reason: DiscardReason | None, last: DecisionReason | None, words: str
) -> None:
    """The furthest that a track of the passage came says why nobody was called."""
    looks = [] if last is None else [look(A_BOX, last, ("ref-a", 0.5))]
    found = table(Record(looks=looks, ends=[end(A_BOX, reason)]))
    assert (1, False) == (found["mated passages missed"].value, found["mated passages missed"].ok)
    assert {f"missed: {words}"} == {name for name, row in found.items() if name.startswith("missed: ") and row.value}
    assert 1 == found["missed, tall"].value
    assert 1 == found["missed, face of 70 to 100 px"].value


def test_a_passage_without_a_track_was_not_detected() -> None:
    """Whoever was never followed is missed at the first stage, whether others were followed or not."""
    for ends in ([], [end(B_BOX, DiscardReason.TRACK_NON_MATCH)]):
        assert 1 == table(Record(ends=ends))["missed: not detected or tracked"].value


def test_names_and_units_do_not_depend_on_what_happened() -> None:
    """Counts are values: a program finds each figure of every run under the same name, in the same unit."""
    busy = Record(events=[event("ref-a", A_BOX), event("ref-x", B_BOX)], ends=[end(A_BOX, None)])
    quiet, loud = ([(row.name, row.unit) for row in table(record).values()] for record in (Record(), busy))
    assert quiet == loud
    assert {"passages", "alerts", "ids", "%", "cosine"} == {unit for _, unit in quiet}


def test_as_many_misses_as_allowed_keep_the_target() -> None:
    """The limit itself is within the target."""
    assert table(Record(), allowed_misses=1)["mated passages missed"].ok


def test_scores_are_those_of_the_people_who_were_there() -> None:
    """The best of the own reference, the best of anybody else's, and how near the own one came."""
    record = Record(
        looks=[
            look(A_BOX, DecisionReason.BELOW_THRESHOLD, ("ref-a", 0.4), ("ref-x", 0.3)),
            look(A_BOX, DecisionReason.TOO_FEW_HITS, ("ref-a", 0.7), ("ref-x", 0.2)),
            look(B_BOX, DecisionReason.BELOW_THRESHOLD, ("ref-a", 0.45), ("ref-x", 0.1)),
        ]
    )
    mated, other = find([(truth(), record)]).walked
    assert (1, 0.7, 0.3) == (mated.rank, mated.own_score, mated.other_score)
    assert (None, None, 0.45) == (other.rank, other.own_score, other.other_score)
    found = table(record)
    assert 0.45 == found["best score in a non-mated passage, largest"].value
    assert (1, None) == (
        found["non-mated passages with a score"].value,
        found["best score in a non-mated passage, p50"].value,
    )


def test_no_alert_in_so_many_passages_is_a_bound() -> None:
    """0 of 504 bounds the rate at 3 / 504: below 0.6 %."""
    bound = upper_bound(0, 504)
    assert bound is not None
    assert 3 / 504 == pytest.approx(bound, rel=0.01)
    assert bound < 0.006
    assert 95.0 == table(Record())[BOUND].value


@pytest.mark.parametrize("count", [1, 3])
def test_alerts_that_belong_to_nobody_are_in_the_bound(count: int) -> None:
    """A stray alert may have been for anybody who is not listed; more than all of them cannot be called wrongly."""
    stray = [event("ref-x", BoxXYXY(10, 300, 60, 360), str(number)) for number in range(count)]
    assert 100.0 == table(Record(events=stray))[BOUND].value


@pytest.mark.parametrize(("hits", "trials", "expected"), [(1, 100, 0.0466), (5, 100, 0.1023), (3, 10, 0.6066)])
def test_the_bound_is_the_exact_one(hits: int, trials: int, expected: float) -> None:
    """As tables of the one-sided Clopper-Pearson limit have it."""
    assert expected == pytest.approx(upper_bound(hits, trials), abs=1e-4)


def test_nothing_tried_bounds_nothing() -> None:
    """Without trials there is no bound, and with nothing but hits it is 1."""
    assert upper_bound(0, 0) is None
    assert 1.0 == upper_bound(4, 4)
