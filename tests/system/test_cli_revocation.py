"""A revocation on a stick, while no daemon runs: the list that its authority allowed is destroyed, with proof."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.governance.device_keys import DeviceKeys
from edge_lfr.governance.documents import Kind, read_document
from edge_lfr.governance.trust import TrustStore, shown_fingerprint
from edge_lfr.terms import Mode
from edge_lfr.watchlist.sealed.origin import Origin
from edge_lfr.watchlist.sealed.store import SealedStore
from edge_lfr.watchlist.wiping.certificate import WipeCause, WipeCertificate
from simulators.command import Command
from simulators.watchlists import DIMENSION, PACK_DIGEST, entry, new_store, picture, templates

PEOPLE = 3


@pytest.fixture
def edge_lfr(tmp_path: Path) -> Command:
    """With keys, somebody who may revoke, and two revocations."""
    command = Command(tmp_path)
    assert 0 == command("keys", "init").status
    assert 0 == command("keys", "new", "revoke", "revoker.key", "trust.d/revoker.toml", "--name", "Revoker").status
    for number in ("T-14", "T-15"):
        call = ("--police-force", "anytown", "--reason", "incident", "--key", "revoker.key", "--yes")
        assert 0 == command("authority", "revoke", number, f"{number}.json", *call).status
    return command


@pytest.fixture
def store(edge_lfr: Command) -> SealedStore:
    """A list that was loaded under the authority T-14, for the deployment of today."""
    folder = edge_lfr.folder / "state" / "operational"
    folder.mkdir(mode=0o700)
    made = new_store(folder, mode=Mode.OPERATIONAL)
    now = datetime.now(UTC)
    origin = Origin(
        list_id="june-01",
        issuer_key="ab" * 32,
        extracted_at=now,
        manifest_sha256="cd" * 32,
        authority_id="T-14",
        authority_digest="ef" * 32,
    )
    with made.create(
        pack_digest=PACK_DIGEST, dimension=DIMENSION, wipe_at=now + timedelta(hours=9), origin=origin
    ) as new:
        for number in range(PEOPLE):
            new.add(entry(number), templates(number), picture(number))
        new.activate()
    return made


@pytest.mark.parametrize("mode", [Mode.OPERATIONAL, Mode.TRAINING])
def test_its_list_is_destroyed_and_that_is_proved(edge_lfr: Command, store: SealedStore, mode: Mode) -> None:
    """Whatever the box is set to today; the certificate and the ledger say why."""
    done = edge_lfr("authority", "take-revocation", "T-14.json", "--json", environ={"EDGE_LFR__MODE": mode.value})
    assert 0 == done.status, done.err
    wiped = done.json["wiped"]
    assert (WipeCause.REVOKED, 1, 1, True) == (wiped["cause"], wiped["lists"], wiped["keys"], wiped["is_clean"])
    assert (True, PEOPLE) == (wiped["is_process_replaced"], wiped["references"])
    assert store.is_empty()
    kept = max((edge_lfr.folder / "state/operational/certificates").glob("wipe-*.json"))
    document = read_document(kept.read_bytes(), Kind.WIPE_CERTIFICATE, WipeCertificate)
    document.verify_with(DeviceKeys.load(edge_lfr.folder / "state" / "device").signing.public)
    lines = edge_lfr("ledger", "show", "--json", environ={"EDGE_LFR__MODE": "operational"}).json["lines"]
    assert {"watchlist-wiped", "wipe-proved"} <= {line["event"] for line in lines}
    again = edge_lfr("authority", "take-revocation", "T-14.json", "--json", environ={"EDGE_LFR__MODE": mode.value})
    assert (0, None) == (again.status, again.json["wiped"])


def test_the_list_of_another_authority_stays(edge_lfr: Command, store: SealedStore) -> None:
    """One deployment ends, and not what another officer decided."""
    environ = {"EDGE_LFR__MODE": "operational"}
    done = edge_lfr("authority", "take-revocation", "T-15.json", environ=environ)
    assert os.EX_OK == done.status, done.err
    assert not store.is_empty()
    in_words = edge_lfr("authority", "take-revocation", "T-14.json", environ=environ)
    assert (0, True) == (in_words.status, "nothing of it was found" in in_words.err), in_words.err
    assert store.is_empty()


@pytest.mark.parametrize("mode", [Mode.OPERATIONAL, Mode.TRAINING])
def test_who_ended_what_and_why_has_one_line(edge_lfr: Command, mode: Mode) -> None:
    """In either mode, and whatever is installed; a revocation that comes twice was taken once."""
    (edge_lfr.folder / "state" / mode.value).mkdir(mode=0o700, exist_ok=True)
    environ = {"EDGE_LFR__MODE": mode.value}
    for _ in range(2):
        assert 0 == edge_lfr("authority", "take-revocation", "T-15.json", environ=environ).status
    lines = edge_lfr("ledger", "show", "--json", environ=environ).json["lines"]
    (line,) = [line for line in lines if line["event"] == "revoked"]
    (key,) = TrustStore.load(edge_lfr.folder / "trust.d").keys
    facts = line["facts"]
    assert ("T-15", "incident", shown_fingerprint(key)) == (facts["authority"], facts["code"], facts["key"])
    assert {"uid": os.getuid()} == line["who"]


def test_a_line_that_could_not_be_written_is_written_by_the_next_try(edge_lfr: Command) -> None:
    """The box had no ledger, or whoever took it was killed: to take it again is enough, and makes no second line."""
    assert 0 == edge_lfr("authority", "take-revocation", "T-14.json").status
    assert os.EX_NOINPUT == edge_lfr("ledger", "show").status
    (edge_lfr.folder / "state/training").mkdir(mode=0o700)
    for _ in range(2):
        assert 0 == edge_lfr("authority", "take-revocation", "T-14.json").status
        lines = edge_lfr("ledger", "show", "--event", "revoked", "--json").json["lines"]
        assert ["T-14"] == [line["facts"]["authority"] for line in lines]
