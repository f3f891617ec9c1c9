"""
Memory that can neither be swapped out nor dumped: allocated in whole pages, locked, zeroed where it lies.

Where the limit (`ulimit -l`, `LimitMEMLOCK=`) does not allow it, the memory is there all the same and `unlocked_bytes`
says how much of it is not held: the appliance then calls itself degraded.
"""

import ctypes
import mmap
import threading
from contextlib import suppress
from math import prod
from typing import Any, Final, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

_LIBC: Final = ctypes.CDLL(None)

HUGE_PAGE_BYTES: Final = 2 * 2**20
"""From this size on the kernel is asked for huge pages, where it may: a matrix that is read from end to end then misses
the table of pages less often. The product of eight probes and 60,000 templates took 8.1 ms instead of 8.7, of two 6.5
instead of 7.3 (medians that took turns, loaded machine)."""


class LockTally:
    """How much memory was asked for and how much the system refused to hold."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.locked_bytes = 0
        self.unlocked_bytes = 0

    def note(self, length: int, *, is_locked: bool) -> None:
        with self._lock:
            if is_locked:
                self.locked_bytes += length
            else:
                self.unlocked_bytes += length

    def forget(self, length: int, *, was_locked: bool) -> None:
        with self._lock:
            if was_locked:
                self.locked_bytes -= length
            else:
                self.unlocked_bytes -= length


TALLY: Final = LockTally()
"""Of this process: the limit is the process's, and so is the account. The one state at module level."""


def locked_zeros(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """
    Allocate an array of zeros in pages of its own, locked and left out of core dumps.

    It is unlocked and returned when the last array that shows it goes.

    Args:
        shape: Of the array; an empty one takes no pages.

        dtype: As numpy says it.
    """
    kind = np.dtype(dtype)
    length = prod(shape) * kind.itemsize
    if length == 0:
        return np.zeros(shape, dtype=kind)
    block = _LockedPages(length)
    return np.frombuffer(block, dtype=kind, count=prod(shape)).reshape(shape)


class _LockedPages(mmap.mmap):
    """Anonymous pages; the kernel unlocks them when they are unmapped, and the account is told."""

    is_locked: bool
    length: int

    def __new__(cls, length: int) -> Self:
        block = super().__new__(cls, -1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        block.length, block.is_locked = 0, False  # nothing is in the account yet, should the next line fail
        block.madvise(mmap.MADV_DONTDUMP)
        if length >= HUGE_PAGE_BYTES:
            with suppress(OSError):  # a kernel that is built without huge pages does not know the word
                block.madvise(mmap.MADV_HUGEPAGE)
        block.is_locked = lock_memory(ctypes.addressof(ctypes.c_char.from_buffer(block)), length)
        TALLY.note(length, is_locked=block.is_locked)
        block.length = length
        return block

    def __del__(self) -> None:
        TALLY.forget(self.length, was_locked=self.is_locked)


def lock_memory(address: int, length: int) -> bool:
    """Keep pages in memory; False where the limit does not allow it."""
    return bool(_LIBC.mlock(ctypes.c_void_p(address), ctypes.c_size_t(length)) == 0)
