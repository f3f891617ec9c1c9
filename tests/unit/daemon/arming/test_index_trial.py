"""A trial of the graph that cannot be: exact search goes on, and status says so."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from edge_lfr.config.identification import GalleryConfig, IndexChoice
from edge_lfr.daemon.arming.armament import Armament
from edge_lfr.watchlist.gallery import gallery
from edge_lfr.watchlist.gallery.index_report import IndexReason
from simulators.appliance import eventually
from simulators.operations import Box


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """With a list that asks for a graph."""
    box = Box(tmp_path)
    wants_graph = GalleryConfig(index=IndexChoice.HNSW)
    box.operation.config = box.config.model_copy(update={"gallery": wants_graph})
    box.load(20)
    yield box
    box.close()


def refuse(*_: object, **__: object) -> NoReturn:
    raise PermissionError


def armed(box: Box) -> Armament:
    box.operation.take_watchlist()
    armament = box.health.armament
    assert armament is not None
    return armament


def assert_failed(box: Box, armament: Armament) -> None:
    assert eventually(lambda: armament.gallery.choice.reason is IndexReason.FAILED)
    assert ("exact", "graph-failed") == (box.health.watchlist().index, box.health.watchlist().index_reason)


def test_a_trial_that_may_not_be_nice_is_none(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take from the path what the path needs."""
    monkeypatch.setattr(os, "setpriority", refuse)
    assert_failed(box, armed(box))


def test_a_trial_that_fails_in_any_way_is_reported(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """No error ends the trial's thread in silence, of whatever kind it is."""
    monkeypatch.setattr(gallery, "measure_recall", refuse)
    assert_failed(box, armed(box))


def test_a_trial_without_a_thread_is_reported(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is in use all the same."""

    def no_thread(_: threading.Thread) -> NoReturn:
        message = "can't start new thread"
        raise RuntimeError(message)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        armament = armed(box)
    assert_failed(box, armament)
    assert 20 == armament.gallery.references
