"""
The pixels of one camera: a few slots in memory that the daemon and its decoder share, sealed against resizing.

A slot is free, lent to the decoder, or held by a frame. Whoever gives it back zeroes it first; what a dead decoder may
have left in the slots that it was lent is zeroed here. No lock is shared with the decoder: a killed one would keep it.
"""

import fcntl
import mmap
import os
import threading
from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from edge_lfr.biometrics.geometry import SizeWH
from edge_lfr.biometrics.locking import TALLY, lock_memory
from edge_lfr.errors import FrameFormatError
from edge_lfr.pipeline.capture.protocol import Limits

SLOTS = 3
"""One that waits, one in the path, one that is being written."""

_MFD_NOEXEC_SEAL = 8
"""linux/memfd.h, since 6.3; an older kernel refuses the flag."""


class Slots:
    """The slots of one camera; they outlive its decoders, and frames that are still held outlive `close`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        length = limits.slots * limits.slot_bytes
        self._descriptor: int | None = _sealed_memory(length)
        block = mmap.mmap(self._descriptor, length)
        block.madvise(mmap.MADV_DONTDUMP)
        self._memory: NDArray[np.uint8] = np.frombuffer(block, dtype=np.uint8).reshape(limits.slots, limits.slot_bytes)
        self.is_locked = lock_memory(self._memory.ctypes.data, length)
        """Whether the pages can never reach a swap device; they are the ones that the decoder maps, too."""

        TALLY.note(length, is_locked=self.is_locked)

        self._lent: set[int] = set()
        self._held: set[int] = set()
        self._return_to: Callable[[int], None] | None = None
        self._lock = threading.Lock()

    @property
    def descriptor(self) -> int:
        """What a decoder maps; its size can never change."""
        if self._descriptor is None:
            message = "these slots are closed"
            raise RuntimeError(message)
        return self._descriptor

    @property
    def held(self) -> int:
        """Frames that have not been destroyed yet."""
        return len(self._held)

    def lend_all(self) -> tuple[int, ...]:
        """Lend a new decoder every slot that no frame holds."""
        with self._lock:
            self._lent = set(range(self._limits.slots)) - self._held
            return tuple(sorted(self._lent))

    def return_to(self, decoder: Callable[[int], None]) -> None:
        """From now on tell *decoder* of every slot that comes back, and of those that came back in between."""
        with self._lock:
            self._return_to = decoder
            for index in sorted(set(range(self._limits.slots)) - self._held - self._lent):
                self._lent.add(index)
                decoder(index)

    def accept(self, untrusted_index: int, size: SizeWH) -> NDArray[np.uint8]:
        """
        Take over the picture that the decoder announced.

        Args:
            untrusted_index: A slot within the limits, not yet known to be the decoder's to give.

            size: Within the limits.

        Returns:
            uint8 (height, width, 3), a view of the slot; `give_back` ends it.

        Raises:
            FrameFormatError: The slot is not lent: a frame holds it, and the decoder wrote where it must not.
        """
        with self._lock:
            if untrusted_index not in self._lent:
                raise FrameFormatError(f"a decoder announced slot {untrusted_index}, which it was not lent")
            self._lent.remove(untrusted_index)
            self._held.add(untrusted_index)
        slot: NDArray[np.uint8] = self._memory[untrusted_index]
        return slot[: size.width * size.height * 3].reshape(size.height, size.width, 3)

    def give_back(self, index: int, pixels: NDArray[np.uint8]) -> None:
        """Zero a picture and lend its slot to the decoder again; safe after the decoder's death and after `close`."""
        pixels[...] = 0
        with self._lock:
            self._held.discard(index)
            if self._return_to is not None:
                self._lent.add(index)
                self._return_to(index)

    def reclaim(self) -> None:
        """The decoder is dead: take back and zero whatever it was lent."""
        with self._lock:
            self._return_to = None
            for index in self._lent:
                self._memory[index] = 0
            self._lent.clear()

    def close(self) -> None:
        """Zero everything that no frame holds, and let the memory go with the last frame."""
        self.reclaim()
        with self._lock:
            for index in set(range(self._limits.slots)) - self._held:
                self._memory[index] = 0
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
                TALLY.forget(self._memory.nbytes, was_locked=self.is_locked)
            self._memory = np.zeros((0, 0), dtype=np.uint8)


def _sealed_memory(length: int) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    descriptor = -1
    with suppress(OSError):
        descriptor = os.memfd_create("edge-lfr-slots", flags | _MFD_NOEXEC_SEAL)
    if descriptor < 0:
        descriptor = os.memfd_create("edge-lfr-slots", flags)
    os.ftruncate(descriptor, length)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return descriptor
