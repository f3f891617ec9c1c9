"""
Memory that holds biometric data: allocated once, one owner a slot, one destruction.

A vector or a crop never becomes `bytes`, `str` or JSON before the decision, because those cannot be overwritten. It
lives in a slot of an arena; leaving the `with` block of the slot zeroes it and gives it back.
"""

import threading
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge_lfr.biometrics.locking import locked_zeros

Scalar = TypeVar("Scalar", bound=np.generic)


class ArenaExhaustedError(RuntimeError):
    """More slots were asked for than the arena has: the caller planned a larger pass than it sized the arena for."""


class Slot(Generic[Scalar]):
    """One place in an arena; `destroy` zeroes it and gives it back, once: a later owner is never disturbed."""

    __slots__ = ("_arena", "_index", "_is_returned", "array")

    def __init__(self, arena: "Arena[Scalar]", index: int, array: NDArray[Scalar]) -> None:
        self._arena = arena
        self._index = index
        self._is_returned = False
        self.array = array

    def destroy(self) -> None:
        if not self._is_returned:
            self._is_returned = True
            self._arena.take_back(self._index)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()


class Arena(Generic[Scalar]):
    """
    Equal slots in one contiguous block of locked memory, which is allocated once and keeps its address.

    Slots are handed out lowest index first, so that a pass of n samples usually is the block's first n rows and can be
    given to a session without a copy.
    """

    def __init__(self, slots: int, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self.block: NDArray[Any] = locked_zeros((slots, *shape), dtype)
        self._free = set(range(slots))
        self._lock = threading.Lock()

    @property
    def free_slots(self) -> int:
        return len(self._free)

    def take(self) -> Slot[Scalar]:
        """
        Hand out the lowest free slot; it is all zeros.

        Raises:
            ArenaExhaustedError: No slot is free (a caller's mistake, not an outcome).
        """
        with self._lock:
            if not self._free:
                raise ArenaExhaustedError(f"all {len(self.block)} slots are taken")
            index = min(self._free)
            self._free.remove(index)
        return Slot(self, index, self.block[index])

    def take_back(self, index: int) -> None:
        """Zero the slot and make it free; nothing happens to one that is free already."""
        with self._lock:
            if index in self._free:
                return
            self.block[index] = 0
            self._free.add(index)

    def destroy(self) -> None:
        """Zero everything and take all slots back, whoever holds them."""
        with self._lock:
            self.block[...] = 0
            self._free = set(range(len(self.block)))
