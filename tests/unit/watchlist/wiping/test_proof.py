"""What a wipe leaves is found by its proof; here on the disk, in tests/system in memory too."""

import errno
import sqlite3
from pathlib import Path

import pytest

from edge_lfr import process_memory
from edge_lfr.governance.keys import KeyEncryptingKey
from edge_lfr.process_memory import Mapping
from edge_lfr.watchlist.sealed.store import LISTS
from edge_lfr.watchlist.wiping.ended_list import evidence_of, take_evidence
from edge_lfr.watchlist.wiping.proof import BeforeWipe, WipeProof, prove
from simulators.watchlists import load, new_store, picture

REFERENCES = 20


def taken(folder: Path) -> BeforeWipe:
    """A loaded list, and what its proof needs."""
    store = new_store(folder)
    load(store, range(REFERENCES))
    with store.open() as watchlist:
        return BeforeWipe.of(watchlist)


def proved(folder: Path, before: BeforeWipe) -> WipeProof:
    return prove(before, lists=folder / "watchlist" / LISTS, folder=folder, kek=KeyEncryptingKey.load(folder))


def on_disk(proof: WipeProof) -> tuple[int, int, int, int]:
    return proof.file_hits, proof.paths_left, proof.deleted_files_open, proof.keys_that_open


def test_after_a_wipe_nothing_is_left_on_the_disk(tmp_path: Path) -> None:
    """No fragment, no path, no open file, no key; and something was looked for."""
    before = taken(tmp_path)
    new_store(tmp_path).wipe()
    proof = proved(tmp_path, before)
    assert (0, 0, 0, 0) == on_disk(proof)
    assert REFERENCES <= proof.fragments
    assert proof.memory_bytes > 0
    assert proof.file_bytes > 0


def test_without_a_wipe_key_and_paths_are_found(tmp_path: Path) -> None:
    """The same search, nothing destroyed."""
    proof = proved(tmp_path, taken(tmp_path))
    assert (0, 1) == (proof.file_hits, proof.keys_that_open)
    assert proof.paths_left >= 3
    assert not proof.is_clean


@pytest.mark.parametrize("at", [0, 3, 8 * 1024 * 1024 - 20])
def test_a_picture_in_any_file_is_found(tmp_path: Path, at: int) -> None:
    """Wherever in a file, across the pieces in which it is read."""
    before = taken(tmp_path)
    new_store(tmp_path).wipe()
    (tmp_path / "forgotten.bin").write_bytes(bytes(at) + picture(7))
    proof = proved(tmp_path, before)
    assert proof.file_hits >= 1, "what lies on the border of two pieces is found in both"
    assert not proof.is_clean


def test_a_copied_key_is_found(tmp_path: Path) -> None:
    """Under another name, in another folder."""
    before = taken(tmp_path)
    (key,) = tmp_path.glob("watchlist/lists/*/key.wrapped")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "backup").write_bytes(key.read_bytes())
    new_store(tmp_path).wipe()
    assert 1 == proved(tmp_path, before).keys_that_open


def test_a_deleted_file_that_is_still_open_is_found(tmp_path: Path) -> None:
    """It has no name, and its bytes are still there."""
    before = taken(tmp_path)
    (database,) = tmp_path.glob("watchlist/lists/*/store.db")
    with database.open("rb"):
        new_store(tmp_path).wipe()
        assert 1 == proved(tmp_path, before).deleted_files_open


def test_a_list_that_another_process_hands_over_is_looked_for(tmp_path: Path) -> None:
    """What the proof needs passes through bytes."""
    handed = BeforeWipe.from_bytes(taken(tmp_path).to_bytes())
    proof = proved(tmp_path, handed)
    assert proof.keys_that_open == 1


@pytest.mark.parametrize("junk", [b"", b"x" * 19, b"x" * 21])
def test_junk_is_not_taken_over(junk: bytes) -> None:
    """Whatever a descriptor gave."""
    with pytest.raises(ValueError):  # noqa: PT011 - several are right
        BeforeWipe.from_bytes(junk)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM, errno.ESRCH])
def test_a_memory_that_cannot_be_read_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A kernel that refuses the search, however it says so, of this very process."""
    before = taken(tmp_path)
    new_store(tmp_path).wipe()

    def refuse(_pid: int) -> list[Mapping]:
        raise OSError(number, "refused")

    monkeypatch.setattr(process_memory, "mappings_of", refuse)
    proof = proved(tmp_path, before)
    assert (0, 1) == (proof.memory_bytes, proof.processes_unread)
    assert not proof.is_clean


def test_a_memory_of_which_nothing_was_read_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No page let itself be read, and no call failed."""
    before = taken(tmp_path)
    new_store(tmp_path).wipe()
    monkeypatch.setattr(process_memory, "mappings_of", lambda _: [])
    proof = proved(tmp_path, before)
    assert (0, 0) == (proof.memory_bytes, proof.processes_unread)
    assert not proof.is_clean


def test_a_list_that_is_loaded_meanwhile_is_not_what_was_wiped(tmp_path: Path) -> None:
    """Its paths are its own."""
    before = taken(tmp_path)
    store = new_store(tmp_path)
    store.wipe()
    load(store, range(3))
    assert 0 == proved(tmp_path, before).paths_left


@pytest.mark.parametrize("error", [MemoryError, sqlite3.DatabaseError, RuntimeError])
def test_evidence_never_keeps_a_list_from_being_destroyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Whatever fails while it is taken, there is none."""
    store = new_store(tmp_path)
    load(store, range(3))

    def fail(*_: object) -> None:
        raise error

    assert take_evidence(store) is not None
    monkeypatch.setattr(BeforeWipe, "of", fail)
    assert take_evidence(store) is None
    with store.open() as watchlist:
        assert evidence_of(watchlist) is None
