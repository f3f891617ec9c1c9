"""The search of a wipe's proof: it finds what is there, wherever it begins, and not its own table."""

import hashlib
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lfr.process_memory import MemoryReader
from edge_lfr.watchlist.wiping.fragments import OVERLAP, Fragments

FRAGMENTS = tuple(hashlib.blake2b(bytes([number]), digest_size=16).digest() for number in range(100))


@pytest.fixture(scope="module")
def table() -> Fragments:
    return Fragments.of(FRAGMENTS)


@given(st.integers(0, 40), st.integers(0, 99))
@settings(max_examples=200, deadline=None)
def test_a_fragment_is_found_at_every_address(table: Fragments, place: int, number: int) -> None:
    """A copy may begin anywhere."""
    haystack = bytearray(b"0123456789" * 12)
    haystack[place : place + 16] = FRAGMENTS[number]
    assert 1 == table.count_in(haystack)


def test_a_part_of_a_fragment_is_none(table: Fragments) -> None:
    """Fifteen bytes of it, or half of two, do not count."""
    one, two = FRAGMENTS[:2]
    assert 0 == table.count_in(bytes(8) + one[:15] + bytes(9))
    assert 0 == table.count_in(one[:8] + two[8:] + bytes(16))


def test_a_fragment_at_the_very_end_is_found(table: Fragments) -> None:
    """The last whole word is looked at, too."""
    assert 1 == table.count_in(bytes(16) + FRAGMENTS[3])


def test_every_copy_is_counted(table: Fragments) -> None:
    """Many fragments in a large haystack, each once."""
    haystack = bytearray(4_000_000)
    for number, fragment in enumerate(FRAGMENTS):
        begin = number * 39_989
        haystack[begin : begin + 16] = fragment
    assert len(FRAGMENTS) == table.count_in(haystack)


def test_what_says_nothing_is_left_out() -> None:
    """A run of zeros or of one value would be found in every heap."""
    assert 1 == len(Fragments.of([bytes(16), b"\xff" * 16, b"abababababababab", FRAGMENTS[0], FRAGMENTS[0], b"short"]))
    assert 0 == Fragments.of([]).count_in(bytes(1_000))


def test_another_process_goes_on_with_it(table: Fragments) -> None:
    """What is handed over finds the same, and holds no fragment in clear."""
    handed = table.to_bytes()
    again = Fragments.from_bytes(handed)
    assert len(table) == len(again)
    assert 1 == again.count_in(bytes(5) + FRAGMENTS[7] + bytes(11))
    assert 0 == table.count_in(handed + bytes(-len(handed) % 8))
    with pytest.raises(ValueError, match="fragments"):
        Fragments.from_bytes(handed[:-1])


def test_a_destroyed_table_finds_nothing() -> None:
    """It is zero, wherever a copy of it was not made."""
    table = Fragments.of(FRAGMENTS[:3])
    table.destroy()
    assert 0 == table.count_in(bytes(3) + FRAGMENTS[0] + bytes(5))
    assert not any(table._sorted)


def test_the_search_of_our_own_memory_finds_copies_and_not_itself() -> None:
    """So many copies more are so many hits more; and when all are gone, the table is no hit either."""
    copies = np.zeros((64, 4097), dtype=np.uint8)
    copies[:, 1001:1017] = np.frombuffer(os.urandom(16), dtype=np.uint8)
    fragments = Fragments.of([copies[0, 1001:1017].tobytes()])
    reader = MemoryReader(OVERLAP)
    with_copies = sum(map(fragments.count_in, reader.pieces(os.getpid())))
    copies[...] = 0
    without = sum(map(fragments.count_in, reader.pieces(os.getpid())))
    freed = 3  # small objects that the interpreter has let go of and not overwritten yet
    assert without <= freed
    assert 64 <= with_copies - without <= 64 + freed
