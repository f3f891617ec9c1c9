"""Which rows are sent next."""

from edge_lfr.pipeline.reporting.rows import PendingRow, RowKind, RowState
from edge_lfr.pipeline.reporting.sending import SUSPECT_AFTER, WINDOW, SendingPlan

S = 1_000_000_000


def stored(row_id: int, kind: RowKind = RowKind.ALERT) -> PendingRow:
    return PendingRow(row_id, f"alert-{row_id}", kind, RowState.STORED)


def accepted(row_id: int) -> PendingRow:
    return PendingRow(row_id, f"alert-{row_id}", RowKind.ALERT, RowState.ACCEPTED)


def send(plan: SendingPlan, rows: list[PendingRow], now_ns: int) -> list[int]:
    chosen = plan.choose(rows, now_ns)
    for row in chosen:
        plan.sent(row.row_id + 1000, row)
    return [row.row_id for row in chosen]


def test_no_more_than_the_window_is_under_way() -> None:
    """The library's queue is memory only: it gets few rows, in order, each once."""
    plan = SendingPlan()
    rows = [stored(number) for number in range(1, 41)]
    assert list(range(1, WINDOW + 1)) == send(plan, rows, 0)
    assert [] == send(plan, rows, 0)
    assert plan.accepted(1001, 0) == stored(1)
    assert [WINDOW + 1] == send(plan, rows[1:], 0)


def test_while_nobody_listens_one_row_asks_and_new_rows_go_once() -> None:
    """The silence costs one row a probe; somebody who comes gets everything at once."""
    plan = SendingPlan()
    rows = [stored(1), stored(2)]
    send(plan, rows, 0)
    plan.no_subscriber(1001, 0)
    plan.no_subscriber(1002, 0)
    assert plan.nobody_listening
    assert [] == send(plan, rows, S // 2)
    assert S == plan.next_due_ns(S // 2)
    rows.append(stored(3))
    assert [3] == send(plan, rows, S // 2)
    plan.no_subscriber(1003, S // 2)
    assert [1] == send(plan, rows, S)
    plan.no_subscriber(1001, S)
    assert 3 * S == plan.next_due_ns(S)
    assert [1] == send(plan, rows, 3 * S)
    plan.accepted(1001, 3 * S)
    assert [2, 3] == send(plan, rows[1:], 3 * S)


def test_a_silent_sightings_topic_says_nothing_about_alerts() -> None:
    """Somebody may want alerts only."""
    plan = SendingPlan()
    rows = [stored(1), stored(2, RowKind.SIGHTING)]
    send(plan, rows, 0)
    plan.no_subscriber(1002, 0)
    assert not plan.nobody_listening
    plan.accepted(1001, 0)
    assert [] == send(plan, [stored(2, RowKind.SIGHTING)], 0)


def test_a_refused_row_waits_and_others_go_on() -> None:
    """A refusal is for people to mend; it holds up nothing else."""
    plan = SendingPlan()
    send(plan, [stored(1)], 0)
    plan.refused(1001, 0)
    assert [2] == send(plan, [stored(1), stored(2)], S)
    assert [1] == send(plan, [stored(1)], 2 * S)


def test_what_was_lost_with_its_connection_goes_again_at_once() -> None:
    """And what the broker had accepted may have died with it."""
    plan = SendingPlan()
    send(plan, [stored(1), stored(2)], 0)
    plan.accepted(1001, 0)
    assert not plan.disconnected(S)
    assert 0 == plan.in_flight
    assert [2, 1] == send(plan, [accepted(1), stored(2)], S)


def test_a_row_that_ends_connections_travels_alone_and_later() -> None:
    """One bad row never holds up the others for good."""
    plan = SendingPlan()
    now_ns = 0
    for number in range(SUSPECT_AFTER):
        assert [1, 2] == send(plan, [stored(1), stored(2)], now_ns)
        assert (number == SUSPECT_AFTER - 1) is plan.disconnected(now_ns)
    assert [3] == send(plan, [stored(1), stored(2), stored(3)], now_ns)
    plan.accepted(1003, now_ns)
    assert [] == send(plan, [stored(1), stored(2)], now_ns)
    now_ns += 2 * S
    assert [1] == send(plan, [stored(1), stored(2)], now_ns)
    assert [] == send(plan, [stored(1), stored(2)], now_ns)
    plan.accepted(1001, now_ns)
    assert [2] == send(plan, [accepted(1), stored(2)], now_ns)


def test_an_accepted_alert_comes_again_until_it_is_acknowledged() -> None:
    """The broker's word is not the control room's: half a minute, then longer."""
    plan = SendingPlan()
    send(plan, [stored(1)], 0)
    plan.accepted(1001, 0)
    assert [] == send(plan, [accepted(1)], 29 * S)
    assert [1] == send(plan, [accepted(1)], 30 * S)
    plan.accepted(1001, 30 * S)
    assert [] == send(plan, [accepted(1)], 89 * S)
    assert [1] == send(plan, [accepted(1)], 90 * S)
    plan.accepted(1001, 90 * S)
    assert plan.next_due_ns(90 * S) is not None
    assert [] == send(plan, [], 1000 * S)
    assert plan.next_due_ns(90 * S) is None


def test_an_answer_about_something_else_is_no_row() -> None:
    """Retained messages have numbers too."""
    plan = SendingPlan()
    assert plan.accepted(7, 0) is None
    assert plan.no_subscriber(7, 0) is None
    assert plan.refused(7, 0) is None
    assert not plan.nobody_listening
