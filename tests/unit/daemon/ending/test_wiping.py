"""One wipe at a time: whoever comes while one is under way gets its answer, and its proof is lost to nobody."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_lfr.daemon import operation
from edge_lfr.daemon.ending import wiping
from edge_lfr.errors import EdgeLfrError
from edge_lfr.governance.documents import Kind, read_document
from edge_lfr.governance.ledger.lines import Actor, Part
from edge_lfr.watchlist.sealed import destruction
from edge_lfr.watchlist.wiping.certificate import WipeCause, WipeCertificate
from edge_lfr.watchlist.wiping.ended_list import EndedList
from simulators.appliance import eventually
from simulators.operations import Box
from simulators.watchlists import entry, new_store, picture, templates

DAEMON = Actor.of_part(Part.DAEMON)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    (tmp_path / "box").mkdir()
    box = Box(tmp_path / "box")
    yield box
    box.close()


def wipes_beside(box: Box, *, meanwhile: bool = False) -> list[EndedList]:
    """Two wipes, the second while the first waits for its cameras; perhaps a list is loaded between the two."""
    box.camera.may_stop.clear()
    answers: list[EndedList] = []
    first = threading.Thread(target=lambda: answers.append(box.wiping.wipe(WipeCause.COMMAND, DAEMON)))
    first.start()
    assert eventually(lambda: box.store.is_empty() and box.health.armament is None)
    if meanwhile:
        box.load(1)
    box.clock.advance(1.0)
    second = threading.Thread(target=lambda: answers.append(box.wiping.wipe(WipeCause.COMMAND, DAEMON)))
    second.start()
    second.join(0.2)
    assert second.is_alive()
    box.camera.may_stop.set()
    first.join(10)
    second.join(10)
    return answers


@pytest.mark.parametrize("may_be_replaced", [True, False])
def test_a_second_wipe_gets_the_answer_of_the_first(
    box: Box, monkeypatch: pytest.MonkeyPatch, *, may_be_replaced: bool
) -> None:
    """It destroyed nothing, so the proof that is due is of what the first one did."""
    monkeypatch.setattr(operation, "CAMERAS_STOP_S", 5.0)
    box.wiping.may_be_replaced = may_be_replaced
    box.run()
    first, second = wipes_beside(box)
    assert first is second is box.wiping.ended
    assert (1, 1) == (first.lists, first.keys)
    assert first.evidence is not None
    assert may_be_replaced == box.wiping.wants_replacement


def test_a_second_wipe_destroys_what_has_come_since_the_first(box: Box) -> None:
    """A list that was loaded while the first one waited for its cameras is not left alive by its answer."""
    box.run()
    first, second = wipes_beside(box, meanwhile=True)
    assert box.store.is_empty()
    assert (1, 1) == (second.lists, second.keys)
    assert first is not second


def test_an_answer_that_is_given_twice_is_certified_once(box: Box) -> None:
    """The search zeroes what it looks for, and a second one would find nothing, whatever there is."""
    box.run()
    ended, _ = wipes_beside(box)
    box.certifier.begin(ended, answering_in_s=None)
    thread = box.certifier._thread
    box.certifier.begin(ended, answering_in_s=None)
    assert thread is box.certifier._thread
    assert eventually(lambda: box.certifier.latest is not None)


def test_a_wipe_that_does_not_end_keeps_no_list_alive(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one waits for a while, and destroys beside it."""
    monkeypatch.setattr(wiping, "OTHER_LIMIT_S", 0.05)
    box.run()
    with box.wiping._one_at_a_time:
        assert 1 == box.wiping.wipe(WipeCause.COMMAND, DAEMON).keys
    assert box.store.is_empty()


def test_what_a_failed_wipe_destroyed_is_certified(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk gives up behind the key of the live list: whoever asked is told, and that list has its certificate."""
    box.run()

    def leave_half_a_list() -> None:
        with new_store(box.store.directory.parent).create(pack_digest="0" * 64, dimension=templates(0).shape[1]) as new:
            new.add(entry(0), templates(0), picture(0))
            os._exit(0)

    child = os.fork()
    if child == 0:
        leave_half_a_list()
    os.waitpid(child, 0)
    destroyed: list[Path] = []

    def refuse_the_second(path: Path) -> None:
        destroyed.append(path)
        if len(destroyed) > 1:
            raise OSError(5, "Input/output error")
        os.truncate(path, 0)

    monkeypatch.setattr(destruction, "overwrite_and_unlink", refuse_the_second)
    monkeypatch.setattr(destruction, "destroy_list", refuse_the_second)
    with pytest.raises(EdgeLfrError):
        box.ask("wipe")
    assert eventually(lambda: box.certifier.latest is not None)
    assert box.certifier.latest is not None
    said = read_document(box.certifier.latest, Kind.WIPE_CERTIFICATE, WipeCertificate).content
    assert (1, 1, 2, False) == (said.lists, said.keys, said.references, said.is_clean)
    assert destroyed[0].parent.name == said.list_id
    assert [] == list(box.store.directory.parent.glob("certificates/pending-*"))


def test_a_wipe_that_destroyed_nothing_hides_no_earlier_one(box: Box) -> None:
    """What waits for the process to begin anew waits on, whoever wipes again before that."""
    box.wiping.may_be_replaced = True
    box.run()
    first = box.wiping.wipe(WipeCause.COMMAND, DAEMON)
    box.clock.advance(1.0)
    assert first is box.wiping.wipe(WipeCause.WINDOW_ENDED, DAEMON) is box.wiping.ended
    assert box.wiping.wants_replacement
