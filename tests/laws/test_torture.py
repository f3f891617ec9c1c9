"""Real SIGKILLs at random moments, a few of the many of `scripts/torture`; and its looks do see what they look for."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.evaluation.torture.alert_history import AlertHistory
from edge_lfr.evaluation.torture.alerts import AlertCase, AlertStoring, message_of, outbox_in
from edge_lfr.evaluation.torture.ending import EndCase
from edge_lfr.evaluation.torture.laws import Law, Verdict
from edge_lfr.evaluation.torture.ledger import History, LedgerCase, cut_behind, ledger_in, verified
from edge_lfr.evaluation.torture.listed import ListCase
from edge_lfr.evaluation.torture.lists import MadeList, keys_in, load, store_in
from edge_lfr.evaluation.torture.moments import draw_moment
from edge_lfr.evaluation.torture.rounds import PLAN, Tally
from edge_lfr.evaluation.torture.telling import noting
from edge_lfr.evaluation.torture.victim import Victim
from edge_lfr.governance.ledger.events import LedgerEvent
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.governance.ledger.lines import Actor, Part
from edge_lfr.pipeline.reporting.outbox import FILE_NAME as OUTBOX_NAME
from edge_lfr.pipeline.reporting.rows import RowKind
from edge_lfr.watchlist.sealed.new_list import DATABASE_NAME
from edge_lfr.watchlist.sealed.store import LISTS
from simulators.appliance import eventually

ROOT = Path(__file__).resolve().parents[2]

OLD, NEW = MadeList(1, 6), MadeList(2, 4)


def test_forty_kills_break_no_law(tmp_path: Path) -> None:
    """Half-loaded lists, lists past their end, broken chains, lost alerts: none, with seven kinds of work killed."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "torture"), "--quick", "--json", "--keep", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])["rows"]
    kills = {row["name"]: row["value"] for row in rows if row["name"].endswith(": kills")}
    assert {f"{name}: kills": quick for name, (_, quick) in PLAN.items()} == kills
    assert 40 == sum(kills.values())


def test_the_plan_has_five_hundred_kills() -> None:
    """As many as are promised, without what needs models and portraits."""
    assert 500 == sum(full for full, _ in PLAN.values())


def test_moments_lie_over_the_whole_and_near_both_ends() -> None:
    """Some in the first and the last hundredth, where files change names, and some in each tenth."""
    chance = random.Random(3)  # noqa: S311 - draws moments, not keys
    moments = [draw_moment(chance, 1.0) for _ in range(3_000)]
    assert 0.0 <= min(moments)
    assert max(moments) <= 1.1
    assert 100 < sum(moment < 0.01 for moment in moments)
    assert 100 < sum(0.99 < moment <= 1.0 for moment in moments)
    assert all(30 < sum(tenth / 10 <= moment < (tenth + 1) / 10 for moment in moments) for tenth in range(10))


def list_case(folder: Path, *, done: str = "live") -> ListCase:
    """The old list is live, and the new one may come."""
    store = store_in(folder, create=True)
    load(store, OLD)
    return ListCase(folder, ((),), OLD.content(), NEW.content(), done, keys_in(store))


def laws(verdict: Verdict) -> set[Law]:
    return {broken.law for broken in verdict.broken}


def test_what_a_kill_may_leave_of_a_load_breaks_no_law(tmp_path: Path) -> None:
    """The list before, and the whole new one when it was told or not; a key of ours that is destroyed is nowhere."""
    case = list_case(tmp_path)
    assert Verdict("the list before") == case.judge([[]])
    load(store_in(tmp_path), NEW)
    assert Verdict("the new list") == case.judge([[]])
    assert Verdict("the new list") == case.judge([["live 0123"]])


def lose_rows(folder: Path) -> None:
    (path,) = store_in(folder).directory.glob(f"{LISTS}/*/{DATABASE_NAME}")
    path.write_bytes(path.read_bytes()[:-4096])


def load_another(folder: Path) -> None:
    load(store_in(folder), MadeList(3, 6))


def keep_the_key(folder: Path) -> None:
    (wrapped,) = keys_in(store_in(folder)).values()
    load(store_in(folder), NEW)
    (folder / "copy").mkdir()
    (folder / "training" / "copy").write_bytes(b"before" + wrapped + b"behind")


def lose_the_note(folder: Path) -> None:
    load(store_in(folder), NEW)
    for path in (folder / "training" / "changes").iterdir():
        path.unlink()


def claim_a_wipe(folder: Path) -> None:
    """A note of a killed wipe of a list that is gone by something else, which has not settled it."""
    store = store_in(folder)
    noting(store)([path.name for path in (store.directory / LISTS).iterdir()])
    (note,) = (folder / "training" / "certificates").iterdir()
    kept = note.read_bytes().replace(f'"prover":{os.getpid()}'.encode(), b'"prover":null')
    load(store, NEW)
    note.write_bytes(kept)


def leave_half_a_file(folder: Path) -> None:
    (store_in(folder).directory / "list.partial").write_bytes(b"half")


@pytest.mark.parametrize(
    ("damage", "broken"),
    [
        (lose_rows, Law.LIST),
        (load_another, Law.LIST),
        (keep_the_key, Law.KEYS),
        (leave_half_a_file, Law.REMAINS),
        (lose_the_note, Law.TOLD),
        (claim_a_wipe, Law.TOLD),
    ],
)
def test_a_look_at_a_store_sees_what_must_not_be(tmp_path: Path, damage: Callable[[Path], None], broken: Law) -> None:
    """Half a list, a list of nobody's, a key that is kept, half a file, a load untold, a wipe that was none."""
    case = list_case(tmp_path)
    damage(tmp_path)
    assert broken in laws(case.judge([[]]))


def test_a_load_that_returned_and_is_not_there_is_seen(tmp_path: Path) -> None:
    """What a child told must hold."""
    assert {Law.LIST} == laws(list_case(tmp_path).judge([["live 0123"]]))


def test_a_list_that_a_child_opened_after_its_end_is_seen(tmp_path: Path) -> None:
    """Its own word is enough."""
    store_in(tmp_path, create=True)
    told = ["ends 2026-01-01T00:00:00+00:00", "live", "late 2026-01-01T00:00:01+00:00"]
    assert {Law.END} == laws(EndCase(tmp_path, ((),), {}).judge([told]))


def test_a_list_with_an_end_that_still_opens_is_seen(tmp_path: Path) -> None:
    """A list that was told to have ended is not opened by anybody."""
    load(store_in(tmp_path, create=True), OLD, datetime.now(UTC) + timedelta(hours=1))
    assert Law.END in laws(EndCase(tmp_path, ((),), {}).judge([["ends 2026-01-01T00:00:00+00:00"]]))


def written(folder: Path, numbers: Sequence[int]) -> LedgerCase:
    """A ledger with these events, told of."""
    ledger = ledger_in(folder)
    alert = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    for number in numbers:
        ledger.append(LedgerEvent.SIGHTING, Actor.of_part(Part.DAEMON), {"alert": alert, "sequence": number})
    return LedgerCase(History(folder), ((),), frozenset({0}), None, is_opened=True)


def test_a_lost_and_an_edited_line_are_seen(tmp_path: Path) -> None:
    """A number that was told and is not there; a chain that does not verify."""
    case = written(tmp_path, [1, 2, 3])
    assert set() == laws(case.judge([["1", "2"], ["3"]]))
    assert {Law.LINES} == laws(case.judge([["4"]]))
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes().replace(b'"sequence":2', b'"sequence":5'))
    assert {Law.CHAIN, Law.LINES} == laws(case.judge([[]]))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_cut_takes_nothing_that_was_told(tmp_path: Path, share: float) -> None:
    """A power cut may take what no append returned from: the rest verifies, and a torn end is noted."""
    case = written(tmp_path, [1, 2, 3, 4])
    cut_behind(tmp_path / FILE_NAME, {1, 2}, share)
    assert verified(tmp_path).is_whole
    assert set() == laws(case.judge([["1"], ["2"]]))


def outbox_with(folder: Path, *alert_ids: str) -> AlertCase:
    """An outbox with these alerts in it."""
    outbox = outbox_in(folder)
    for alert_id in alert_ids:
        outbox.store(
            message_of(alert_id),
            alert_id=alert_id,
            kind=RowKind.ALERT,
            seq=outbox.next_seq(),
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )
    outbox.close()
    return AlertCase(AlertHistory(folder), ((),))


LATER = repr((datetime.now(UTC) + timedelta(days=1)).timestamp())
STORED = [f"storing a {LATER}", "stored a"]


@pytest.mark.parametrize(
    ("there", "told", "broken"),
    [
        (["a"], STORED, set()),
        (["a"], STORED[:1], set()),
        ([], STORED[:1], set()),
        (["a"], [*STORED, "begun acknowledge a"], set()),
        ([], STORED, {Law.ALERTS}),
        (["a", "b"], STORED, {Law.DOUBLED}),
        (["a"], [*STORED, "begun acknowledge a", "done acknowledge a"], {Law.STATES}),
        (["a"], [*STORED, "begun hold a", "done hold a"], {Law.HOLDS}),
        (["a"], [*STORED, "begun remember m", "done remember m"], {Law.SEEN}),
    ],
)
def test_a_look_at_an_outbox_sees_what_is_lost(
    tmp_path: Path, there: list[str], told: list[str], broken: set[Law]
) -> None:
    """An alert, a state, a hold, an id of a message that somebody was told of; a row that nobody stored."""
    case = outbox_with(tmp_path, *there)
    assert broken == laws(case.judge([told]))


def test_a_thread_that_dies_is_told(tmp_path: Path) -> None:
    """An outbox that fails at every call is no outbox that was killed: the child ends by itself, and says of what."""
    outbox_in(tmp_path).close()
    with closing(Victim((AlertStoring.name, str(tmp_path), "1"), tmp_path / "log")) as victim:
        victim.wait_until_ready()
        victim.go()
        assert eventually(lambda: any(line.startswith("stored ") for line in victim._lines))
        with closing(sqlite3.connect(tmp_path / OUTBOX_NAME)) as database:
            database.executescript("DROP TABLE rows")
        assert eventually(lambda: victim.has_told("nothing any more"))
        victim.finish()
        assert victim.has_failed
        assert "Error" in victim.last_words()


def test_a_work_that_does_nothing_is_found() -> None:
    """Kills of a process that stands still break no law; what it should have done is counted."""
    idle, busy = Tally("alerts", (), 50), Tally("alerts", (), 50)
    for kill in range(50):
        idle.done.update({"alerts stored": 0})
        busy.done.update({"alerts stored": kill})
    counted = ("alerts: alerts stored", "alerts: done in all")
    assert [False, False] == [row.ok for row in idle.rows() if row.name in counted]
    assert [True, True] == [row.ok for row in busy.rows() if row.name in counted]


def test_what_a_child_did_is_counted(tmp_path: Path) -> None:
    """By what it told when it was done, and not when it began."""
    case = outbox_with(tmp_path, "a")
    told = [*STORED, "begun hold a", "purged 3", "begun acknowledge a", "done acknowledge a"]
    counted = case.judge([told]).done
    assert counted == {"alerts stored": 1, "alerts acknowledged": 1, "alerts held": 0, "purges that deleted": 1}
    assert {"lines told of": 3} == written(tmp_path, [1, 2, 3]).judge([["1", "2"], ["3"]]).done


def test_an_alert_that_says_something_else_is_seen(tmp_path: Path) -> None:
    """The row of another outbox's alert does not open here, and counts as changed."""
    outbox_with(tmp_path / "one", "a")
    case = outbox_with(tmp_path / "two", "a")
    shutil.copy(tmp_path / "one" / "kek.key", tmp_path / "two" / "kek.key")
    assert {Law.ALERTS} == laws(case.judge([STORED]))
