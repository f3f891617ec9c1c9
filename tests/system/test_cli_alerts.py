"""Legal holds and the purge as commands of their own, beside a daemon's outbox and without one."""

import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.clock import SystemClock
from edge_lfr.config.load import load_config
from edge_lfr.daemon.control.local_socket import ControlServer
from edge_lfr.daemon.lock import hold_state
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.governance.trusted_time import TimeNote
from edge_lfr.pipeline.reporting.expiry import believing
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.rows import RowKind, RowState
from simulators.command import ENTRY_POINT, Command

CLOCK = SystemClock()


@pytest.fixture
def edge_lfr(tmp_path: Path) -> Command:
    return Command(tmp_path)


def open_outbox(edge_lfr: Command, mode: str = "training") -> Outbox:
    config = load_config(edge_lfr.config, {"EDGE_LFR__MODE": mode})
    kek = KeyEncryptingKey.load(config.mode_directory, create=True)
    return Outbox(config.mode_directory / FILE_NAME, kek, config.reporting, CLOCK)


def put(outbox: Outbox, alert_id: str, ttl_s: float) -> int:
    return outbox.store(
        b"message" * 1_000,
        alert_id=alert_id,
        kind=RowKind.ALERT,
        seq=outbox.next_seq(),
        expires_at=CLOCK.utc_now() + timedelta(seconds=ttl_s),
    )


def hold(edge_lfr: Command, alert_id: str, *, note: str = "case 7", reason: str = "evidence") -> None:
    done = edge_lfr("alerts", "hold", alert_id, "--reason", reason, "--note", note)
    assert (0, "") == (done.status, done.out), done.err


def test_an_alert_is_held_and_released_beside_the_daemon(edge_lfr: Command) -> None:
    """Another process has the outbox open all the time: it keeps what is held, and deletes what is let go."""
    outbox = open_outbox(edge_lfr)
    put(outbox, "a", 3600)
    put(outbox, "gone", -1)
    hold(edge_lfr, "a")
    (held,) = edge_lfr("alerts", "holds", "--json").json["holds"]
    assert ("a", "evidence", os.getuid(), "case 7") == tuple(held[n] for n in ("alert_id", "reason", "held_by", "note"))
    outbox._file._db.execute("UPDATE rows SET expires_at = 0")
    purged = outbox.purge(believing(CLOCK))
    assert (1, 1) == (purged.deleted, purged.held)
    done = edge_lfr("alerts", "release", "a", "--yes", "--json")
    assert {"schema": "lfr.alerts-release/1", "alert_id": "a", "reason": "evidence"} == done.json
    assert 1 == outbox.purge(believing(CLOCK)).deleted
    assert [] == edge_lfr("alerts", "holds", "--json").json["holds"]
    outbox.close()


def test_a_hold_costs_no_alert(edge_lfr: Command) -> None:
    """Alerts are stored all the while, each on the disk, and none waits in memory because of a command."""
    outbox = open_outbox(edge_lfr)
    put(outbox, "a", 3600)
    ended = threading.Event()
    row_ids: list[int] = []

    def store() -> None:
        while not ended.wait(0.002):  # the outbox has room for 10,000, and a busy machine takes its time for a command
            row_ids.append(put(outbox, f"b{len(row_ids)}", 3600))

    thread = threading.Thread(target=store)
    thread.start()
    try:
        for _ in range(3):
            hold(edge_lfr, "a")
            assert 0 == edge_lfr("alerts", "release", "a", "--yes").status
    finally:
        ended.set()
        thread.join()
    assert len(row_ids) > 10
    assert min(row_ids) > 0
    outbox.close()


def test_a_held_outbox_costs_no_alert(edge_lfr: Command) -> None:
    """A command that is stopped amid its change: alerts go to memory meanwhile, and to the disk after it."""
    outbox = open_outbox(edge_lfr)
    path = edge_lfr.folder / "state" / "training" / FILE_NAME
    script = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
    script += "db.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    python = str(ENTRY_POINT.with_name("python"))
    command = [python, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stopped:
        assert stopped.stdout is not None
        assert "held\n" == stopped.stdout.readline()
        assert put(outbox, "a", 3600) < 0
        stopped.communicate("", timeout=30)
    assert outbox.flush()
    assert RowState.STORED is outbox.state_of("a")
    outbox.close()


def test_a_note_may_come_from_standard_input(edge_lfr: Command) -> None:
    """What stands on the command line can be seen by every process of the box."""
    outbox = open_outbox(edge_lfr)
    put(outbox, "a", 3600)
    done = subprocess.run(
        [str(ENTRY_POINT), "alerts", "hold", "a", "--reason", "complaint", "--note", "-"],
        env={**os.environ, "EDGE_LFR_CONFIG": str(edge_lfr.config)},
        input="complaint 17/4\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert ["complaint 17/4"] == [held.note for held in outbox.holds.all()]
    outbox.close()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("hold", "b", "--reason", "evidence", "--note", "case"), os.EX_DATAERR),
        (("hold", "a", "--reason", "evidence", "--note", " "), os.EX_DATAERR),
        (("hold", "a", "--reason", "curiosity", "--note", "case"), os.EX_USAGE),
        (("hold", "a", "--reason", "evidence"), os.EX_USAGE),
        (("hold", "a", "--note", "case"), os.EX_USAGE),
        (("release", "a", "--yes"), os.EX_DATAERR),
        (("release", "a"), os.EX_USAGE),
    ],
)
def test_what_cannot_be_held_is_refused(edge_lfr: Command, arguments: tuple[str, ...], status: int) -> None:
    """No such alert, no reason of the list, no note, no hold to release, nobody who says yes; nothing is held."""
    outbox = open_outbox(edge_lfr)
    put(outbox, "a", 3600)
    assert status == edge_lfr("alerts", *arguments).status
    assert () == outbox.holds.all()
    outbox.close()


def test_without_an_outbox_there_is_nothing_to_hold(edge_lfr: Command) -> None:
    """Asking makes no state folder, no key and no file."""
    assert os.EX_DATAERR == edge_lfr("alerts", "release", "a", "--yes").status
    assert [] == edge_lfr("alerts", "holds", "--json").json["holds"]
    assert [] == edge_lfr("alerts", "purge", "--json").json["outboxes"]
    assert not (edge_lfr.folder / "state").exists()


def test_the_timer_purges_every_mode_while_no_daemon_runs(edge_lfr: Command) -> None:
    """Needs no key; what is held or has time stays; what nobody had acknowledged is said aloud; no log stays behind."""
    for mode in ("training", "operational"):
        outbox = open_outbox(edge_lfr, mode)
        for alert_id, ttl_s in (("over", -1), ("in-time", 3600), ("held", -1)):
            put(outbox, alert_id, ttl_s)
        outbox.close()
    hold(edge_lfr, "held")
    (edge_lfr.folder / "state" / "training" / "kek.key").unlink()
    done = edge_lfr("alerts", "purge", "--json")
    training, operational = done.json["outboxes"]
    assert {"mode": "training", "by": "command", "deleted": 1, "lost": 2, "newly_held": 1} == {
        name: value for name, value in training.items() if name not in {"log_cut", "clock_trusted"}
    }
    assert training["log_cut"]
    assert training["clock_trusted"]
    assert (2, 2, 0) == tuple(operational[name] for name in ("deleted", "lost", "newly_held"))
    assert "2 messages expired before anybody acknowledged them" in done.err
    folder = edge_lfr.folder / "state" / "training"
    assert {FILE_NAME, "daemon.lock"} == {path.name for path in folder.iterdir()}
    db = sqlite3.connect(folder / FILE_NAME)
    assert {("in-time",), ("held",)} == set(db.execute("SELECT alert_id FROM rows"))
    db.close()


def test_the_timer_leaves_a_running_daemon_alone(edge_lfr: Command) -> None:
    """It purges itself: exit status 0, and its file is not touched."""
    outbox = open_outbox(edge_lfr)
    put(outbox, "over", -1)
    with (
        hold_state(edge_lfr.folder / "state" / "training"),
        ControlServer(edge_lfr.folder / "run" / "control.sock", {}),
    ):
        done = edge_lfr("alerts", "purge", "--json")
    assert (0, [{"mode": "training", "by": "daemon"}]) == (done.status, done.json["outboxes"])
    assert "purges itself" in done.err
    assert 1 == outbox.purge(believing(CLOCK)).deleted
    outbox.close()


def test_the_timer_comes_again_when_a_command_holds_the_folder(edge_lfr: Command) -> None:
    """Exit status 75: nothing was purged, and nothing says that it was."""
    open_outbox(edge_lfr).close()
    with hold_state(edge_lfr.folder / "state" / "training"):
        assert os.EX_TEMPFAIL == edge_lfr("alerts", "purge").status


def test_what_commands_do_without_a_daemon_has_its_line(edge_lfr: Command) -> None:
    """Hold, release and purge in the caller's name, once the box has keys; the ledger is whole."""
    alert_id, old_id = "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW"
    assert 0 == edge_lfr("keys", "init").status
    outbox = open_outbox(edge_lfr)
    put(outbox, alert_id, 3600)
    put(outbox, old_id, -1)
    outbox.close()
    hold(edge_lfr, alert_id, note="case 17/4")
    assert 0 == edge_lfr("alerts", "release", alert_id, "--yes").status
    assert 0 == edge_lfr("alerts", "purge").status
    lines = edge_lfr("ledger", "show", "--json").json["lines"]
    noted = [line for line in lines if line["event"] not in {"begun", "head"}]
    expected = [
        ("legal-hold", alert_id),
        ("legal-hold-released", alert_id),
        ("alert-expired-unacknowledged", old_id),
        ("purged", None),
    ]
    assert expected == [(line["event"], line["facts"].get("alert")) for line in noted]
    assert [{"uid": os.getuid()}] * 4 == [line["who"] for line in noted]
    assert 0 == edge_lfr("ledger", "verify").status


def test_a_clock_in_doubt_ends_no_alert(edge_lfr: Command) -> None:
    """Earlier than a time that was believed: what is over by it stays, and whoever asks is told why."""
    outbox = open_outbox(edge_lfr)
    put(outbox, "over", -1)
    outbox._file._db.execute("UPDATE times SET stored_at = 0")  # kept for longer than any machine is up
    note = TimeNote(boot_id="-", boottime_ns=0, wall=CLOCK.utc_now(), newest=CLOCK.utc_now() + timedelta(hours=1))
    (edge_lfr.folder / "state/training/clock.json").write_text(note.model_dump_json())
    done = edge_lfr("alerts", "purge", "--json")
    (training,) = done.json["outboxes"]
    assert (0, 0, False) == (done.status, training["deleted"], training["clock_trusted"])
    assert "the clock is not trusted (training), so that alerts stay" in done.err
    assert ["over"] == [row.alert_id for row in outbox.pending()]
    outbox.close()


def lines_of(edge_lfr: Command) -> list[dict[str, Any]]:
    lines = edge_lfr("ledger", "show", "--json").json["lines"]
    return [line for line in lines if line["event"] not in {"begun", "head", "consulted"}]


@contextmanager
def without_the_device_key(edge_lfr: Command) -> Iterator[None]:
    """As the timer's unit finds it, which loads no credential."""
    keys = edge_lfr.folder / "state/device"
    (keys / "kek.key").rename(keys / "elsewhere")
    try:
        yield
    finally:
        (keys / "elsewhere").rename(keys / "kek.key")


def test_what_is_done_without_the_key_costs_no_line(edge_lfr: Command) -> None:
    """Held, released and purged by somebody who cannot write the ledger: the next one who can does, once."""
    alert_id = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert 0 == edge_lfr("keys", "init").status
    outbox = open_outbox(edge_lfr)
    put(outbox, alert_id, 0.1)
    outbox.close()
    time.sleep(0.1)
    with without_the_device_key(edge_lfr):
        hold(edge_lfr, alert_id)
        assert 1 == edge_lfr("alerts", "purge", "--json").json["outboxes"][0]["lost"]
        done = edge_lfr("alerts", "release", alert_id, "--yes")
        assert 0 == done.status
        assert "the ledger has it as soon as somebody comes who has the key" in done.err
        assert 1 == edge_lfr("alerts", "purge", "--json").json["outboxes"][0]["deleted"]
    time.sleep(1)
    for _ in range(2):
        assert 0 == edge_lfr("alerts", "holds").status
    lines = lines_of(edge_lfr)
    expected = ["legal-hold", "alert-expired-unacknowledged", "legal-hold-released", "purged"]
    assert expected == [line["event"] for line in lines]
    assert [alert_id] * 3 == [line["facts"]["alert"] for line in lines[:3]]
    assert [{"uid": os.getuid()}] * 4 == [line["who"] for line in lines]
    assert min(line["facts"]["late_s"] for line in lines) >= 1
    assert 0 == edge_lfr("ledger", "verify").status


def test_a_kill_after_the_line_doubles_nothing(edge_lfr: Command) -> None:
    """The line is in the ledger and the outbox still has the deed: whoever comes next finds it told."""
    alert_id = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert 0 == edge_lfr("keys", "init").status
    outbox = open_outbox(edge_lfr)
    put(outbox, alert_id, 3600)
    outbox.close()
    with without_the_device_key(edge_lfr):
        hold(edge_lfr, alert_id)
    folder = edge_lfr.folder / "state" / "training"
    before = (folder / FILE_NAME).read_bytes()
    assert 0 == edge_lfr("alerts", "holds").status
    (folder / FILE_NAME).write_bytes(before)  # as a kill between the two leaves it
    assert 0 == edge_lfr("alerts", "release", alert_id, "--yes").status
    assert ["legal-hold", "legal-hold-released"] == [line["event"] for line in lines_of(edge_lfr)]
    outbox = open_outbox(edge_lfr)
    assert () == outbox.deeds.untold()
    outbox.close()


def test_a_release_of_which_nothing_can_be_written_is_refused(edge_lfr: Command) -> None:
    """Neither the ledger nor the outbox takes it: the hold stands, and the command says so."""
    alert_id = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert 0 == edge_lfr("keys", "init").status
    outbox = open_outbox(edge_lfr)
    put(outbox, alert_id, 3600)
    hold(edge_lfr, alert_id)
    outbox._file._db.execute("CREATE TRIGGER full BEFORE INSERT ON deeds BEGIN SELECT RAISE(ABORT, 'full'); END")
    with without_the_device_key(edge_lfr):
        assert 0 != edge_lfr("alerts", "release", alert_id, "--yes").status
    assert {alert_id} == outbox.holds.alert_ids()
    outbox.close()


def test_the_timer_obeys_the_profile_of_today(edge_lfr: Command) -> None:
    """An alert of two days ago, stored under 31 days, ends when the configuration says 24 hours, and not before."""
    outbox = open_outbox(edge_lfr)
    put(outbox, "a", 29 * 86_400)
    outbox._file._db.execute("UPDATE times SET stored_at = stored_at - 2 * 86400")
    outbox.close()
    text = edge_lfr.config.read_text()
    for profile, deleted in (("alerts-31d", 0), ("alerts-24h", 1)):
        edge_lfr.config.write_text(f'{text}\n[retention]\nprofile = "{profile}"\n')
        (done,) = edge_lfr("alerts", "purge", "--json").json["outboxes"]
        assert deleted == done["deleted"]
