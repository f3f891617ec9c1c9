"""One alert per subject and passage."""

import pytest

from edge_lfr.pipeline.reporting.passages import Kind, Listing, Passages

S = 1_000_000_000
R1 = Listing("r1", "list", lambda: b"alice")
R2 = Listing("r2", "list", lambda: b"bob")


def test_a_further_match_within_the_gap_belongs_to_the_same_alert() -> None:
    """On any camera, counted from the last sighting and not from the first."""
    passages = Passages(60.0)
    assert (Kind.NEW, "a") == passages.assign(R1, 1, 0.6, 0, "a")
    assert (Kind.FURTHER, "a") == passages.assign(R1, 2, 0.6, 60 * S, "b")
    assert (Kind.FURTHER, "a") == passages.assign(R1, 3, 0.6, 120 * S, "c")
    assert (Kind.NEW, "d") == passages.assign(R1, 4, 0.6, 181 * S, "d")


def test_another_subject_is_another_alert() -> None:
    """Passages are by reference."""
    passages = Passages(60.0)
    assert (Kind.NEW, "a") == passages.assign(R1, 1, 0.6, 0, "a")
    assert (Kind.NEW, "b") == passages.assign(R2, 1, 0.6, 0, "b")


def test_one_track_is_told_again_only_when_it_is_better() -> None:
    """A face that stays in view does not send a sighting a look."""
    passages = Passages(60.0)
    passages.assign(R1, 1, 0.60, 0, "a")
    assert (Kind.REPEATED, "a") == passages.assign(R1, 1, 0.61, S, "b")
    assert (Kind.FURTHER, "a") == passages.assign(R1, 1, 0.63, 2 * S, "c")
    assert (Kind.REPEATED, "a") == passages.assign(R1, 1, 0.64, 3 * S, "d")


def test_a_subject_who_stays_in_view_stays_in_the_passage() -> None:
    """A repeated match tells nothing new, and prolongs the passage."""
    passages = Passages(60.0)
    assert (Kind.NEW, "a") == passages.assign(R1, 1, 0.6, 0, "a")
    assert (Kind.REPEATED, "a") == passages.assign(R1, 1, 0.6, 50 * S, "b")
    assert (Kind.FURTHER, "a") == passages.assign(R1, 2, 0.6, 100 * S, "b")


def test_an_alert_that_was_not_kept_is_no_passage() -> None:
    """The next match is told as new."""
    passages = Passages(60.0)
    passages.assign(R1, 1, 0.6, 0, "a")
    passages.undo("r1", "a")
    assert (Kind.NEW, "b") == passages.assign(R1, 1, 0.6, S, "b")


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (b"alice", b"alice", Kind.FURTHER),
        (b"alice", b"bob", Kind.NEW),
        (b"alice", None, Kind.NEW),
        (None, None, Kind.NEW),
    ],
)
def test_another_list_may_give_an_id_to_another_person(before: bytes | None, after: bytes | None, kind: Kind) -> None:
    """Only a person who is certainly the same stays in the passage; anybody else rings."""
    passages = Passages(60.0)
    passages.assign(Listing("r1", "first", lambda: before), 1, 0.6, 0, "a")
    second = Listing("r1", "second", lambda: after)
    alert_id = "a" if kind is Kind.FURTHER else "b"
    assert (kind, alert_id) == passages.assign(second, 2, 0.6, S, "b")
    assert (Kind.FURTHER, alert_id) == passages.assign(second, 3, 0.6, 2 * S, "c")
