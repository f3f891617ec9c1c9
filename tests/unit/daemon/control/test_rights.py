"""Who may ask for what: technicians look, pause, stop and destroy; everything else is root's and the daemon's own."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.daemon.control.local_socket import ControlServer
from edge_lfr.daemon.control.protocol import Request, Verb
from edge_lfr.daemon.control.rights import WHO_MAY
from edge_lfr.daemon.noting.refusal_limit import LINES_AN_HOUR
from edge_lfr.errors import PermissionRefusedError
from edge_lfr.governance.ledger.file import FILE_NAME
from simulators.operations import Box
from simulators.peers import answer_to, asked_as, running_as
from simulators.watchlists import entry

ROOT, OWN, TECHNICIAN, VISITOR = 0, 4243, 4244, 4245
"""Users: root, the daemon's own, a member of the group, and nobody of ours."""

GROUP = 4299
"""Of the socket."""

TECHNICIANS = {"status", "cameras", "certificate", "pause", "resume", "stop", "test-alert", "wipe"}
"""What a member of the group may ask for, said a second time."""


@dataclass
class Asked:
    """An appliance at a socket that root, its own user and the group reach; it looks, and holds an alert."""

    folder: Path
    box: Box
    path: Path
    alert_id: str

    def question(self, verb: str) -> dict[str, object]:
        """One that is sound: whoever may ask for it gets it."""
        args: dict[str, dict[str, object]] = {
            "remove": {"reference_ids": [entry(0).reference_id]},
            "hold": {"alert_id": self.alert_id, "reason": "complaint", "note": "complaint 17/4"},
            "release": {"alert_id": self.alert_id, "reason": "evidence"},
            "test-alert": {"timeout_s": 0.0},
        }
        return {"verb": verb, "args": args.get(verb, {})}

    def state(self) -> dict[str, object]:
        """What a verb can change."""
        return {
            "list": self.box.store.live_list_id(),
            "armament": id(self.box.health.armament),
            "state": self.box.health.state,
            "paused": self.box.operation.is_paused,
            "ending": self.box.requests.ending.is_set(),
            "holds": self.box.requests.outbox.holds.all(),
            "alerts": self.box.requests.outbox.counts(),
            "announced": self.box.announced,
            "clock": [path.read_bytes() for path in self.folder.glob("clock*")],
        }

    def refusals(self) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in (self.folder / FILE_NAME).read_bytes().splitlines()]
        return [line for line in lines if line["event"] == "refused"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Everybody reaches what lies in it; a socket's path is short."""
    with tempfile.TemporaryDirectory(prefix="lfr-") as name:
        inner = Path(name) / "state"
        inner.mkdir()
        for path in (Path(name), inner):
            path.chmod(0o755)
        yield inner


def looking(folder: Path, own_uid: int | None) -> Asked:
    box = Box(folder, own_uid=own_uid)
    box.run()
    alert_id = box.requests.alerts.write_test().alert_id
    hold = {"alert_id": alert_id, "reason": "evidence", "note": "case 17/4"}
    box.requests.handlers()[Verb.HOLD](Request(verb=Verb.HOLD, args=hold, peer_uid=box.requests.own_uid))
    return Asked(folder, box, folder.parent / "control.sock", alert_id)


@pytest.fixture
def asked(folder: Path) -> Iterator[Asked]:
    """The daemon's own user is `OWN`, who is not root; this process stands for the daemon."""
    found = looking(folder, OWN)
    with ControlServer(found.path, found.box.requests.handlers()):
        if os.geteuid() == ROOT:
            os.chown(found.path, OWN, GROUP)
        yield found
    found.box.close()


@pytest.mark.parametrize("verb", list(Verb))
def test_every_verb_says_who_may(verb: Verb) -> None:
    """The table is closed: a verb that nobody thought of is in neither list, and this fails."""
    assert ("admitted" if verb in TECHNICIANS else "owner") == WHO_MAY[verb]


@pytest.mark.root
@pytest.mark.parametrize("verb", list(Verb))
def test_a_technician_gets_what_is_his(asked: Asked, verb: Verb) -> None:
    """The rest is refused with code, status and who may; it is in the ledger in his name, and changed nothing."""
    before = asked.state()
    answer = asked_as(asked.path, asked.question(verb), TECHNICIAN, GROUP)
    if verb in TECHNICIANS:
        assert answer["ok"], answer
        assert [] == asked.refusals()
        return
    assert (False, "control.permission", os.EX_NOPERM) == (answer["ok"], answer["code"], answer["exit_status"])
    assert "only root and the daemon's own user" in answer["message"]
    assert "sudo edge-lfr" in answer["remedy"]
    (line,) = asked.refusals()
    assert ({"uid": TECHNICIAN}, {"code": "control.permission", "verb": verb}) == (line["who"], line["facts"])
    assert before == asked.state()


@pytest.mark.root
@pytest.mark.parametrize("verb", list(Verb))
@pytest.mark.parametrize("uid", [ROOT, OWN])
def test_root_and_the_own_user_get_everything(asked: Asked, verb: Verb, uid: int) -> None:
    """Every verb, with sound arguments."""
    answer = asked_as(asked.path, asked.question(verb), uid)
    assert answer["ok"], answer
    assert [] == asked.refusals()


@pytest.mark.root
@pytest.mark.parametrize("claimed", [ROOT, OWN])
def test_naming_somebody_gives_no_right(asked: Asked, claimed: int) -> None:
    """A technician who says that he asks for root is the technician whom the kernel saw."""
    before = asked.state()
    question = {**asked.question("release"), "acting_uid": claimed}
    answer = asked_as(asked.path, question, TECHNICIAN, GROUP)
    assert "control.permission" == answer["code"]
    assert [{"uid": TECHNICIAN}] == [line["who"] for line in asked.refusals()]
    assert before == asked.state()


@pytest.mark.root
def test_root_may_ask_for_a_technician(asked: Asked) -> None:
    """As the installed command does behind sudo: the right is root's, and both are in the ledger."""
    answer = asked_as(asked.path, {**asked.question("release"), "acting_uid": TECHNICIAN}, ROOT)
    assert answer["ok"], answer
    assert f'"caller":"{TECHNICIAN} through 0"'.encode() in (asked.folder / FILE_NAME).read_bytes()


@pytest.mark.root
def test_others_do_not_get_to_the_daemon(asked: Asked) -> None:
    """Whom the socket does not admit asks for nothing, not even how it is; and leaves no line."""
    assert "unreachable" == asked_as(asked.path, asked.question("status"), VISITOR)["code"]
    assert [] == asked.refusals()


def test_whoever_is_refused_without_end_fills_no_disk(asked: Asked) -> None:
    """One user's refusals have so many lines an hour, and the others are counted."""
    handler = asked.box.requests.handlers()[Verb.RELEASE]
    for _ in range(LINES_AN_HOUR + 20):
        with pytest.raises(PermissionRefusedError):
            handler(Request(verb=Verb.RELEASE, peer_uid=TECHNICIAN))
    asked.box.health.recorder.stop()
    own = [line["facts"] for line in asked.refusals()]
    assert LINES_AN_HOUR == sum(facts["code"] == "control.permission" for facts in own)
    assert [20] == [facts["refusals"] for facts in own if facts["code"] == "further"]


@pytest.mark.parametrize("verb", list(Verb))
def test_whoever_runs_the_daemon_by_hand_may_do_everything(folder: Path, verb: Verb) -> None:
    """Its own user is whoever started it, root or not; nobody has to say so."""
    found = looking(folder, None)
    with ControlServer(found.path, found.box.requests.handlers()):
        answer = answer_to(found.path, found.question(verb))
    found.box.close()
    assert answer["ok"], answer


@pytest.mark.root
def test_a_daemon_without_rights_knows_its_own_user(folder: Path) -> None:
    """A process that is not root at all: its own user and root release a hold, a technician does not."""
    shutil.chown(folder, OWN)
    shutil.chown(folder.parent, OWN)
    said = folder / "alert"

    def serve(wait: Callable[[], None]) -> None:
        found = looking(folder, None)
        said.write_text(found.alert_id)
        with ControlServer(found.path, found.box.requests.handlers()):
            found.path.chmod(0o666)
            wait()
        found.box.close()

    with running_as(OWN, serve):
        path, alert = folder.parent / "control.sock", {"alert_id": said.read_text()}
        release: dict[str, object] = {"verb": "release", "args": alert}
        hold: dict[str, object] = {"verb": "hold", "args": {**alert, "reason": "complaint", "note": "complaint 17/4"}}
        codes = [asked_as(path, question, TECHNICIAN).get("code") for question in (release, hold)]
        assert ["control.permission"] * 2 == codes
        assert asked_as(path, release, OWN)["ok"]
        assert asked_as(path, hold, ROOT)["ok"]
        assert asked_as(path, {"verb": "wipe"}, TECHNICIAN)["ok"]
