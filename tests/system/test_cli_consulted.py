"""Who looks something up on the appliance has a line in the ledger, which names nobody that was looked up."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.clock import SystemClock
from edge_lfr.config.load import load_config
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.pipeline.reporting.outbox import FILE_NAME, Outbox
from edge_lfr.pipeline.reporting.rows import RowKind
from edge_lfr.watchlist.records.pseudonyms import officer_of
from simulators.command import CONFIG, Command
from simulators.watchlists import entry, load, new_store

LISTED = entry(0).reference_id


@pytest.fixture
def edge_lfr(tmp_path: Path) -> Command:
    """A box with keys, a list of three, and a protection officer whose key lies there too."""
    command, key = Command(tmp_path), tmp_path / "officer.age"
    subprocess.run(["age-keygen", "-o", key], check=True, capture_output=True)
    public = subprocess.run(["age-keygen", "-y", key], check=True, capture_output=True, text=True).stdout.strip()
    command.config.write_text(CONFIG + f'protection_officer = "{public}"\n')
    load(new_store(tmp_path / "state/training", officer_of(load_config(command.config, {}))), range(3))
    assert 0 == command("keys", "show").status
    return command


def consulted(edge_lfr: Command) -> list[dict[str, Any]]:
    """The facts of every look-up so far; no line of the ledger has the id of anybody on the list."""
    assert LISTED.encode() not in (edge_lfr.folder / "state/training/ledger.jsonl").read_bytes()
    shown = edge_lfr("ledger", "show", "--event", "consulted", "--json")
    return [line["facts"] for line in shown.json["lines"]]


def test_who_has_every_id_shown_is_noted(edge_lfr: Command) -> None:
    """As a table or as data, with how many; the counts alone are nobody's."""
    for words in ((), ("--references",), ("--references", "--json"), ("--json",)):
        assert 0 == edge_lfr("watchlist", "show", *words).status
    assert [{"what": "references", "found": 3}] * 2 == consulted(edge_lfr)


def test_who_asks_whether_somebody_was_listed_is_noted(edge_lfr: Command) -> None:
    """Where there is a configuration: away from the appliance there is no ledger, and nothing is made."""
    copied = edge_lfr.folder / "stick"
    assert 0 == edge_lfr("watchlist", "manifests", "--copy-to", str(copied)).status
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    asked = ("watchlist", "was-listed", LISTED, "--on", day, "--key", "officer.age", str(copied))
    assert 0 == edge_lfr(*asked).status
    assert [{"what": "was-listed"}] == consulted(edge_lfr)
    assert 0 == edge_lfr(*asked, environ={"EDGE_LFR_CONFIG": "/nonexistent"}).status
    assert [{"what": "was-listed"}] == consulted(edge_lfr)


def test_who_has_the_holds_shown_is_noted(edge_lfr: Command) -> None:
    """With how many; a box without alerts has nothing to show."""
    assert 0 == edge_lfr("alerts", "holds").status
    clock, config = SystemClock(), load_config(edge_lfr.config, {})
    kek = KeyEncryptingKey.load(config.mode_directory)
    outbox = Outbox(config.mode_directory / FILE_NAME, kek, config.reporting, clock)
    alert_id, ends_at = "01J0000000000000000000000A", clock.utc_now() + timedelta(hours=1)
    outbox.store(b"message", alert_id=alert_id, kind=RowKind.ALERT, seq=outbox.next_seq(), expires_at=ends_at)
    outbox.close()
    assert 0 == edge_lfr("alerts", "hold", alert_id, "--reason", "evidence", "--note", "case 7").status
    assert 0 == edge_lfr("alerts", "holds").status
    assert [{"what": "holds", "found": 1}] == consulted(edge_lfr)
