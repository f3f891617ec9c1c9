"""The control room's copy of the ledger's heads."""

import json
import threading
from pathlib import Path

import pytest

from edge_lfr.clock import SystemClock
from edge_lfr.config.reporting import BrokerConfig
from edge_lfr.console.control_room import NotShownError
from edge_lfr.console.heads import HeadsFile
from edge_lfr.console.terminal import watch
from simulators.appliance import TOPICS
from simulators.heads import head


def kept(path: Path) -> list[int]:
    return [json.loads(line)["content"]["n"] for line in path.read_text().splitlines()]


def test_every_head_is_kept_once_in_one_line(tmp_path: Path) -> None:
    """As the ledger signed it, without the message around it; also for a watch that starts again."""
    path = tmp_path / "heads.jsonl"
    file = HeadsFile(path)
    for n in (1, 1, 2):
        file.append(head(n))
    HeadsFile(path).append(head(2))
    HeadsFile(path).append(head(3))
    assert [1, 2, 3] == kept(path)
    first = json.loads(path.read_text().splitlines()[0])
    assert {"schema", "kind", "content", "signatures"} == set(first)
    assert 0o600 == path.stat().st_mode & 0o777


def test_a_line_that_a_power_cut_tore_stays_apart(tmp_path: Path) -> None:
    """What comes after it is whole; what is left of it is not hidden."""
    path = tmp_path / "heads.jsonl"
    HeadsFile(path).append(head(1))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    HeadsFile(path).append(head(2))
    lines = path.read_bytes().splitlines(keepends=True)
    assert [whole, whole[:40] + b"\n"] == lines[:2]
    assert 2 == json.loads(lines[2])["content"]["n"]


@pytest.mark.parametrize("name", ["absent/heads.jsonl", "."])
def test_a_watch_that_cannot_keep_heads_does_not_begin(tmp_path: Path, name: str) -> None:
    """Nobody believes that there is a copy where there is none."""
    broker = BrokerConfig(host="127.0.0.1", port=1)
    with pytest.raises(NotShownError, match="ledger heads cannot be kept"):
        watch(broker, TOPICS, None, clock=SystemClock(), stop=threading.Event(), heads=tmp_path / name)
