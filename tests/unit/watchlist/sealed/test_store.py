"""The sealed store: one live list or none."""

import errno
import gc
import os
import resource
import shutil
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from numpy.typing import NDArray

from edge_lfr.biometrics.locking import TALLY, locked_zeros
from edge_lfr.errors import (
    DaemonBusyError,
    WatchlistMissingError,
    WatchlistReferenceError,
    WatchlistReplacedError,
    WatchlistSealError,
    WatchlistStorageError,
    WatchlistWipedError,
)
from edge_lfr.terms import Mode
from edge_lfr.watchlist.sealed import lists as lists_module
from edge_lfr.watchlist.sealed import sealed_list
from edge_lfr.watchlist.sealed import store as store_module
from edge_lfr.watchlist.sealed.ending import Wiped
from edge_lfr.watchlist.sealed.list_writer import ListWriter
from edge_lfr.watchlist.sealed.new_list import NewList
from edge_lfr.watchlist.sealed.storage import exclusive_lock
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.watchlists import DIMENSION, PACK_DIGEST, entry, load, new_store, picture, templates


@pytest.fixture
def store(tmp_path: Path) -> SealedStore:
    return new_store(tmp_path)


def list_folders(store: SealedStore) -> list[str]:
    return sorted(path.name for path in (store.directory / "lists").iterdir())


def test_what_was_loaded_is_read_back(store: SealedStore) -> None:
    """Entries, vectors, pictures, lookalikes and digests come back as they went in."""
    list_id = load(store, range(5), lookalikes=((1, 3),))

    with store.open() as stored:
        vectors, owners = stored.vectors()

        assert (list_id, PACK_DIGEST, DIMENSION) == (stored.list_id, stored.pack_digest, stored.dimension)
        assert (5, 10) == (stored.references, stored.templates)
        assert tuple(entry(number).reference_id for number in range(5) for _ in range(2)) == owners
        assert np.array_equal(np.concatenate([templates(number) for number in range(5)]), vectors)
        assert [entry(number) for number in range(5)] == [stored.entry(one) for one in stored.reference_ids]
        assert [picture(number) for number in range(5)] == [stored.picture(one) for one in stored.reference_ids]
        assert frozenset({frozenset({"REF-00001", "REF-00003"})}) == stored.lookalikes
        assert 64 == len(stored.digest)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.float32]]:
    """Every matrix that templates are opened into."""
    found: list[NDArray[np.float32]] = []

    def noted(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        found.append(locked_zeros(shape, dtype))
        return found[-1]

    monkeypatch.setattr(sealed_list, "locked_zeros", noted)
    return found


def test_templates_are_opened_into_locked_memory(store: SealedStore) -> None:
    """The account of such memory has them for as long as the matrix lives."""
    load(store, range(3))
    with store.open() as stored:
        before = TALLY.locked_bytes + TALLY.unlocked_bytes
        vectors, _ = stored.vectors()
        assert before + vectors.nbytes == TALLY.locked_bytes + TALLY.unlocked_bytes
        assert np.float32 == vectors.dtype
        del vectors
        assert before == TALLY.locked_bytes + TALLY.unlocked_bytes


def test_many_references_are_read_in_their_order(store: SealedStore) -> None:
    """More than one question to the database, and the last one for fewer rows."""
    numbers = range(2 * sealed_list.ROWS_A_QUESTION + 1)
    load(store, numbers)
    with store.open() as stored:
        vectors, owners = stored.vectors()
    assert [entry(number).reference_id for number in numbers for _ in range(2)] == list(owners)
    assert np.array_equal(np.concatenate([templates(number) for number in numbers]), vectors)


@pytest.mark.parametrize("number", [0, 70])
def test_a_row_that_does_not_open_leaves_no_templates(
    store: SealedStore, opened: list[NDArray[np.float32]], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were opened before it are zeroed."""
    load(store, range(80))
    with store.open() as stored:
        monkeypatch.setattr(
            sealed_list,
            "row_context",
            lambda list_id, kind, place: f"watchlist:{list_id}:{int(kind)}:{-1 if place == number else place}",
        )
        with pytest.raises(WatchlistSealError, match="does not open"):
            stored.vectors()
    assert [False] == [bool(matrix.any()) for matrix in opened]


@pytest.mark.parametrize("change", [-1, 1])
def test_templates_that_the_manifest_does_not_count_are_refused(
    store: SealedStore, opened: list[NDArray[np.float32]], change: int
) -> None:
    """Fewer or more than it says: none is given."""
    load(store, range(3))
    with store.open() as stored:
        stored._manifest = stored._manifest.model_copy(update={"templates": stored.templates + change})
        with pytest.raises(WatchlistSealError, match="not as many"):
            stored.vectors()
    assert [False] == [bool(matrix.any()) for matrix in opened]


def test_a_closed_list_gives_no_templates(store: SealedStore, opened: list[NDArray[np.float32]]) -> None:
    """A caller's mistake, which leaves nothing either."""
    load(store, range(1))
    stored = store.open()
    stored.close()
    with pytest.raises(ValueError, match="closed"):
        stored.vectors()
    assert [False] == [bool(matrix.any()) for matrix in opened]


@pytest.mark.parametrize("is_full", [True, False])
def test_a_removal_leaves_no_templates(
    store: SealedStore, opened: list[NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch, *, is_full: bool
) -> None:
    """They are sealed from where they were opened, and zeroed whether the new list came to be or not."""
    load(store, range(3))

    def refuse(*_: object) -> None:
        raise WatchlistStorageError(errno.errorcode[errno.ENOSPC])

    if is_full:
        monkeypatch.setattr(NewList, "add", refuse)
        with pytest.raises(WatchlistStorageError):
            store.remove({"REF-00001"})
    else:
        store.remove({"REF-00001"})
    assert [False] == [bool(matrix.any()) for matrix in opened]


def test_nothing_readable_is_on_the_disk(store: SealedStore) -> None:
    """No id, label, vector or picture of a reference stands in any file of the store."""
    load(store, range(3))

    written = b"".join(path.read_bytes() for path in store.directory.rglob("*") if path.is_file())

    needles = [
        needle
        for number in range(3)
        for needle in (
            entry(number).reference_id.encode(),
            entry(number).label.encode(),
            picture(number),
            templates(number).tobytes()[:16],
        )
    ]
    assert [] == [needle for needle in needles if needle in written]


def test_files_are_for_the_owner_alone(store: SealedStore) -> None:
    """Folders are 0700 and files 0600."""
    load(store, range(1))

    paths = [store.directory, *store.directory.rglob("*")]

    assert {0o700, 0o600} == {stat.S_IMODE(path.stat().st_mode) for path in paths}


def test_an_empty_store_says_that_nothing_is_loaded(store: SealedStore) -> None:
    """Opening and removing need a list."""
    assert store.is_empty()
    with pytest.raises(WatchlistMissingError):
        store.open()
    with pytest.raises(WatchlistMissingError):
        store.remove({"REF-00000"})


def test_a_new_list_replaces_the_old_one(store: SealedStore) -> None:
    """After activation one folder is left, and it is the new one."""
    load(store, range(3))
    second = load(store, range(10, 12))

    assert [second] == list_folders(store)
    with store.open() as stored:
        assert ("REF-00010", "REF-00011") == stored.reference_ids


def test_an_opened_list_outlives_its_replacement(store: SealedStore) -> None:
    """The daemon can answer from the list that it holds until it swaps."""
    load(store, range(3))
    with store.open() as held:
        load(store, range(10, 12))

        assert entry(2) == held.entry("REF-00002")
        assert picture(0) == held.picture("REF-00000")


def test_a_load_that_fails_leaves_the_old_list(store: SealedStore) -> None:
    """Without activation the new folder is destroyed, whatever ended the block."""
    first = load(store, range(3))

    def fail() -> None:
        with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
            new.add(entry(9), templates(9), picture(9))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert [first] == list_folders(store)
    with store.open() as stored:
        assert first == stored.list_id


def test_a_list_without_references_cannot_be_activated(store: SealedStore) -> None:
    """An empty list is a mistake, and the old one stays."""
    first = load(store, range(3))

    with (
        pytest.raises(ValueError, match="reference_ids"),
        store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new,
    ):
        new.activate()

    assert [first] == list_folders(store)


def test_only_one_process_writes(store: SealedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody holds the lock, a writer is refused, and a reader still reads and clears nothing away."""
    monkeypatch.setattr(lists_module, "PATIENCE_S", 0.05)
    first = load(store, range(3))
    (store.directory / "lists" / "leftover").mkdir()

    with exclusive_lock(store.directory / "lock"):
        with pytest.raises(DaemonBusyError), store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION):
            pass
        with pytest.raises(DaemonBusyError):
            store.remove({"REF-00000"})
        with pytest.raises(DaemonBusyError):
            store.wipe()
        with store.open() as stored:
            assert first == stored.list_id
        assert "leftover" in list_folders(store)

    store.open().close()
    assert [first] == list_folders(store)


def test_a_writer_waits_for_another_one_that_is_soon_done(store: SealedStore) -> None:
    """A wipe is not refused because somebody holds the lock for a moment."""
    load(store, range(2))
    held = exclusive_lock(store.directory / "lock")
    held.__enter__()
    timer = threading.Timer(0.1, held.__exit__, (None, None, None))
    timer.start()

    assert Wiped(keys=1, lists=1) == store.wipe()

    timer.join()


@contextmanager
def being_made(store: SealedStore) -> Iterator[NewList]:
    """A loader that has one reference and is not done."""
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        new.add(entry(10), templates(10), picture(10))
        yield new


def test_two_loaders_exclude_each_other(store: SealedStore) -> None:
    """The second one is refused at once, and takes nothing from the first."""
    with being_made(store) as new:
        with pytest.raises(DaemonBusyError, match="loading"), being_made(store):
            pass
        new.activate()

    assert [new.list_id] == list_folders(store)


@pytest.mark.parametrize("has_list", [True, False])
@pytest.mark.parametrize("then", ["activate", "add", "nothing"])
def test_a_wipe_does_not_wait_for_a_loader(store: SealedStore, then: str, *, has_list: bool) -> None:
    """It takes the live list and the one in the making; the loader is told, and leaves nothing."""
    if has_list:
        load(store, range(2))
    with being_made(store) as new:
        assert Wiped(keys=1 + has_list, lists=1 + has_list) == new_like(store).wipe()
        if then == "activate":
            with pytest.raises(WatchlistWipedError, match="wiped meanwhile; nothing was loaded"):
                new.activate()
        elif then == "add":
            with pytest.raises(WatchlistWipedError, match="wiped meanwhile"):
                new.add(entry(11), templates(11), picture(11))

    assert store.is_empty()
    assert [] == list_folders(store)
    assert load(store, range(1)) == store.open().list_id


def new_like(store: SealedStore) -> SealedStore:
    """The same store as another process sees it."""
    return SealedStore(store.directory, store._kek)


def test_a_wipe_between_sealing_and_activation_is_noticed(store: SealedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is on the disk, and the key is destroyed before the list is named: it never is."""
    finish = ListWriter.finish

    def finish_and_wipe(self: ListWriter, *args: Any) -> None:
        finish(self, *args)
        new_like(store).wipe()

    load(store, range(2))
    monkeypatch.setattr(ListWriter, "finish", finish_and_wipe)
    with being_made(store) as new, pytest.raises(WatchlistWipedError):
        new.activate()

    assert store.is_empty()
    assert [] == list_folders(store)


def test_a_wipe_that_was_killed_is_finished_by_the_loader(store: SealedStore) -> None:
    """The live key is gone, the loader's not yet: the wipe goes before the load."""
    list_id = load(store, range(2))
    with being_made(store) as new:
        (store.directory / "lists" / list_id / "key.wrapped").unlink()
        with pytest.raises(WatchlistWipedError):
            new.activate()

    assert store.is_empty()
    assert [] == list_folders(store)


def test_nobody_clears_away_what_is_being_loaded(store: SealedStore) -> None:
    """An opening and a removal beside a loader leave its list alone; the removal still destroys the list before."""
    first = load(store, range(3))
    with being_made(store) as new:
        new_like(store).open().close()
        assert 2 == new_like(store).remove({"REF-00001"})
        assert first not in list_folders(store)
        assert new.list_id in list_folders(store)
        with store.open() as stored:
            assert ("REF-00000", "REF-00002") == stored.reference_ids


def test_a_load_that_began_before_a_removal_does_not_undo_it(store: SealedStore) -> None:
    """Who was taken out meanwhile may stand in what is being loaded: it is loaded again, and the removal stays."""
    load(store, range(3))
    with being_made(store) as new:
        new_like(store).remove({"REF-00001"})
        with pytest.raises(WatchlistReplacedError, match="removed") as caught:
            new.activate()
    assert "load the watchlist again" in caught.value.advice
    with store.open() as stored:
        assert ("REF-00000", "REF-00002") == stored.reference_ids
        assert [stored.list_id] == list_folders(store)


def test_a_stray_file_among_the_lists_keeps_none_alive(store: SealedStore) -> None:
    """It goes with them, and a list is loaded beside one."""
    folder = store.directory / "lists" / load(store, range(3))
    (store.directory / "lists/.stray").write_text("x")
    (store.directory / "lists/link").symlink_to(folder)
    assert Wiped(keys=1, lists=1) == store.wipe()
    assert [] == list_folders(store)
    (store.directory / "lists/.stray").write_text("x")
    second = load(store, range(3))
    assert [second] == list_folders(store)


def test_a_key_that_cannot_be_overwritten_ends_all_the_same(
    store: SealedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every list is gone, also the one whose key the disk did not let be overwritten; whoever wiped learns of it."""
    live = load(store, range(3))
    other = store.directory / "lists" / "0123456789abcdef"
    shutil.copytree(store.directory / "lists" / live, other)
    inode = (store.directory / "lists" / live / "key.wrapped").stat().st_ino
    real = os.pwrite

    def refuse_the_live_one(descriptor: int, data: bytes, offset: int) -> int:
        if os.fstat(descriptor).st_ino == inode:
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", refuse_the_live_one)
        with pytest.raises(WatchlistStorageError, match="Input/output"):
            store.wipe()
    assert [] == list_folders(store)
    assert store.is_empty()


@pytest.mark.parametrize("step", ["sync_folder", "destroy_list"])
def test_what_fails_after_the_change_does_not_deny_it(
    store: SealedStore, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A disk that fails once the new list is live is logged, and the next opening clears away what was left."""
    load(store, range(3))
    real = getattr(store_module, step)
    current = store.directory / "current"
    before = current.read_bytes()

    def fail_when_live(path: Path) -> None:
        if current.read_bytes() != before:
            raise OSError(errno.EIO, "Input/output error")
        real(path)

    with structlog.testing.capture_logs() as logged, monkeypatch.context() as patch:
        patch.setattr(store_module, step, fail_when_live)
        patch.setattr(store, "_log", structlog.get_logger())
        second = load(store, range(10, 12))

    assert ["watchlist.leftovers-kept"] == [line["event"] for line in logged]
    assert 2 == len(list_folders(store))
    with store.open() as stored:
        assert second == stored.list_id
    assert [second] == list_folders(store)


def test_removal_rebuilds_under_a_new_key(store: SealedStore) -> None:
    """What remains is unchanged; the removed rows and their key are gone."""
    first = load(store, range(4), lookalikes=((0, 1), (2, 3)))
    old_key = (store.directory / "lists" / first / "key.wrapped").read_bytes()

    assert 3 == store.remove({"REF-00001"})

    with store.open() as stored:
        assert first != stored.list_id
        assert ("REF-00000", "REF-00002", "REF-00003") == stored.reference_ids
        assert picture(2) == stored.picture("REF-00002")
        assert np.array_equal(np.concatenate([templates(number) for number in (0, 2, 3)]), stored.vectors()[0])
        assert frozenset({frozenset({"REF-00002", "REF-00003"})}) == stored.lookalikes
        assert PACK_DIGEST == stored.pack_digest
        with pytest.raises(WatchlistReferenceError):
            stored.entry("REF-00001")
        new_key = (store.directory / "lists" / stored.list_id / "key.wrapped").read_bytes()
    assert [stored.list_id] == list_folders(store)
    assert old_key != new_key


def test_removing_an_unknown_reference_changes_nothing(store: SealedStore) -> None:
    """One wrong id stops the whole removal."""
    first = load(store, range(4))

    with pytest.raises(WatchlistReferenceError, match="REF-00099"):
        store.remove({"REF-00001", "REF-00099"})

    with store.open() as stored:
        assert (first, 4) == (stored.list_id, stored.references)


def test_removing_everybody_is_a_wipe(store: SealedStore) -> None:
    """No list of nobody is kept."""
    load(store, range(2))

    assert 0 == store.remove({"REF-00000", "REF-00001"})

    assert store.is_empty()
    assert [] == list_folders(store)


def test_a_wipe_destroys_keys_and_files_and_may_be_repeated(store: SealedStore) -> None:
    """It counts what it destroyed, and then there is nothing to count."""
    assert Wiped(keys=0, lists=0) == store.wipe()
    list_id = load(store, range(2))
    # A second name for the same file shows what the wipe wrote into it before it took the name away.
    witness = store.directory.parent / "witness"
    witness.hardlink_to(store.directory / "lists" / list_id / "key.wrapped")

    assert Wiped(keys=1, lists=1) == store.wipe()

    assert bytes(len(witness.read_bytes())) == witness.read_bytes()
    assert Wiped(keys=0, lists=0) == store.wipe()
    assert store.is_empty()
    assert {"loading", "lock"} == {path.name for path in store.directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("is_unlinked", [True, False])
def test_an_interrupted_wipe_is_finished(store: SealedStore, *, is_unlinked: bool) -> None:
    """A live list whose key was overwritten or unlinked is wiped to the end by whoever opens the store."""
    list_id = load(store, range(2))
    key = store.directory / "lists" / list_id / "key.wrapped"
    key.write_bytes(bytes(key.stat().st_size))
    if is_unlinked:
        key.unlink()

    with pytest.raises(WatchlistMissingError):
        store.open()

    assert [] == list_folders(store)


def test_a_live_list_that_is_missing_is_told(store: SealedStore) -> None:
    """A `current` that names nothing is an error with a remedy, not an empty watchlist."""
    list_id = load(store, range(2))
    shutil.rmtree(store.directory / "lists" / list_id)

    with pytest.raises(WatchlistSealError) as caught:
        store.open()

    assert "wipe the store" in caught.value.advice
    store.wipe()
    assert store.is_empty()


@pytest.mark.parametrize("content", [b"", b"../../etc\n", b"0123456789abcdef", b"\xff" * 17])
def test_a_current_that_is_no_list_id_is_refused(store: SealedStore, content: bytes) -> None:
    """Nothing but a list id is followed, and nothing is cleared away by it."""
    list_id = load(store, range(2))
    (store.directory / "current").write_bytes(content)

    with pytest.raises(WatchlistSealError):
        store.open()

    assert [list_id] == list_folders(store)


def test_another_key_does_not_open_the_list(store: SealedStore, tmp_path: Path) -> None:
    """The remedy says that the key is another one."""
    load(store, range(2))
    stranger = SealedStore(store.directory, new_store(tmp_path / "other")._kek)

    with pytest.raises(WatchlistSealError, match="data key"):
        stranger.open()


def test_a_list_of_one_mode_opens_in_no_other(tmp_path: Path) -> None:
    """One credential may serve both modes: an operational folder that is carried into training stays shut."""
    operational = new_store(tmp_path, mode=Mode.OPERATIONAL)
    load(operational, range(2))
    operational.open().close()

    with pytest.raises(WatchlistSealError, match="another mode"):
        new_store(tmp_path).open()


def test_a_removal_from_a_list_that_was_replaced_changes_nothing(store: SealedStore) -> None:
    """Whoever means the list that they have open is told that another one is live."""
    before = load(store, range(2))
    load(store, range(3))

    with pytest.raises(WatchlistReplacedError):
        store.remove({entry(0).reference_id}, of_list=before)

    assert store.live_list_id() != before
    with store.open() as stored:
        assert 3 == stored.references


def test_lists_cannot_be_exchanged_between_ids(store: SealedStore) -> None:
    """A list under another list's name does not open."""
    list_id = load(store, range(2))
    folder = store.directory / "lists" / list_id
    folder.rename(folder.with_name("0" * 16))
    (store.directory / "current").write_bytes(b"0" * 16 + b"\n")

    with pytest.raises(WatchlistSealError):
        store.open()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Behave as a disk that is full once a file has this many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 100, 20_000, 300_000])
def test_a_full_disk_keeps_the_old_list(store: SealedStore, size: int) -> None:
    """The load ends with one clear error at whatever point the disk is full."""
    first = load(store, range(3))

    def load_much() -> None:
        with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
            for number in range(100):
                new.add(entry(number), templates(number), bytes(20_000))
            new.activate()

    with largest_file(size), pytest.raises(WatchlistStorageError, match="cannot be"):
        load_much()

    assert [first] == list_folders(store)
    with store.open() as stored:
        assert first == stored.list_id


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.zeros((1, DIMENSION), dtype=np.float32), "unit length"),
        (np.full((1, DIMENSION), np.nan, dtype=np.float32), "unit length"),
        (np.zeros((0, DIMENSION), dtype=np.float32), "expected float32"),
        (np.ones((1, DIMENSION + 1), dtype=np.float32), "expected float32"),
        (np.ones((1, DIMENSION), dtype=np.float64), "expected float32"),
    ],
)
def test_only_templates_are_stored(store: SealedStore, vectors: np.ndarray, message: str) -> None:
    """Another shape, another type and vectors without a length are refused."""
    with (
        pytest.raises(ValueError, match=message),
        store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new,
    ):
        new.add(entry(0), vectors, picture(0))


def test_a_reference_is_added_once(store: SealedStore) -> None:
    """Two entries for one id would hide one of them."""
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        new.add(entry(0), templates(0), picture(0))
        with pytest.raises(ValueError, match="already"):
            new.add(entry(0), templates(0), picture(0))


def test_a_closed_list_answers_nothing(store: SealedStore) -> None:
    """After `close` the key is gone."""
    load(store, range(1))
    stored = store.open()
    stored.close()

    with pytest.raises(ValueError, match="closed"):
        stored.entry("REF-00000")


def test_no_file_stays_open(store: SealedStore) -> None:
    """Loads, removals and refusals close what they opened."""
    load(store, range(2))
    store.remove({"REF-00000"})
    store.open().close()

    gc.collect()

    held = [path for path in Path("/proc/self/fd").iterdir() if str(store.directory) in str(path.resolve())]
    assert [] == held


@pytest.mark.parametrize("expired", [1, 2])
def test_a_load_goes_on_beside_an_expiry(store: SealedStore, expired: int) -> None:
    """Whose time is over on today's list, once or twice meanwhile, costs nobody the list for tomorrow."""
    load(store, range(4))
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        new.add(entry(10), templates(10), picture(10))
        for number in range(expired):
            store.remove([entry(number).reference_id], have_expired=True)
        new.activate()
    with store.open() as stored:
        assert (entry(10).reference_id,) == stored.reference_ids


@pytest.mark.parametrize("order", [(True, False), (False, True), (False, False)])
def test_a_removal_by_request_stands_beside_expiries(store: SealedStore, order: tuple[bool, ...]) -> None:
    """A load that began before it brings nobody back, whatever has expired before and after."""
    load(store, range(4))
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        new.add(entry(0), templates(0), picture(0))
        for number, have_expired in enumerate(order):
            store.remove([entry(number).reference_id], have_expired=have_expired)
        with pytest.raises(WatchlistReplacedError):
            new.activate()
    with store.open() as stored:
        assert [entry(number).reference_id for number in range(2, 4)] == list(stored.reference_ids)


def test_a_load_may_begin_on_a_list_whose_entries_expired(store: SealedStore) -> None:
    """What happened before it began is known to it, a removal by request and expiries after that."""
    load(store, range(4))
    store.remove([entry(0).reference_id])
    store.remove([entry(1).reference_id], have_expired=True)
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        store.remove([entry(2).reference_id], have_expired=True)
        new.add(entry(10), templates(10), picture(10))
        new.activate()
    with store.open() as stored:
        assert (entry(10).reference_id,) == stored.reference_ids


def test_a_removal_that_was_killed_stands_against_a_load(store: SealedStore) -> None:
    """Killed as soon as the list without somebody is live: a load that began before does not undo it."""
    load(store, range(3))
    with store.create(pack_digest=PACK_DIGEST, dimension=DIMENSION) as new:
        new.add(entry(0), templates(0), picture(0))
        child = os.fork()
        if child == 0:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(store_module, "destroy_list", lambda _: os.kill(os.getpid(), signal.SIGKILL))
                store.remove([entry(0).reference_id])
            os._exit(0)
        assert signal.SIGKILL == os.WTERMSIG(os.waitpid(child, 0)[1])
        with pytest.raises(WatchlistReplacedError):
            new.activate()
    with store.open() as stored:
        assert entry(0).reference_id not in stored.reference_ids
