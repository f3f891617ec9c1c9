"""What the appliance says in its ledger: who did what, in numbers and digests."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_lfr.config.retention import RetentionConfig
from edge_lfr.daemon.noting.chronicle import config_digest
from edge_lfr.daemon.noting.recorder import DAEMON
from edge_lfr.daemon.noting.unnoted import unnoted
from edge_lfr.errors import ControlError, EdgeLfrError
from edge_lfr.governance.ledger.backwards import lines_backwards
from edge_lfr.governance.ledger.file import FILE_NAME
from edge_lfr.pipeline.reporting.alert import AlertWriter
from edge_lfr.pipeline.reporting.expiry import believing
from simulators.appliance import IDENTITY, basis, eventually, face_at, frame_of, match_of
from simulators.ledgers import verified
from simulators.operations import TECHNICIAN, Box
from simulators.retention import DAY, NAME, document

BY_US = {"uid": TECHNICIAN}
BY_ITSELF = {"part": "daemon"}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    box.close()


def lines(folder: Path) -> list[dict[str, Any]]:
    """All but the beginning and heads, from a ledger that verifies."""
    data = (folder / FILE_NAME).read_bytes()
    assert verified(data).is_whole
    found = [json.loads(line) for line in data.splitlines()]
    return [line for line in found if line["event"] not in {"begun", "head"}]


def told(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    return [(line["event"], line["who"]) for line in lines(folder)]


def facts_of(folder: Path, event: str) -> list[dict[str, Any]]:
    return [line["facts"] for line in lines(folder) if line["event"] == event]


def test_who_pauses_resumes_and_tests_is_told(box: Box, tmp_path: Path) -> None:
    """By the peer's uid; how long the pause was."""
    box.ask("pause")
    box.clock.sleep(90)
    box.ask("resume")
    answer = box.ask("test-alert", timeout_s=0.0)
    assert [("paused", BY_US), ("resumed", BY_US), ("alert-tested", BY_US)] == told(tmp_path)
    assert [{"seconds": 90.0}] == facts_of(tmp_path, "resumed")
    assert [{"alert": answer["alert_id"], "outcome": "stored"}] == facts_of(tmp_path, "alert-tested")


def test_who_asks_and_does_not_get_it_is_told(box: Box, tmp_path: Path) -> None:
    """The verb and the code of the refusal; the arguments, which may name somebody, are not repeated."""
    box.run()
    with pytest.raises(EdgeLfrError):
        box.ask("remove", reference_ids=["nobody"])
    assert ("refused", BY_US) == told(tmp_path)[-1]
    assert ["remove"] == [facts["verb"] for facts in facts_of(tmp_path, "refused")]
    assert b"nobody" not in (tmp_path / FILE_NAME).read_bytes()


def test_every_arming_and_its_end_is_told(box: Box, tmp_path: Path) -> None:
    """With which list, threshold and index; who asked for it, or the daemon itself; what was counted meanwhile."""
    box.run(references=2)
    box.ask("reload")
    box.health.counters.count("alerts", 3)
    box.clock.sleep(12)
    box.operation.disarm()
    events = [(event, who) for event, who in told(tmp_path) if event != "index-chosen"]
    armed = [("threshold", BY_ITSELF), ("armed", BY_ITSELF)]
    assert [*armed, ("disarmed", BY_US), ("threshold", BY_US), ("armed", BY_US), ("disarmed", BY_ITSELF)] == events
    replaced, ended = facts_of(tmp_path, "disarmed")
    assert ("replaced", "daemon") == (replaced["code"], ended["code"])
    assert (3, 12.0) == (ended["alerts"], ended["seconds"])
    (first, _) = facts_of(tmp_path, "armed")
    assert (2, 4, 0.6) == (first["references"], first["templates"], first["threshold"])
    assert [("exact", "too-few-templates")] * 2 == [
        (facts["index"], facts["code"]) for facts in facts_of(tmp_path, "index-chosen")
    ]


def test_a_hold_and_its_end_are_told_by_the_peers_uid(box: Box, tmp_path: Path) -> None:
    """Alert, reason and the digest of the words; the words themselves, which may name somebody, are not there."""
    writer = AlertWriter(box.config.reporting, IDENTITY, box.health.outbox, box.clock, basis(), retention=DAY)
    alert = writer.write(match_of("r1"), frame_of(box.clock), face_at(200, 100))
    assert alert is not None
    box.ask("hold", alert_id=alert.alert_id, reason="evidence", note="case 17/4")
    (held,) = box.health.outbox.holds.all()
    assert (TECHNICIAN, "case 17/4") == (held.held_by, held.note)
    assert {"alert_id": alert.alert_id, "reason": "evidence"} == box.ask("release", alert_id=alert.alert_id)
    assert [("legal-hold", BY_US), ("legal-hold-released", BY_US)] == told(tmp_path)
    (facts,) = facts_of(tmp_path, "legal-hold")
    assert hashlib.sha256(b"case 17/4").hexdigest() == facts["reason_sha256"]
    refused: tuple[dict[str, object], ...] = (
        {"alert_id": 7},
        {"alert_id": "a", "reason": "whim", "note": "n"},
        {"alert_id": "a", "note": "n"},
        {"alert_id": alert.alert_id, "reason": "evidence", "note": "\udcff"},
    )
    for args in refused:
        with pytest.raises(ControlError):
            box.ask("hold", **args)


def test_a_removal_is_told_by_number(box: Box, tmp_path: Path) -> None:
    """How many, not whom."""
    box.run(references=3)
    armament = box.health.armament
    assert armament is not None
    first = armament.watchlist.reference_ids[0]
    box.ask("remove", reference_ids=[first])
    assert [{"references": 1}] == facts_of(tmp_path, "watchlist-removed")
    assert first.encode() not in (tmp_path / FILE_NAME).read_bytes()


def test_a_wipe_is_told_with_its_numbers_and_its_proof(box: Box, tmp_path: Path) -> None:
    """Which list, how many keys; then what the search found and the certificate's digest."""
    box.run()
    armament = box.health.armament
    assert armament is not None
    digest = armament.watchlist.digest
    box.ask("wipe")
    assert eventually(lambda: box.certifier.latest is not None)
    (wiped,) = facts_of(tmp_path, "watchlist-wiped")
    assert (1, 1, "command", digest) == (wiped["lists"], wiped["keys"], wiped["code"], wiped["watchlist_sha256"])
    (proved,) = facts_of(tmp_path, "wipe-proved")
    assert {"found", "bytes", "certificate_sha256", "seconds"} == proved.keys()


def test_an_alert_is_told_without_whom_it_is_about(box: Box, tmp_path: Path) -> None:
    """Its id, camera, score and threshold; what a killed run left out is told by the next one, once."""
    writer = AlertWriter(
        box.config.reporting, IDENTITY, box.health.outbox, box.clock, basis(), retention=DAY, witness=box.chronicle
    )
    alert = writer.write(match_of("SUSP-0042"), frame_of(box.clock), face_at(200, 100))
    silent = AlertWriter(box.config.reporting, IDENTITY, box.health.outbox, box.clock, basis(), retention=DAY)
    unseen = silent.write(match_of("SUSP-0043"), frame_of(box.clock), face_at(200, 100))
    silent.write(match_of("SUSP-0043", 2, camera_id="south"), frame_of(box.clock, "south"), face_at(10, 10))
    silent.write_test()
    assert alert is not None
    assert unseen is not None
    for _ in range(2):
        for event, facts in unnoted(box.health.outbox, box.health.recorder.ledger, box.clock):
            box.health.recorder.note(event, DAEMON, **facts)
    assert [("alert", BY_ITSELF), ("alert", BY_ITSELF), ("sighting", BY_ITSELF)] == told(tmp_path)
    assert [alert.alert_id, unseen.alert_id, unseen.alert_id] == [line["facts"]["alert"] for line in lines(tmp_path)]
    (first, _) = facts_of(tmp_path, "alert")
    assert (0.7, 0.55, "north") == (first["score"], first["threshold"], first["camera"])
    assert b"SUSP" not in (tmp_path / FILE_NAME).read_bytes()


def test_what_is_gone_is_told(box: Box, tmp_path: Path) -> None:
    """Each alert that nobody acknowledged by its id, and how many rows went."""
    writer = AlertWriter(box.config.reporting, IDENTITY, box.health.outbox, box.clock, basis(), retention=DAY)
    alert = writer.write(match_of("r1"), frame_of(box.clock), face_at(200, 100))
    assert alert is not None
    box.clock.advance(DAY.alert_lifetime.total_seconds())
    outbox = box.health.outbox
    for _ in range(2):
        outbox.purge(believing(box.clock))
        outbox.deeds.tell(box.chronicle)
    assert ["alert-expired-unacknowledged", "purged"] == [line["event"] for line in lines(tmp_path)]
    assert [alert.alert_id] == [facts["alert"] for facts in facts_of(tmp_path, "alert-expired-unacknowledged")]
    assert [(1, "outbox")] == [(facts["alerts"], facts["what"]) for facts in facts_of(tmp_path, "purged")]


def test_the_configurations_digest_has_no_secret_in_it(box: Box) -> None:
    """It changes with what is configured, and not with a camera's address: nobody can try addresses against it."""
    camera = box.config.cameras[0]
    elsewhere = camera.model_copy(update={"source": type(camera.source)("rtsp://user:word@10.0.0.1/a")})
    same = box.config.model_copy(update={"cameras": (elsewhere,)})
    other = box.config.model_copy(update={"device": "van-2"})
    assert config_digest(box.config) == config_digest(same)
    assert config_digest(box.config) != config_digest(other)


def test_the_configurations_digest_covers_what_the_retention_document_says(box: Box, tmp_path: Path) -> None:
    """The same path and the same name with another period are another configuration."""
    digests = set()
    for period_s in (3_600, 7_200, 3_600):
        path = document(tmp_path, ("period_s = 86_400", f"period_s = {period_s}"))
        retention = RetentionConfig(profile=NAME, document=path)
        digests.add(config_digest(box.config.model_copy(update={"retention": retention})))
    assert 2 == len(digests)


@pytest.mark.parametrize("sizes", [(), (1,), (4_000,) * 70, (200_000, 10), (10, 200_000, 10), (65_535,), (65_536,)])
def test_lines_come_back_from_the_end(tmp_path: Path, sizes: tuple[int, ...], box: Box) -> None:
    """Whatever their lengths and where a block is cut; one that is too long for a line is left out."""
    path = tmp_path / "lines"
    written = [bytes([65 + n % 26]) * size for n, size in enumerate(sizes)]
    path.write_bytes(b"".join(line + b"\n" for line in written))
    expected = [line for line in reversed(written) if len(line) <= 4_096]
    assert expected == list(lines_backwards(path, box.clock))
