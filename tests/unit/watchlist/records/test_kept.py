"""Records of ended lists: which there are, what a copy needs, and when they end."""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_lfr.config.appliance import WATCHLIST_FOLDER
from edge_lfr.config.retention import load_profile
from edge_lfr.governance.age_files import AgeIdentity
from edge_lfr.governance.trust import SigningKey
from edge_lfr.watchlist.records.kept import (
    PLACES,
    RecordCopyError,
    RecordKind,
    copy_records,
    delete_expired,
    expires_next,
    kept_records,
)
from edge_lfr.watchlist.records.pseudonyms import FOLDER, PENDING, ProtectionOfficer
from edge_lfr.watchlist.records.receipt import FOLDER as RECEIPTS
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.retention import NAME, document
from simulators.watchlists import load, new_store

NOW = datetime.now(UTC)
PROFILE = load_profile("alerts-24h")
OFFICER = ProtectionOfficer(
    recipient=AgeIdentity.generate().recipient, device="anytown/van-1/training", signing=SigningKey.generate()
)


def put(mode_directory: Path, at: datetime) -> None:
    """One record of each kind, of that time; of a list that is not live."""
    for name in (
        f"{FOLDER}/{at:%Y%m%dT%H%M%S.%fZ}-{'0' * 16}.age",
        f"certificates/wipe-{at:%Y%m%dT%H%M%S.%fZ}.json",
        f"{RECEIPTS}/load-{at:%Y%m%dT%H%M%S.%fZ}.json",
    ):
        path = mode_directory / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(name.encode())


def names(mode_directory: Path) -> list[str]:
    return [record.path.name for record in kept_records(mode_directory)]


@pytest.fixture
def live(tmp_path: Path) -> SealedStore:
    """A store with a live list and its manifest."""
    store = new_store(tmp_path, OFFICER)
    load(store, range(3))
    return store


def test_every_record_is_listed_and_nothing_else(tmp_path: Path) -> None:
    """Oldest first; what has another name, or is a link, is none."""
    assert () == kept_records(tmp_path)
    put(tmp_path, NOW)
    put(tmp_path, NOW - timedelta(days=1))
    (tmp_path / "certificates/pending-1.json").write_text("")
    (tmp_path / f"{FOLDER}/20261399T000000.000000Z-{'0' * 16}.age").write_text("")
    (tmp_path / f"{FOLDER}/20260601T000000.000000Z-{'1' * 16}.age{PENDING}").write_text("")
    (tmp_path / f"{FOLDER}/20260601T000000.000000Z-{'2' * 16}.age").symlink_to(tmp_path / "elsewhere")
    found = kept_records(tmp_path)
    assert sorted(RecordKind) * 2 == [*sorted(one.kind for one in found[:3]), *sorted(one.kind for one in found[3:])]
    assert {NOW - timedelta(days=1), NOW} == {one.at for one in found}


def test_a_copy_lies_as_the_officers_command_looks_for_it(tmp_path: Path) -> None:
    """Manifests at the top, certificates and receipts in folders beside them; doing it again changes nothing."""
    put(tmp_path, NOW)
    target = tmp_path / "stick/records"
    for _ in range(2):
        assert (3, 0) == copy_records(tmp_path, kept_records(tmp_path), target, delete=False)
    assert 3 == len(kept_records(tmp_path))
    assert [("", ".age"), ("certificates", ".json"), ("receipts", ".json")] == sorted(
        (path.parent.relative_to(target).name, path.suffix) for path in target.rglob("*.*")
    )


def test_what_was_copied_may_be_deleted_here(tmp_path: Path, live: SealedStore) -> None:
    """But the manifest of the list that is live stays with it."""
    put(tmp_path, NOW - timedelta(days=1))
    (of_live,) = [one for one in kept_records(tmp_path) if one.list_id not in {None, "0" * 16}]
    assert (4, 3) == copy_records(tmp_path, kept_records(tmp_path), tmp_path / "stick", delete=True)
    assert [of_live.path.name] == names(tmp_path)
    live.wipe()
    assert (1, 1) == copy_records(tmp_path, kept_records(tmp_path), tmp_path / "stick", delete=True)
    assert [] == names(tmp_path)
    assert 2 == len(list((tmp_path / "stick").glob("*.age")))


def test_nothing_is_deleted_when_a_copy_fails(tmp_path: Path) -> None:
    """Something else has a name of ours there, or there is no place at all."""
    put(tmp_path, NOW)
    (tmp_path / "stick/receipts").mkdir(parents=True)
    (tmp_path / "stick/receipts" / f"load-{NOW:%Y%m%dT%H%M%S.%fZ}.json").write_text("something else")
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "stick", tmp_path / "file", Path("/proc/none")):
        with pytest.raises(RecordCopyError):
            copy_records(tmp_path, kept_records(tmp_path), target, delete=True)
    assert 3 == len(names(tmp_path))


def test_a_medium_that_spoils_what_it_takes_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stick that says yes and keeps something else: found by reading back, before anything is deleted here."""
    put(tmp_path, NOW)
    target = tmp_path / "stick"
    sync = os.fsync

    def spoiling(descriptor: int) -> None:
        sync(descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.pwrite(descriptor, b"\0", 0)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", spoiling)
        with pytest.raises(RecordCopyError, match="reads back as something else"):
            copy_records(tmp_path, kept_records(tmp_path), target, delete=True)
    assert 3 == len(names(tmp_path))
    assert [] == [path for path in target.rglob("*") if path.is_file()]
    assert (3, 3) == copy_records(tmp_path, kept_records(tmp_path), target, delete=True)


def test_a_file_that_only_begins_like_the_record_is_no_copy(tmp_path: Path) -> None:
    """Nor is one that lacks its end."""
    put(tmp_path, NOW)
    (record, *_) = kept_records(tmp_path)
    whole = record.path.read_bytes()
    for other in (whole + b"x", whole[:-1], b""):
        target = tmp_path / f"stick-{len(other)}"
        copy = target / PLACES[record.kind].copied_to / record.path.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(other)
        with pytest.raises(RecordCopyError, match="exists already"):
            copy_records(tmp_path, [record], target, delete=True)
    assert 3 == len(names(tmp_path))


def test_nothing_is_deleted_while_nobody_knows_which_list_is_live(tmp_path: Path) -> None:
    """A broken store keeps its records."""
    put(tmp_path, NOW - timedelta(days=40))
    (tmp_path / WATCHLIST_FOLDER).mkdir()
    (tmp_path / WATCHLIST_FOLDER / "current").write_text("?")
    assert 0 == delete_expired(tmp_path, PROFILE, NOW)
    assert 3 == len(names(tmp_path))


def test_records_end_by_the_profile(tmp_path: Path, live: SealedStore) -> None:
    """Not a moment before; the live list's manifest stays, however old."""
    put(tmp_path, NOW)
    last = NOW + PROFILE.manifest_lifetime
    assert NOW + PROFILE.manifest_lifetime == expires_next(tmp_path, PROFILE)
    assert 0 == delete_expired(tmp_path, PROFILE, last - timedelta(microseconds=1))
    assert 3 == delete_expired(tmp_path, PROFILE, last)
    assert 0 == delete_expired(tmp_path, PROFILE, last + timedelta(days=365))
    assert 1 == len(names(tmp_path))
    live.wipe()
    assert 1 == delete_expired(tmp_path, PROFILE, last + timedelta(days=365))
    assert None is expires_next(tmp_path, PROFILE)


def test_a_force_may_keep_them_for_less(tmp_path: Path) -> None:
    """Its own document drives the same deletion."""
    changed = document(tmp_path, ('period_s = 2_678_400\nends = "expire"', 'period_s = 3_600\nends = "expire"'))
    put(tmp_path, NOW)
    assert 3 == delete_expired(tmp_path, load_profile(NAME, changed), NOW + timedelta(hours=1))
