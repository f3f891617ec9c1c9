"""The sealed store tells every change of its bytes, and with a clear error."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_lfr.errors import WatchlistSealError
from edge_lfr.watchlist.sealed.sealed_list import StoredWatchlist
from edge_lfr.watchlist.sealed.store import SealedStore
from simulators.watchlists import entry, load, new_store, picture, templates

NUMBERS = range(3)
SOME_BYTES = 200


def read_everything(stored: StoredWatchlist) -> tuple[object, ...]:
    """All that a list can answer."""
    vectors, owners = stored.vectors()
    entries = tuple(stored.entry(one) for one in stored.reference_ids)
    pictures = tuple(stored.picture(one) for one in stored.reference_ids)
    manifest = (stored.digest, stored.pack_digest, stored.created_at, stored.lookalikes)
    return vectors.tobytes(), owners, entries, pictures, manifest


def is_told(store: SealedStore, before: tuple[object, ...]) -> bool:
    """Read everything: either the seal is broken, or nothing at all has changed."""
    try:
        with store.open() as stored:
            after = read_everything(stored)
    except WatchlistSealError:
        return True
    assert before == after
    return False


@pytest.fixture
def loaded(tmp_path: Path) -> tuple[SealedStore, Path, tuple[object, ...]]:
    store = new_store(tmp_path)
    list_id = load(store, NUMBERS, lookalikes=((0, 2),))
    with store.open() as stored:
        before = read_everything(stored)
    return store, store.directory / "lists" / list_id, before


def flip(path: Path, position: int, bit: int) -> Callable[[], None]:
    """Turn one bit over; calling the answer turns it back."""
    original = path.read_bytes()
    changed = bytearray(original)
    changed[position] ^= 1 << bit
    path.write_bytes(changed)

    def restore() -> None:
        path.write_bytes(original)

    return restore


def test_a_flipped_bit_in_the_database_is_told_or_without_effect(
    loaded: tuple[SealedStore, Path, tuple[object, ...]],
) -> None:
    """Any bit of the file: a broken seal, or (in bytes that SQLite does not use) exactly the same answers."""
    store, folder, before = loaded
    database = folder / "store.db"
    choice = random.Random(1)  # noqa: S311 - picks positions, not keys
    size = database.stat().st_size
    positions = [*range(110), *(choice.randrange(size) for _ in range(SOME_BYTES))]

    told = 0
    for position in positions:
        restore = flip(database, position, choice.randrange(8))
        told += is_told(store, before)
        restore()

    assert told > 25


def test_a_flipped_bit_in_the_wrapped_key_is_told(loaded: tuple[SealedStore, Path, tuple[object, ...]]) -> None:
    """Every byte of the wrapped key counts."""
    store, folder, before = loaded
    key = folder / "key.wrapped"

    for position in range(key.stat().st_size):
        restore = flip(key, position, position % 8)
        assert is_told(store, before)
        restore()


def test_every_flipped_bit_in_a_sealed_row_is_told(loaded: tuple[SealedStore, Path, tuple[object, ...]]) -> None:
    """Not one byte of a sealed row is without effect: a picture's row is searched out and changed byte by byte."""
    store, folder, before = loaded
    database = folder / "store.db"
    with store.open() as stored:
        rows = stored._database.execute("SELECT sealed FROM row").fetchall()
    content = database.read_bytes()

    for (sealed,) in rows:
        start = content.find(sealed)
        assert start >= 0
        for offset in {0, 11, 12, len(sealed) // 2, len(sealed) - 16, len(sealed) - 1}:
            restore = flip(database, start + offset, offset % 8)
            assert is_told(store, before)
            restore()


def test_a_cut_file_is_told(loaded: tuple[SealedStore, Path, tuple[object, ...]]) -> None:
    """At any length below the whole."""
    store, folder, before = loaded
    database = folder / "store.db"
    content = database.read_bytes()

    for size in [0, 1, 15, 16, 99, 100, 4095, *range(4096, len(content), 4096), len(content) - 1]:
        database.write_bytes(content[:size])
        assert is_told(store, before)


@pytest.mark.parametrize(
    "edit",
    [
        "DELETE FROM row WHERE kind = 3 AND number = 2",
        "DELETE FROM row WHERE number = 2",
        "DELETE FROM row WHERE kind = 0",
        "INSERT INTO row SELECT kind, 9, sealed FROM row WHERE number = 1",
        "INSERT INTO row SELECT 4, number, sealed FROM row WHERE number = 1 AND kind = 1",
        "UPDATE row SET sealed = (SELECT b.sealed FROM row b WHERE b.kind = row.kind AND b.number = 1) WHERE kind = 1",
        "UPDATE row SET sealed = (SELECT sealed FROM row WHERE kind = 3 AND number = 1) WHERE kind = 3 AND number = 0",
        "UPDATE row SET sealed = NULL WHERE kind = 2 AND number = 0",
        "UPDATE row SET sealed = x'' WHERE kind = 2 AND number = 0",
        "DROP TABLE row",
    ],
)
def test_edited_rows_are_told(loaded: tuple[SealedStore, Path, tuple[object, ...]], edit: str) -> None:
    """Rows that are taken away, added, exchanged or emptied by somebody who can write the file."""
    store, folder, before = loaded
    with sqlite3.connect(folder / "store.db") as database:
        database.execute(edit)
    database.close()

    assert is_told(store, before)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=9000), keep_magic=st.booleans())
def test_any_file_in_place_of_the_database_is_told(tmp_path: Path, content: bytes, *, keep_magic: bool) -> None:
    """Whatever bytes stand there, the answer is a broken seal and never another error."""
    path = tmp_path / "store.db"
    path.write_bytes((b"SQLite format 3\0" if keep_magic else b"") + content)
    store = new_store(tmp_path)

    with suppress(WatchlistSealError):
        StoredWatchlist(path, "0" * 16, store._kek._seal).close()
        pytest.fail("random bytes opened")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 12), removed=st.sets(st.integers(0, 11)))
def test_removal_keeps_exactly_the_rest(
    tmp_path_factory: pytest.TempPathFactory, count: int, removed: set[int]
) -> None:
    """For any subset: the rest answers as before, in the same order."""
    store = new_store(tmp_path_factory.mktemp("state"))
    load(store, range(count))
    chosen = {number for number in removed if number < count}
    rest = [number for number in range(count) if number not in chosen]

    assert len(rest) == store.remove({entry(number).reference_id for number in chosen})

    if not rest:
        assert store.is_empty()
        return
    with store.open() as stored:
        assert [entry(number) for number in rest] == [stored.entry(one) for one in stored.reference_ids]
        assert [picture(number) for number in rest] == [stored.picture(one) for one in stored.reference_ids]
        assert np.array_equal(np.concatenate([templates(number) for number in rest]), stored.vectors()[0])
