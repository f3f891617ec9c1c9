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
from edge_lfr.governance.ledger.published import read_published
from edge_lfr.pipeline.reporting.states import LedgerHeadMessage
from simulators.appliance import TOPICS
from simulators.heads import KEY, head


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


def test_a_line_that_a_power_cut_tore_goes(tmp_path: Path) -> None:
    """Nobody was shown that head; what is left of it would look like a foreign one for ever."""
    path = tmp_path / "heads.jsonl"
    HeadsFile(path).append(head(1))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole + whole[:length])
        HeadsFile(path).append(head(2))
        assert [1, 2] == kept(path)


LINE = json.dumps(head(1).head.model_dump(mode="json", by_alias=True), separators=(",", ":")).encode("ascii") + b"\n"


@pytest.mark.parametrize(
    "letter",
    [
        b"x",
        b"Dear all,\n\nyours",
        b"\n" + b"x" * 5_000,
        b"\n",
        b'mode = "training"\n[broker]\nport = 8883\n',
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b'{"schema":"lfr.document/1","kind":"ledger-head",\n',
        b"# heads\n" + LINE,
        LINE + b"yours\n",
        LINE * 9 + b"yours\n" + LINE[:20],
        b"x" * 5_000 + b"\n" + LINE,
    ],
)
def test_another_file_is_left_as_it_is(tmp_path: Path, letter: bytes) -> None:
    """A wrong name on the command line costs nothing."""
    path = tmp_path / "letter.txt"
    path.write_bytes(letter)
    with pytest.raises(OSError, match="not a file of ledger heads"):
        HeadsFile(path)
    assert letter == path.read_bytes()


def test_what_is_kept_is_what_the_ledger_is_checked_against(tmp_path: Path) -> None:
    """`ledger verify --heads FILE` reads every line, and finds the signature of the ledger's own key on it."""
    path = tmp_path / "heads.jsonl"
    file = HeadsFile(path)
    for n in (1, 2):
        file.append(LedgerHeadMessage.model_validate_json(head(n).to_json()))
    with path.open("rb") as kept_file:
        published = [each.head for each in read_published(kept_file)]
    assert [1, 2] == [None if each is None else each.content.n for each in published]
    assert all(each is not None and each.is_signed_by(KEY.public) for each in published)


@pytest.mark.parametrize("name", ["absent/heads.jsonl", "."])
def test_a_watch_that_cannot_keep_heads_does_not_begin(tmp_path: Path, name: str) -> None:
    """Nobody believes that there is a copy where there is none."""
    broker = BrokerConfig(host="127.0.0.1", port=1)
    with pytest.raises(NotShownError, match="ledger heads cannot be kept"):
        watch(broker, TOPICS, None, clock=SystemClock(), stop=threading.Event(), heads=tmp_path / name)
