"""A deployment day as its ledger tells it: real daemon, nets, broker and commands, and the control room's own copy."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.governance.ledger.file import FILE_NAME
from simulators.appliance import eventually
from simulators.broker import Broker
from simulators.desk import Desk
from simulators.van import ENTRY_POINT, Van, reference_of

pytestmark = pytest.mark.shared

LISTED, ALSO_LISTED, REMAINING = "001.jpg", "002.jpg", "004.jpg"
LIMIT_S = 60.0
US = {"uid": os.getuid()}
ITSELF = {"part": "daemon"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    (tmp_path / "broker").mkdir()
    with Broker(tmp_path / "broker") as started:
        yield started


@pytest.fixture
def van(tmp_path: Path, installed_packs: Path, shared_data: Path, broker: Broker) -> Van:
    return Van(tmp_path, installed_packs, shared_data / "london", broker.port)


def lines(van: Van) -> list[dict[str, Any]]:
    """All but heads and the beginning."""
    path = van.folder / "state" / "training" / FILE_NAME
    found = [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
    return [line for line in found if line["event"] not in {"begun", "head"}]


def ask(van: Van, *arguments: str) -> None:
    done = van.run(*arguments)
    assert 0 == done.returncode, done.stderr


def test_a_day_is_in_the_ledger_and_its_heads_are_elsewhere(van: Van, broker: Broker) -> None:
    """Every event in its order with who did it; whole against the control room's heads; and nobody named in it."""
    heads = van.folder / "heads.jsonl"
    van.load([LISTED, ALSO_LISTED, REMAINING])
    van.show([LISTED], 2.5)
    watch = subprocess.Popen(
        [str(ENTRY_POINT), "alerts", "watch", "--json", "--heads", str(heads), "--config", str(van.config)],
        cwd=van.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with Desk(broker, van.key) as desk, van.daemon() as daemon:
            assert eventually(lambda: any(line["event"] == "acknowledged" for line in lines(van)), LIMIT_S)
            alert_id = desk.alerts[0].message.alert_id
            ask(van, "watchlist", "remove", reference_of(ALSO_LISTED), "--yes")
            ask(van, "pause")
            ask(van, "resume")
            assert 0 != van.run("watchlist", "remove", "nobody", "--yes").returncode
            ask(van, "alerts", "hold", alert_id, "--reason", "evidence", "--note", "case 17/4")
            ask(van, "watchlist", "wipe", "--yes")
            assert eventually(lambda: any(line["event"] == "wipe-proved" for line in lines(van)), LIMIT_S)
            ask(van, "stop")
            assert 0 == daemon.process.wait(timeout=30)
        assert eventually(lambda: heads.exists() and len(heads.read_bytes().splitlines()) > 3, LIMIT_S)
    finally:
        watch.send_signal(signal.SIGINT)
        watch.wait(timeout=30)
    told = [(line["event"], line["who"]) for line in lines(van)]
    start = [("started", ITSELF), ("configured", ITSELF), ("pack", ITSELF)]
    expected = [
        ("watchlist-loaded", US),
        *start,
        *[("threshold", ITSELF), ("armed", ITSELF), ("alert", ITSELF)],
        *[("watchlist-removed", US), ("disarmed", US), ("threshold", US), ("armed", US)],
        *[("paused", US), ("resumed", US), ("refused", US), ("legal-hold", US)],
        *[("disarmed", US), ("watchlist-wiped", US), ("stopped", ITSELF)],
        *start,
        *[("wipe-proved", ITSELF), ("stopped", US)],
    ]
    rest = iter(told)
    assert all(event in rest for event in expected), told
    (acknowledged,) = (line for line in lines(van) if line["event"] == "acknowledged")
    assert (alert_id, ["key"]) == (acknowledged["facts"]["alert"], list(acknowledged["who"]))
    report = json.loads(van.run("ledger", "verify", "--heads", str(heads), "--json").stdout)
    assert report["findings"] == []
    assert report["published"] == len(heads.read_bytes().splitlines())
    assert 0 == van.run("ledger", "verify", "--heads", str(heads)).returncode
    _assert_nobody_is_named(van)


def _assert_nobody_is_named(van: Van) -> None:
    data = (van.folder / "state" / "training" / FILE_NAME).read_bytes()
    references = [reference_of(person) for person in (LISTED, ALSO_LISTED, REMAINING)]
    for text in ("Subject", "street", "case 17", "jpg", "127.0.0.1", *references):
        assert text.encode() not in data, text
