"""Memory with one owner and one destruction."""

import numpy as np
import pytest

from edge_lfr.biometrics.buffers import Arena, ArenaExhaustedError


def test_leaving_the_block_zeroes_the_slot() -> None:
    """What was written into a slot is gone when its `with` block ends, at the same address."""
    arena: Arena[np.uint8] = Arena(2, (4, 4, 3), np.uint8)
    with arena.take() as slot:
        slot.array[...] = 7
        assert arena.block.any()
    assert not arena.block.any()
    assert 2 == arena.free_slots


def test_an_exception_zeroes_the_slot_too() -> None:
    """A failing stage leaves nothing behind."""
    arena: Arena[np.float32] = Arena(1, (8,), np.float32)
    with pytest.raises(ZeroDivisionError):
        _fill_and_fail(arena)
    assert not arena.block.any()


def test_the_lowest_slot_is_handed_out_first() -> None:
    """A batch of fresh slots is one contiguous piece of the block."""
    arena: Arena[np.float32] = Arena(3, (2,), np.float32)
    first, second = arena.take(), arena.take()
    first.destroy()
    assert arena.block[0].ctypes.data == arena.take().array.ctypes.data
    second.destroy()


def test_destroying_twice_does_not_touch_the_next_owner() -> None:
    """A late second destroy of a slot that somebody else holds by now stays without effect."""
    arena: Arena[np.uint8] = Arena(1, (2,), np.uint8)
    first = arena.take()
    first.destroy()
    second = arena.take()
    second.array[...] = 7
    first.destroy()
    assert 0 == arena.free_slots
    assert second.array.all()


def test_an_exhausted_arena_says_so() -> None:
    """Asking for more than was planned is a mistake of the caller."""
    arena: Arena[np.uint8] = Arena(1, (2,), np.uint8)
    arena.take()
    with pytest.raises(ArenaExhaustedError, match="all 1 slots"):
        arena.take()


def _fill_and_fail(arena: Arena[np.float32]) -> None:
    with arena.take() as slot:
        slot.array[...] = 1.0
        raise ZeroDivisionError
