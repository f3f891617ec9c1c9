"""What technicians ask for happens, whatever else fails meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_lfr.config.identification import DecisionConfig
from edge_lfr.daemon import operation
from edge_lfr.daemon.control.local_socket import MAX_PEERS
from edge_lfr.daemon.control.requests import MAX_WAITING
from edge_lfr.daemon.ending.unsigned_wipes import UnsignedWipe
from edge_lfr.errors import ArmingRefusedError, ControlError, DaemonBusyError, EdgeLfrError
from edge_lfr.governance.documents import Kind, read_document
from edge_lfr.governance.ledger.lines import Actor
from edge_lfr.pipeline.capture.source import CameraState
from edge_lfr.pipeline.reporting.rows import RowState
from edge_lfr.pipeline.reporting.states import DeviceState
from edge_lfr.watchlist.sealed import lists
from edge_lfr.watchlist.sealed.destruction import destroy_lists
from edge_lfr.watchlist.wiping.certificate import WipeCause, WipeCertificate
from simulators.appliance import eventually
from simulators.operations import TECHNICIAN, Box
from simulators.watchlists import entry


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    box.close()


def test_a_wipe_wipes_though_the_device_is_lost(box: Box) -> None:
    """A net that fails while the old path ends keeps neither the key, nor the matrix, nor the cameras."""
    box.run()
    armament = box.health.armament
    assert armament is not None
    box.embed()
    box.session.is_lost = True
    answer = box.ask("wipe")
    assert (1, 1, False) == (answer["keys"], answer["lists"], answer["is_replaced"])
    assert box.store.is_empty()
    assert armament.gallery._templates.is_destroyed
    assert (None, DeviceState.DISARMED) == (box.health.armament, box.health.state)


def test_a_wipe_waits_for_no_camera_that_hangs(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key and matrix are gone before any camera is asked to stop, and one that does not is left behind."""
    monkeypatch.setattr(operation, "CAMERAS_STOP_S", 0.01)
    box.run()
    box.camera.may_stop.clear()
    wipe = threading.Thread(target=box.ask, args=("wipe",), daemon=True)
    wipe.start()
    wipe.join(10)
    assert not wipe.is_alive()
    assert box.store.is_empty()
    assert DeviceState.DISARMED is box.health.state


def test_a_machine_without_threads_ends_what_it_can(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list goes, and whoever asked has the answer; the camera is told."""
    box.run()

    def refuse(_: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        box.operation.fall_silent()
    assert (None, DeviceState.DISARMED) == (box.health.armament, box.health.state)


def test_requests_that_wait_leave_places_for_a_wipe(box: Box) -> None:
    """One is at work, and half of the socket's places wait for it; who comes then is told so, and a wipe is done."""
    box.run()
    with ThreadPoolExecutor(MAX_PEERS) as peers, box.requests.one_at_a_time:
        asked = [peers.submit(box.ask, "resume") for _ in range(MAX_PEERS - 1)]
        assert eventually(lambda: MAX_PEERS - 1 - MAX_WAITING == sum(each.done() for each in asked))
        for each in asked:
            if each.done():
                assert isinstance(each.exception(), DaemonBusyError)
        began_s = time.monotonic()
        wiping = peers.submit(box.ask, "wipe")
        assert eventually(box.store.is_empty)
        assert time.monotonic() - began_s < 2.0
    assert 1 == wiping.result()["keys"]


def test_a_load_ends_no_pause(box: Box) -> None:
    """Also where something else has stopped the matching since: who paused it says when it goes on."""
    box.run()
    box.ask("pause")
    box.operation.fall_silent()
    box.ask("reload")
    assert (True, DeviceState.PAUSED) == (box.operation.is_paused, box.health.state)
    assert CameraState.UP is not box.camera.status.state
    box.ask("resume")
    assert (False, DeviceState.RUNNING) == (box.operation.is_paused, box.health.state)


def test_a_wipe_that_the_disk_refuses_disarms_all_the_same(box: Box) -> None:
    """Nobody is searched for any more, and the technician learns that the files are still there."""
    box.run()
    (box.store.directory / "current").unlink()
    (box.store.directory / "current").mkdir()
    with pytest.raises(EdgeLfrError):
        box.ask("wipe")
    assert (None, DeviceState.DISARMED) == (box.health.armament, box.health.state)


def test_a_new_list_is_taken_whole_though_the_device_is_lost(box: Box) -> None:
    """Path, alerts and gallery are of one list, and the vectors of the one before are destroyed."""
    box.run(2)
    old = box.health.armament
    assert old is not None
    box.load(3)
    box.embed()
    box.session.is_lost = True
    box.ask("reload")
    new = box.health.armament
    assert new is not None
    assert 3 == new.gallery.references
    assert box.operation.alerts._basis is not None
    assert new.watchlist.digest == box.operation.alerts._basis.watchlist_digest
    assert old.gallery._templates.is_destroyed
    assert 1 == box.loop.failures


def test_who_was_removed_is_searched_no_more_though_the_new_list_fails(box: Box) -> None:
    """When the list without them cannot be taken into use, none is."""
    box.run(2)
    below_the_floor = DecisionConfig(threshold=0.1)
    box.operation.config = box.config.model_copy(update={"decision": below_the_floor})
    with pytest.raises(EdgeLfrError):
        box.ask("remove", reference_ids=[entry(0).reference_id])
    assert (None, DeviceState.DISARMED) == (box.health.armament, box.health.state)
    with box.store.open() as stored:
        assert 1 == stored.references


@pytest.mark.parametrize("is_searched", [True, False])
def test_who_removes_everybody_gets_a_proof(box: Box, *, is_searched: bool) -> None:
    """Also of a list that waits for its deployment: the certificate says why it ended, and how many were on it."""
    box.load(2)
    if is_searched:
        box.operation.take_watchlist()
    assert is_searched == (box.health.armament is not None)
    box.ask("remove", reference_ids=[entry(number).reference_id for number in range(2)])
    assert box.store.is_empty()
    assert eventually(lambda: box.certifier.latest is not None)
    assert box.certifier.latest is not None
    certificate = read_document(box.certifier.latest, Kind.WIPE_CERTIFICATE, WipeCertificate).content
    assert (WipeCause.REMOVED_LAST, 1, 2) == (certificate.cause, certificate.lists, certificate.references)


def test_what_failed_half_way_is_announced(box: Box) -> None:
    """The broker learns of a state that changed also where the request was refused in the end."""
    with pytest.raises(EdgeLfrError):
        box.ask("remove", reference_ids=["nobody"])
    assert 1 == box.announced


def test_a_test_alert_waits_no_longer_than_its_client(box: Box) -> None:
    """Nobody would take the answer, and the place would be missing for a wipe."""
    with pytest.raises(ControlError, match="expected 0 to 90 seconds"):
        box.ask("test-alert", timeout_s=600)
    assert {RowState.STORED.value} == {box.ask("test-alert", timeout_s=0)["state"]}


def test_one_test_alert_waits_at_a_time(box: Box) -> None:
    """A second one gets its refusal at once, and a later one its turn."""
    answers: list[object] = []
    first = threading.Thread(target=lambda: answers.append(box.ask("test-alert", timeout_s=60)["state"]))
    first.start()
    assert eventually(lambda: bool(box.health.outbox.pending()))
    with pytest.raises(DaemonBusyError, match="under way"):
        box.ask("test-alert", timeout_s=60)
    (pending,) = box.health.outbox.pending()
    box.health.outbox.acknowledge(pending.alert_id)
    first.join()
    assert [RowState.ACKNOWLEDGED.value] == answers
    assert RowState.STORED.value == box.ask("test-alert", timeout_s=0)["state"]


def pending(box: Box) -> list[Path]:
    return sorted(box.store.directory.parent.glob("certificates/pending-*.json"))


def test_a_wipe_is_noted_before_the_first_key_ends(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a kill leaves no wipe of which nobody knows; what is certified needs no note any more."""
    box.run()
    found: list[int] = []

    def look_and_destroy(folders: Sequence[Path], *, between: Callable[[], None]) -> int:
        found.extend(UnsignedWipe.model_validate_json(note.read_bytes()).keys for note in pending(box))
        assert any(box.store.directory.rglob("key.wrapped"))
        return destroy_lists(folders, between=between)

    monkeypatch.setattr(lists, "destroy_lists", look_and_destroy)
    box.ask("wipe")
    assert [1] == found
    assert eventually(lambda: box.certifier.latest is not None)
    assert [] == pending(box)


def test_a_wipe_that_is_not_in_the_ledger_keeps_its_note(box: Box) -> None:
    """Whoever comes next has it written."""
    box.run()
    box.certifier.is_recorded = lambda: False
    box.ask("wipe")
    assert eventually(lambda: box.certifier.latest is not None)
    (note,) = pending(box)
    said = UnsignedWipe.model_validate_json(note.read_bytes())
    assert (1, 1, Actor.of_uid(TECHNICIAN)) == (said.lists, said.keys, said.who)
    assert said.destroyed_in_s is not None


def test_a_wipe_of_nothing_leaves_no_note(box: Box) -> None:
    """There is nothing to certify later."""
    box.ask("wipe")
    assert [] == pending(box)


def test_a_disk_that_takes_no_note_keeps_no_list_alive(box: Box) -> None:
    """The wipe is done all the same."""
    box.run()
    (box.store.directory.parent / "certificates").write_bytes(b"")
    assert 1 == box.ask("wipe")["keys"]
    assert box.store.is_empty()


def test_a_wipe_waits_for_no_request_that_hangs(box: Box) -> None:
    """The key is gone at once; what the other one took into use goes as soon as that has ended."""
    box.run()
    answers: list[object] = []
    box.requests.one_at_a_time.acquire()
    wipe = threading.Thread(target=lambda: answers.append(box.ask("wipe")["keys"]))
    wipe.start()
    try:
        assert eventually(box.store.is_empty)
        assert eventually(lambda: box.health.armament is None)
        box.run()
    finally:
        box.requests.one_at_a_time.release()
    wipe.join(30)
    assert [1] == answers
    assert (None, DeviceState.DISARMED) == (box.health.armament, box.health.state)


def test_whether_a_process_is_replaced_is_decided_once(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert that only memory holds keeps it; when that is gone a stop stops, and begins nothing anew."""
    box.wiping.may_be_replaced = True
    spooled = {"alert": 1}
    monkeypatch.setattr(type(box.health.outbox), "spooled", property(lambda _: len(spooled)))
    box.run()
    seen = [box.ask("wipe")["is_replaced"]]
    spooled.clear()
    seen.append(box.wiping.wants_replacement)
    box.run()
    seen += [box.ask("wipe")["is_replaced"], box.wiping.wants_replacement]
    box.ask("stop")
    seen.append(box.wiping.wants_replacement)
    assert [False, False, True, True, False] == seen


def test_a_reload_does_not_end_a_hold(box: Box) -> None:
    """Whoever loads a list has not looked at whom the appliance trusts; what is missing is said."""
    box.run()
    box.operation.hold("trust-changed")
    answer = box.ask("reload")
    assert "refused" in answer
    assert (None, DeviceState.PAUSED) == (box.health.armament, box.health.state)
    box.ask("resume")
    assert box.health.armament is not None


def test_a_restart_does_not_end_a_hold(box: Box) -> None:
    """Nothing is opened before somebody says so, and then the hold is over for good."""
    box.config.mode_directory.mkdir(parents=True, exist_ok=True)
    box.run()
    box.operation.hold("trust-changed")
    box.operation.held_for, box.operation.is_paused = None, False  # as in a process that begins
    box.operation.keep_holding("trust-changed")
    with pytest.raises(ArmingRefusedError, match="nobody has said that it shall go on"):
        box.operation.take_watchlist()
    assert (None, DeviceState.PAUSED) == (box.health.armament, box.operation.state_when_awake())
    box.ask("resume")
    box.operation.held_for = None
    box.operation.keep_holding("trust-changed")
    assert None is box.operation.held_for


def test_everybody_of_a_list_that_was_replaced_is_not_everybody(box: Box) -> None:
    """Who is on the new list alone stays on it; the two are taken out of the list that is live."""
    box.run(2)
    box.load(3)
    box.ask("remove", reference_ids=[entry(0).reference_id, entry(1).reference_id])
    with box.store.open() as stored:
        assert (entry(2).reference_id,) == stored.reference_ids
    assert box.health.armament is not None
    assert 1 == box.health.armament.gallery.references
